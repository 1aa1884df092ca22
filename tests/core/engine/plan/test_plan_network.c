/* A plan over a small convolutional classifier: first and second order, shared memory, refusals. */
#include <math.h>
#include <string.h>

#include "../../../suite.h"
#include "tests/refusals.h"
#include "../support/graph_check.h"

static mfm_ctx *fresh(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    return ctx;
}

static mfm_bench bench_new(mfm_net net, const mfm_plan_spec *spec)
{
    mfm_bench b;
    const int status = mfm_bench_init(net, spec, &b);
    if (status)
        printf("\n    %s", mfm_message(net.ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
    return b;
}

static void bench_free(mfm_bench *b)
{
    mfm_ctx *ctx = b->ctx;
    mfm_bench_clear(b);
    mfm_ctx_free(ctx);
}

enum { IMAGE_REALS = 2 * 3 * 6 * 6 };

typedef struct classifier {
    int x, labels, loss;
    real images[IMAGE_REALS], classes[2], directions[IMAGE_REALS];
} classifier;

/* Conv, Relu, a residual Conv, Tanh, mean over the area, Gemm, softmax cross-entropy. The second
 * convolution's weights stand twice. */
static mfm_net classifier_net(mfm_ctx *ctx, classifier *c)
{
    mfm_net net = mfm_net_new(ctx);
    mfm_shape images = mfm_shape_of(4, -1, 3, 6, 6), labels = mfm_shape_of(1, -1);
    c->x = mfm_net_input(&net, MFM_DATA, images);
    c->labels = mfm_net_input(&net, MFM_INDEX, labels);
    const int w1 = mfm_net_param(&net, mfm_shape_of(4, 4, 3, 3, 3), 0.4);
    const int b1 = mfm_net_param(&net, mfm_shape_of(1, 4), 0.4);
    const int w2 = mfm_net_param(&net, mfm_shape_of(4, 4, 4, 3, 3), 0.4);
    const int w3 = mfm_net_param(&net, mfm_shape_of(2, 4, 5), 0.6);
    const int b3 = mfm_net_param(&net, mfm_shape_of(1, 5), 0.6);
    const int conv1 = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, c->x, w1, b1);
    const int relu = mfm_net_node(&net, "Relu", 0, conv1, -1, -1);
    const int conv2 = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, relu, w2, -1);
    const int tanh2 = mfm_net_node(&net, "Tanh", 0, conv2, -1, -1);
    const int conv3 = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, tanh2, w2, -1);
    const int sum = mfm_net_node(&net, "Add", 0, conv3, relu, -1);
    const int tanh3 = mfm_net_node(&net, "Tanh", 0, sum, -1, -1);
    const int pool = mfm_net_node(&net, "GlobalAveragePool", 0, tanh3, -1, -1);
    const int flat = mfm_net_node(&net, "Flatten", 0, pool, -1, -1);
    const int gemm = mfm_net_node(&net, "Gemm", 0, flat, w3, b3);
    c->loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, gemm, c->labels, -1);
    const mfm_key key = {.seed = 2, .stream = MFM_STREAM_TEST};
    for (uint64_t i = 0; i < IMAGE_REALS; i++) {
        c->images[i] = (real)mfm_random_normal(&key, i);
        c->directions[i] = (real)mfm_random_normal(&key, i + 1000);
    }
    c->classes[0] = 1;
    c->classes[1] = 4;
    return net;
}

/* What classifier_bench takes over from `wanted`: lending, borrowing. A plan that borrows is given
 * `arena`, which holds as much as it needs. */
