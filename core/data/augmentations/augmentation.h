/*
 * Images changed at random before a model reads them in training, a list of augmentations that are
 * applied one after the other. Adding one: a file in augmentations/ that defines
 * `const mfm_augmentation mfm_augmentation_NAME`, and a line in augmentations/augmentations.def.
 *
 * What is drawn for an image is a pure function of (seed, node, step, slot in the batch), so the
 * same seed gives the same images whatever the number of workers.
 */
#ifndef MFM_AUGMENTATION_H
#define MFM_AUGMENTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

enum { MFM_AUGMENT_ARGUMENTS = 4, MFM_AUGMENT_MOST = 12 };

enum mfm_border {
    MFM_BORDER_ZERO,   /* black: bytes of 0, before normalisation */
    MFM_BORDER_REFLECT /* mirrored at the outermost pixel, which is not repeated */
};

/* What an image's draws are keyed by. */
typedef struct mfm_draw {
    uint64_t seed;
    uint32_t node;
    uint64_t step;
    uint32_t slot;
} mfm_draw;

/* Draws of one augmentation for one image, one after the other; up to 256. */
typedef struct mfm_draws {
    mfm_draw of;
    uint64_t family; /* tells augmentations apart */
    uint64_t taken;
} mfm_draws;

/* Uniform in [0, 1), in [low, high), and in 0 .. bound - 1. */
double mfm_draws_uniform(mfm_draws *draws);
double mfm_draws_between(mfm_draws *draws, double low, double high);
int mfm_draws_below(mfm_draws *draws, int bound);

/* An image of the model's size while it is augmented. */
typedef struct mfm_canvas {
    int height, width, channels;
    uint8_t *bytes; /* [height, width, channels] */
    uint8_t *spare; /* of the same size, for whoever needs it; the two may be exchanged */
    enum mfm_border border;
} mfm_canvas;

/* A part of an image. */
typedef struct mfm_rectangle {
    int top, left, height, width;
} mfm_rectangle;

/* Arguments are numbers after the name, divided by colons: name:0.4:0.4. */
typedef struct mfm_augmentation {
    const char *name, *summary;
    struct {
        const char *name; /* NULL ends them */
        double initial, least, most;
        bool whole;
    } arguments[MFM_AUGMENT_ARGUMENTS];
    bool borders; /* reads what comes in where an image is moved */
    bool colours; /* works on one or three channels only */
    /* One of the three: which part is read of an image of any size, a change of its bytes, a change
     * of its numbers, out [height, width, channels], after normalisation. */
    mfm_rectangle (*crop)(const double *arguments, mfm_draws *draws, int height, int width);
    void (*bytes)(const double *arguments, mfm_draws *draws, mfm_canvas *canvas);
    void (*numbers)(const double *arguments, mfm_draws *draws, int height, int width, int channels,
                    real *out);
    /* MFM_EINVAL for a size that it cannot work on; NULL: any. */
    int (*check)(mfm_ctx *ctx, const double *arguments, const mfm_canvas *canvas);
} mfm_augmentation;

/* Ended by NULL. */
extern const mfm_augmentation *const mfm_augmentations[];

typedef struct mfm_augment_use {
    const mfm_augmentation *kind;
    double arguments[MFM_AUGMENT_ARGUMENTS];
} mfm_augment_use;

/* All 0: none. */
typedef struct mfm_augment {
    mfm_augment_use use[MFM_AUGMENT_MOST];
    int count;
    enum mfm_border border; /* what comes in where an image is moved */
} mfm_augment;

/* "none", or augmentations in the order in which they are applied, divided by commas:
 * resized-crop,flip,color-jitter:0.4. A crop comes first, and what changes numbers last. MFM_EINVAL
 * for anything else. */
int mfm_augment_read(mfm_ctx *ctx, const char *text, enum mfm_border border, mfm_augment *augment);
/* MFM_EINVAL where one of them cannot work on images of that shape. */
int mfm_augment_check(mfm_ctx *ctx, const mfm_augment *augment, int height, int width,
                      int channels);
/* Whether it reads parts of images, which are then resized. */
bool mfm_augment_crops(const mfm_augment *augment);
/* Of an augmentation that does. */
mfm_rectangle mfm_augment_crop(const mfm_augment *augment, const mfm_draw *draw, int height,
                               int width);
void mfm_augment_bytes(const mfm_augment *augment, const mfm_draw *draw, mfm_canvas *canvas);
void mfm_augment_numbers(const mfm_augment *augment, const mfm_draw *draw, int height, int width,
                         int channels, real *out);

MFM_C_END

#endif
