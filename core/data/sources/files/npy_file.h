/* Arrays that .npy files hold (core/data/npy.h), read as a whole. */
#ifndef MFM_NPY_FILE_H
#define MFM_NPY_FILE_H

#include "core/base/context.h"
#include "core/base/shape.h"
#include "core/data/npy.h"

typedef struct mfm_npy_file {
    enum mfm_npy_type type; /* of the file */
    mfm_shape shape;
    float *numbers; /* [mfm_shape_count(shape)], row-major */
} mfm_npy_file;

/* The caller releases file->numbers by mfm_free; they are NULL after a failure: MFM_EIO, or as
 * mfm_npy_read. What float32 cannot hold becomes infinite. */
int mfm_npy_file_read(mfm_ctx *ctx, const char *path, mfm_npy_file *file);

#endif
