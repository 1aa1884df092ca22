#include "core/data/preprocess.h"

#include <float.h>
#include <math.h>

#include "core/base/random.h"

static int check_shape(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_preprocess *to, bool fit)
{
    if (to->resizes)
        return to->channels == 1 || to->channels == 3
                   ? MFM_OK
                   : mfm_fail(ctx, MFM_EINVAL,
                              "images of %s have colours, the model reads %d channels: 1 or 3",
                              dataset->name, to->channels);
    const bool equal = dataset->channels == to->channels && dataset->height == to->height &&
                       dataset->width == to->width;
    const bool channels_fit =
        dataset->channels == to->channels || (dataset->channels == 1 && to->channels == 3);
    const bool fits = channels_fit && dataset->height <= to->height && dataset->width <= to->width;
    if (equal || (fit && fits))
        return MFM_OK;
    const char *advice = fits  ? "add --fit, or "
                         : fit ? "--fit pads and copies grey to colour, no more: "
                               : "";
    return mfm_fail(ctx, MFM_EINVAL,
                    "images of %s are [%d,%d,%d], the model reads [%d,%d,%d]: %suse a model for "
                    "%dx%dx%d",
                    dataset->name, dataset->channels, dataset->height, dataset->width, to->channels,
                    to->height, to->width, advice, dataset->channels, dataset->height,
                    dataset->width);
}

static int check_augment(mfm_ctx *ctx, const mfm_augment *augment, int height, int width)
{
    const int side = height < width ? height : width;
    const int most = augment->border == MFM_BORDER_REFLECT ? side - 1 : side;
    if (augment->pad < 0 || augment->pad > most)
        return mfm_fail(ctx, MFM_EINVAL, "augmentation: padding %d: 0 to %d for %d x %d",
                        augment->pad, most, height, width);
    return MFM_OK;
}

mfm_normalisation mfm_normalisation_of(const mfm_dataset *dataset, int channels)
{
    mfm_normalisation n = {.channels = channels, .scale = 255};
    for (int c = 0; c < channels && c < MFM_DATA_CHANNELS; c++) {
        const bool grey_form = channels == 1 && dataset->channels == 3 && dataset->height == 0;
        const int from = dataset->channels == 1 ? 0 : grey_form ? 3 : c;
        n.mean[c] = dataset->mean[from];
        n.deviation[c] = dataset->deviation[from];
    }
    return n;
}

bool mfm_normalisation_same(const mfm_normalisation *a, const mfm_normalisation *b)
{
    bool same = a->channels == b->channels && a->scale == b->scale;
    for (int c = 0; same && c < a->channels; c++)
        same = a->mean[c] == b->mean[c] && a->deviation[c] == b->deviation[c];
    return same;
}

double mfm_normalise(const mfm_normalisation *n, int channel, int byte)
{
    return (byte / n->scale - n->mean[channel]) / n->deviation[channel];
}

int mfm_normalisation_check(mfm_ctx *ctx, const mfm_normalisation *n)
{
    if (!(n->scale > 0) || !isfinite(n->scale))
        return mfm_fail(ctx, MFM_EDATA, "scale %g: must be above 0", n->scale);
    for (int c = 0; c < n->channels; c++) {
        if (!isfinite(n->mean[c]))
            return mfm_fail(ctx, MFM_EDATA, "mean %g in channel %d: must be a number", n->mean[c],
                            c);
        if (!(n->deviation[c] > 0))
            return mfm_fail(ctx, MFM_EDATA, "deviation %g in channel %d: must be above 0",
                            n->deviation[c], c);
        const double low = mfm_normalise(n, c, 0), high = mfm_normalise(n, c, 255);
        if (!(fabs(low) <= FLT_MAX && fabs(high) <= FLT_MAX) || low == high)
            return mfm_fail(ctx, MFM_EDATA,
                            "mean %g, deviation %g and scale %g in channel %d: bytes must become "
                            "different numbers within float32",
                            n->mean[c], n->deviation[c], n->scale, c);
    }
    return MFM_OK;
}

static void fill_table(mfm_preprocess *p)
{
    for (int c = 0; c < p->channels; c++)
        for (int byte = 0; byte < 256; byte++)
            p->table[c][byte] = (real)mfm_normalise(&p->normalisation, c, byte);
}

