/* Image files for tests, written by the libraries themselves. */
#ifndef MFM_TESTS_IMAGE_WRITER_H
#define MFM_TESTS_IMAGE_WRITER_H

#include <stddef.h>
#include <stdint.h>

/* What is written, of bytes [height, width, channels]. */
typedef struct image_form {
    int height, width, channels; /* JPEG: 1, 3, 4 (CMYK); PNG: 1 to 4, with alpha for 2 and 4 */
    int orientation;             /* EXIF's; 0: no EXIF */
    int progressive;             /* JPEG's scans, PNG's passes */
    int ycck;                    /* JPEG of 4 channels: as YCCK */
    int palette;                 /* PNG: bytes are places in a palette of (i, 255 - i, i / 2) */
    int depth;                   /* PNG: 16, two bytes a sample; 0: 8 */
} image_form;

void write_jpeg(const char *path, const image_form *form, const uint8_t *pixels);
void write_png(const char *path, const image_form *form, const uint8_t *pixels);

/* By one of these, an image whose bytes are all of one value. */
typedef void write_image(const char *path, const image_form *form, const uint8_t *pixels);
void write_plain(write_image *write, const char *path, const image_form *form, int value);

#endif
