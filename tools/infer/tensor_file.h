/*
 * Tensors of `run` in files, image by image: .npy (core/data/npy.h), or nothing but the numbers,
 * lowest byte first, the last axis fastest.
 */
#ifndef MFM_TENSOR_FILE_H
#define MFM_TENSOR_FILE_H

#include "core/data/file_writer.h"
#include "core/base/shape.h"

/* Numbers of a file as rows of a known length. */
typedef struct mfm_rows {
    float *data;
    size_t count, length;
} mfm_rows;

/* What a file may hold. */
enum mfm_rows_of {
    MFM_ROWS_OF_FLOATS, /* floating-point numbers */
    MFM_ROWS_OF_BYTES,  /* uint8 */
    MFM_ROWS_OF_ANY     /* any type of .npy; without its header float32 */
};

/* one: the shape of a row, with 1 for the first axis. MFM_EDATA for another shape or type. The
 * caller releases rows->data with mfm_free. */
int mfm_rows_read(mfm_ctx *ctx, const char *path, const mfm_shape *one, enum mfm_rows_of of,
                  mfm_rows *rows);

/* A file of exactly that shape: floating-point or whole numbers, numbers[mfm_shape_count(shape)].
 */
int mfm_tensor_file_read(mfm_ctx *ctx, const char *path, const mfm_shape *shape, float *numbers);

/* A file that grows by rows; as a whole or not at all there. */
typedef struct mfm_row_file {
    mfm_file_writer *writer;
    mfm_shape shape; /* of all rows */
} mfm_row_file;

/* A path that ends in .npy gets its header, any other the numbers alone; the path was checked by
 * mfm_check_output. */
int mfm_row_file_open(mfm_ctx *ctx, const char *path, const mfm_shape *shape, mfm_row_file *file);
void mfm_row_file_put(mfm_row_file *file, const float *numbers, size_t count);
int mfm_row_file_commit(mfm_row_file *file);
void mfm_row_file_close(mfm_row_file *file);

#endif
