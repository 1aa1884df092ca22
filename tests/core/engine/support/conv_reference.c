#include "conv_reference.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/random.h"
#include "../../../suite.h"

#ifdef MFM_DOUBLE
const double conv_epsilon = DBL_EPSILON;
#else
const double conv_epsilon = FLT_EPSILON;
#endif

static int64_t result_size(int64_t in, int64_t k, int64_t stride, int64_t dilation, int64_t pads)
{
    return (in + pads - (k - 1) * dilation - 1) / stride + 1;
}

mfm_conv_shape conv_shape_of(const conv_geometry *g)
{
    mfm_conv_shape s = {.n = g->n,
                        .c = g->c,
                        .h = g->h,
                        .w = g->w,
                        .o = g->o,
                        .kh = g->kh,
                        .kw = g->kw,
                        .groups = g->groups};
    for (int axis = 0; axis < 2; axis++) {
        s.stride[axis] = g->stride[axis];
        s.dilation[axis] = g->dilation[axis];
        s.pad_begin[axis] = g->pads[axis];
        s.pad_end[axis] = g->pads[2 + axis];
    }
    s.oh = result_size(s.h, s.kh, s.stride[0], s.dilation[0], s.pad_begin[0] + s.pad_end[0]);
    s.ow = result_size(s.w, s.kw, s.stride[1], s.dilation[1], s.pad_begin[1] + s.pad_end[1]);
    return s;
}

/* ---- the definition ---------------------------------------------------------------------------
 */

void *conv_array(int64_t count, size_t size)
{
    void *memory = NULL;
    CU_ASSERT_EQUAL_FATAL(posix_memalign(&memory, 64, (size_t)count * size), 0);
    memset(memory, 0, (size_t)count * size);
    return memory;
}

static real *draw(int64_t count, uint32_t node)
{
    const mfm_key key = {.seed = 7, .stream = MFM_STREAM_TEST, .node = node};
    real *values = conv_array(count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (real)(2 * mfm_random_uniform(&key, (uint64_t)i) - 1);
    return values;
}

/* One product x[ix] w[iw] belongs to y[iy]. */
static void add_term(conv_terms *t, int64_t ix, int64_t iw, int64_t iy)
{
    const double x = (double)t->x[ix], w = (double)t->w[iw], g = (double)t->y[iy];
    t->fy[iy] += x * w;
    t->ay[iy] += fabs(x * w);
    t->fx[ix] += g * w;
    t->ax[ix] += fabs(g * w);
    t->fw[iw] += g * x;
    t->aw[iw] += fabs(g * x);
}

static void add_window(const mfm_conv_shape *s, conv_terms *t, int64_t n, int64_t o, int64_t i,
                       int64_t j)
{
    const int64_t depth = s->c / s->groups, group = o / (s->o / s->groups);
    for (int64_t a = 0; a < s->kh; a++)
        for (int64_t b = 0; b < s->kw; b++)
            for (int64_t c = 0; c < depth; c++) {
                const int64_t row = i * s->stride[0] - s->pad_begin[0] + a * s->dilation[0];
                const int64_t col = j * s->stride[1] - s->pad_begin[1] + b * s->dilation[1];
                if (row >= 0 && row < s->h && col >= 0 && col < s->w)
                    add_term(t, ((n * s->h + row) * s->w + col) * s->c + group * depth + c,
                             ((o * s->kh + a) * s->kw + b) * depth + c,
                             ((n * s->oh + i) * s->ow + j) * s->o + o);
            }
}

conv_terms conv_terms_new(const mfm_conv_shape *s)
{
    conv_terms t = {.n_x = s->n * s->h * s->w * s->c,
                    .n_w = s->o * s->kh * s->kw * s->c / s->groups,
                    .n_y = s->n * s->oh * s->ow * s->o};
    t.x = draw(t.n_x, 1);
    t.w = draw(t.n_w, 2);
    t.y = draw(t.n_y, 3);
    t.fx = conv_array(t.n_x, sizeof(double));
    t.ax = conv_array(t.n_x, sizeof(double));
    t.fw = conv_array(t.n_w, sizeof(double));
    t.aw = conv_array(t.n_w, sizeof(double));
    t.fy = conv_array(t.n_y, sizeof(double));
    t.ay = conv_array(t.n_y, sizeof(double));
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t o = 0; o < s->o; o++)
            for (int64_t i = 0; i < s->oh; i++)
                for (int64_t j = 0; j < s->ow; j++)
                    add_window(s, &t, n, o, i, j);
    return t;
}

