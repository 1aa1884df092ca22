/* Numbers worked out by hand. SGD's are dyadic and so exact in every build. */
#include "core/train/optimizers/optimizer.h"

#include "core/train/optimizers/sharpness.h"

#include <math.h>
#include <string.h>

#include "tests/suite.h"

#ifdef MFM_DOUBLE
static const double tolerance = 1e-12;
#else
static const double tolerance = 4e-7;
#endif

/* A graph of parameters a [2], frozen [3] and b [1]: each starts on a boundary of its own, and only
 * the vector's layout matters here. */
typedef struct bench {
    mfm_ctx *ctx;
    mfm_graph *graph;
    int a, frozen, b;
    mfm_optimizer optimizer;
    real *w, *g;
} bench;

static void bench_init(bench *b, int kind, double momentum, double decay)
{
    const real start[3] = {1, -2, 3};
    const mfm_momentum_values values = {momentum};
    const mfm_shape two = mfm_shape_of(1, 2), three = mfm_shape_of(1, 3), one = mfm_shape_of(1, 1);
    b->ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b->ctx);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_new(b->ctx, &b->graph), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_param(b->graph, "a", &two, start, &b->a), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_param(b->graph, "frozen", &three, start, &b->frozen), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_param(b->graph, "b", &one, start + 2, &b->b), MFM_OK);
    b->graph->values[b->frozen].trainable = false;
    CU_ASSERT_EQUAL_FATAL(
        mfm_optimizer_init(b->ctx, &b->optimizer, mfm_optimizers[kind],
                           kind == MFM_SGD || kind == MFM_NESTEROV ? &values : NULL, decay,
                           b->graph),
        MFM_OK);
    const size_t n = b->graph->params_size;
    b->w = mfm_alloc_aligned(b->ctx, n, sizeof *b->w);
    b->g = mfm_alloc_aligned(b->ctx, n, sizeof *b->g);
    CU_ASSERT_FATAL(b->w && b->g);
    memcpy(b->w, b->graph->params, n * sizeof *b->w);
    for (size_t i = 0; i < n; i++)
        b->g[i] = 1000; /* also where no parameter is */
}

static void bench_clear(bench *b)
{
    mfm_optimizer_clear(b->ctx, &b->optimizer);
    mfm_free_aligned(b->ctx, b->w);
    mfm_free_aligned(b->ctx, b->g);
    mfm_graph_free(b->graph);
    mfm_ctx_free(b->ctx);
}

static real *at(const bench *b, real *vector, int value)
{
    return vector + b->graph->values[value].offset;
}

static void give(bench *b, double a0, double a1, double b0)
{
    at(b, b->g, b->a)[0] = (real)a0;
    at(b, b->g, b->a)[1] = (real)a1;
    at(b, b->g, b->b)[0] = (real)b0;
}

static void expect(bench *b, double a0, double a1, double b0)
{
    CU_ASSERT_DOUBLE_EQUAL(at(b, b->w, b->a)[0], a0, tolerance);
    CU_ASSERT_DOUBLE_EQUAL(at(b, b->w, b->a)[1], a1, tolerance);
    CU_ASSERT_DOUBLE_EQUAL(at(b, b->w, b->b)[0], b0, tolerance);
}

static void test_sgd(void)
{
    bench b;
    bench_init(&b, MFM_SGD, 0, 0);
    give(&b, 4, -2, 0);
    mfm_optimizer_step(&b.optimizer, 0.25, 1, b.g, b.w);
    expect(&b, 0, -1.5, 3);
    mfm_optimizer_step(&b.optimizer, 0.125, -2, b.g, b.w); /* w -= 0.125 * -2 * g */
    expect(&b, 1, -2, 3);
    bench_clear(&b);
}

static void test_momentum(void)
{
    bench b;
    bench_init(&b, MFM_SGD, 0.5, 0.25);
    give(&b, 1, 0, -1);
    /* d = g + w / 4 = (1.25, -0.5, -0.25); m = d; w -= m / 2 */
    mfm_optimizer_step(&b.optimizer, 0.5, 1, b.g, b.w);
    expect(&b, 0.375, -1.75, 3.125);
    /* d = (1.09375, -0.4375, -0.21875); m = m / 2 + d = (1.71875, -0.6875, -0.34375) */
    mfm_optimizer_step(&b.optimizer, 0.5, 1, b.g, b.w);
    expect(&b, 0.375 - 0.859375, -1.75 + 0.34375, 3.125 + 0.171875);
    CU_ASSERT_EQUAL(at(&b, b.optimizer.first, b.a)[0], (real)1.71875);
    CU_ASSERT_EQUAL(at(&b, b.optimizer.first, b.b)[0], (real)-0.34375);
    bench_clear(&b);
}