int mfm_preprocess_set_full(mfm_ctx *ctx, int height, int width, mfm_preprocess *preprocess)
{
    if (height < preprocess->height || width < preprocess->width)
        return mfm_fail(ctx, MFM_EDATA, "resized to %d x %d: at least the %d x %d of the model",
                        height, width, preprocess->height, preprocess->width);
    preprocess->full_height = height;
    preprocess->full_width = width;
    return MFM_OK;
}

int mfm_preprocess_files(mfm_ctx *ctx, const mfm_preprocess_info *info, mfm_preprocess *result)
{
    mfm_preprocess p = {.source_height = info->image_height,
                        .source_width = info->image_width,
                        .source_channels = info->image_channels,
                        .height = info->height,
                        .width = info->width,
                        .channels = info->channels,
                        .above = (info->height - info->image_height) / 2,
                        .before = (info->width - info->image_width) / 2,
                        .resizes = true,
                        .full_height = info->full_height,
                        .full_width = info->full_width,
                        .normalisation = info->normalisation};
    if (!p.full_height) {
        p.full_height = p.source_height;
        p.full_width = p.source_width;
    }
    if (p.source_channels != 1 && p.source_channels != 3)
        return mfm_fail(ctx, MFM_EINVAL,
                        "image files have colours, the model was trained on %d channels: 1 or 3",
                        p.source_channels);
    const int status = mfm_normalisation_check(ctx, &p.normalisation);
    if (status == MFM_OK) {
        fill_table(&p);
        *result = p;
    }
    return status;
}

/* As torchvision's recipes: 256 for 224. */
static void set_resizing(mfm_preprocess *preprocess)
{
    preprocess->resizes = true;
    preprocess->source_height = preprocess->height;
    preprocess->source_width = preprocess->width;
    preprocess->source_channels = preprocess->channels;
    preprocess->above = preprocess->before = 0;
    preprocess->full_height = (int)((int64_t)preprocess->height * 256 / 224);
    preprocess->full_width = (int)((int64_t)preprocess->width * 256 / 224);
}

static int choose_normalisation(mfm_ctx *ctx, const mfm_dataset *dataset,
                                const mfm_normalisation *own, mfm_preprocess *preprocess)
{
    if (!own && dataset->unmeasured)
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: no training images to measure mean and deviation on: add them, or use "
                        "a model that tells its own",
                        dataset->name);
    mfm_normalisation *n = &preprocess->normalisation;
    *n = own ? *own : mfm_normalisation_of(dataset, preprocess->channels);
    const int status = mfm_normalisation_check(ctx, n);
    if (status)
        return own ? status : mfm_fail_in(ctx, status, "%s", dataset->name);
    fill_table(preprocess);
    return MFM_OK;
}

int mfm_preprocess_init(mfm_ctx *ctx, const mfm_dataset *dataset, int channels, int height,
                        int width, bool fit, const mfm_normalisation *normalisation,
                        const mfm_augment *augment, mfm_preprocess *result)
{
    mfm_preprocess preprocess = {.source_height = dataset->height,
                                 .source_width = dataset->width,
                                 .source_channels = dataset->channels,
                                 .height = height,
                                 .width = width,
                                 .channels = channels,
                                 .above = (height - dataset->height) / 2,
                                 .before = (width - dataset->width) / 2,
                                 .augment = *augment};
    if (dataset->height == 0)
        set_resizing(&preprocess);
    int status = check_shape(ctx, dataset, &preprocess, fit);
    if (status == MFM_OK && augment->random_crop && !preprocess.resizes)
        status = mfm_fail(ctx, MFM_EINVAL,
                          "augmentation: random crops of other sizes: %s has images of one size",
                          dataset->name);
    if (status == MFM_OK)
        status = check_augment(ctx, augment, height, width);
    if (status == MFM_OK)
        status = choose_normalisation(ctx, dataset, normalisation, &preprocess);
    if (status == MFM_OK)
        *result = preprocess;
    return status;
}

size_t mfm_preprocess_size(const mfm_preprocess *preprocess)
{
    return (size_t)preprocess->height * (size_t)preprocess->width * (size_t)preprocess->channels;
}

/* A word of 32 bits scaled to 0 .. bound - 1. */
static int scale(uint32_t word, int bound)
{
    return (int)(((uint64_t)word * (uint64_t)bound) >> 32);
}

