/* What a file format supplies; included by decoder.c and the formats only. */
#ifndef MFM_IMAGE_FORMAT_H
#define MFM_IMAGE_FORMAT_H

#include "core/data/images/decoder.h"

/* A file in memory, and the image in it. */
typedef struct mfm_image_file {
    const uint8_t *bytes;
    size_t size;
    int height, width; /* as stored */
    int orientation;   /* EXIF's, 1 to 8; 1: as stored */
    char *message;     /* [MFM_PICTURE_MESSAGE] the rule that is broken, without the path */
} mfm_image_file;

typedef struct mfm_image_format {
    /* Both MFM_EDATA or MFM_ENOMEM with a message. */
    int (*size)(mfm_image_file *file); /* height, width, orientation */
    /* Pixels [ceil(height / reduce), ceil(width / reduce), 3] as stored; reduce 1, 2, 4 or 8, of
     * which a format may only know 1 and then sets it. */
    int (*decode)(mfm_image_file *file, int *reduce, uint8_t *pixels);
    bool reduces;
} mfm_image_format;

extern const mfm_image_format mfm_image_jpeg, mfm_image_png;

/* The orientation in a TIFF block, as EXIF has it: 1 to 8; 1 where it tells none. */
int mfm_exif_orientation(const uint8_t *tiff, size_t size);

#endif
