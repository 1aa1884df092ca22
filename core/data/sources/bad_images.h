/*
 * Images of a part of a dataset that could not be read, as its readers find them. Each counts once,
 * and the first ten are kept with what was wrong.
 *
 * Readers of any thread note images; what tells is for the thread whose context it is.
 */
#ifndef MFM_BAD_IMAGES_H
#define MFM_BAD_IMAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

enum { MFM_BAD_TOLD = 10, MFM_BAD_MESSAGE = 1024 };

typedef struct mfm_bad_images mfm_bad_images;

/* Of a part of `images` images of the dataset `name`. */
int mfm_bad_images_new(mfm_ctx *ctx, const char *name, uint32_t images, mfm_bad_images **bad);
void mfm_bad_images_free(mfm_ctx *ctx, mfm_bad_images *bad);

/* message: what was wrong, with the image's path. */
void mfm_bad_images_note(mfm_bad_images *bad, uint32_t index, const char *message);
bool mfm_bad_images_has(const mfm_bad_images *bad, uint32_t index);
uint32_t mfm_bad_images_count(const mfm_bad_images *bad);
/* Number k of the first ones, from 0; false: there is none yet. */
bool mfm_bad_images_first(const mfm_bad_images *bad, uint32_t k, uint32_t *index,
                          char message[MFM_BAD_MESSAGE]);

/* Warns of those since the last time, the first ten by their messages; total: and how many there
 * are, where more have come. */
void mfm_bad_images_tell(mfm_ctx *ctx, mfm_bad_images *bad, bool total);
/* Warns of none from now on: somebody else does. */
void mfm_bad_images_hush(mfm_bad_images *bad);

MFM_C_END

#endif
