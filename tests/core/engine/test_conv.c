/* Convolution kernels of either implementation against the sums that define them. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/kernels/conv.h"
#include "core/engine/random.h"
#include "failing_allocator.h"
#include "../../suite.h"

#ifdef MFM_DOUBLE
static const double EPSILON = DBL_EPSILON;
#else
static const double EPSILON = FLT_EPSILON;
#endif

/* n, c, h, w, o, kh, kw, strides, dilations, pads (top, left, bottom, right), groups */
typedef struct geometry {
    const char *name;
    int n, c, h, w, o, kh, kw, stride[2], dilation[2], pads[4], groups;
} geometry;

static const geometry geometries[] = {
    {"one pixel", 1, 1, 1, 1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"3x3 over one channel", 2, 1, 7, 6, 3, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"first layer", 3, 3, 9, 8, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"residual block", 2, 16, 8, 8, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"residual block that halves", 2, 16, 8, 8, 32, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 1},
    {"wide block", 1, 64, 4, 4, 64, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1},
    {"1x1", 2, 5, 6, 7, 9, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"1x1 of many channels", 2, 32, 5, 5, 48, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"1x1 with stride", 2, 16, 7, 7, 32, 1, 1, {2, 2}, {1, 1}, {0, 0, 0, 0}, 1},
    {"1x1 with padding", 1, 4, 3, 3, 4, 1, 1, {1, 1}, {1, 1}, {1, 0, 0, 1}, 1},
    {"1x1 in groups", 2, 8, 4, 3, 12, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, 4},
    {"7x7 stem", 1, 3, 20, 17, 8, 7, 7, {2, 2}, {1, 1}, {3, 3, 3, 3}, 1},
    {"5x5 without padding", 2, 6, 12, 12, 16, 5, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"as large as the image", 3, 4, 5, 5, 7, 5, 5, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1},
    {"flat kernel", 2, 4, 5, 9, 6, 1, 7, {1, 1}, {1, 1}, {0, 3, 0, 3}, 1},
    {"tall kernel, uneven strides", 2, 3, 11, 6, 4, 5, 2, {3, 1}, {1, 1}, {2, 0, 2, 1}, 1},
    {"uneven padding", 2, 3, 6, 6, 5, 3, 3, {2, 2}, {1, 1}, {0, 0, 1, 1}, 1},
    {"more padding than image", 1, 2, 2, 3, 3, 3, 3, {2, 2}, {1, 1}, {4, 3, 2, 5}, 1},
    {"dilation", 2, 8, 9, 9, 8, 3, 3, {1, 1}, {2, 2}, {2, 2, 2, 2}, 1},
    {"uneven dilation and stride", 2, 3, 11, 10, 4, 3, 2, {2, 3}, {2, 3}, {1, 0, 2, 1}, 1},
    {"two groups", 2, 6, 6, 5, 4, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2},
    {"many channels in groups", 2, 32, 5, 5, 32, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4},
    {"depthwise", 2, 16, 7, 7, 16, 3, 3, {1, 1}, {1, 1}, {1, 1, 1, 1}, 16},
    {"depthwise with stride", 2, 6, 7, 7, 6, 3, 3, {2, 2}, {1, 1}, {1, 1, 1, 1}, 6},
    {"depthwise with two results a channel", 1, 5, 6, 6, 10, 3, 3, {1, 1}, {1, 1}, {0}, 5},
    {"image longer than a block of columns",
     1,
     16,
     72,
     72,
     2,
     3,
     3,
     {1, 1},
     {1, 1},
     {1, 1, 1, 1},
     1},
};

enum { GEOMETRIES = sizeof geometries / sizeof geometries[0] };

static int64_t result_size(int64_t in, int64_t k, int64_t stride, int64_t dilation, int64_t pads)
{
    return (in + pads - (k - 1) * dilation - 1) / stride + 1;
}

static mfm_conv_shape shape_of(const geometry *g)
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

/* Everything in double; each array comes with the sums of the terms' sizes, for the tolerance. */
typedef struct operands {
    int64_t n_x, n_w, n_y;
    real *x, *w, *y;      /* y is the results' adjoint */
    double *fx, *fw, *fy; /* gx, gw, and the forward result */
    double *ax, *aw, *ay; /* the same of absolute values */
} operands;

