#include "core/base/shape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

mfm_shape mfm_shape_of(int rank, ...)
{
    mfm_shape shape = {.rank = rank};
    va_list dims;
    va_start(dims, rank);
    for (int i = 0; i < rank; i++)
        shape.dim[i] = va_arg(dims, int);
    va_end(dims);
    return shape;
}

bool mfm_shape_equal(const mfm_shape *a, const mfm_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

int64_t mfm_shape_count(const mfm_shape *shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count *= shape->dim[i];
    return count;
}

int mfm_shape_check(mfm_ctx *ctx, const mfm_shape *shape, const char *what)
{
    if (shape->rank < 0 || shape->rank > MFM_MAX_RANK)
        return mfm_fail(ctx, MFM_ENOTSUP, "%s: rank %d: at most %d axes are supported", what,
                        shape->rank, MFM_MAX_RANK);
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return mfm_fail(ctx, MFM_EDATA, "%s: dimension %d is %lld: must not be negative", what,
                            i, (long long)shape->dim[i]);
        if (shape->dim[i])
            count = mfm_count_times(count, shape->dim[i]);
        if (count > MFM_MOST_REALS)
            return mfm_fail(ctx, MFM_EDATA, "%s: more elements than are addressable", what);
    }
    return MFM_OK;
}

int64_t mfm_count_times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

int64_t mfm_count_sum(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static bool is_channels_last(const mfm_shape *shape)
{
    return shape->rank == 4 && shape->layout == MFM_CHANNELS_LAST;
}

void mfm_shape_order(const mfm_shape *shape, int order[MFM_MAX_RANK])
{
    for (int i = 0; i < shape->rank; i++)
        order[i] = i;
    if (is_channels_last(shape)) {
        order[1] = 2;
        order[2] = 3;
        order[3] = 1;
    }
}

void mfm_shape_strides(const mfm_shape *shape, int64_t stride[MFM_MAX_RANK])
{
    int order[MFM_MAX_RANK];
    mfm_shape_order(shape, order);
    int64_t step = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride[order[i]] = step;
        step *= shape->dim[order[i]];
    }
}

/* Walks a shape that is channels-last; every other is row-major already. */
static void permute(const mfm_shape *shape, const real *from, real *to, bool to_engine)
{
    if (!is_channels_last(shape)) {
        memcpy(to, from, (size_t)mfm_shape_count(shape) * sizeof *to);
        return;
    }
    const int64_t channels = shape->dim[1], area = shape->dim[2] * shape->dim[3];
    for (int64_t n = 0; n < shape->dim[0]; n++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < area; i++) {
                const int64_t plain = (n * channels + c) * area + i;
                const int64_t last = (n * area + i) * channels + c;
                if (to_engine)
                    to[last] = from[plain];
                else
                    to[plain] = from[last];
            }
}

void mfm_layout_to_engine(const mfm_shape *shape, const real *row_major, real *stored)
{
    permute(shape, row_major, stored, true);
}

void mfm_layout_to_row_major(const mfm_shape *shape, const real *stored, real *row_major)
{
    permute(shape, stored, row_major, false);
}

char *mfm_shape_text(const mfm_shape *shape, char text[MFM_SHAPE_TEXT])
{
    size_t used = (size_t)snprintf(text, MFM_SHAPE_TEXT, "[");
    for (int i = 0; i < shape->rank && used < MFM_SHAPE_TEXT; i++)
        used += (size_t)snprintf(text + used, MFM_SHAPE_TEXT - used, "%s%lld", i ? "," : "",
                                 (long long)shape->dim[i]);
    if (used < MFM_SHAPE_TEXT)
        snprintf(text + used, MFM_SHAPE_TEXT - used, "]");
    return text;
}
