/*
 * Arrays in files as NumPy writes them (.npy, versions 1 to 3): a header that tells element type,
 * order and shape as a Python literal, and the numbers. Floating-point and whole numbers of 4 or 8
 * bytes and unsigned bytes are read, of either byte order, row-major or column-major ("Fortran
 * order"); float32 is written, lowest byte first, row-major, as version 1.
 *
 * The format is that of NumPy's documentation, numpy.lib.format.
 */
#ifndef MFM_NPY_H
#define MFM_NPY_H

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/shape.h"

MFM_C_BEGIN

enum mfm_npy_type { MFM_NPY_FLOAT32, MFM_NPY_FLOAT64, MFM_NPY_INT32, MFM_NPY_INT64, MFM_NPY_BYTE };

typedef struct mfm_npy {
    enum mfm_npy_type type;
    bool big_endian, column_major;
    mfm_shape shape;     /* rank 0: a single number */
    const char *numbers; /* within the file's bytes */
} mfm_npy;

/* Whether bytes begin as such a file does. */
bool mfm_npy_begins(const char *bytes, size_t size);
/* bytes: the whole file; path is for messages. MFM_EDATA by the rule that is broken: also for a
 * file that is longer or shorter than its header tells; MFM_ENOTSUP for other element types. */
int mfm_npy_read(mfm_ctx *ctx, const char *path, const char *bytes, size_t size, mfm_npy *npy);
/* Numbers number first .. first + count - 1 of the array in row-major order. */
void mfm_npy_numbers(const mfm_npy *npy, size_t first, size_t count, float *numbers);

/* The header for float32 of that shape; returns its length. What follows are the numbers. */
enum { MFM_NPY_HEADER = 256 };
size_t mfm_npy_header(const mfm_shape *shape, char header[MFM_NPY_HEADER]);

MFM_C_END

#endif
