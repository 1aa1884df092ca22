/*
 * From the bytes of an image to the numbers a model reads: fitted to the model's input, shifted and
 * flipped, then normalised as (byte / scale - mean) / deviation.
 *
 * Fitting centres the image among black pixels and copies a grey channel to all three; it happens
 * only on request. Shifting pads the fitted image by `pad` pixels on each side and crops it back to
 * size at (top, left), both in 0 .. 2 pad. "Black" is the byte 0 before normalisation.
 *
 * What is drawn for an image is a pure function of (seed, node, step, slot in the batch).
 */
#ifndef MFM_PREPROCESS_H
#define MFM_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/data/sources/dataset.h"
#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

enum mfm_border {
    MFM_BORDER_ZERO,   /* black */
    MFM_BORDER_REFLECT /* mirrored at the outermost pixel, which is not repeated */
};

typedef struct mfm_augment {
    int pad; /* 0: no shift */
    enum mfm_border border;
    bool flip; /* mirror left to right, half of the time */
    /* A rectangle of 8 to 100 % of the image and of a ratio of sides of 3/4 to 4/3, resized to the
     * model's input (Szegedy et al., CVPR 2015). Only where images are resized. */
    bool random_crop;
} mfm_augment;

/* How bytes become numbers: per channel of the model, (byte / scale - mean) / deviation. */
typedef struct mfm_normalisation {
    int channels;
    double scale; /* what byte becomes 1 */
    double mean[MFM_DATA_CHANNELS], deviation[MFM_DATA_CHANNELS];
} mfm_normalisation;

/* The dataset's own, for a model of `channels`: a grey channel is that of all. scale is 255. */
mfm_normalisation mfm_normalisation_of(const mfm_dataset *dataset, int channels);
/* The number that a byte becomes. */
double mfm_normalise(const mfm_normalisation *normalisation, int channel, int byte);
bool mfm_normalisation_same(const mfm_normalisation *a, const mfm_normalisation *b);
/* MFM_EDATA for a scale or deviation that is not above 0, and for numbers beyond float32. */
int mfm_normalisation_check(mfm_ctx *ctx, const mfm_normalisation *normalisation);

/* What an image's draws are keyed by. */
typedef struct mfm_draw {
    uint64_t seed;
    uint32_t node;
    uint64_t step;
    uint32_t slot;
} mfm_draw;

/* What was drawn for one image. */
typedef struct mfm_crop {
    int top, left;
    bool flip;
} mfm_crop;

/* Set by mfm_preprocess_init, then only read: threads may share it. Owns nothing. */
typedef struct mfm_preprocess {
    int source_height, source_width, source_channels;
    int height, width, channels;
    int above, before; /* black rows and columns that fitting puts in front */
    /* Images of any size are resized, so that the source is of the model's size: for evaluation to
     * the least size of their own shape that covers full_height x full_width, of which the centre
     * is read. By default that is 256 / 224 of the model's size. */
    bool resizes;
    int full_height, full_width;
    mfm_augment augment;
    mfm_normalisation normalisation;
    real table[MFM_DATA_CHANNELS][256]; /* byte to number, per channel of the model */
} mfm_preprocess;

/* Where images are resized, another size of which the centre is evaluated: MFM_EDATA for one below
 * the model's. */
int mfm_preprocess_set_full(mfm_ctx *ctx, int height, int width, mfm_preprocess *preprocess);

/* The model reads [n, channels, height, width]. normalisation NULL: the dataset's own. MFM_EINVAL
 * when the dataset's images have another shape and fit is false or cannot bridge it, or the padding
 * is out of range; MFM_EDATA for a normalisation that cannot be used, or that is not known. */
int mfm_preprocess_init(mfm_ctx *ctx, const mfm_dataset *dataset, int channels, int height,
                        int width, bool fit, const mfm_normalisation *normalisation,
                        const mfm_augment *augment, mfm_preprocess *preprocess);

/* What a model tells of its images (onnx/info/preprocess_info.h). */
typedef struct mfm_preprocess_info {
    int channels, height, width; /* of the model's input */
    /* Of the images that it was trained on: smaller than the input where they were padded. */
    int image_channels, image_height, image_width;
    int full_height, full_width; /* images were resized to cover this, and cropped; 0: not told */
    mfm_normalisation normalisation;
} mfm_preprocess_info;

/* Without a dataset, for image files of any size: they become what the model was trained on, and
 * are then padded as that was. MFM_EINVAL for a model that reads neither grey nor colours,
 * MFM_EDATA for a normalisation that cannot be used. */
int mfm_preprocess_files(mfm_ctx *ctx, const mfm_preprocess_info *info, mfm_preprocess *preprocess);

/* Numbers of one image for the model. */
size_t mfm_preprocess_size(const mfm_preprocess *preprocess);

mfm_crop mfm_crop_draw(const mfm_augment *augment, uint64_t seed, uint32_t node, uint64_t step,
                       uint32_t slot);
/* The part of an image of height x width that random_crop reads. */
typedef struct mfm_rectangle {
    int top, left, height, width;
} mfm_rectangle;
mfm_rectangle mfm_rectangle_draw(int height, int width, uint64_t seed, uint32_t node, uint64_t step,
                                 uint32_t slot);
/* The crop that changes nothing. */
mfm_crop mfm_crop_centre(const mfm_augment *augment);

/* pixels [source_height, source_width, source_channels], out [height, width, channels]. */
void mfm_preprocess_image(const mfm_preprocess *preprocess, mfm_crop crop, const uint8_t *pixels,
                          real *out);

MFM_C_END

#endif
