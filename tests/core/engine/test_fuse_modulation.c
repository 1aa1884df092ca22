/* A modulation's nodes become one: the same numbers in all four passes, and what is left alone. */
#include "core/engine/fuse.h"

#include "tests/refusals.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 6 };

enum tail { ALONE, RELU, ADD_RELU };
static const char *const names[] = {"Modulate", "ModulateRelu", "ModulateAddRelu"};

/* What stands in the way. */
enum obstacle { NONE, PRODUCT_READ_TWICE, SHIFTED_KEPT, SAME_FOR_ALL_SAMPLES, OTHER_SEGMENT };

typedef struct network {
    fuse_inputs inputs;
    int shifted;
} network;

/* A number for each sample and channel, made from the images by parameters of its own. */
static int coefficient(mfm_net *net, int images)
{
    const int w = mfm_net_param(net, mfm_shape_of(4, 4, 3, 3, 3), 0.4);
    const int x = mfm_net_node(net, "Conv", 0, images, w, -1);
    return mfm_net_node(net, "GlobalAveragePool", 0, x, -1, -1);
}

/* x + (x scale + shift), its operands in either order, then what the tail says. */
static int modulated(mfm_net *net, network *n, int x, bool turned, enum obstacle obstacle)
{
    const int scale = obstacle == SAME_FOR_ALL_SAMPLES
                          ? mfm_net_param(net, mfm_shape_of(4, 1, 4, 1, 1), 0.5)
                          : coefficient(net, n->inputs.images);
    const int shift = coefficient(net, n->inputs.images);
    const int product = mfm_net_node(net, "Mul", 0, turned ? scale : x, turned ? x : scale, -1);
    n->shifted = mfm_net_node(net, "Add", obstacle == OTHER_SEGMENT, turned ? shift : product,
                              turned ? product : shift, -1);
    const int y = mfm_net_node(net, "Add", obstacle == OTHER_SEGMENT, turned ? n->shifted : x,
                               turned ? x : n->shifted, -1);
    return obstacle == PRODUCT_READ_TWICE ? mfm_net_node(net, "Add", 0, y, product, -1) : y;
}

static mfm_net build(mfm_ctx *ctx, network *n, enum tail tail, bool turned, enum obstacle obstacle)
{
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 6, &n->inputs);
    const int w = mfm_net_param(&net, mfm_shape_of(4, 4, 3, 3, 3), 0.4);
    const int x = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, n->inputs.images, w, -1);
    const int shortcut = mfm_net_node(&net, "Tanh", 0, x, -1, -1);
    int y = modulated(&net, n, x, turned, obstacle);
    if (tail == ADD_RELU)
        y = mfm_net_node(&net, "Add", 0, turned ? shortcut : y, turned ? y : shortcut, -1);
    if (tail != ALONE)
        y = mfm_net_node(&net, "Relu", 0, y, -1, -1);
    const int pool = mfm_net_node(&net, "GlobalAveragePool", 0, y, -1, -1);
    const int flat = mfm_net_node(&net, "Flatten", 0, pool, -1, -1);
    n->inputs.loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, flat, n->inputs.labels, -1);
    return net;
}

/* All four passes; fuse_finish() ends it. */
static mfm_bench run(network *n, enum tail tail, bool turned, bool fused)
{
    mfm_net net = build(fuse_ctx(), n, tail, turned, NONE);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    if (fused)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &n->inputs.loss, 1), MFM_OK);
    CU_ASSERT_EQUAL(fuse_count(net.graph, names[tail]), fused);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "Mul"), !fused);
    const mfm_slot keep[] = {{n->inputs.loss, MFM_X}, {n->inputs.loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, &n->inputs);
}

static void check_same(enum tail tail, bool turned)
{
    const double tolerance = sizeof(real) == sizeof(float) ? 1e-5 : 1e-13;
    network n, m;
    mfm_bench plain = run(&n, tail, turned, false), fused = run(&m, tail, turned, true);
    CU_ASSERT_DOUBLE_EQUAL(*mfm_plan_lane(fused.plan, m.inputs.loss, MFM_X),
                           *mfm_plan_lane(plain.plan, n.inputs.loss, MFM_X), tolerance);
    fuse_expect_same(&fused, &plain, tolerance);
    fuse_finish(&plain);
    fuse_finish(&fused);
}

static void same_numbers(void)
{
    for (int tail = ALONE; tail <= ADD_RELU; tail++)
        for (int turned = 0; turned < 2; turned++)
            check_same((enum tail)tail, turned);
}

static void left_alone(void)
{
    static const enum obstacle obstacles[] = {PRODUCT_READ_TWICE, SHIFTED_KEPT,
                                              SAME_FOR_ALL_SAMPLES, OTHER_SEGMENT};
    for (int i = 0; i < 4; i++) {
        network n;
        mfm_ctx *ctx = fuse_ctx();
        mfm_net net = build(ctx, &n, RELU, false, obstacles[i]);
        CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
        const int kept[2] = {n.inputs.loss, obstacles[i] == SHIFTED_KEPT ? n.shifted : -1};
        CU_ASSERT_EQUAL(mfm_graph_fuse(net.graph, kept, 2), MFM_OK);
        CU_ASSERT_EQUAL(fuse_count(net.graph, "Mul"), 1);
        for (int tail = ALONE; tail <= ADD_RELU; tail++)
            CU_ASSERT_EQUAL(fuse_count(net.graph, names[tail]), 0);
        mfm_graph_free(net.graph);
        mfm_ctx_free(ctx);
    }
}

static int fuse_in(mfm_ctx *ctx, void *unused)
{
    (void)unused;
    network n;
    mfm_net net = build(ctx, &n, ADD_RELU, false, NONE);
    if (!net.status)
        net.status = mfm_graph_fuse(net.graph, &n.inputs.loss, 1);
    mfm_graph_free(net.graph);
    return net.status;
}

static void refusals(void)
{
    mfm_assert_refusals_are_told(fuse_in, NULL);
}

static const mfm_case cases[] = {
    {"a fused modulation gives the same numbers in all passes, whatever follows", same_numbers},
    {"what is read elsewhere, kept, the same for all samples or in another segment is left alone",
     left_alone},
    {"every refused allocation is told and nothing leaks", refusals},
};
MFM_SUITE("core/engine/fuse_modulation", cases)