static mfm_bench shared_bench(classifier *c, bool keep_everything, const mfm_plan_spec *wanted,
                              real *arena)
{
    const mfm_net net = classifier_net(fresh(), c);
    mfm_slot keep[200];
    int n = 0;
    keep[n++] = (mfm_slot){c->loss, MFM_X};
    keep[n++] = (mfm_slot){c->loss, MFM_G};
    keep[n++] = (mfm_slot){c->x, MFM_DX};
    keep[n++] = (mfm_slot){c->x, MFM_G};
    keep[n++] = (mfm_slot){c->x, MFM_DG};
    for (size_t i = 0; keep_everything && i < net.graph->n_values; i++)
        if (net.graph->values[i].kind == MFM_VALUE_NODE) {
            keep[n++] = (mfm_slot){(int)i, MFM_X};
            keep[n++] = (mfm_slot){(int)i, MFM_DX};
        }
    mfm_plan_spec spec = mfm_bench_spec(keep, n);
    spec.lend = wanted->lend;
    spec.lend_after = wanted->lend_after;
    spec.borrow = wanted->borrow;
    mfm_bench b = bench_new(net, &spec);
    if (spec.borrow)
        mfm_plan_bind_arena(b.plan, arena);
    mfm_plan_bind_input(b.plan, c->x, MFM_X, c->images);
    mfm_plan_bind_input(b.plan, c->x, MFM_DX, c->directions);
    mfm_plan_bind_input(b.plan, c->labels, MFM_X, c->classes);
    *mfm_plan_lane(b.plan, c->loss, MFM_G) = 1;
    mfm_vector_draw(b.graph, 1, b.lane[MFM_DX]);
    return b;
}

static mfm_bench classifier_bench(classifier *c, bool keep_everything)
{
    return shared_bench(c, keep_everything, &(mfm_plan_spec){.lend = 0}, NULL);
}

/* <a lane of the input, numbers>. */
static double input_dot(const mfm_bench *b, const classifier *c, enum mfm_lane lane,
                        const real *numbers)
{
    const real *x = mfm_plan_lane(b->plan, c->x, lane);
    double sum = 0;
    for (int i = 0; i < IMAGE_REALS; i++)
        sum += (double)x[i] * (double)numbers[i];
    return sum;
}

/* The derivative of the loss along (w', x') from jvp, and from vjp. */
static void test_gradient(void)
{
    classifier c;
    mfm_bench b = classifier_bench(&c, true);
    mfm_bench_run(&b);
    const double forward = (double)*mfm_plan_lane(b.plan, c.loss, MFM_DX);
    const double backward = mfm_vector_dot(b.graph, b.lane[MFM_G], b.lane[MFM_DX]) +
                            input_dot(&b, &c, MFM_G, c.directions);
    CU_ASSERT_TRUE(fabs(forward) > 1e-3);
    CU_ASSERT_TRUE(fabs(forward - backward) < (sizeof(real) == 8 ? 1e-13 : 1e-5));
    bench_free(&b);
}

/* The gradient at w + h w', x + h x', written to `gradient`. */
static void gradient_at(const mfm_bench *b, const classifier *c, double h, real *gradient)
{
    for (size_t i = 0; i < b->graph->params_size; i++)
        b->lane[MFM_X][i] = (real)((double)b->graph->params[i] + h * (double)b->lane[MFM_DX][i]);
    real moved[IMAGE_REALS];
    for (int i = 0; i < IMAGE_REALS; i++)
        moved[i] = (real)((double)c->images[i] + h * (double)c->directions[i]);
    mfm_plan_bind_input(b->plan, c->x, MFM_X, moved);
    mfm_plan_bind_params(b->plan, MFM_G, gradient);
    mfm_plan_run(b->plan, MFM_BENCH_FORWARD);
    mfm_plan_run(b->plan, MFM_BENCH_VJP);
}

/* DG = d/de of the gradient at (w + e w', x + e x'). */
static void test_second_order(void)
{
    if (sizeof(real) < 8)
        return; /* differences drown in float; test_symmetry runs in both */
    const double h = 1e-5;
    classifier c;
    mfm_bench b = classifier_bench(&c, false);
    mfm_bench_run(&b);
    real *high = mfm_vector_new(b.graph), *low = mfm_vector_new(b.graph);
    CU_ASSERT_TRUE_FATAL(high && low);
    gradient_at(&b, &c, h, high);
    gradient_at(&b, &c, -h, low);
    for (size_t i = 0; i < b.graph->params_size; i++)
        high[i] = (high[i] - low[i]) / (real)(2 * h);
    const double error = mfm_vector_difference(b.graph, b.lane[MFM_DG], high);
    CU_ASSERT_TRUE(error < 1e-7);
    if (!(error < 1e-7))
        printf("\n    relative error %.3g", error);
    mfm_free_aligned(b.ctx, high);
    mfm_free_aligned(b.ctx, low);
    bench_free(&b);
}