static void *allocate(int64_t count, size_t size)
{
    void *memory = aligned_alloc(64, ((size_t)count * size + 63) / 64 * 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memset(memory, 0, (size_t)count * size);
    return memory;
}

static real *draw(int64_t count, uint32_t node)
{
    const mfm_key key = {.seed = 7, .stream = MFM_STREAM_TEST, .node = node};
    real *values = allocate(count, sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (real)(2 * mfm_random_uniform(&key, (uint64_t)i) - 1);
    return values;
}

/* One product x[ix] w[iw] belongs to y[iy]. */
static void add_term(operands *t, int64_t ix, int64_t iw, int64_t iy)
{
    const double x = (double)t->x[ix], w = (double)t->w[iw], g = (double)t->y[iy];
    t->fy[iy] += x * w;
    t->ay[iy] += fabs(x * w);
    t->fx[ix] += g * w;
    t->ax[ix] += fabs(g * w);
    t->fw[iw] += g * x;
    t->aw[iw] += fabs(g * x);
}

static void add_window(const mfm_conv_shape *s, operands *t, int64_t n, int64_t o, int64_t i,
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

static operands operands_new(const mfm_conv_shape *s)
{
    operands t = {.n_x = s->n * s->h * s->w * s->c,
                  .n_w = s->o * s->kh * s->kw * s->c / s->groups,
                  .n_y = s->n * s->oh * s->ow * s->o};
    t.x = draw(t.n_x, 1);
    t.w = draw(t.n_w, 2);
    t.y = draw(t.n_y, 3);
    t.fx = allocate(t.n_x, sizeof(double));
    t.ax = allocate(t.n_x, sizeof(double));
    t.fw = allocate(t.n_w, sizeof(double));
    t.aw = allocate(t.n_w, sizeof(double));
    t.fy = allocate(t.n_y, sizeof(double));
    t.ay = allocate(t.n_y, sizeof(double));
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t o = 0; o < s->o; o++)
            for (int64_t i = 0; i < s->oh; i++)
                for (int64_t j = 0; j < s->ow; j++)
                    add_window(s, &t, n, o, i, j);
    return t;
}

static void operands_free(operands *t)
{
    void *const all[] = {t->x, t->w, t->y, t->fx, t->fw, t->fy, t->ax, t->aw, t->ay};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* ---- the kernels ------------------------------------------------------------------------------
 */

enum direction { FORWARD, DATA, WEIGHTS };

static void run(const mfm_conv *conv, enum direction direction, const operands *t, real *to,
                bool add, real *scratch)
{
    if (direction == FORWARD)
        mfm_conv_forward(conv, t->x, t->w, to, add, scratch);
    else if (direction == DATA)
        mfm_conv_backward_data(conv, t->y, t->w, to, add, scratch);
    else
        mfm_conv_backward_weights(conv, t->y, t->x, to, add, scratch);
}

static int64_t result_of(const operands *t, enum direction direction, const double **sum,
                         const double **sizes)
{
    *sum = direction == FORWARD ? t->fy : direction == DATA ? t->fx : t->fw;
    *sizes = direction == FORWARD ? t->ay : direction == DATA ? t->ax : t->aw;
    return direction == FORWARD ? t->n_y : direction == DATA ? t->n_x : t->n_w;
}

/* A sum of L products in any order is off by at most (L + 1) eps times the sum of their sizes; L is
 * bounded by the terms of the longest sum. */
static int64_t longest_sum(const mfm_conv_shape *s, enum direction direction)
{
    const int64_t windows = s->kh * s->kw;
    return direction == FORWARD ? windows * s->c / s->groups
           : direction == DATA  ? windows * s->o / s->groups
                                : s->n * s->oh * s->ow;
}

enum { GUARD = 16 };
static const real GUARD_WORD = (real)-77.5;

/* Runs one direction between guard words, with scratch (and, unless adding, the result) not numbers
 * before, and returns the worst error in units of its bound. */
static double worst_error(const mfm_conv *conv, const mfm_conv_shape *s, const operands *t,
                          enum direction direction, bool add)
{
    const double *sum, *sizes;
    const int64_t count = result_of(t, direction, &sum, &sizes);
    const int64_t n_scratch = (int64_t)mfm_conv_scratch(conv);
    real *buffer = allocate(count + 2 * GUARD, sizeof *buffer), *to = buffer + GUARD;
    real *scratch = allocate(n_scratch + GUARD, sizeof *scratch);
    for (int64_t i = 0; i < count + 2 * GUARD; i++)
        buffer[i] = GUARD_WORD;
    for (int64_t i = 0; i < count; i++)
        to[i] = add ? (real)(i % 5) : (real)NAN;
    for (int64_t i = 0; i < n_scratch + GUARD; i++)
        scratch[i] = i < n_scratch ? (real)NAN : GUARD_WORD;
    run(conv, direction, t, to, add, scratch);
    double worst = 0;
    for (int64_t i = 0; i < count; i++) {
        const double start = add ? (double)(i % 5) : 0;
        const double bound =
            EPSILON * (double)(longest_sum(s, direction) + 2) * (sizes[i] + start) + 1e-300;
        const double error = fabs((double)to[i] - start - sum[i]) / bound;
        worst = error <= worst ? worst : error;
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

static void every_geometry(enum direction direction)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int i = 0; i < GEOMETRIES; i++) {
        const mfm_conv_shape shape = shape_of(&geometries[i]);
        operands t = operands_new(&shape);
        mfm_conv *conv = NULL;
        CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, &conv), MFM_OK);
        for (int add = 0; add < 2; add++) {
            const double error = worst_error(conv, &shape, &t, direction, add);
            CU_ASSERT(error <= 1);
            if (!(error <= 1))
                printf("%s%s: %g bounds off\n", geometries[i].name, add ? ", adding" : "", error);
        }
        mfm_conv_free(ctx, conv);
        operands_free(&t);
    }
    mfm_ctx_free(ctx);
}

static void forward_is_the_sum(void)
{
    every_geometry(FORWARD);
}

static void data_gradient_is_the_sum(void)
{
    every_geometry(DATA);
}

static void weight_gradient_is_the_sum(void)
{
    every_geometry(WEIGHTS);
}

static double dot(const real *a, const real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <g, conv(x, w)> = <data(g, w), x> = <weights(g, x), w>, to rounding of the terms */
static void directions_are_adjoint(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (int i = 0; i < GEOMETRIES; i++) {
        const mfm_conv_shape shape = shape_of(&geometries[i]);
        operands t = operands_new(&shape);
        mfm_conv *conv = NULL;
        CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, &conv), MFM_OK);
        real *scratch = allocate((int64_t)mfm_conv_scratch(conv) + 1, sizeof *scratch);
        real *y = allocate(t.n_y, sizeof *y), *gx = allocate(t.n_x, sizeof *gx);
        real *gw = allocate(t.n_w, sizeof *gw);
        mfm_conv_forward(conv, t.x, t.w, y, false, scratch);
        mfm_conv_backward_data(conv, t.y, t.w, gx, false, scratch);
        mfm_conv_backward_weights(conv, t.y, t.x, gw, false, scratch);
        double size = 0;
        for (int64_t k = 0; k < t.n_y; k++)
            size += fabs((double)t.y[k]) * t.ay[k];
        const double forward = dot(t.y, y, t.n_y), bound = 64 * EPSILON * size;
        CU_ASSERT(fabs(forward - dot(gx, t.x, t.n_x)) <= bound);
        CU_ASSERT(fabs(forward - dot(gw, t.w, t.n_w)) <= bound);
        free(scratch);
        free(y);
        free(gx);
        free(gw);
        mfm_conv_free(ctx, conv);
        operands_free(&t);
    }
    mfm_ctx_free(ctx);
}