mfm_crop mfm_crop_draw(const mfm_augment *augment, uint64_t seed, uint32_t node, uint64_t step,
                       uint32_t slot)
{
    const mfm_key key = {seed, MFM_STREAM_AUGMENT, node, step};
    uint32_t words[4];
    mfm_random4(&key, slot, words);
    const int positions = 2 * augment->pad + 1;
    return (mfm_crop){scale(words[0], positions), scale(words[1], positions),
                      augment->flip && (words[2] >> 31)};
}

enum { ATTEMPTS = 10 };

/* As torchvision's RandomResizedCrop: area and ratio are drawn until the rectangle fits; after ten
 * attempts it is the largest of a ratio within the bounds, in the centre. Draws have indices beyond
 * those of mfm_crop_draw. */
mfm_rectangle mfm_rectangle_draw(int height, int width, uint64_t seed, uint32_t node, uint64_t step,
                                 uint32_t slot)
{
    const mfm_key key = {seed, MFM_STREAM_AUGMENT, node, step};
    const double least = 3.0 / 4, most = 4.0 / 3, log_least = log(least), log_most = log(most);
    for (uint64_t attempt = 1; attempt <= ATTEMPTS; attempt++) {
        uint32_t words[4];
        mfm_random4(&key, (attempt << 32) + slot, words);
        const double share = 0.08 + 0.92 * words[0] * 0x1p-32;
        const double ratio = exp(log_least + (log_most - log_least) * words[1] * 0x1p-32);
        const double area = share * height * width;
        const int w = (int)floor(sqrt(area * ratio) + 0.5),
                  h = (int)floor(sqrt(area / ratio) + 0.5);
        if (w >= 1 && h >= 1 && w <= width && h <= height)
            return (mfm_rectangle){scale(words[2], height - h + 1), scale(words[3], width - w + 1),
                                   h, w};
    }
    mfm_rectangle r = {.height = height, .width = width};
    if (width < least * height)
        r.height = (int)floor(width / least + 0.5);
    else if (width > most * height)
        r.width = (int)floor(height * most + 0.5);
    r.top = (height - r.height) / 2;
    r.left = (width - r.width) / 2;
    return r;
}

mfm_crop mfm_crop_centre(const mfm_augment *augment)
{
    return (mfm_crop){augment->pad, augment->pad, false};
}

/* Where position `at` of the padded axis lies in the source, or a number outside 0 .. source - 1
 * for black. size is that of the fitted axis, first the black in front of the source. */
static int locate(const mfm_augment *augment, int at, int size, int first)
{
    int fitted = at - augment->pad;
    if (augment->border == MFM_BORDER_REFLECT) {
        if (fitted < 0)
            fitted = -fitted;
        if (fitted >= size)
            fitted = 2 * (size - 1) - fitted;
    } else if (fitted < 0 || fitted >= size) {
        return -1;
    }
    return fitted - first;
}

/* row NULL: a black row. */
static void write_row(const mfm_preprocess *preprocess, mfm_crop crop, const uint8_t *row,
                      real *out)
{
    const int width = preprocess->width, channels = preprocess->channels;
    const int source_channels = preprocess->source_channels;
    for (int x = 0; x < width; x++, out += channels) {
        const int mirrored = crop.flip ? width - 1 - x : x;
        const int from =
            locate(&preprocess->augment, mirrored + crop.left, width, preprocess->before);
        const bool black = !row || from < 0 || from >= preprocess->source_width;
        for (int c = 0; c < channels; c++) {
            const int byte =
                black ? 0 : row[from * source_channels + (source_channels == 1 ? 0 : c)];
            out[c] = preprocess->table[c][byte];
        }
    }
}

void mfm_preprocess_image(const mfm_preprocess *preprocess, mfm_crop crop, const uint8_t *pixels,
                          real *out)
{
    const size_t source_row =
        (size_t)preprocess->source_width * (size_t)preprocess->source_channels;
    const size_t out_row = (size_t)preprocess->width * (size_t)preprocess->channels;
    for (int y = 0; y < preprocess->height; y++) {
        const int from =
            locate(&preprocess->augment, y + crop.top, preprocess->height, preprocess->above);
        const bool black = from < 0 || from >= preprocess->source_height;
        write_row(preprocess, crop, black ? NULL : pixels + (size_t)from * source_row,
                  out + (size_t)y * out_row);
    }
}