void conv_terms_free(conv_terms *t)
{
    void *const all[] = {t->x, t->w, t->y, t->fx, t->fw, t->fy, t->ax, t->aw, t->ay};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* ---- the kernels ------------------------------------------------------------------------------
 */

static void run(const mfm_conv *conv, enum mfm_conv_direction direction, const conv_terms *t,
                real *to, bool add, real *scratch)
{
    if (direction == MFM_CONV_FORWARD)
        mfm_conv_forward(conv, t->x, t->w, to, add, scratch);
    else if (direction == MFM_CONV_DATA)
        mfm_conv_backward_data(conv, t->y, t->w, to, add, scratch);
    else
        mfm_conv_backward_weights(conv, t->y, t->x, to, add, scratch);
}

static int64_t result_of(const conv_terms *t, enum mfm_conv_direction direction, const double **sum,
                         const double **sizes)
{
    *sum = direction == MFM_CONV_FORWARD ? t->fy : direction == MFM_CONV_DATA ? t->fx : t->fw;
    *sizes = direction == MFM_CONV_FORWARD ? t->ay : direction == MFM_CONV_DATA ? t->ax : t->aw;
    return direction == MFM_CONV_FORWARD ? t->n_y : direction == MFM_CONV_DATA ? t->n_x : t->n_w;
}

/* A sum of L products in any order is off by at most (L + 1) eps times the sum of their sizes; L is
 * bounded by the terms of the longest sum. */
static int64_t longest_sum(const mfm_conv_shape *s, enum mfm_conv_direction direction)
{
    const int64_t windows = s->kh * s->kw;
    return direction == MFM_CONV_FORWARD ? windows * s->c / s->groups
           : direction == MFM_CONV_DATA  ? windows * s->o / s->groups
                                         : s->n * s->oh * s->ow;
}

enum { GUARD = 16, LARGEST_UNITS = 16 };
static const real GUARD_WORD = (real)-77.5;

double conv_worst_error(const mfm_conv *conv, const mfm_conv_shape *s, const conv_terms *t,
                        enum mfm_conv_direction direction, bool add, enum conv_bound bound)
{
    const double *sum, *sizes;
    const int64_t count = result_of(t, direction, &sum, &sizes);
    const int64_t n_scratch = (int64_t)mfm_conv_scratch(conv);
    real *buffer = conv_array(count + 2 * GUARD, sizeof *buffer), *to = buffer + GUARD;
    real *scratch = conv_array(n_scratch + GUARD, sizeof *scratch);
    for (int64_t i = 0; i < count + 2 * GUARD; i++)
        buffer[i] = GUARD_WORD;
    for (int64_t i = 0; i < count; i++)
        to[i] = add ? (real)(i % 5) : (real)NAN;
    for (int64_t i = 0; i < n_scratch + GUARD; i++)
        scratch[i] = i < n_scratch ? (real)NAN : GUARD_WORD;
    run(conv, direction, t, to, add, scratch);
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, sizes[i] + (add ? 4 : 0));
    for (int64_t i = 0; i < count; i++) {
        const double start = add ? (double)(i % 5) : 0;
        const double units = bound == CONV_BOUND_OWN
                                 ? (double)(longest_sum(s, direction) + 2) * (sizes[i] + start)
                                 : LARGEST_UNITS * largest;
        const double error = fabs((double)to[i] - start - sum[i]) / (conv_epsilon * units + 1e-300);
        worst = isnan(worst) || error <= worst ? worst : error;
    }
    for (int i = 0; i < GUARD; i++) {
        CU_ASSERT_EQUAL(buffer[i], GUARD_WORD);
        CU_ASSERT_EQUAL(to[count + i], GUARD_WORD);
        CU_ASSERT_EQUAL(scratch[n_scratch + i], GUARD_WORD);
    }
    free(buffer);
    free(scratch);
    return worst;
}
