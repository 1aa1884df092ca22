#include "tools/infer/tensor_file.h"

#include <string.h>
#include <unistd.h>

#include "core/data/npy.h"
#include "tools/files.h"

/* ---- reading -----------------------------------------------------------------------------------
 */

static bool named_npy(const char *path)
{
    static const char end[] = ".npy";
    const size_t length = strlen(path);
    return length >= sizeof end - 1 && strcmp(path + length - (sizeof end - 1), end) == 0;
}

static int make_rows(mfm_ctx *ctx, size_t count, const mfm_shape *one, mfm_rows *rows)
{
    const size_t length = (size_t)mfm_shape_count(one);
    *rows = (mfm_rows){mfm_alloc(ctx, count * length, sizeof(float)), count, length};
    return rows->data ? MFM_OK : MFM_ENOMEM;
}

static int read_plain(mfm_ctx *ctx, const char *path, const char *content, size_t size,
                      const mfm_shape *one, enum mfm_rows_of of, mfm_rows *rows)
{
    const bool bytes = of == MFM_ROWS_OF_BYTES;
    char shape[MFM_SHAPE_TEXT];
    const size_t row = (size_t)mfm_shape_count(one) * (bytes ? 1 : sizeof(float));
    if (size == 0 || size % row != 0)
        return mfm_fail(ctx, MFM_EDATA, "%s: %zu bytes: expected a multiple of %zu, %s %s", path,
                        size, row, bytes ? "bytes" : "float32", mfm_shape_text(one, shape));
    const int status = make_rows(ctx, size / row, one, rows);
    if (!status && !bytes)
        memcpy(rows->data, content, size);
    for (size_t i = 0; !status && bytes && i < size; i++)
        rows->data[i] = (float)(unsigned char)content[i];
    return status;
}

static int check_npy(mfm_ctx *ctx, const char *path, const mfm_npy *npy, const mfm_shape *one,
                     enum mfm_rows_of of)
{
    const bool floats = of == MFM_ROWS_OF_FLOATS, bytes = of == MFM_ROWS_OF_BYTES;
    char shape[MFM_SHAPE_TEXT], expected[MFM_SHAPE_TEXT];
    mfm_shape all = *one;
    all.dim[0] = npy->shape.dim[0];
    if (floats && (npy->type == MFM_NPY_INT32 || npy->type == MFM_NPY_INT64))
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: its numbers are whole (<i%d): expected float32: "
                        "astype(numpy.float32) makes them so",
                        path, npy->type == MFM_NPY_INT32 ? 4 : 8);
    if (floats && npy->type == MFM_NPY_BYTE)
        return mfm_fail(ctx, MFM_EDATA,
                        "%s: bytes (uint8): --bytes normalises images as the model tells; "
                        "numbers that are ready are float32",
                        path);
    if (bytes && npy->type != MFM_NPY_BYTE)
        return mfm_fail(ctx, MFM_EDATA, "%s: --bytes: its numbers are no bytes (uint8)", path);
    if (!mfm_shape_equal(&npy->shape, &all) || npy->shape.dim[0] == 0) {
        all.dim[0] = 1;
        mfm_shape_text(&all, expected);
        return mfm_fail(ctx, MFM_EDATA, "%s: shape %s: expected [n%s, n at least 1", path,
                        mfm_shape_text(&npy->shape, shape), expected + 2);
    }
    return MFM_OK;
}

static int read_npy(mfm_ctx *ctx, const char *path, const char *content, size_t size,
                    const mfm_shape *one, enum mfm_rows_of of, mfm_rows *rows)
{
    mfm_npy npy;
    int status = mfm_npy_read(ctx, path, content, size, &npy);
    if (!status)
        status = check_npy(ctx, path, &npy, one, of);
    if (!status)
        status = make_rows(ctx, (size_t)npy.shape.dim[0], one, rows);
    if (!status)
        mfm_npy_numbers(&npy, 0, rows->count * rows->length, rows->data);
    return status;
}

int mfm_rows_read(mfm_ctx *ctx, const char *path, const mfm_shape *one, enum mfm_rows_of of,
                  mfm_rows *rows)
{
    char *content;
    size_t size;
    int status = mfm_read_file(ctx, path, &content, &size);
    if (status)
        return status;
    status = mfm_npy_begins(content, size) || named_npy(path)
                 ? read_npy(ctx, path, content, size, one, of, rows)
                 : read_plain(ctx, path, content, size, one, of, rows);
    mfm_free(ctx, content);
    return status;
}

static int read_whole_npy(mfm_ctx *ctx, const char *path, const char *content, size_t size,
                          const mfm_shape *shape, float *numbers)
{
    char there[MFM_SHAPE_TEXT], expected[MFM_SHAPE_TEXT];
    mfm_npy npy;
    const int status = mfm_npy_read(ctx, path, content, size, &npy);
    if (status)
        return status;
    if (!mfm_shape_equal(&npy.shape, shape))
        return mfm_fail(ctx, MFM_EDATA, "%s: shape %s: expected %s", path,
                        mfm_shape_text(&npy.shape, there), mfm_shape_text(shape, expected));
    mfm_npy_numbers(&npy, 0, (size_t)mfm_shape_count(shape), numbers);
    return MFM_OK;
}

int mfm_tensor_file_read(mfm_ctx *ctx, const char *path, const mfm_shape *shape, float *numbers)
{
    const size_t wanted = (size_t)mfm_shape_count(shape) * sizeof *numbers;
    char text[MFM_SHAPE_TEXT];
    char *content;
    size_t size;
    int status = mfm_read_file(ctx, path, &content, &size);
    if (status)
        return status;
    if (mfm_npy_begins(content, size) || named_npy(path))
        status = read_whole_npy(ctx, path, content, size, shape, numbers);
    else if (size != wanted)
        status = mfm_fail(ctx, MFM_EDATA, "%s: %zu bytes: expected %zu, float32 %s", path, size,
                          wanted, mfm_shape_text(shape, text));
    else if (wanted)
        memcpy(numbers, content, wanted);
    mfm_free(ctx, content);
    return status;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

int mfm_row_file_open(mfm_ctx *ctx, const char *path, const mfm_shape *shape, mfm_row_file *file)
{
    *file = (mfm_row_file){.shape = *shape};
    const char *name = mfm_output_name(path);
    const int status =
        name == path ? mfm_file_writer_open(ctx, path, &file->writer)
                     : mfm_file_writer_open_descriptor(ctx, STDOUT_FILENO, name, &file->writer);
    char header[MFM_NPY_HEADER];
    if (!status && named_npy(path))
        mfm_file_writer_put(file->writer, header, mfm_npy_header(shape, header));
    return status;
}

void mfm_row_file_put(mfm_row_file *file, const float *numbers, size_t count)
{
    mfm_file_writer_put(file->writer, numbers, count * sizeof *numbers);
}

int mfm_row_file_commit(mfm_row_file *file)
{
    return mfm_file_writer_commit(file->writer, NULL);
}

void mfm_row_file_close(mfm_row_file *file)
{
    mfm_file_writer_close(file->writer);
    file->writer = NULL;
}