/* [1, 2; 3, 4] padded by one, kernel [1, 10; 100, 1000], stride 1: 3 x 3 windows */
static void hand_computed(void)
{
    const geometry g = {"", 1, 1, 2, 2, 1, 2, 2, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1};
    const mfm_conv_shape shape = shape_of(&g);
    const real x[] = {1, 2, 3, 4}, w[] = {1, 10, 100, 1000};
    const real expected[] = {1000, 2100, 200, 3010, 4321, 402, 30, 43, 4};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_conv *conv = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_conv_new(ctx, &shape, &conv), MFM_OK);
    real *scratch = allocate((int64_t)mfm_conv_scratch(conv) + 1, sizeof *scratch);
    real y[9];
    mfm_conv_forward(conv, x, w, y, false, scratch);
    for (int i = 0; i < 9; i++)
        CU_ASSERT_EQUAL(y[i], expected[i]);
    free(scratch);
    mfm_conv_free(ctx, conv);
    mfm_ctx_free(ctx);
}

static void refuses(mfm_ctx *ctx, mfm_conv_shape shape, int code)
{
    mfm_conv *conv = NULL;
    CU_ASSERT_EQUAL(mfm_conv_new(ctx, &shape, &conv), code);
    CU_ASSERT_PTR_NULL(conv);
    CU_ASSERT(strlen(mfm_message(ctx)) > 0);
}

static void hostile_shapes_are_refused(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_conv_shape good = shape_of(&geometries[3]);
    mfm_conv_shape bad = good;
    bad.groups = 0;
    refuses(ctx, bad, MFM_EDATA);
    bad.groups = 3;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.stride[1] = 0;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.pad_end[0] = -1;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.oh++;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.kh = 11;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.n = INT64_MAX;
    refuses(ctx, bad, MFM_EDATA);
    bad = good;
    bad.c = 1 << 30;
    refuses(ctx, bad, MFM_ENOTSUP);
    bad.o = 1 << 30;
    refuses(ctx, bad, MFM_EDATA);
    mfm_ctx_free(ctx);
}

static int make_and_free(mfm_ctx *ctx, void *self)
{
    mfm_conv *conv = NULL;
    const int status = mfm_conv_new(ctx, self, &conv);
    CU_ASSERT_EQUAL(status == MFM_OK, conv != NULL);
    mfm_conv_free(ctx, conv);
    return status;
}

static void every_failed_allocation_is_told(void)
{
    mfm_conv_shape shape = shape_of(&geometries[3]);
    const char *wrong = mfm_failing_attempts(make_and_free, &shape);
    CU_ASSERT_PTR_NULL(wrong);
    if (wrong)
        puts(wrong);
}

static const mfm_case cases[] = {
    {"a small result is the one computed by hand", hand_computed},
    {"forward is the defining sum, overwriting and adding", forward_is_the_sum},
    {"the gradient of the input is the defining sum", data_gradient_is_the_sum},
    {"the gradient of the weights is the defining sum", weight_gradient_is_the_sum},
    {"the three directions are adjoint", directions_are_adjoint},
    {"shapes without meaning are refused", hostile_shapes_are_refused},
    {"every failed allocation is told and leaks nothing", every_failed_allocation_is_told},
};

MFM_SUITE("core/engine/conv", cases)
