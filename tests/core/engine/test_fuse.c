/* Chains that become one node: the same numbers in all four passes, and what is left alone. */
#include "core/engine/fuse.h"

#include <string.h>

#include "tests/refusals.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 16, LENT = 1 << 20 };

/* What stands in the way of the second chain. */
enum obstacle { NONE, READ_TWICE, OTHER_SEGMENT, STRETCHED, NO_RELU };

typedef struct network {
    fuse_inputs inputs;
    int norms[2]; /* outputs of the normalisations */
} network;

static int norm(mfm_net *net, int x, int channels)
{
    const mfm_shape shape = mfm_shape_of(1, channels);
    const real mean[] = {0.5, -0.5, 0.25, 0}, variance[] = {1, 2, 0.5, 1.5};
    int in[5] = {x, mfm_net_param(net, shape, 1), mfm_net_param(net, shape, 1)}, out = -1;
    if (!net->status)
        net->status = mfm_graph_state(net->graph, "mean", &shape, mean, &in[3]);
    if (!net->status)
        net->status = mfm_graph_state(net->graph, "variance", &shape, variance, &in[4]);
    if (!net->status)
        net->status = mfm_graph_add(net->graph, mfm_op_find("", "BatchNormalization", 15), 15,
                                    "norm", NULL, in, 5, NULL, 1, &out);
    return out;
}

/* A residual block: Conv, norm, Relu, Conv, norm, Add of what came out of the first Relu, Relu. */
static mfm_net block(mfm_ctx *ctx, network *n, bool norm_first, enum obstacle obstacle)
{
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 3, &n->inputs);
    const int w1 = mfm_net_param(&net, mfm_shape_of(4, 4, 3, 3, 3), 0.4);
    const int w2 = mfm_net_param(&net, mfm_shape_of(4, 4, 4, 3, 3), 0.4);
    const int conv1 = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, n->inputs.images, w1, -1);
    n->norms[0] = norm(&net, conv1, 4);
    const int relu1 = mfm_net_node(&net, "Relu", 0, n->norms[0], -1, -1);
    const int conv2 = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, relu1, w2, -1);
    n->norms[1] = norm(&net, conv2, 4);
    const int other =
        obstacle == STRETCHED ? mfm_net_node(&net, "GlobalAveragePool", 0, relu1, -1, -1) : relu1;
    int sum = mfm_net_node(&net, "Add", 0, norm_first ? n->norms[1] : other,
                           norm_first ? other : n->norms[1], -1);
    if (obstacle == READ_TWICE)
        sum = mfm_net_node(&net, "Add", 0, sum, n->norms[1], -1);
    const int last = mfm_net_node(&net, obstacle == NO_RELU ? "Tanh" : "Relu",
                                  obstacle == OTHER_SEGMENT, sum, -1, -1);
    const int pool = mfm_net_node(&net, "GlobalAveragePool", 0, last, -1, -1);
    const int flat = mfm_net_node(&net, "Flatten", 0, pool, -1, -1);
    n->inputs.loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, flat, n->inputs.labels, -1);
    return net;
}

/* How a block is planned. */
typedef struct way {
    bool norm_first, fused, training, restore;
    size_t lend;
} way;

/* All four passes over the block; fuse_finish() ends it. */
static mfm_bench run(network *n, way w)
{
    const bool fused = w.fused;
    mfm_net net = block(fuse_ctx(), n, w.norm_first, NONE);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    if (fused)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &n->inputs.loss, 1), MFM_OK);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "BatchNormalizationRelu"), fused);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "BatchNormalizationAddRelu"), fused);
    CU_ASSERT_EQUAL(net.graph->n_nodes, fused ? 7 : 10);
    const mfm_slot keep[] = {{n->inputs.loss, MFM_X}, {n->inputs.loss, MFM_G}};
    mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    spec.training = w.training;
    spec.restore = w.restore;
    spec.lend = w.lend;
    return fuse_run(net, &spec, &n->inputs);
}

