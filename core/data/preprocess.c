#include "core/data/preprocess.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int check_shape(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_preprocess *to,
                       enum mfm_fit_how fit)
{
    if (dataset->row.rank)
        return mfm_fail(ctx, MFM_EINVAL, "%s: rows of arrays, no images", dataset->name);
    if (dataset->height == 0)
        return to->channels == 1 || to->channels == 3
                   ? MFM_OK
                   : mfm_fail(ctx, MFM_EINVAL,
                              "images of %s have colours, the model reads %d channels: 1 or 3",
                              dataset->name, to->channels);
    const bool equal = dataset->channels == to->channels && dataset->height == to->height &&
                       dataset->width == to->width;
    const bool copied =
        dataset->channels == to->channels || (dataset->channels == 1 && to->channels == 3);
    const bool greyed = dataset->channels == 3 && to->channels == 1;
    const bool fits = copied && dataset->height <= to->height && dataset->width <= to->width;
    if (equal || (fit == MFM_FIT_PAD && fits) || (fit == MFM_FIT_RESIZE && (copied || greyed)))
        return MFM_OK;
    const char *advice = fit == MFM_FIT_NONE && (copied || greyed) ? "add --fit, or "
                         : fit == MFM_FIT_PAD && (copied || greyed)
                             ? "--pad makes them larger and copies grey to colour, no more: "
                             : "";
    return mfm_fail(ctx, MFM_EINVAL,
                    "images of %s are [%d,%d,%d], the model reads [%d,%d,%d]: %suse a model for "
                    "%dx%dx%d",
                    dataset->name, dataset->channels, dataset->height, dataset->width, to->channels,
                    to->height, to->width, advice, dataset->channels, dataset->height,
                    dataset->width);
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

mfm_normalisation mfm_normalisation_none(int channels)
{
    mfm_normalisation none = {.channels = channels, .scale = 1};
    for (int c = 0; c < channels; c++)
        none.deviation[c] = 1;
    return none;
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

/* What a model tells, but for the images that it is given. */
static int take_told(mfm_ctx *ctx, const mfm_preprocess_info *info, mfm_preprocess *p)
{
    *p = (mfm_preprocess){.source_height = info->image_height,
                          .source_width = info->image_width,
                          .source_channels = info->image_channels,
                          .height = info->height,
                          .width = info->width,
                          .channels = info->channels,
                          .above = (info->height - info->image_height) / 2,
                          .before = (info->width - info->image_width) / 2,
                          .full_height = info->full_height,
                          .full_width = info->full_width,
                          .normalisation = info->normalisation};
    if (!p->full_height) {
        p->full_height = p->source_height;
        p->full_width = p->source_width;
    }
    const int status = mfm_normalisation_check(ctx, &p->normalisation);
    if (status == MFM_OK)
        fill_table(p);
    return status;
}

int mfm_preprocess_files(mfm_ctx *ctx, const mfm_preprocess_info *info, mfm_preprocess *result)
{
    mfm_preprocess p;
    if (info->image_channels != 1 && info->image_channels != 3)
        return mfm_fail(ctx, MFM_EINVAL,
                        "image files have colours, the model was trained on %d channels: 1 or 3",
                        info->image_channels);
    const int status = take_told(ctx, info, &p);
    p.resizes = true;
    if (status == MFM_OK)
        *result = p;
    return status;
}

bool mfm_preprocess_like_told(const mfm_dataset *dataset, const mfm_preprocess_info *info)
{
    return dataset->height == 0 ||
           (dataset->height == info->image_height && dataset->width == info->image_width &&
            dataset->channels == info->image_channels);
}

int mfm_preprocess_as_told(mfm_ctx *ctx, const mfm_dataset *dataset,
                           const mfm_preprocess_info *info, mfm_preprocess *result)
{
    mfm_preprocess p;
    const int has = dataset->channels, wants = info->image_channels;
    if (dataset->height == 0)
        return mfm_preprocess_files(ctx, info, result);
    if (has != wants && !(has == 1 && wants == 3) && !(has == 3 && wants == 1))
        return mfm_fail(ctx, MFM_EINVAL,
                        "images of %s have %d channels, the model was trained on %d: one or three "
                        "of these can be the other",
                        dataset->name, has, wants);
    const int status = take_told(ctx, info, &p);
    p.image_height = dataset->height;
    p.image_width = dataset->width;
    p.image_channels = has;
    if (has == 1)
        p.source_channels = 1;
    p.resizes = dataset->height != p.source_height || dataset->width != p.source_width ||
                has != p.source_channels || p.full_height != p.source_height ||
                p.full_width != p.source_width;
    if (status == MFM_OK)
        *result = p;
    return status;
}

/* Files have pictures of any size, of which the centre is evaluated, 224 of 256 as in torchvision's
 * recipes; images of one size are framed as they are. */
static void set_resizing(const mfm_dataset *dataset, mfm_preprocess *p)
{
    const bool files = dataset->height == 0;
    p->resizes = true;
    p->source_height = p->height;
    p->source_width = p->width;
    if (files || p->channels == 1)
        p->source_channels = p->channels;
    p->above = p->before = 0;
    p->full_height = files ? (int)((int64_t)p->height * 256 / 224) : p->height;
    p->full_width = files ? (int)((int64_t)p->width * 256 / 224) : p->width;
}

static bool same_form(const mfm_dataset *dataset, const mfm_preprocess *p)
{
    return dataset->height == p->height && dataset->width == p->width &&
           (dataset->channels == p->channels || dataset->channels == 1);
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
                        int width, enum mfm_fit_how fit, const mfm_normalisation *normalisation,
                        const mfm_augment *augment, mfm_preprocess *result)
{
    const mfm_augment none = {.count = 0}, *changes = augment ? augment : &none;
    mfm_preprocess preprocess = {.image_height = dataset->height,
                                 .image_width = dataset->width,
                                 .image_channels = dataset->channels,
                                 .source_height = dataset->height,
                                 .source_width = dataset->width,
                                 .source_channels = dataset->channels,
                                 .height = height,
                                 .width = width,
                                 .channels = channels,
                                 .above = (height - dataset->height) / 2,
                                 .before = (width - dataset->width) / 2,
                                 .augment = *changes};
    int status = check_shape(ctx, dataset, &preprocess, fit);
    /* A crop of images that are padded would cut the padding out again. */
    if (dataset->height == 0 || mfm_augment_crops(changes) ||
        (fit == MFM_FIT_RESIZE && !same_form(dataset, &preprocess)))
        set_resizing(dataset, &preprocess);
    if (status == MFM_OK)
        status = mfm_augment_check(ctx, changes, height, width, channels);
    if (status == MFM_OK)
        status = choose_normalisation(ctx, dataset, normalisation, &preprocess);
    if (status == MFM_OK)
        *result = preprocess;
    return status;
}

void mfm_preprocess_arrays(const mfm_array_form *form, mfm_preprocess *preprocess)
{
    const mfm_shape *row = &form->row;
    const int numbers = (int)mfm_shape_count(row);
    const bool image = row->rank == 3;
    const int first = form->turns ? 1 : 0; /* of height and width */
    *preprocess = (mfm_preprocess){.image_height = 1,
                                   .image_width = 1,
                                   .image_channels = numbers,
                                   .source_height = 1,
                                   .source_width = 1,
                                   .source_channels = numbers,
                                   .height = image ? (int)row->dim[first] : 1,
                                   .width = image ? (int)row->dim[first + 1] : 1,
                                   .channels = image ? (int)row->dim[form->turns ? 0 : 2] : numbers,
                                   .array = form};
}

size_t mfm_preprocess_size(const mfm_preprocess *preprocess)
{
    return (size_t)preprocess->height * (size_t)preprocess->width * (size_t)preprocess->channels;
}

/* Rows of black, or the row and black on both sides. */
static void pad_row(const mfm_preprocess *p, const uint8_t *row, uint8_t *out)
{
    const int from = p->source_channels;
    memset(out, 0, (size_t)p->width * (size_t)p->channels);
    if (!row)
        return;
    out += p->before * p->channels;
    for (int x = 0; x < p->source_width; x++, row += from)
        for (int c = 0; c < p->channels; c++)
            *out++ = row[from == 1 ? 0 : c];
}

void mfm_preprocess_pad(const mfm_preprocess *p, const uint8_t *pixels, uint8_t *bytes)
{
    const size_t source_row = (size_t)p->source_width * (size_t)p->source_channels;
    const size_t row = (size_t)p->width * (size_t)p->channels;
    for (int y = 0; y < p->height; y++) {
        const int from = y - p->above;
        const bool black = from < 0 || from >= p->source_height;
        pad_row(p, black ? NULL : pixels + (size_t)from * source_row, bytes + (size_t)y * row);
    }
}

void mfm_preprocess_normalise(const mfm_preprocess *p, const uint8_t *bytes, real *out)
{
    const size_t places = (size_t)p->height * (size_t)p->width;
    for (size_t i = 0; i < places; i++)
        for (int c = 0; c < p->channels; c++)
            *out++ = p->table[c][*bytes++];
}

static void normalise_row(const mfm_preprocess *p, const uint8_t *row, real *out)
{
    for (int x = 0; x < p->width; x++)
        for (int c = 0; c < p->channels; c++) {
            const int from = x - p->before;
            const bool black = !row || from < 0 || from >= p->source_width;
            const int byte =
                black ? 0 : row[from * p->source_channels + (p->source_channels == 1 ? 0 : c)];
            *out++ = p->table[c][byte];
        }
}

void mfm_preprocess_image(const mfm_preprocess *p, const uint8_t *pixels, real *out)
{
    const size_t source_row = (size_t)p->source_width * (size_t)p->source_channels;
    const size_t out_row = (size_t)p->width * (size_t)p->channels;
    for (int y = 0; y < p->height; y++) {
        const int from = y - p->above;
        const bool black = from < 0 || from >= p->source_height;
        normalise_row(p, black ? NULL : pixels + (size_t)from * source_row,
                      out + (size_t)y * out_row);
    }
}
