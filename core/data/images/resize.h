/*
 * Resizing of bytes by the antialiased bilinear filter: a triangle as wide as the output's pixels
 * where the image shrinks, one pixel of the input wide on each side where it grows. Rows and
 * columns are filtered one after the other, columns of a row first, with weights of 22 bits and
 * bytes in between, which is what Pillow's Image.resize(..., BILINEAR) computes: the bytes are
 * equal.
 */
#ifndef MFM_RESIZE_H
#define MFM_RESIZE_H

#include <stdint.h>

/* A part of an image in memory: rows of `stride` bytes. */
typedef struct mfm_region {
    const uint8_t *pixels; /* of its first row and column */
    int height, width, channels;
    int64_t stride;
} mfm_region;

/* A window of the image that `from` becomes when it is resized to full_height x full_width. */
typedef struct mfm_window {
    int full_height, full_width;
    int top, left, height, width;
} mfm_window;

/* Working memory that grows as needed; zeroed at first. */
typedef struct mfm_resizer {
    void *room;
    uint64_t size;
} mfm_resizer;

/* out [height, width, channels] of the window, which lies within the full size. MFM_ENOMEM. */
int mfm_resize(mfm_resizer *resizer, const mfm_region *from, const mfm_window *window,
               uint8_t *out);
void mfm_resizer_clear(mfm_resizer *resizer);

#endif