/* u^T H v = v^T H u over weights and images together. */
static void test_symmetry(void)
{
    classifier c;
    mfm_bench b = classifier_bench(&c, false);
    real *v = mfm_vector_new(b.graph), *hu = b.lane[MFM_DG], *u = b.lane[MFM_DX];
    real other[IMAGE_REALS];
    CU_ASSERT_PTR_NOT_NULL_FATAL(v);
    mfm_vector_draw(b.graph, 9, v);
    for (int i = 0; i < IMAGE_REALS; i++)
        other[i] = c.images[i] / 2;
    mfm_bench_run(&b);
    const double vhu = mfm_vector_dot(b.graph, hu, v) + input_dot(&b, &c, MFM_DG, other);
    mfm_plan_bind_params(b.plan, MFM_DX, v);
    mfm_plan_bind_input(b.plan, c.x, MFM_DX, other);
    mfm_bench_run(&b);
    const double uhv =
        mfm_vector_dot(b.graph, b.lane[MFM_DG], u) + input_dot(&b, &c, MFM_DG, c.directions);
    CU_ASSERT_TRUE(fabs(vhu) > 1e-2);
    CU_ASSERT_TRUE(fabs(vhu - uhv) < (sizeof(real) == 8 ? 1e-12 : 1e-4) * fabs(vhu));
    mfm_free_aligned(b.ctx, v);
    bench_free(&b);
}

/* A plan in which every value has a place of its own gives the same bits as one that reuses them.
 */
static void test_reuse(void)
{
    classifier c, d;
    mfm_bench tight = classifier_bench(&c, false), wide = classifier_bench(&d, true);
    for (int round = 0; round < 2; round++) {
        mfm_bench_run(&tight);
        mfm_bench_run(&wide);
        for (int lane = MFM_G; lane <= MFM_DG; lane++)
            CU_ASSERT_EQUAL(
                memcmp(tight.lane[lane], wide.lane[lane], tight.graph->params_size * sizeof(real)),
                0);
        CU_ASSERT_EQUAL(*mfm_plan_lane(tight.plan, c.loss, MFM_X),
                        *mfm_plan_lane(wide.plan, d.loss, MFM_X));
    }
    CU_ASSERT_TRUE(mfm_plan_bytes(tight.plan) < mfm_plan_bytes(wide.plan));
    bench_free(&tight);
    bench_free(&wide);
}

static void expect_same(const mfm_bench *a, const mfm_bench *b)
{
    for (int lane = MFM_G; lane <= MFM_DG; lane++)
        CU_ASSERT_EQUAL(memcmp(a->lane[lane], b->lane[lane], a->graph->params_size * sizeof(real)),
                        0);
}

/* Whatever is written to what a plan lends, after whichever pass, its results stay. */
static void test_lending(void)
{
    enum { LENT = 1000 };
    classifier c, d;
    mfm_bench alone = classifier_bench(&c, false);
    mfm_bench_run(&alone);
    for (int after = 0; after < MFM_BENCH_PASSES; after++) {
        const mfm_plan_spec lending = {.lend = LENT, .lend_after = after};
        mfm_bench lender = shared_bench(&d, false, &lending, NULL);
        for (int pass = 0; pass < MFM_BENCH_PASSES; pass++) {
            mfm_plan_run(lender.plan, pass);
            for (int i = 0; i < LENT && pass == after; i++)
                mfm_plan_lent(lender.plan)[i] = (real)NAN;
        }
        expect_same(&lender, &alone);
        CU_ASSERT_TRUE(mfm_plan_bytes(lender.plan) <
                       mfm_plan_bytes(alone.plan) + LENT * sizeof(real));
        bench_free(&lender);
    }
    CU_ASSERT_PTR_NULL(mfm_plan_lent(alone.plan));
    bench_free(&alone);
}

