/*
 * Lists of image files: a line for each, PATH CLASS [PART], divided by blanks. PART is `train` or
 * `test`; a list without it divides nothing. Paths are relative to the dataset's folder, or begin
 * with a slash.
 *
 * A field with blanks, a double quote, or a # at its beginning stands in double quotes; in them \\
 * is a backslash, \" a quote, \n, \r and \t line feed, carriage return and tab. Empty lines, and
 * those that begin with #, are left out.
 */
#ifndef MFM_IMAGE_LIST_H
#define MFM_IMAGE_LIST_H

#include "core/data/sources/dataset.h"

/* Of a line, as it is read: NULL where there is no such field. */
typedef struct mfm_image_line {
    char *field[3];
    int number;
} mfm_image_line;

/* Calls line(self, ...) for each; fields are only valid meanwhile. MFM_EIO, MFM_EDATA by file and
 * line, or what line returned. */
int mfm_image_list_read(mfm_ctx *ctx, const char *path,
                        int (*line)(void *self, const mfm_image_line *line), void *self);

/* The images of a dataset that lie in files, with their classes and parts; reading them back gives
 * the same dataset. MFM_EINVAL for a dataset of other images. */
int mfm_image_list_write(mfm_ctx *ctx, const char *path, const mfm_dataset *dataset);

#endif
