#include "core/data/preprocess.h"

#include <float.h>
#include <math.h>

#include "core/base/random.h"

static int check_shape(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_preprocess *to, bool fit)
{
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
        const int from = dataset->channels == 1 ? 0 : c;
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

static int fill_table(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_normalisation *own,
                      mfm_preprocess *preprocess)
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
    for (int c = 0; c < preprocess->channels; c++)
        for (int byte = 0; byte < 256; byte++)
            preprocess->table[c][byte] = (real)mfm_normalise(n, c, byte);
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
    int status = check_shape(ctx, dataset, &preprocess, fit);
    if (status == MFM_OK)
        status = check_augment(ctx, augment, height, width);
    if (status == MFM_OK)
        status = fill_table(ctx, dataset, normalisation, &preprocess);
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
