/* Values that lie in one place: the same bits as where each has its own. */
#include <string.h>

#include "../../../suite.h"
#include "../support/fuse_check.h"
#include "core/engine/fuse.h"
#include "core/engine/layout.h"

enum { SIDE = 8, TOKENS = SIDE * SIDE, CHANNELS = 8, HEADS = 2, MOST_KEPT = 128, LENT = 1 << 20 };

static int node(mfm_net *net, const char *text, int a, int b)
{
    return mfm_net_node(net, text, 0, a, b, -1);
}

static int linear(mfm_net *net, int x, int from, int to)
{
    const int w = mfm_net_param(net, mfm_shape_of(2, from, to), 0.5);
    const int c = mfm_net_param(net, mfm_shape_of(1, to), 1);
    return node(net, "Add", node(net, "MatMul", x, w), c);
}

static int heads(mfm_net *net, int x, const char *order)
{
    return node(net, order,
                node(net, "Reshape shape=0,64,2,4", linear(net, x, CHANNELS, CHANNELS), -1), -1);
}

static int attention(mfm_net *net, int x)
{
    const int q = heads(net, x, "Transpose perm=0,2,1,3");
    const int k = heads(net, x, "Transpose perm=0,2,3,1");
    const int v = heads(net, x, "Transpose perm=0,2,1,3");
    const int weights = node(net, "Softmax", node(net, "MatMul", q, k), -1);
    const int mixed = node(net, "Transpose perm=0,2,1,3", node(net, "MatMul", weights, v), -1);
    return node(net, "Reshape shape=0,64,8", mixed, -1);
}

/* Convolution, normalisation that is restored, images as tokens, attention; sums of one value and
 * of several, views of views, values that are read through a view and beside it. */
static mfm_net network(mfm_ctx *ctx, fuse_inputs *inputs)
{
    const mfm_shape row = mfm_shape_of(1, CHANNELS);
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 3, inputs);
    const int w = mfm_net_param(&net, mfm_shape_of(4, CHANNELS, 3, 3, 3), 0.4);
    int x = node(&net, "Conv pads=1,1,1,1", inputs->images, w);
    const real mean[CHANNELS] = {0.5}, variance[CHANNELS] = {1, 1, 1, 1, 1, 1, 1, 1};
    int in[5] = {x, mfm_net_param(&net, row, 1), mfm_net_param(&net, row, 1)}, out = -1;
    if (!net.status)
        net.status = mfm_graph_state(net.graph, "mean", &row, mean, &in[3]);
    if (!net.status)
        net.status = mfm_graph_state(net.graph, "variance", &row, variance, &in[4]);
    if (!net.status)
        net.status = mfm_graph_add(net.graph, mfm_op_find("", "BatchNormalization", 15), 15, "norm",
                                   NULL, in, 5, NULL, 1, &out);
    x = node(&net, "Transpose perm=0,2,3,1", node(&net, "Relu", out, -1), -1);
    x = node(&net, "Reshape shape=0,64,8", x, -1);
    const int gamma = mfm_net_param(&net, row, 1), beta = mfm_net_param(&net, row, 1);
    const int normed = mfm_net_node(&net, "LayerNormalization", 0, x, gamma, beta);
    x = node(&net, "Add", x, attention(&net, normed));
    const int flat = node(&net, "Flatten", x, -1),
              back = node(&net, "Reshape shape=-1,64,8", flat, -1);
    x = node(&net, "Add", node(&net, "Tanh", back, -1), node(&net, "Sigmoid", back, -1));
    x = mfm_net_node(&net, "Sum", 0, node(&net, "Unsqueeze axes=1", x, -1),
                     node(&net, "Identity", node(&net, "Unsqueeze axes=1", back, -1), -1),
                     node(&net, "Unsqueeze axes=1", linear(&net, back, CHANNELS, CHANNELS), -1));
    x = node(&net, "ReduceMean axes=1 keepdims=0", node(&net, "Squeeze axes=1", x, -1), -1);
    x = node(&net, "Identity", linear(&net, x, CHANNELS, 5), -1);
    inputs->loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, x, inputs->labels, -1);
    return net;
}

typedef struct way {
    bool apart; /* every value is kept: each has a place of its own */
    bool rows;  /* layouts are chosen */
    bool restore;
} way;