static void test_momentum_rate(void)
{
    bench b;
    bench_init(&b, MFM_SGD, 0.5, 0);
    give(&b, 1, 1, 1);
    mfm_optimizer_step(&b.optimizer, 1, 1, b.g, b.w);
    expect(&b, 0, -3, 2);
    give(&b, 0, 0, 0);
    /* The momentum 0.5 is of gradients, not of steps: the new rate applies to it. */
    mfm_optimizer_step(&b.optimizer, 4, 1, b.g, b.w);
    expect(&b, -2, -5, 0);
    bench_clear(&b);
}

static void test_scaled_decay(void)
{
    bench b;
    bench_init(&b, MFM_SGD, 0, 0.5);
    give(&b, 4, 4, 4);
    /* d = -0.25 * 4 + 0.5 w = -1 + (0.5, -1, 1.5): the scale is the gradient's alone */
    mfm_optimizer_step(&b.optimizer, 1, -0.25, b.g, b.w);
    expect(&b, 1.5, 0, 2.5);
    bench_clear(&b);
}

static void test_adam(void)
{
    bench b;
    bench_init(&b, MFM_ADAM, 0, 0);
    give(&b, 0.5, -3, 0);
    /* First step: m / (1 - b1) = g, sqrt(v / (1 - b2)) = |g|, so w moves by lr g / (|g| + 1e-8). */
    mfm_optimizer_step(&b.optimizer, 0.125, 1, b.g, b.w);
    expect(&b, 1 - 0.125 * 0.5 / (0.5 + 1e-8), -2 + 0.125 * 3 / (3 + 1e-8), 3);
    /* Second, g = 1 for a0: m = 0.9 * 0.05 + 0.1 = 0.145, v = 0.999 * 0.00025 + 0.001 = 0.00124975;
     * m^ = 0.145 / 0.19 = 0.7631578947..., v^ = 0.00124975 / 0.001999 = 0.6251875937...,
     * sqrt v^ = 0.7906880508..., quotient 0.9651820204... */
    const double a0 = at(&b, b.w, b.a)[0];
    give(&b, 1, 0, 0);
    mfm_optimizer_step(&b.optimizer, 0.125, 1, b.g, b.w);
    const double move = 0.125 * (0.145 / 0.19) / (sqrt(0.00124975 / 0.001999) + 1e-8);
    CU_ASSERT_DOUBLE_EQUAL(move, 0.125 * 0.96518, 1e-6);
    CU_ASSERT_DOUBLE_EQUAL(at(&b, b.w, b.a)[0], a0 - move, tolerance);
    CU_ASSERT_EQUAL(at(&b, b.w, b.b)[0], 3); /* no gradient, no move */
    CU_ASSERT_EQUAL(b.optimizer.steps, 2);
    bench_clear(&b);
}

static void test_adam_decay(void)
{
    bench b;
    bench_init(&b, MFM_ADAM, 0, 0.5);
    give(&b, 0, 1, -1.5);
    /* d = 0.5 w + g = (0.5, 0, 0): the decay is part of the gradient */
    mfm_optimizer_step(&b.optimizer, 0.25, 1, b.g, b.w);
    expect(&b, 1 - 0.25 * 0.5 / (0.5 + 1e-8), -2, 3);
    bench_clear(&b);
}

/* d = 2 + 0.25; m = d; w = 1 - 0.5 (d + 0.5 m) = 1 - 0.75 d; then d = 2 + w / 4, m = m / 2 + d. */
static void test_nesterov(void)
{
    bench b;
    bench_init(&b, MFM_NESTEROV, 0.5, 0.25);
    at(&b, b.g, b.a)[0] = 2;
    mfm_optimizer_step(&b.optimizer, 0.5, 1, b.g, b.w);
    const double w = 1 - 0.75 * 2.25, d = 2 + w / 4, m = 1.125 + d;
    CU_ASSERT_EQUAL(at(&b, b.w, b.a)[0], (real)w);
    mfm_optimizer_step(&b.optimizer, 0.5, 1, b.g, b.w);
    CU_ASSERT_EQUAL(at(&b, b.w, b.a)[0], (real)(w - 0.5 * (d + 0.5 * m)));
    bench_clear(&b);
}

