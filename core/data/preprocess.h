/*
 * From the bytes of an image to the numbers a model reads: fitted to the model's input (images/
 * fit_picture.h resizes, here black pixels are put around and grey is copied to colour), augmented
 * (augmentations/augmentation.h), then normalised as (byte / scale - mean) / deviation. "Black" is
 * the byte 0 before normalisation.
 *
 * Rows of arrays are numbers already, and go the way of core/data/array_form.h.
 */
#ifndef MFM_PREPROCESS_H
#define MFM_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/data/array_form.h"
#include "core/data/augmentations/augmentation.h"
#include "core/data/sources/dataset.h"
#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

/* What becomes of images that have not the form that a model reads. */
enum mfm_fit_how {
    MFM_FIT_NONE,  /* they are refused */
    MFM_FIT_PAD,   /* smaller ones are centred among black pixels, grey is copied to colour */
    MFM_FIT_RESIZE /* they are resized, grey is copied to colour and colour made grey */
};

/* How bytes become numbers: per channel of the model, (byte / scale - mean) / deviation. */
typedef struct mfm_normalisation {
    int channels;
    double scale; /* what byte becomes 1 */
    double mean[MFM_DATA_CHANNELS], deviation[MFM_DATA_CHANNELS];
} mfm_normalisation;

/* The dataset's own, for a model of `channels`: a grey channel is that of all. scale is 255. */
mfm_normalisation mfm_normalisation_of(const mfm_dataset *dataset, int channels);
/* Bytes as they are. */
mfm_normalisation mfm_normalisation_none(int channels);
/* The number that a byte becomes. */
double mfm_normalise(const mfm_normalisation *normalisation, int channel, int byte);
bool mfm_normalisation_same(const mfm_normalisation *a, const mfm_normalisation *b);
/* MFM_EDATA for a scale or deviation that is not above 0, and for numbers beyond float32. */
int mfm_normalisation_check(mfm_ctx *ctx, const mfm_normalisation *normalisation);

/* Set by mfm_preprocess_init, then only read: threads may share it. Owns nothing. */
typedef struct mfm_preprocess {
    int image_height, image_width, image_channels;    /* of the dataset; 0: of any size */
    int source_height, source_width, source_channels; /* what they are resized to, or the same */
    int height, width, channels;                      /* of the model */
    int above, before; /* black rows and columns that fitting puts in front */
    /* Images of any size are resized, so that the source is of the model's size: for evaluation to
     * the least size of their own shape that covers full_height x full_width, of which the centre
     * is read. By default that is 256 / 224 of the model's size. */
    bool resizes;
    int full_height, full_width;
    mfm_augment augment;
    mfm_normalisation normalisation;
    real table[MFM_DATA_CHANNELS][256]; /* byte to number, per channel of the model */
    const mfm_array_form *array; /* of arrays, and all that is of bytes is left; NULL: images */
} mfm_preprocess;

/* Where images are resized, another size of which the centre is evaluated: MFM_EDATA for one below
 * the model's. */
int mfm_preprocess_set_full(mfm_ctx *ctx, int height, int width, mfm_preprocess *preprocess);

/* The model reads [n, channels, height, width]. normalisation NULL: the dataset's own; augment
 * NULL: none. MFM_EINVAL when the dataset's images have another shape that fit does not bridge, or
 * an augmentation cannot work on it; MFM_EDATA for a normalisation that cannot be used, or that is
 * not known. */
int mfm_preprocess_init(mfm_ctx *ctx, const mfm_dataset *dataset, int channels, int height,
                        int width, enum mfm_fit_how fit, const mfm_normalisation *normalisation,
                        const mfm_augment *augment, mfm_preprocess *preprocess);

/* Of arrays, whose rows become that form's, which must outlive it: height, width and channels are
 * those of rows that are images, else 1, 1 and how many numbers there are. */
void mfm_preprocess_arrays(const mfm_array_form *form, mfm_preprocess *preprocess);

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

/* Whether the dataset's images have the form that the model was trained on, or any size. */
bool mfm_preprocess_like_told(const mfm_dataset *dataset, const mfm_preprocess_info *info);
/* The dataset's images become what the model was trained on, resized where they have another size.
 * MFM_EINVAL for channels that cannot become others. */
int mfm_preprocess_as_told(mfm_ctx *ctx, const mfm_dataset *dataset,
                           const mfm_preprocess_info *info, mfm_preprocess *preprocess);

/* Numbers of one image for the model. */
size_t mfm_preprocess_size(const mfm_preprocess *preprocess);

/* From the image's bytes, pixels [source_height, source_width, source_channels], to those of the
 * model's form, [height, width, channels]. */
void mfm_preprocess_pad(const mfm_preprocess *preprocess, const uint8_t *pixels, uint8_t *bytes);
/* bytes and out [height, width, channels]. */
void mfm_preprocess_normalise(const mfm_preprocess *preprocess, const uint8_t *bytes, real *out);
/* Both. */
void mfm_preprocess_image(const mfm_preprocess *preprocess, const uint8_t *pixels, real *out);

MFM_C_END

#endif