static mfm_bench run(way w, fuse_inputs *inputs)
{
    mfm_net net = network(fuse_ctx(), inputs);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &inputs->loss, 1), MFM_OK);
    if (w.rows)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_lay_out(net.graph, &inputs->loss, 1), MFM_OK);
    mfm_slot keep[MOST_KEPT] = {{inputs->loss, MFM_X}, {inputs->loss, MFM_G}};
    int n = 2;
    CU_ASSERT_FATAL(net.graph->n_values <= MOST_KEPT - 2);
    for (size_t i = 0; i < net.graph->n_values && w.apart; i++)
        if (net.graph->values[i].kind == MFM_VALUE_NODE && net.graph->values[i].producer >= 0)
            keep[n++] = (mfm_slot){(int)i, MFM_X};
    mfm_plan_spec spec = mfm_bench_spec(keep, n);
    spec.restore = w.restore;
    spec.lend = w.restore ? LENT : 0;
    return fuse_run(net, &spec, inputs);
}

static void same_bits(void)
{
    for (int k = 0; k < 4; k++) {
        const bool rows = k & 1, restore = k >> 1;
        fuse_inputs a, b;
        mfm_bench apart = run((way){true, rows, false}, &a);
        mfm_bench shared = run((way){false, rows, restore}, &b);
        CU_ASSERT_EQUAL(*mfm_plan_lane(shared.plan, b.loss, MFM_X),
                        *mfm_plan_lane(apart.plan, a.loss, MFM_X));
        fuse_expect_same(&shared, &apart, 0);
        fuse_finish(&apart);
        fuse_finish(&shared);
    }
}

/* ---- by hand: y = p v, where v views u = -x ---- */

typedef struct product {
    int x, p, u, v, y;
    mfm_bench bench;
} product;

static product product_of(const mfm_pass *passes, int n_passes, int view_segment)
{
    product t;
    mfm_net net = mfm_net_new(fuse_ctx());
    t.x = mfm_net_input(&net, MFM_DATA, mfm_shape_of(2, 2, 1));
    t.p = mfm_net_param(&net, mfm_shape_of(1, 2), 1);
    t.u = mfm_net_node(&net, "Neg", 0, t.x, -1, -1);
    t.v = mfm_net_node(&net, "Reshape shape=2", view_segment, t.u, -1, -1);
    t.y = mfm_net_node(&net, "Mul", 1, t.v, t.p, -1);
    const mfm_slot keep[] = {{t.y, MFM_X}, {t.y, MFM_G}};
    mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    spec.passes = passes;
    spec.n_passes = n_passes;
    spec.param_tangents = spec.param_gradient_tangents = false;
    CU_ASSERT_EQUAL_FATAL(mfm_bench_init(net, &spec, &t.bench), MFM_OK);
    real *p = t.bench.lane[MFM_X] + t.bench.graph->values[t.p].offset;
    p[0] = 3;
    p[1] = 5;
    return t;
}

/* A view in another part of the schedule holds what was there when it was called: the gradient of p
 * is that of the first x, though the part below has seen another since. */
static void other_segment(void)
{
    static const mfm_pass passes[] = {{MFM_FORWARD, 3}, {MFM_FORWARD, 1}, {MFM_VJP, 2}};
    product t = product_of(passes, 3, 1);
    real first[] = {1, 2}, second[] = {100, 200};
    mfm_plan_bind_input(t.bench.plan, t.x, MFM_X, first);
    mfm_plan_run(t.bench.plan, 0);
    mfm_plan_bind_input(t.bench.plan, t.x, MFM_X, second);
    mfm_plan_run(t.bench.plan, 1);
    real *g = mfm_plan_lane(t.bench.plan, t.y, MFM_G);
    g[0] = 1;
    g[1] = 10;
    mfm_plan_run(t.bench.plan, 2);
    const real *y = mfm_plan_lane(t.bench.plan, t.y, MFM_X);
    CU_ASSERT_EQUAL(y[0], -3);
    CU_ASSERT_EQUAL(y[1], -10);
    const real *gp = t.bench.lane[MFM_G] + t.bench.graph->values[t.p].offset;
    CU_ASSERT_EQUAL(gp[0], -1);
    CU_ASSERT_EQUAL(gp[1], -20);
    fuse_finish(&t.bench);
}

/* In one part the view has no place of its own: a plan of one vector less. */
static void saves_a_place(void)
{
    static const mfm_pass passes[] = {{MFM_FORWARD, 3}, {MFM_VJP, 3}};
    product one = product_of(passes, 2, 0), two = product_of(passes, 2, 1);
    CU_ASSERT(mfm_plan_bytes(one.bench.plan) < mfm_plan_bytes(two.bench.plan));
    fuse_finish(&one.bench);
    fuse_finish(&two.bench);
}

static const mfm_case cases[] = {
    {"all four passes give the same bits where values share places", same_bits},
    {"a view of another segment's value keeps what it viewed", other_segment},
    {"a view takes no place of its own", saves_a_place},
};
MFM_SUITE("core/engine/plan_views", cases)
