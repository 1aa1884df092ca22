/* What is joined by channels, normalised and cut off at 0 becomes one operator, with the same bits
 * in all four passes. */
#include <stdio.h>
#include <string.h>

#include "core/engine/fuse.h"

#include "tests/refusals.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 5, FIRST = 20, MORE = 17, LAYERS = 3 };

static int norm_relu(mfm_net *net, int x, int channels)
{
    const mfm_shape shape = mfm_shape_of(1, channels);
    int in[5] = {x, mfm_net_param(net, shape, 1), mfm_net_param(net, shape, 1)}, out = -1;
    for (int i = 3; i < 5 && !net->status; i++) {
        real numbers[FIRST + LAYERS * MORE];
        for (int c = 0; c < channels; c++)
            numbers[c] = (real)(0.5 + 0.1 * c);
        net->status = mfm_graph_state(net->graph, "state", &shape, numbers, &in[i]);
    }
    if (!net->status)
        net->status = mfm_graph_add(net->graph, mfm_op_find("", "BatchNormalization", 17), 17,
                                    "norm", NULL, in, 5, NULL, 1, &out);
    return mfm_net_node(net, "Relu", 0, out, -1, -1);
}

/* Of DenseNet's kind: each layer reads the first values and those of the two layers before. */
static mfm_net network(mfm_ctx *ctx, const char *join, fuse_inputs *inputs)
{
    mfm_net net = mfm_net_new(ctx);
    int made[LAYERS], x;
    fuse_add_inputs(&net, SIDE, 7, inputs);
    const int w = mfm_net_param(&net, mfm_shape_of(4, FIRST, 3, 1, 1), 0.5);
    const int first = mfm_net_node(&net, "Conv", 0, inputs->images, w, -1);
    for (int k = 0; k < LAYERS; k++) {
        const int channels = FIRST + (k < 2 ? k : 2) * MORE;
        x = k == 0   ? first
            : k == 1 ? mfm_net_node(&net, join, 0, first, made[0], -1)
                     : mfm_net_node(&net, join, 0, first, made[k - 1], made[k - 2]);
        x = norm_relu(&net, x, channels);
        const int v = mfm_net_param(&net, mfm_shape_of(4, MORE, channels, 1, 1), 0.3);
        made[k] = mfm_net_node(&net, "Conv", 0, x, v, -1);
    }
    x = mfm_net_node(&net, join, 0, made[2], made[0], first);
    x = norm_relu(&net, x, FIRST + 2 * MORE);
    x = mfm_net_node(&net, "ReduceMean axes=2,3 keepdims=0", 0, x, -1, -1);
    const int u = mfm_net_param(&net, mfm_shape_of(2, FIRST + 2 * MORE, 4), 0.5);
    x = mfm_net_node(&net, "MatMul", 0, x, u, -1);
    inputs->loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, x, inputs->labels, -1);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    return net;
}

/* Without `joins`, what is joined is kept, so that the rest alone becomes one operator. */
static mfm_bench train(const char *join, bool joins, fuse_inputs *inputs)
{
    mfm_net net = network(fuse_ctx(), join, inputs);
    int keep_values[1 + LAYERS] = {inputs->loss}, n_keep = 1;
    for (size_t i = 0; i < net.graph->n_nodes && !joins; i++)
        if (strcmp(net.graph->nodes[i].op->name, "Concat") == 0)
            keep_values[n_keep++] = net.graph->nodes[i].out[0];
    CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, keep_values, (size_t)n_keep), MFM_OK);
    const mfm_slot keep[] = {{inputs->loss, MFM_X}, {inputs->loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, inputs);
}

static void check(const char *join)
{
    fuse_inputs inputs[2];
    mfm_bench plain = train(join, false, &inputs[0]), fused = train(join, true, &inputs[1]);
    CU_ASSERT_EQUAL(fuse_count(plain.graph, "Concat"), LAYERS);
    CU_ASSERT_EQUAL(fuse_count(plain.graph, "BatchNormalizationRelu"), LAYERS + 1);
    CU_ASSERT_EQUAL(fuse_count(fused.graph, "Concat"), 0);
    CU_ASSERT_EQUAL(fuse_count(fused.graph, "JoinedBatchNormalizationRelu"), LAYERS);
    CU_ASSERT_EQUAL(fuse_count(fused.graph, "BatchNormalizationRelu"), 1);
    fuse_expect_same(&fused, &plain, 0);
    fuse_finish(&plain);
    fuse_finish(&fused);
}

static void joined_inputs(void)
{
    check("Concat axis=1");
    check("Concat axis=-3");
}

/* A value that is read elsewhere, too, stays; so does what is joined along another axis. */
static void others_stay(void)
{
    fuse_inputs inputs;
    mfm_net net = network(fuse_ctx(), "Concat axis=1", &inputs);
    int joined = -1;
    for (size_t i = 0; i < net.graph->n_nodes && joined < 0; i++)
        if (net.graph->nodes[i].n_in == 2 && net.graph->nodes[i].op->linear)
            joined = net.graph->nodes[i].out[0];
    const int keep[] = {inputs.loss, joined};
    CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, keep, 2), MFM_OK);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "Concat"), 1);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "JoinedBatchNormalizationRelu"), LAYERS - 1);
    mfm_graph_free(net.graph);

    net = mfm_net_new(net.ctx);
    fuse_add_inputs(&net, SIDE, 7, &inputs);
    const int rows = mfm_net_node(&net, "Concat axis=2", 0, inputs.images, inputs.images, -1);
    const int last = norm_relu(&net, rows, 3);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &last, 1), MFM_OK);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "Concat"), 1);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "BatchNormalizationRelu"), 1);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static int fuse_and_free(mfm_ctx *ctx, void *self)
{
    (void)self;
    fuse_inputs inputs;
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 7, &inputs);
    const int both = mfm_net_node(&net, "Concat axis=1", 0, inputs.images, inputs.images, -1);
    const int last = norm_relu(&net, both, 6);
    const int status = net.status ? net.status : mfm_graph_fuse(net.graph, &last, 1);
    mfm_graph_free(net.graph);
    return status;
}

static void every_failed_allocation_is_told(void)
{
    mfm_assert_refusals_are_told(fuse_and_free, NULL);
}

static const mfm_case cases[] = {
    {"what is joined, normalised and cut off becomes one operator, bit for bit", joined_inputs},
    {"what somebody else reads, or is joined otherwise, stays", others_stay},
    {"every failed allocation is told", every_failed_allocation_is_told},
};
MFM_SUITE("core/engine/fuse_joined", cases)
