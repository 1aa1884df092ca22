/*
 * Image files: JPEG by libjpeg, PNG by libpng, told apart by their first bytes. Pictures come out
 * in colour, [height, width, 3] in the order red, green, blue, as Pillow's convert("RGB") gives
 * them: grey is copied, palettes are looked up, CMYK is taken as Adobe writes it (inverted), 16
 * bits become 8, transparency is dropped. The orientation that EXIF tells is applied.
 *
 * Files are hostile: what is claimed is checked before memory is asked for. A file has up to
 * MFM_IMAGE_FILE_BYTES, an image up to MFM_IMAGE_PIXELS pixels and a progressive JPEG up to
 * MFM_IMAGE_SCANS scans and MFM_IMAGE_SCANNED pixels in all of them; one decoder thus takes some
 * 400 MiB at worst. What is cut off or damaged is refused rather than filled with grey.
 */
#ifndef MFM_DECODER_H
#define MFM_DECODER_H

#include <stdbool.h>

#include "core/data/sources/source.h"

enum {
    MFM_IMAGE_FILE_BYTES = 1 << 28,
    MFM_IMAGE_PIXELS = 1 << 26,
    MFM_IMAGE_SIDE = 65535,
    MFM_IMAGE_SCANS = 200,
    MFM_IMAGE_SCANNED = 1 << 30,
    MFM_IMAGE_PIXEL_BYTES = 12 /* memory that a pixel may take */
};

typedef struct mfm_decoder mfm_decoder;

/* One thread each; NULL without memory. */
mfm_decoder *mfm_decoder_new(void);
void mfm_decoder_free(mfm_decoder *decoder);
/* An image that could take more memory than that is refused by its header, as one that cannot be
 * read: the file, twelve bytes a pixel (the picture, once more where it is turned, and a
 * progressive JPEG's coefficients). 0: only the limits above hold. */
void mfm_decoder_set_memory(mfm_decoder *decoder, size_t bytes);
/* As mfm_decoder_begin, of a file that is in memory, and stays there until its pixels are read;
 * name is for messages. */
int mfm_decoder_begin_bytes(mfm_decoder *decoder, const char *name, const uint8_t *bytes,
                            size_t size, mfm_picture *picture);
/* Reads the file and its header: the size as the picture is seen. picture->message begins with the
 * path. MFM_EIO, MFM_EDATA, MFM_ENOMEM; MFM_ENOTSUP for a format that this build cannot read. */
int mfm_decoder_begin(mfm_decoder *decoder, const char *path, mfm_picture *picture);
/* Of the file's bytes; whether they are an image is not asked. Fails as mfm_decoder_begin. */
int mfm_decoder_digest(mfm_decoder *decoder, const char *path, mfm_picture *picture,
                       mfm_digest *digest);
/* As in mfm_source_kind. */
int mfm_decoder_pixels(mfm_decoder *decoder, int reduce, mfm_picture *picture);

/* Whether a file's name ends as those of images do. */
bool mfm_decoder_takes(const char *name);
/* Whether this build reads image files; what to say where it does not. */
bool mfm_decoder_built(void);
#define MFM_DECODER_MISSING                                                                        \
    "this build reads no image files: install libjpeg-dev and libpng-dev (sh tools/setup.sh) and " \
    "build again"

#endif
