#include "core/report/class_groups.h"

#include <math.h>

const char *const mfm_class_group_names[MFM_CLASS_GROUPS] = {"few", "medium", "many"};
const mfm_class_borders mfm_class_borders_default = {.medium = 20, .many = 100};

enum mfm_class_group mfm_class_group_of(const mfm_class_borders *borders, uint32_t images)
{
    return images < borders->medium ? MFM_FEW : images > borders->many ? MFM_MANY : MFM_MEDIUM;
}

/* One class more: the mean is sum / tested in the end. */
static void count_class(double recall, double *sum, int *classes, int *tested)
{
    ++*classes;
    if (isnan(recall))
        return;
    *sum += recall;
    ++*tested;
}

double mfm_class_group_mean(const mfm_class_borders *borders, const double *recall,
                            const uint32_t *train, int counted, enum mfm_class_group group,
                            int *classes, int *tested)
{
    double sum = 0;
    *classes = *tested = 0;
    for (int c = 0; c < counted; c++)
        if (mfm_class_group_of(borders, train[c]) == group)
            count_class(recall[c], &sum, classes, tested);
    return *tested ? sum / *tested : NAN;
}

double mfm_class_group_recall(const mfm_class_borders *borders, const mfm_confusion *confusion,
                              const uint32_t *train, int counted, enum mfm_class_group group,
                              int *classes, int *tested)
{
    double sum = 0;
    *classes = *tested = 0;
    for (int c = 0; c < counted && c < confusion->classes; c++)
        if (mfm_class_group_of(borders, train[c]) == group)
            count_class(mfm_confusion_recall(confusion, c), &sum, classes, tested);
    return *tested ? sum / *tested : NAN;
}
