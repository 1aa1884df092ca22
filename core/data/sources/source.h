/*
 * Where images come from. A source hands them out one by one as bytes, through readers: each worker
 * opens one of its own, and the readers of a source may be used at the same time, each by one
 * thread. Whether memory or files lie behind makes no difference above.
 *
 * An image is read in two steps, so that what is wanted of it can be chosen by its size before it
 * is decoded: `begin` tells the size, `pixels` hands out the bytes.
 *
 * Readers work beside the caller's threads, so they never touch the context once they are open:
 * what went wrong is told in the picture.
 */
#ifndef MFM_SOURCE_H
#define MFM_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/data/sources/bad_images.h"
#include "core/data/sources/dataset.h"
#include "core/base/context.h"
#include "core/base/digest.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

enum { MFM_PICTURE_MESSAGE = MFM_BAD_MESSAGE };

/* The image that a reader is at. */
typedef struct mfm_picture {
    int height, width, channels;
    const uint8_t *pixels; /* [height, width, channels], the reader's, until the next `begin` */
    const float *numbers;  /* of arrays, the row, instead */
    char message[MFM_PICTURE_MESSAGE]; /* of a failure, with the image's path */
} mfm_picture;

struct mfm_source_kind {
    /* *reader is NULL after an error. */
    int (*open)(mfm_ctx *ctx, const void *self, void **reader);
    void (*close)(mfm_ctx *ctx, void *reader);
    /* Height, width and channels. MFM_EIO, MFM_EDATA or MFM_ENOMEM with a message. */
    int (*begin)(void *reader, uint32_t index, mfm_picture *picture);
    /* The bytes of the image begun, which may be smaller than told, as height and width then say:
     * each side divided by one of 1, 2, 4, 8 up to `reduce` and rounded up. */
    int (*pixels)(void *reader, int reduce, mfm_picture *picture);
    /* Of what the image is made of, all of it, whatever it is called and wherever it lies. Fails as
     * `begin`. */
    int (*digest)(void *reader, uint32_t index, mfm_picture *picture, mfm_digest *digest);
    /* Goes on with a hash (core/data/fnv.h) by what tells the image from others. */
    uint64_t (*hash)(const void *self, uint32_t index, uint64_t hash);
    /* The file that an image lies in, relative to the dataset's folder; NULL: none of its own. */
    const char *(*path)(const void *self, uint32_t index);
    void (*free)(mfm_ctx *ctx, void *self);
    bool decodes; /* an image takes long enough for several workers */
};

/* One worker's access to a part of a dataset, in memory or behind a source. */
typedef struct mfm_reader mfm_reader;

/* images must outlive the reader. height, width and channels are those of images in memory. */
int mfm_reader_open(mfm_ctx *ctx, const mfm_images *images, int height, int width, int channels,
                    mfm_reader **reader);
void mfm_reader_close(mfm_ctx *ctx, mfm_reader *reader);
/* As in mfm_source_kind. index is below the part's count. */
int mfm_reader_begin(mfm_reader *reader, uint32_t index);
int mfm_reader_pixels(mfm_reader *reader, int reduce);
/* Of an image in memory that of its pixels, of a row that of its numbers. */
int mfm_reader_digest(mfm_reader *reader, uint32_t index, mfm_digest *digest);
/* Whether images that fail with this status are left out. */
bool mfm_images_skip(const mfm_images *images, int status);
/* As mfm_bad_images_tell, where images are left out. */
void mfm_images_tell(mfm_ctx *ctx, const mfm_images *images, bool total);
/* As mfm_bad_images_hush. */
void mfm_images_hush(const mfm_images *images);
/* Whether an image could not be read so far, where such images are left out. */
bool mfm_images_left_out(const mfm_images *images, uint32_t index);
/* How many of a part could not be read so far. */
uint32_t mfm_images_failed(const mfm_images *images);
/* As `path` of the source; NULL for images in memory. */
const char *mfm_images_path(const mfm_images *images, uint32_t index);
/* Writes the picture's message. */
void mfm_reader_tell(mfm_reader *reader, const char *message);
const mfm_picture *mfm_reader_picture(const mfm_reader *reader);

MFM_C_END

#endif