/* A plan in the memory that another lends gives what it gives in its own. */
static void test_borrowing(void)
{
    classifier c, d, e;
    mfm_bench alone = classifier_bench(&c, false);
    mfm_bench_run(&alone);
    const mfm_plan_spec lending = {.lend = mfm_plan_reals(alone.plan),
                                   .lend_after = MFM_BENCH_FORWARD};
    mfm_bench lender = shared_bench(&d, false, &lending, NULL);
    mfm_bench guest =
        shared_bench(&e, false, &(mfm_plan_spec){.borrow = true}, mfm_plan_lent(lender.plan));
    CU_ASSERT_EQUAL(mfm_plan_bytes(guest.plan), 0);
    CU_ASSERT_EQUAL(mfm_plan_reals(guest.plan), mfm_plan_reals(alone.plan));
    mfm_bench_run(&guest);
    expect_same(&guest, &alone);
    bench_free(&guest);
    bench_free(&lender);
    bench_free(&alone);
}

/* Without passes after forward nothing outlives its reader. */
static void test_forward_only(void)
{
    static const mfm_pass forward[] = {{MFM_FORWARD, 1}};
    classifier c;
    mfm_bench full = classifier_bench(&c, false);
    const mfm_slot keep[] = {{c.loss, MFM_X}};
    const mfm_plan_spec spec = {
        .batch = 2, .training = true, .passes = forward, .n_passes = 1, .keep = keep, .n_keep = 1};
    mfm_plan *plan;
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(full.ctx, full.graph, &spec, &plan), MFM_OK);
    CU_ASSERT_TRUE(mfm_plan_bytes(plan) < mfm_plan_bytes(full.plan));
    mfm_plan_bind_params(plan, MFM_X, full.lane[MFM_X]);
    mfm_plan_bind_input(plan, c.x, MFM_X, c.images);
    mfm_plan_bind_input(plan, c.labels, MFM_X, c.classes);
    mfm_plan_run(plan, 0);
    mfm_bench_run(&full);
    CU_ASSERT_EQUAL(*mfm_plan_lane(plan, c.loss, MFM_X), *mfm_plan_lane(full.plan, c.loss, MFM_X));
    /* 2 images, area 36: 4 maps of 27, twice 4 maps of 36 taps; then 2 x 4 x 5 */
    CU_ASSERT_EQUAL(mfm_plan_macs(plan), 2 * 36 * 4 * (27 + 36 + 36) + 2 * 4 * 5);
    mfm_plan_free(plan);
    bench_free(&full);
}

static int attempt(mfm_ctx *ctx, void *self)
{
    classifier *c = self;
    mfm_net net = classifier_net(ctx, c);
    mfm_plan *plan = NULL;
    if (!net.status) {
        const mfm_slot keep[] = {{c->loss, MFM_G}, {c->x, MFM_DG}};
        const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
        net.status = mfm_plan_new(ctx, net.graph, &spec, &plan);
    }
    mfm_plan_free(plan);
    mfm_graph_free(net.graph);
    return net.status;
}

static void test_refusals(void)
{
    classifier c;
    mfm_assert_refusals_are_told(attempt, &c);
}

static const mfm_case cases[] = {
    {"jvp and vjp agree on the slope of the loss", test_gradient},
    {"vjp_t is the difference quotient of the gradient", test_second_order},
    {"the Hessian is symmetric", test_symmetry},
    {"sharing memory changes no bit", test_reuse},
    {"what a plan lends may be overwritten", test_lending},
    {"a plan in borrowed memory gives the same bits", test_borrowing},
    {"a forward plan is small and computes the same loss", test_forward_only},
    {"every refused allocation is told and nothing leaks", test_refusals},
};
MFM_SUITE("core/engine/plan_network", cases)
