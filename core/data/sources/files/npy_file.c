#include "core/data/sources/files/npy_file.h"

#include "core/data/file_reader.h"

/* Numbers that lie in their order, and are no shorter than a float, can be put where they are: each
 * is read before its place, which lies below, is written. */
static bool fit_in_place(const mfm_npy *npy)
{
    return !npy->column_major && npy->type != MFM_NPY_BYTE;
}

int mfm_npy_file_read(mfm_ctx *ctx, const char *path, mfm_npy_file *file)
{
    mfm_npy npy;
    char *bytes;
    size_t size;
    *file = (mfm_npy_file){.numbers = NULL};
    int status = mfm_file_read_whole(ctx, path, &bytes, &size);
    if (status == MFM_OK)
        status = mfm_npy_read(ctx, path, bytes, size, &npy);
    if (status != MFM_OK) {
        mfm_free(ctx, bytes);
        return status;
    }
    const size_t count = (size_t)mfm_shape_count(&npy.shape);
    const bool in_place = fit_in_place(&npy);
    file->type = npy.type;
    file->shape = npy.shape;
    file->numbers = in_place ? (float *)(void *)bytes : mfm_alloc(ctx, count, sizeof(float));
    if (file->numbers)
        mfm_npy_numbers(&npy, 0, count, file->numbers);
    if (!in_place)
        mfm_free(ctx, bytes);
    return file->numbers ? MFM_OK : MFM_ENOMEM;
}
