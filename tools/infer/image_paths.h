/* The image files that a command line names: files, folders of them, a list on standard input. */
#ifndef MFM_IMAGE_PATHS_H
#define MFM_IMAGE_PATHS_H

#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_image_paths {
    char **path;
    size_t count, room;
} mfm_image_paths;

/* "-": standard input, a path per line. A folder: its images by the ends of their names, also those
 * in folders below it, in the order of their names' bytes; none is MFM_EDATA. Anything else is
 * taken as it is, there or not. */
int mfm_image_paths_add(mfm_ctx *ctx, const char *argument, mfm_image_paths *paths);
void mfm_image_paths_clear(mfm_ctx *ctx, mfm_image_paths *paths);

#endif
