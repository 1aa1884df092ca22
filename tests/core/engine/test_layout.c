/* Layouts: which values lie row-major, where conversions stand, and that all passes compute the
 * same. */
#include "core/engine/layout.h"

#include <string.h>

#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 8 };

static const mfm_shape *shape_of(const mfm_graph *graph, int value)
{
    return &graph->values[value].shape;
}

/* An attention over the pixels, in heads, between convolutions: the scores and what they weigh are
 * [n, 2, 64, ...], of rank 4. */
typedef struct attention {
    fuse_inputs inputs;
    int scores, weights, result, image;
} attention;

static int head(mfm_net *net, int x)
{
    const int rows = mfm_net_node(net, "Reshape shape=0,4,64", 0, x, -1, -1);
    const int tokens = mfm_net_node(net, "Transpose perm=0,2,1", 0, rows, -1, -1);
    const int apart = mfm_net_node(net, "Reshape shape=0,64,2,2", 0, tokens, -1, -1);
    return mfm_net_node(net, "Transpose perm=0,2,1,3", 0, apart, -1, -1);
}

static int conv(mfm_net *net, int x, int from, int to, const char *text)
{
    return mfm_net_node(net, text, 0, x, mfm_net_param(net, mfm_shape_of(4, to, from, 1, 1), 0.5),
                        -1);
}

static mfm_net attention_net(mfm_ctx *ctx, attention *a)
{
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 3, &a->inputs);
    a->image = conv(&net, a->inputs.images, 3, 4, "Conv");
    const int q = head(&net, a->image);
    const int k = mfm_net_node(&net, "Transpose perm=0,1,3,2", 0, head(&net, a->image), -1, -1);
    const int v = head(&net, conv(&net, a->inputs.images, 3, 4, "Conv"));
    a->scores = mfm_net_node(&net, "MatMul", 0, q, k, -1);
    a->weights = mfm_net_node(&net, "Softmax axis=3", 0, a->scores, -1, -1);
    a->result = mfm_net_node(&net, "MatMul", 0, a->weights, v, -1);
    const int tokens = mfm_net_node(&net, "Transpose perm=0,2,1,3", 0, a->result, -1, -1);
    const int rows = mfm_net_node(&net, "Reshape shape=0,64,4", 0, tokens, -1, -1);
    const int turned = mfm_net_node(&net, "Transpose perm=0,2,1", 0, rows, -1, -1);
    const int back = mfm_net_node(&net, "Reshape shape=0,4,8,8", 0, turned, -1, -1);
    const int sum = mfm_net_node(&net, "Add", 0, back, a->image, -1);
    const int last = conv(&net, sum, 4, 4, "Conv");
    const int pooled = mfm_net_node(&net, "GlobalAveragePool", 0, last, -1, -1);
    const int flat = mfm_net_node(&net, "Flatten", 0, pooled, -1, -1);
    a->inputs.loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, flat, a->inputs.labels, -1);
    return net;
}

static void test_attention(void)
{
    attention plain_inputs, inputs;
    mfm_bench run[2];
    for (int turn = 0; turn < 2; turn++) {
        attention *a = turn ? &inputs : &plain_inputs;
        mfm_net net = attention_net(fuse_ctx(), a);
        CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
        if (turn)
            CU_ASSERT_EQUAL_FATAL(mfm_graph_lay_out(net.graph, &a->inputs.loss, 1), MFM_OK);
        const mfm_slot keep[] = {{a->inputs.loss, MFM_X}, {a->inputs.loss, MFM_G}};
        const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
        run[turn] = fuse_run(net, &spec, &a->inputs);
    }
    const mfm_graph *graph = run[1].graph;
    CU_ASSERT_EQUAL(mfm_graph_conversions(graph), 0);
    CU_ASSERT_EQUAL(shape_of(graph, inputs.scores)->layout, MFM_ROW_MAJOR);
    CU_ASSERT_EQUAL(shape_of(graph, inputs.weights)->layout, MFM_ROW_MAJOR);
    CU_ASSERT_EQUAL(shape_of(graph, inputs.result)->layout, MFM_ROW_MAJOR);
    CU_ASSERT_EQUAL(shape_of(graph, inputs.image)->layout, MFM_CHANNELS_LAST);
    CU_ASSERT_EQUAL(shape_of(run[0].graph, plain_inputs.scores)->layout, MFM_CHANNELS_LAST);
    fuse_expect_same(&run[1], &run[0], sizeof(real) == 8 ? 1e-11 : 1e-4);
    fuse_finish(&run[0]);
    fuse_finish(&run[1]);
}

/* Convolution, a product over its image's last axes, and a convolution again. */
typedef struct product {
    fuse_inputs inputs;
    int image, result;
} product;

static mfm_net product_net(mfm_ctx *ctx, product *p)
{
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 4, &p->inputs);
    p->image = conv(&net, p->inputs.images, 3, 2, "Conv");
    const int left = mfm_net_node(&net, "Relu", 0, p->image, -1, -1);
    p->result = mfm_net_node(&net, "MatMul", 0, left, p->image, -1);
    const int last = conv(&net, p->result, 2, 4, "Conv");
    const int pooled = mfm_net_node(&net, "GlobalAveragePool", 0, last, -1, -1);
    const int flat = mfm_net_node(&net, "Flatten", 0, pooled, -1, -1);
    p->inputs.loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, flat, p->inputs.labels, -1);
    return net;
}

static void test_conversions(void)
{
    product plain_inputs, inputs;
    mfm_bench run[2];
    for (int turn = 0; turn < 2; turn++) {
        product *p = turn ? &inputs : &plain_inputs;
        mfm_net net = product_net(fuse_ctx(), p);
        CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
        if (turn)
            CU_ASSERT_EQUAL_FATAL(mfm_graph_lay_out(net.graph, &p->inputs.loss, 1), MFM_OK);
        const mfm_slot keep[] = {{p->inputs.loss, MFM_X}, {p->inputs.loss, MFM_G}};
        const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
        run[turn] = fuse_run(net, &spec, &p->inputs);
    }
    CU_ASSERT_EQUAL(mfm_graph_conversions(run[1].graph), 3); /* two factors, one result */
    CU_ASSERT_EQUAL(fuse_count(run[1].graph, "Layout"), 3);
    CU_ASSERT_EQUAL(shape_of(run[1].graph, inputs.image)->layout, MFM_CHANNELS_LAST);
    CU_ASSERT_EQUAL(shape_of(run[1].graph, inputs.result)->layout, MFM_CHANNELS_LAST);
    fuse_expect_same(&run[1], &run[0], sizeof(real) == 8 ? 1e-11 : 1e-4);
    fuse_finish(&run[0]);
    fuse_finish(&run[1]);
}

/* What somebody outside reads stays as it is, and so does what only convolutions see. */
static void test_kept(void)
{
    attention a;
    mfm_net net = attention_net(fuse_ctx(), &a);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    const int keep[] = {a.inputs.loss, a.weights};
    CU_ASSERT_EQUAL_FATAL(mfm_graph_lay_out(net.graph, keep, 2), MFM_OK);
    CU_ASSERT_EQUAL(shape_of(net.graph, a.weights)->layout, MFM_CHANNELS_LAST);
    CU_ASSERT(mfm_graph_conversions(net.graph) > 0);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static const mfm_case cases[] = {
    {"an attention lies in its own order, without conversions", test_attention},
    {"a product between convolutions is converted", test_conversions},
    {"a kept value stays channels-last", test_kept},
};
MFM_SUITE("core/engine/layout", cases)
