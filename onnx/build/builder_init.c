#include "onnx/build/builder_parts.h"

#include <math.h>

#include "core/base/random.h"

static int64_t fan(const mfm_shape *shape, int axis)
{
    int64_t count = shape->dim[axis];
    for (int i = 2; i < shape->rank; i++)
        count *= shape->dim[i];
    return count;
}

static void draw_normal(const mfm_key *key, double deviation, int64_t count, float *weight)
{
#pragma omp parallel for schedule(static) if (count > 65536)
    for (int64_t i = 0; i < count; i++)
        weight[i] = (float)(deviation * mfm_random_normal(key, (uint64_t)i));
}

static void draw_uniform(const mfm_key *key, double bound, int64_t count, float *weight)
{
    enum { BLOCK = 256 };
#pragma omp parallel for schedule(static) if (count > 65536)
    for (int64_t i = 0; i < count; i += BLOCK) {
        const int64_t n = count - i < BLOCK ? count - i : BLOCK;
        double u[BLOCK];
        mfm_random_uniforms(key, (uint64_t)i, (size_t)n, u);
        for (int64_t k = 0; k < n; k++)
            weight[i + k] = (float)(bound * (2 * u[k] - 1));
    }
}

void mfm_builder_draw(uint64_t seed, uint32_t number, enum mfm_init init, const mfm_shape *shape,
                      float *weight)
{
    const mfm_key key = {.seed = seed, .stream = MFM_STREAM_INIT, .node = number};
    const int64_t count = mfm_shape_count(shape);
    switch (init) {
    case MFM_INIT_HE_FAN_IN:
        draw_normal(&key, sqrt(2.0 / (double)fan(shape, 1)), count, weight);
        break;
    case MFM_INIT_HE_FAN_OUT:
        draw_normal(&key, sqrt(2.0 / (double)fan(shape, 0)), count, weight);
        break;
    case MFM_INIT_NORMAL_001:
        draw_normal(&key, 0.01, count, weight);
        break;
    case MFM_INIT_UNIFORM_FAN_IN:
        draw_uniform(&key, 1 / sqrt((double)fan(shape, 1)), count, weight);
        break;
    case MFM_INIT_ZERO:
    case MFM_INIT_ONE:
        for (int64_t i = 0; i < count; i++)
            weight[i] = init == MFM_INIT_ONE;
        break;
    }
}
