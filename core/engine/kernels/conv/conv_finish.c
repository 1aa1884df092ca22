#include "core/engine/kernels/conv/conv_finish.h"

#include "core/engine/kernels/vec_math.h"

enum { PARALLEL_FROM = 16384 };

static inline real finished(enum mfm_conv_finish finish, real y)
{
    switch (finish) {
    case MFM_CONV_BIAS_RELU:
        return y < 0 ? 0 : y; /* NaN stays NaN */
    case MFM_CONV_BIAS_SWISH:
        return y * mfm_vec_sigmoid(y);
    case MFM_CONV_BIAS_HARD_SWISH: {
        const real gate = y / 6 + (real)0.5;
        const real raised = gate < 0 ? 0 : gate;
        return y * (raised > 1 ? 1 : raised);
    }
    case MFM_CONV_BIAS_RELU6:
        return y < 0 ? 0 : y > 6 ? 6 : y;
    case MFM_CONV_AS_IT_IS:
    case MFM_CONV_BIAS:
        break;
    }
    return y;
}

void mfm_conv_finish_rows(enum mfm_conv_finish finish, int64_t rows, int64_t channels,
                          const real *bias, real *y)
{
#pragma omp parallel for if (rows * channels >= PARALLEL_FROM)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < channels; c++)
            y[r * channels + c] = finished(finish, y[r * channels + c] + bias[c]);
}

/* `finish` is a constant where this is inlined. */
static inline __attribute__((always_inline)) void each_as(enum mfm_conv_finish finish, size_t n,
                                                          const real *x, real *y)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = finished(finish, x[i]);
}

void mfm_conv_finish_each(const void *finish, size_t n, const real *x, real *y)
{
    switch (*(const enum mfm_conv_finish *)finish) {
    case MFM_CONV_BIAS_RELU:
        each_as(MFM_CONV_BIAS_RELU, n, x, y);
        break;
    case MFM_CONV_BIAS_SWISH:
        each_as(MFM_CONV_BIAS_SWISH, n, x, y);
        break;
    case MFM_CONV_BIAS_HARD_SWISH:
        each_as(MFM_CONV_BIAS_HARD_SWISH, n, x, y);
        break;
    case MFM_CONV_BIAS_RELU6:
        each_as(MFM_CONV_BIAS_RELU6, n, x, y);
        break;
    case MFM_CONV_AS_IT_IS:
    case MFM_CONV_BIAS:
        each_as(MFM_CONV_BIAS, n, x, y);
        break;
    }
}