/* The first step of Adam is lr g / (|g| + 1e-8); AdamW shrinks the weight before. */
static void test_adamw(void)
{
    bench b;
    bench_init(&b, MFM_ADAMW, 0, 0.5);
    at(&b, b.g, b.a)[0] = 8;
    at(&b, b.g, b.a)[1] = -4;
    mfm_optimizer_step(&b.optimizer, 0.25, 1, b.g, b.w);
    CU_ASSERT_DOUBLE_EQUAL(at(&b, b.w, b.a)[0], 1 - 0.125 - 0.25 * 8 / (8 + 1e-8), tolerance);
    CU_ASSERT_DOUBLE_EQUAL(at(&b, b.w, b.a)[1], -2 * (1 - 0.125) + 0.25 * 4 / (4 + 1e-8),
                           tolerance);
    bench_clear(&b);
}

/* Parameters with less than two axes, which all of these are, keep their size without a gradient.
 */
static void test_spared(void)
{
    for (int kind = 0; mfm_optimizers[kind]; kind++) {
        bench b;
        bench_init(&b, kind, 0, 0.5);
        b.optimizer.spare_vectors = true;
        memset(b.g, 0, b.graph->params_size * sizeof *b.g);
        mfm_optimizer_step(&b.optimizer, 0.25, 1, b.g, b.w);
        CU_ASSERT_EQUAL(at(&b, b.w, b.a)[0], 1);
        b.optimizer.spare_vectors = false;
        mfm_optimizer_step(&b.optimizer, 0.25, 1, b.g, b.w);
        CU_ASSERT(at(&b, b.w, b.a)[0] < 1);
        bench_clear(&b);
    }
}

/* Whether a parameter of that shape decays, read as input number `in` by an operator. */
static bool decays(mfm_shape shape, const char *op_type, int in)
{
    const real start[8] = {0};
    const mfm_shape image = mfm_shape_of(4, -1, 1, 2, 2), kernel = mfm_shape_of(4, 4, 1, 1, 2);
    const mfm_op *op = mfm_op_find("", op_type, 13);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_graph *graph;
    int inputs[3] = {-1, -1, -1}, out, param;
    CU_ASSERT_PTR_NOT_NULL_FATAL(op);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_new(ctx, &graph), MFM_OK);
    mfm_graph_input(graph, "x", MFM_DATA, &image, &inputs[0]);
    if (in == 2)
        mfm_graph_param(graph, "kernel", &kernel, start, &inputs[1]);
    mfm_graph_param(graph, "p", &shape, start, &param);
    inputs[in] = param;
    void *attr = op->attr_size ? mfm_alloc(ctx, 1, op->attr_size) : NULL;
    if (attr)
        mfm_attr_defaults(op, attr);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_add(graph, op, 13, "node", attr, inputs, in + 1, NULL, 1, &out),
                          MFM_OK);
    const bool yes = mfm_param_decays(graph, &graph->values[param], true, NULL);
    CU_ASSERT(mfm_param_decays(graph, &graph->values[param], false, NULL));
    CU_ASSERT_FALSE(mfm_param_decays(graph, &graph->values[param], false, &graph->values[param]));
    mfm_free(ctx, attr);
    mfm_graph_free(graph);
    mfm_ctx_free(ctx);
    return yes;
}

/* Files write a bias as [C], or in the form that broadcasting wants. */
static void test_vectors_of_any_rank(void)
{
    CU_ASSERT_FALSE(decays(mfm_shape_of(4, 1, 4, 1, 1), "Add", 1));
    CU_ASSERT_FALSE(decays(mfm_shape_of(3, 4, 1, 1), "Add", 1));
    CU_ASSERT_FALSE(decays(mfm_shape_of(3, 4, 1, 1), "Mul", 1));
    CU_ASSERT_FALSE(decays(mfm_shape_of(1, 2), "Add", 1));
    CU_ASSERT_FALSE(decays(mfm_shape_of(1, 4), "Conv", 2));
    CU_ASSERT(decays(mfm_shape_of(4, 4, 1, 1, 2), "Conv", 1));
    CU_ASSERT(decays(mfm_shape_of(4, 4, 1, 1, 1), "Conv", 1));
    CU_ASSERT(decays(mfm_shape_of(2, 2, 1), "MatMul", 1));
    CU_ASSERT(decays(mfm_shape_of(3, 1, 2, 2), "Add", 1));
}

