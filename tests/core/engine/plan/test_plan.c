/* Plans on hand-made graphs: what the passes compute, what they leave alone, what is refused. */
#include <string.h>

#include "../../../suite.h"
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

/* Results are small whole numbers or halves: exact in every build. */
static void expect(const real *got, int count, const double *wanted)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL((double)got[i], wanted[i]);
}

static void put(const mfm_bench *b, int value, enum mfm_lane lane, int count, const double *numbers)
{
    real *to = b->graph->values[value].kind == MFM_VALUE_PARAM
                   ? b->lane[lane] + b->graph->values[value].offset
                   : mfm_plan_lane(b->plan, value, lane);
    CU_ASSERT_PTR_NOT_NULL_FATAL(to);
    for (int i = 0; i < count; i++)
        to[i] = (real)numbers[i];
}

/* ---- a parameter used three times: y = p x + p p ---- */

typedef struct tied {
    int x, p, y;
    real data[2], tangent[2];
} tied;

static mfm_net tied_net(mfm_ctx *ctx, tied *t)
{
    mfm_net net = mfm_net_new(ctx);
    t->x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(1, 2));
    t->p = mfm_net_param(&net, mfm_shape_of(1, 2), 1);
    const int unused = mfm_net_param(&net, mfm_shape_of(1, 3), 1);
    (void)unused;
    const int px = mfm_net_node(&net, "Mul", 0, t->p, t->x, -1);
    const int pp = mfm_net_node(&net, "Mul", 0, t->p, t->p, -1);
    t->y = mfm_net_node(&net, "Add", 0, px, pp, -1);
    return net;
}

/* With y's adjoint g and its tangent g':
 *     y  = p x + p p                     y' = p' x + p x' + 2 p p'
 *     dp = (x + 2 p) g                   dp' = (x' + 2 p') g + (x + 2 p) g'
 *     dx = p g                           dx' = p' g + p g' */
static void test_tied(void)
{
    tied t = {.data = {3, -2}, .tangent = {0.5, 1}};
    const mfm_net net = tied_net(fresh(), &t);
    const mfm_slot keep[] = {{t.x, MFM_DX}, {t.x, MFM_G}, {t.x, MFM_DG}, {t.y, MFM_X},
                             {t.y, MFM_DX}, {t.y, MFM_G}, {t.y, MFM_DG}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 7);
    mfm_bench b = bench_new(net, &spec);
    mfm_plan_bind_input(b.plan, t.x, MFM_X, t.data);
    mfm_plan_bind_input(b.plan, t.x, MFM_DX, t.tangent);
    put(&b, t.p, MFM_X, 2, (double[]){2, 5});
    put(&b, t.p, MFM_DX, 2, (double[]){1, -1});
    put(&b, t.y, MFM_G, 2, (double[]){1, 4});
    put(&b, t.y, MFM_DG, 2, (double[]){-1, 2});
    for (int round = 0; round < 2; round++) { /* the second overwrites, it does not add */
        mfm_bench_run(&b);
        expect(mfm_plan_lane(b.plan, t.y, MFM_X), 2, (double[]){10, 15});
        expect(mfm_plan_lane(b.plan, t.y, MFM_DX), 2, (double[]){8, -3});
        expect(b.lane[MFM_G], 2, (double[]){7, 32});
        expect(mfm_plan_lane(b.plan, t.x, MFM_G), 2, (double[]){2, 20});
        expect(b.lane[MFM_DG], 2, (double[]){-4.5, 12});
        expect(mfm_plan_lane(b.plan, t.x, MFM_DG), 2, (double[]){-1, 6});
    }
    bench_free(&b);
}

/* No path leads from the loss to the second parameter: its adjoints keep what the caller put there.
 */
