#include "core/report/confusion.h"

#include <math.h>
#include <string.h>

/* A row and a number of undecided images for each class. */
static size_t cells(const mfm_confusion *confusion)
{
    return (size_t)confusion->classes * ((size_t)confusion->classes + 1);
}

int mfm_confusion_init(mfm_ctx *ctx, mfm_confusion *confusion, int classes)
{
    *confusion = (mfm_confusion){.classes = classes};
    confusion->count = mfm_alloc(ctx, cells(confusion), sizeof *confusion->count);
    if (!confusion->count)
        return MFM_ENOMEM;
    confusion->undecided = confusion->count + (size_t)classes * (size_t)classes;
    return MFM_OK;
}

void mfm_confusion_clear(mfm_ctx *ctx, mfm_confusion *confusion)
{
    mfm_free(ctx, confusion->count);
    *confusion = (mfm_confusion){0};
}

void mfm_confusion_reset(mfm_confusion *confusion)
{
    memset(confusion->count, 0, cells(confusion) * sizeof *confusion->count);
    confusion->images = 0;
}

void mfm_confusion_add(mfm_confusion *confusion, int truth, int predicted)
{
    if (predicted < 0)
        confusion->undecided[truth]++;
    else
        confusion->count[truth * confusion->classes + predicted]++;
    confusion->images++;
}

double mfm_confusion_error(const mfm_confusion *confusion)
{
    uint64_t right = 0;
    for (int i = 0; i < confusion->classes; i++)
        right += confusion->count[i * confusion->classes + i];
    return confusion->images
               ? 100.0 * (double)(confusion->images - right) / (double)confusion->images
               : NAN;
}

uint64_t mfm_confusion_undecided(const mfm_confusion *confusion)
{
    uint64_t images = 0;
    for (int i = 0; i < confusion->classes; i++)
        images += confusion->undecided[i];
    return images;
}

uint64_t mfm_confusion_class_images(const mfm_confusion *confusion, int class_number)
{
    uint64_t images = confusion->undecided[class_number];
    for (int i = 0; i < confusion->classes; i++)
        images += confusion->count[class_number * confusion->classes + i];
    return images;
}

double mfm_confusion_recall(const mfm_confusion *confusion, int class_number)
{
    const uint64_t images = mfm_confusion_class_images(confusion, class_number);
    const uint32_t right = confusion->count[class_number * confusion->classes + class_number];
    return images ? 100.0 * (double)right / (double)images : NAN;
}

double mfm_confusion_mean_recall(const mfm_confusion *confusion, const bool *among, int *classes)
{
    double sum = 0;
    *classes = 0;
    for (int c = 0; c < confusion->classes; c++)
        if ((!among || among[c]) && mfm_confusion_class_images(confusion, c) > 0) {
            sum += mfm_confusion_recall(confusion, c);
            ++*classes;
        }
    return *classes ? sum / *classes : NAN;
}

double mfm_confusion_geometric_mean(const mfm_confusion *confusion)
{
    double sum = 0; /* of logarithms: a product of many classes would leave the range */
    int classes = 0;
    for (int c = 0; c < confusion->classes; c++)
        if (mfm_confusion_class_images(confusion, c) > 0) {
            sum += log(mfm_confusion_recall(confusion, c) / 100);
            classes++;
        }
    return classes ? 100 * exp(sum / classes) : NAN;
}

double mfm_confusion_balanced_error(const mfm_confusion *confusion)
{
    uint64_t first = 0; /* images of a class */
    bool equal = true;
    int classes;
    for (int c = 0; c < confusion->classes; c++) {
        const uint64_t images = mfm_confusion_class_images(confusion, c);
        if (first == 0)
            first = images;
        equal &= images == 0 || images == first;
    }
    return equal ? mfm_confusion_error(confusion)
                 : 100 - mfm_confusion_mean_recall(confusion, NULL, &classes);
}