static void check_same(bool norm_first, bool training)
{
    const double tolerance = sizeof(real) == sizeof(float) ? 1e-5 : 1e-13;
    network n, m;
    mfm_bench plain = run(&n, (way){norm_first, false, training, false, 0});
    mfm_bench fused = run(&m, (way){norm_first, true, training, false, 0});
    CU_ASSERT_DOUBLE_EQUAL(*mfm_plan_lane(fused.plan, m.inputs.loss, MFM_X),
                           *mfm_plan_lane(plain.plan, n.inputs.loss, MFM_X), tolerance);
    fuse_expect_same(&fused, &plain, tolerance);
    CU_ASSERT(mfm_plan_bytes(fused.plan) <= mfm_plan_bytes(plain.plan));
    fuse_finish(&plain);
    fuse_finish(&fused);
}

/* Values made again after the forward pass are the very same; only the plan is smaller when it
 * lends memory meanwhile. */
static void restored(void)
{
    network n, m;
    mfm_bench kept = run(&n, (way){true, true, true, false, LENT});
    mfm_bench spare = run(&m, (way){true, true, true, true, LENT});
    CU_ASSERT(mfm_plan_bytes(spare.plan) < mfm_plan_bytes(kept.plan));
    fuse_expect_same(&spare, &kept, 0);
    fuse_finish(&kept);
    fuse_finish(&spare);
}

static void same_numbers(void)
{
    for (int k = 0; k < 4; k++)
        check_same(k & 1, k >> 1);
}

/* Fuses a block with the values kept; the numbers of fused chains of both kinds. */
static void expect_chains(enum obstacle obstacle, int keep, int relu, int add_relu)
{
    network n;
    mfm_ctx *ctx = fuse_ctx();
    mfm_net net = block(ctx, &n, true, obstacle);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    const int kept[2] = {n.inputs.loss, keep < 0 ? -1 : n.norms[keep]};
    CU_ASSERT_EQUAL(mfm_graph_fuse(net.graph, kept, 2), MFM_OK);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "BatchNormalizationRelu"), relu);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "BatchNormalizationAddRelu"), add_relu);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "BatchNormalization"), 2 - relu - add_relu);
    mfm_graph_free(net.graph);
    mfm_ctx_free(ctx);
}

static void left_alone(void)
{
    expect_chains(NONE, -1, 1, 1);
    expect_chains(NONE, 0, 0, 1);
    expect_chains(NONE, 1, 1, 0);
    expect_chains(READ_TWICE, -1, 1, 0);
    expect_chains(OTHER_SEGMENT, -1, 1, 0);
    expect_chains(STRETCHED, -1, 1, 0);
    expect_chains(NO_RELU, -1, 1, 0);
}

/* What other parts of a program hold on to: numbers of values, keys, names, producers. */
static void keeps_numbers(void)
{
    network n;
    mfm_ctx *ctx = fuse_ctx();
    mfm_net net = block(ctx, &n, true, NONE);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    const size_t values = net.graph->n_values, params = net.graph->params_size;
    const uint32_t key = net.graph->nodes[net.graph->n_nodes - 1].key;
    CU_ASSERT_EQUAL(mfm_graph_fuse(net.graph, &n.inputs.loss, 1), MFM_OK);
    CU_ASSERT_EQUAL(net.graph->n_values, values);
    CU_ASSERT_EQUAL(net.graph->params_size, params);
    CU_ASSERT_EQUAL(net.graph->nodes[net.graph->n_nodes - 1].key, key);
    CU_ASSERT_STRING_EQUAL(net.graph->nodes[1].name, "norm");
    for (size_t i = 0; i < net.graph->n_nodes; i++)
        CU_ASSERT_EQUAL(net.graph->values[net.graph->nodes[i].out[0]].producer, (int)i);
    CU_ASSERT_EQUAL(net.graph->values[n.norms[0]].producer, -1);
    mfm_graph_free(net.graph);
    mfm_ctx_free(ctx);
}