static void test_unreached(void)
{
    tied t = {.data = {3, -2}};
    const mfm_net net = tied_net(fresh(), &t);
    const mfm_slot keep[] = {{t.y, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 1);
    mfm_bench b = bench_new(net, &spec);
    mfm_plan_bind_input(b.plan, t.x, MFM_X, t.data);
    const int unused = t.p + 1;
    put(&b, unused, MFM_G, 3, (double[]){7, 8, 9});
    put(&b, unused, MFM_DG, 3, (double[]){7, 8, 9});
    put(&b, t.y, MFM_G, 2, (double[]){1, 1});
    mfm_bench_run(&b);
    expect(b.lane[MFM_G] + b.graph->values[unused].offset, 3, (double[]){7, 8, 9});
    expect(b.lane[MFM_DG] + b.graph->values[unused].offset, 3, (double[]){7, 8, 9});
    bench_free(&b);
}

static void test_frozen(void)
{
    tied t = {.data = {3, -2}};
    mfm_net net = tied_net(fresh(), &t);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    net.graph->values[t.p].trainable = false;
    const mfm_slot keep[] = {{t.y, MFM_G}, {t.x, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    mfm_bench b = bench_new(net, &spec);
    mfm_plan_bind_input(b.plan, t.x, MFM_X, t.data);
    put(&b, t.p, MFM_X, 2, (double[]){2, 5});
    put(&b, t.p, MFM_G, 2, (double[]){7, 8});
    put(&b, t.y, MFM_G, 2, (double[]){1, 1});
    mfm_bench_run(&b);
    expect(b.lane[MFM_G], 2, (double[]){7, 8});
    expect(mfm_plan_lane(b.plan, t.x, MFM_G), 2, (double[]){2, 5});
    bench_free(&b);
}

/* In a frozen plan weights are packed once; a kernel that is given anew for each pass is not. */
static void test_given_kernel(void)
{
    static const mfm_pass forward[] = {{MFM_FORWARD, 1}};
    mfm_net net = mfm_net_new(fresh());
    const int x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(4, 1, 8, 5, 5));
    const int w = mfm_net_input(&net, MFM_DATA, mfm_shape_of(4, 8, 8, 3, 3));
    const int p = mfm_net_param(&net, mfm_shape_of(1, 1), 1);
    const int c = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, x, w, -1);
    const int y = mfm_net_node(&net, "Mul", 0, c, p, -1);
    const mfm_slot keep[] = {{y, MFM_X}};
    const mfm_plan_spec spec = {
        .batch = 1, .passes = forward, .n_passes = 1, .keep = keep, .n_keep = 1, .frozen = true};
    mfm_bench b = bench_new(net, &spec);
    real image[8 * 25], kernel[8 * 8 * 9];
    for (int i = 0; i < 8 * 25; i++)
        image[i] = 1;
    mfm_plan_bind_input(b.plan, x, MFM_X, image);
    mfm_plan_bind_input(b.plan, w, MFM_X, kernel);
    put(&b, p, MFM_X, 1, (double[]){1});
    for (int factor = 1; factor < 3; factor++) {
        for (int i = 0; i < 8 * 8 * 9; i++)
            kernel[i] = (real)factor;
        mfm_plan_run(b.plan, 0);
        const double corner = 4 * 8 * factor;
        expect(mfm_plan_lane(b.plan, y, MFM_X), 1, &corner);
    }
    bench_free(&b);
}

/* ---- segments ---- */

/* s = x x in segment 0; y = s p in segment 1, run twice. */
static void test_segments(void)
{
    static const mfm_pass passes[] = {
        {MFM_FORWARD, 1}, {MFM_FORWARD, 2}, {MFM_FORWARD, 2}, {MFM_VJP, 2}};
    mfm_net net = mfm_net_new(fresh());
    const int x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(1, 2));
    const int p = mfm_net_param(&net, mfm_shape_of(1, 2), 1);
    const int s = mfm_net_node(&net, "Mul", 0, x, x, -1);
    const int y = mfm_net_node(&net, "Mul", 1, s, p, -1);
    const mfm_slot keep[] = {{y, MFM_X}, {y, MFM_G}};
    const mfm_plan_spec spec = {.batch = 1,
                                .passes = passes,
                                .n_passes = 4,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true};
    mfm_bench b = bench_new(net, &spec);
    real data[2] = {3, -2};
    mfm_plan_bind_input(b.plan, x, MFM_X, data);
    put(&b, p, MFM_X, 2, (double[]){1, 10});
    put(&b, y, MFM_G, 2, (double[]){1, 2});
    mfm_plan_run(b.plan, 0);
    mfm_plan_run(b.plan, 1);
    expect(mfm_plan_lane(b.plan, y, MFM_X), 2, (double[]){9, 40});
    put(&b, p, MFM_X, 2, (double[]){2, 20});
    data[0] = 100; /* seen only by a segment that does not run again */
    mfm_plan_run(b.plan, 2);
    expect(mfm_plan_lane(b.plan, y, MFM_X), 2, (double[]){18, 80});
    mfm_plan_run(b.plan, 3);
    expect(b.lane[MFM_G], 2, (double[]){9, 8});
    bench_free(&b);
}

