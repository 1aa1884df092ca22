#include "naive.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

mfm_draws mfm_draws_new(uint32_t node)
{
    const char *given = getenv("MFM_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    return (mfm_draws){.key = {.seed = seed, .stream = MFM_STREAM_TEST, .node = node}};
}

int64_t mfm_draw(mfm_draws *draws, int64_t low, int64_t high)
{
    return low + (int64_t)mfm_random_below(&draws->key, draws->next++, (uint64_t)(high - low + 1));
}

void mfm_draw_reals(mfm_draws *draws, real *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)(2 * mfm_random_uniform(&draws->key, draws->next++) - 1);
}

mfm_shape mfm_draw_shape(mfm_draws *draws, int max_rank, int longest)
{
    mfm_shape shape = {.rank = (int)mfm_draw(draws, 0, max_rank)};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = mfm_draw(draws, 0, 3) ? mfm_draw(draws, 1, longest) : 1;
    return shape;
}

mfm_shape mfm_draw_operand(mfm_draws *draws, const mfm_shape *full)
{
    const int gone = mfm_draw(draws, 0, 2) ? 0 : (int)mfm_draw(draws, 0, full->rank);
    mfm_shape shape = {.rank = full->rank - gone};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = mfm_draw(draws, 0, 1) ? full->dim[gone + i] : 1;
    return shape;
}

int64_t mfm_draw_view(mfm_draws *draws, const mfm_shape *shape, int64_t stride[MFM_MAX_RANK],
                      int64_t *first)
{
    int order[MFM_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) {
        const int at = (int)mfm_draw(draws, 0, i);
        order[i] = order[at];
        order[at] = i;
    }
    int64_t span = 1;
    *first = 0;
    for (int i = 0; i < shape->rank; i++) {
        const int axis = order[i];
        const int64_t gap = mfm_draw(draws, 0, 3) ? 0 : mfm_draw(draws, 1, 2);
        stride[axis] = span;
        if (mfm_draw(draws, 0, 3) == 0) {
            *first += (shape->dim[axis] - 1) * span;
            stride[axis] = -span;
        }
        span *= shape->dim[axis] + gap;
    }
    return span;
}

int64_t mfm_naive_offset(const mfm_shape *shape, const int64_t *stride, int64_t number)
{
    int64_t offset = 0;
    for (int i = shape->rank - 1; i >= 0; i--) {
        offset += number % shape->dim[i] * stride[i];
        number /= shape->dim[i];
    }
    return offset;
}

int64_t mfm_naive_operand(const mfm_shape *full, const mfm_shape *operand, int64_t number)
{
    int64_t stride[MFM_MAX_RANK], offset = 0;
    mfm_shape_strides(operand, stride);
    for (int i = full->rank - 1; i >= 0; i--) {
        const int own = i - (full->rank - operand->rank);
        if (own >= 0)
            offset += number % full->dim[i] % operand->dim[own] * stride[own];
        number /= full->dim[i];
    }
    return offset;
}

bool mfm_naive_close(double a, double b, int64_t terms)
{
    const double rounding = sizeof(real) == sizeof(float) ? 1e-6 : 1e-14;
    return fabs(a - b) <= rounding * (1 + fabs(b)) + (double)terms * DBL_EPSILON;
}

bool mfm_naive_report(const mfm_draws *draws, const char *what, int round, const mfm_shape *shape)
{
    char text[MFM_SHAPE_TEXT];
    fprintf(stderr, "%s: MFM_SEED=%llu, round %d, shape %s\n", what,
            (unsigned long long)draws->key.seed, round, mfm_shape_text(shape, text));
    return false;
}