/* Conv, Relu, MaxPool and the loss; the Relu kept or not. */
static mfm_bench run_pool(network *n, bool fused, bool keep_relu)
{
    mfm_net net = mfm_net_new(fuse_ctx());
    fuse_add_inputs(&net, SIDE, 4, &n->inputs);
    const int w = mfm_net_param(&net, mfm_shape_of(4, 4, 3, 3, 3), 0.4);
    const int conv = mfm_net_node(&net, "Conv pads=1,1,1,1", 0, n->inputs.images, w, -1);
    const int relu = mfm_net_node(&net, "Relu", 0, conv, -1, -1);
    const int pool = mfm_net_node(&net, "MaxPool kernel_shape=2,2 strides=2,2", 0, relu, -1, -1);
    const int average = mfm_net_node(&net, "GlobalAveragePool", 0, pool, -1, -1);
    const int flat = mfm_net_node(&net, "Flatten", 0, average, -1, -1);
    n->inputs.loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, flat, n->inputs.labels, -1);
    const int kept[] = {n->inputs.loss, keep_relu ? relu : -1};
    if (fused)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, kept, 2), MFM_OK);
    CU_ASSERT_STRING_EQUAL(net.graph->nodes[1].op->name, fused && !keep_relu ? "MaxPool" : "Relu");
    const mfm_slot keep[] = {{n->inputs.loss, MFM_X}, {n->inputs.loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, &n->inputs);
}

static void pool_goes_first(void)
{
    network n, m, k;
    mfm_bench plain = run_pool(&n, false, false), fused = run_pool(&m, true, false);
    mfm_bench kept = run_pool(&k, true, true);
    CU_ASSERT_EQUAL(*mfm_plan_lane(fused.plan, m.inputs.loss, MFM_X),
                    *mfm_plan_lane(plain.plan, n.inputs.loss, MFM_X));
    fuse_expect_same(&fused, &plain, 0);
    fuse_finish(&plain);
    fuse_finish(&fused);
    fuse_finish(&kept);
}

/* A Relu whose output is kept and read by no node, after a normalisation that is likewise: the
 * first node, which reads neither, follows neither. */
static void nobody_reads(void)
{
    network n;
    mfm_net net = mfm_net_new(fuse_ctx());
    fuse_add_inputs(&net, SIDE, 5, &n.inputs);
    mfm_net_node(&net, "MaxPool kernel_shape=2,2", 0, n.inputs.images, -1, -1);
    mfm_net_node(&net, "Relu", 0, n.inputs.images, -1, -1);
    const int relu = mfm_net_node(&net, "Relu", 0, n.inputs.images, -1, -1);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &relu, 1), MFM_OK);
    CU_ASSERT_EQUAL(net.graph->n_nodes, 3);
    CU_ASSERT_STRING_EQUAL(net.graph->nodes[0].op->name, "MaxPool");
    CU_ASSERT_STRING_EQUAL(net.graph->nodes[2].op->name, "Relu");
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static int fuse_in(mfm_ctx *ctx, void *unused)
{
    (void)unused;
    network n;
    mfm_net net = block(ctx, &n, true, NONE);
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
    {"a fused block gives the same numbers in all passes, with no more memory", same_numbers},
    {"values restored after memory was lent give the same bits with less of it", restored},
    {"what is read elsewhere, kept, stretched or in another segment is left alone", left_alone},
    {"numbers of values, keys and names stay", keeps_numbers},
    {"MaxPool goes before Relu and all passes give the same bits", pool_goes_first},
    {"a value that is kept and that nobody reads has no follower", nobody_reads},
    {"every refused allocation is told and nothing leaks", refusals},
};
MFM_SUITE("core/engine/fuse", cases)