static void test_different_segments(void)
{
    static const mfm_pass passes[] = {{MFM_FORWARD, 3}, {MFM_VJP, 1}, {MFM_VJP, 2}};
    tied t;
    const mfm_net net = tied_net(fresh(), &t);
    const mfm_plan_spec spec = {.batch = 1, .passes = passes, .n_passes = 3};
    mfm_plan *plan;
    CU_ASSERT_EQUAL(mfm_plan_new(net.ctx, net.graph, &spec, &plan), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(plan);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

/* ---- failures ---- */

static void test_bad_shapes(void)
{
    mfm_net net = mfm_net_new(fresh());
    const int x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(2, -1, 3));
    const int w = mfm_net_param(&net, mfm_shape_of(2, 4, 5), 1);
    mfm_net_node(&net, "Gemm", 0, x, w, -1);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    const mfm_plan_spec spec = mfm_bench_spec(NULL, 0);
    mfm_plan *plan;
    CU_ASSERT_EQUAL(mfm_plan_new(net.ctx, net.graph, &spec, &plan), MFM_EDATA);
    CU_ASSERT_PTR_NULL(plan);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(net.ctx), "Gemm"));
    mfm_plan_spec huge = spec;
    huge.batch = INT64_MAX / 2;
    CU_ASSERT_EQUAL(mfm_plan_new(net.ctx, net.graph, &huge, &plan), MFM_EDATA);
    huge.batch = -5;
    CU_ASSERT_EQUAL(mfm_plan_new(net.ctx, net.graph, &huge, &plan), MFM_EDATA);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

/* An input that the caller forgot. */
static void test_unbound(void)
{
    tied t;
    const mfm_net net = tied_net(fresh(), &t);
    const mfm_slot keep[] = {{t.y, MFM_X}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 1);
    mfm_bench b = bench_new(net, &spec);
    CU_ASSERT_EQUAL(mfm_plan_check_bound(b.plan), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(b.ctx), "nothing is bound"));
    mfm_plan_bind_input(b.plan, t.x, MFM_X, t.data);
    CU_ASSERT_EQUAL(mfm_plan_check_bound(b.plan), MFM_OK);
    bench_free(&b);
}

/* A dimension that is 0 hides how large the others are. */
static void test_overflow(void)
{
    mfm_net net = mfm_net_new(fresh());
    const mfm_shape shape = {.rank = 4, .dim = {-1, (int64_t)1 << 40, (int64_t)1 << 40, 0}};
    const int x = mfm_net_input(&net, MFM_DATA, shape);
    mfm_net_node(&net, "Relu", 0, x, -1, -1);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    const mfm_plan_spec spec = mfm_bench_spec(NULL, 0);
    mfm_plan *plan;
    CU_ASSERT_EQUAL(mfm_plan_new(net.ctx, net.graph, &spec, &plan), MFM_EDATA);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static void test_arity(void)
{
    tied t;
    mfm_net net = tied_net(fresh(), &t);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    mfm_net_node(&net, "Relu", 0, t.x, t.p, -1);
    CU_ASSERT_EQUAL(net.status, MFM_EDATA);
    net.status = MFM_OK;
    mfm_net_node(&net, "Mul", 0, t.x, -1, -1);
    CU_ASSERT_EQUAL(net.status, MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(net.ctx), "must be given"));
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static const mfm_case cases[] = {
    {"a tied parameter and a value with two readers get the sum", test_tied},
    {"a parameter that no path reaches is left alone", test_unreached},
    {"a frozen parameter gets no gradient, what lies behind it does", test_frozen},
    {"a kernel that is given for each pass is read in each", test_given_kernel},
    {"a segment runs again on what another left", test_segments},
    {"sweeps of one kind over different segments are refused", test_different_segments},
    {"shapes that do not fit are refused by the node's name", test_bad_shapes},
    {"an input that nothing is bound to is told by name", test_unbound},
    {"shapes whose strides would overflow are refused", test_overflow},
    {"the number of inputs is checked", test_arity},
};
MFM_SUITE("core/engine/plan", cases)