static const real *look(void *bench_at_w1)
{
    const bench *b = bench_at_w1;
    CU_ASSERT_DOUBLE_EQUAL(at(b, b->w, b->a)[0], 1 + 0.5 * 3 / 5, tolerance);
    CU_ASSERT_EQUAL(at(b, b->w, b->a)[1], -2);
    CU_ASSERT_DOUBLE_EQUAL(at(b, b->w, b->b)[0], 3 + 0.5 * 4 / 5, tolerance);
    CU_ASSERT_EQUAL(at(b, b->w, b->frozen)[0], 1);
    return b->g + 1;
}

/* g = (3, 0) and (4) over what trains: |g| = 5; the frozen parameter's numbers do not count. */
static void test_sharpness(void)
{
    bench b;
    mfm_sharpness sharpness;
    bench_init(&b, MFM_SGD, 0, 0);
    CU_ASSERT_EQUAL_FATAL(mfm_sharpness_init(b.ctx, &sharpness, 0.5, b.graph), MFM_OK);
    at(&b, b.g, b.a)[0] = 3;
    at(&b, b.g, b.a)[1] = 0;
    at(&b, b.g, b.b)[0] = 4;
    CU_ASSERT_PTR_EQUAL(mfm_sharpen(&sharpness, b.graph, b.g, b.w, look, &b), b.g + 1);
    CU_ASSERT_EQUAL(at(&b, b.w, b.a)[0], 1);
    CU_ASSERT_EQUAL(at(&b, b.w, b.b)[0], 3);
    mfm_sharpness_clear(b.ctx, &sharpness);
    CU_ASSERT_PTR_EQUAL(mfm_sharpen(&sharpness, b.graph, b.g, b.w, NULL, NULL), b.g);
    bench_clear(&b);
}

static void check_untouched(int kind)
{
    bench b;
    bench_init(&b, kind, 0.9, 0.1);
    bool used[256] = {false};
    const size_t n = b.graph->params_size;
    CU_ASSERT_FATAL(n <= sizeof used);
    for (int i = 0; i < 2; i++)
        used[b.graph->values[b.a].offset + (size_t)i] = true;
    used[b.graph->values[b.b].offset] = true;
    for (int step = 0; step < 3; step++)
        mfm_optimizer_step(&b.optimizer, 0.1, 1, b.g, b.w);
    size_t others = 0;
    for (size_t i = 0; i < n; i++) {
        if (used[i]) {
            CU_ASSERT_NOT_EQUAL(b.w[i], b.graph->params[i]);
            continue;
        }
        others++;
        CU_ASSERT_EQUAL(b.w[i], b.graph->params[i]);
        CU_ASSERT_EQUAL(b.optimizer.first[i], 0);
        CU_ASSERT(kind == MFM_SGD || b.optimizer.second[i] == 0);
    }
    CU_ASSERT(others > 3); /* gaps between the parameters, too */
    bench_clear(&b);
}

static void test_untouched(void)
{
    check_untouched(MFM_SGD);
    check_untouched(MFM_ADAM);
}

static const mfm_case cases[] = {
    {"Nesterov's step looks ahead along the momentum", test_nesterov},
    {"AdamW shrinks weights apart from its step", test_adamw},
    {"biases and normalisations are spared from decay when that is asked for", test_spared},
    {"biases of any rank are spared, kernels of any shape are not", test_vectors_of_any_rank},
    {"a sharpness-aware step climbs rho along the gradient and comes back", test_sharpness},
    {"plain SGD goes against the scaled gradient", test_sgd},
    {"momentum is a decaying sum of gradients with weight decay, without dampening", test_momentum},
    {"a new learning rate applies to the momentum kept so far", test_momentum_rate},
    {"the scale leaves the weight decay alone", test_scaled_decay},
    {"Adam corrects its moments for their start at zero", test_adam},
    {"Adam takes weight decay as part of the gradient", test_adam_decay},
    {"frozen parameters and gaps are never written", test_untouched},
};

MFM_SUITE("core/train/optimizer", cases)
