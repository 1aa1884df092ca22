/* In plans over parameters that stay, a product over rows and the Gelu behind it are one node. */
#include "core/engine/fuse.h"

#include <string.h>

#include "core/engine/observe.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 4, WIDTH = 70 };

/* How the product is written, and what stands behind it. */
typedef struct form {
    bool summand, turned, gelu;
    bool kept; /* the product's result is read from outside */
} form;

static int number(mfm_net *net, double value)
{
    const mfm_shape shape = mfm_shape_of(0);
    const real data = (real)value;
    int to = -1;
    if (!net->status)
        net->status = mfm_graph_const(net->graph, "number", &shape, &data, &to);
    return to;
}

static int gelu(mfm_net *net, int x)
{
    const int a = mfm_net_node(net, "Div", 0, x, number(net, 1.4142135623730951), -1);
    const int b = mfm_net_node(net, "Erf", 0, a, -1, -1);
    const int c = mfm_net_node(net, "Add", 0, b, number(net, 1), -1);
    const int d = mfm_net_node(net, "Mul", 0, x, c, -1);
    return mfm_net_node(net, "Mul", 0, d, number(net, 0.5), -1);
}

/* *product: the value of the product and its summand. */
static mfm_net network(mfm_ctx *ctx, const form *f, fuse_inputs *inputs, int *product)
{
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 3, inputs);
    const int tokens = mfm_net_node(&net, "Reshape shape=0,6,8", 0, inputs->images, -1, -1);
    int w =
        mfm_net_param(&net, f->turned ? mfm_shape_of(2, WIDTH, 8) : mfm_shape_of(2, 8, WIDTH), 1);
    if (f->turned)
        w = mfm_net_node(&net, "Transpose perm=1,0", 0, w, -1, -1);
    int x = mfm_net_node(&net, "MatMul", 0, tokens, w, -1);
    if (f->summand)
        x = mfm_net_node(&net, "Add", 0, x, mfm_net_param(&net, mfm_shape_of(1, WIDTH), 1), -1);
    *product = x;
    x = f->gelu ? gelu(&net, x) : mfm_net_node(&net, "Tanh", 0, x, -1, -1);
    x = mfm_net_node(&net, "ReduceMean axes=1 keepdims=0", 0, x, -1, -1);
    const int head = mfm_net_param(&net, mfm_shape_of(2, WIDTH, 4), 1);
    const int logits = mfm_net_node(&net, "MatMul", 0, x, head, -1);
    inputs->loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, logits, inputs->labels, -1);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    return net;
}

static int count_calls(const mfm_plan *plan, const char *op)
{
    int found = 0;
    for (size_t i = 0; i < mfm_plan_nodes(plan); i++)
        found += strcmp(mfm_plan_call(plan, 0, (int)i).op, op) == 0;
    return found;
}

/* The loss of a forward pass in inference. */
static real loss_of(const form *f, bool frozen, int fused)
{
    static const mfm_pass forward = {MFM_FORWARD, 1};
    mfm_ctx *ctx = fuse_ctx();
    fuse_inputs inputs;
    int product;
    mfm_net net = network(ctx, f, &inputs, &product);
    const mfm_slot keep[2] = {{inputs.loss, MFM_X}, {product, MFM_X}};
    const mfm_plan_spec spec = {.batch = FUSE_BATCH,
                                .passes = &forward,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = f->kept ? 2 : 1,
                                .frozen = frozen};
    const int kept[2] = {inputs.loss, product};
    mfm_plan *plan;
    CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, kept, f->kept ? 2 : 1), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(ctx, net.graph, &spec, &plan), MFM_OK);
    CU_ASSERT_EQUAL(count_calls(plan, "FullyConnectedGelu"), fused);
    CU_ASSERT_EQUAL(count_calls(plan, "Gelu"), f->gelu && !fused ? 1 : 0);
    mfm_plan_bind_input(plan, inputs.images, MFM_X, inputs.image);
    mfm_plan_bind_input(plan, inputs.labels, MFM_X, inputs.classes);
    mfm_plan_bind_params(plan, MFM_X, net.graph->params);
    mfm_plan_run(plan, 0);
    const real loss = *mfm_plan_lane(plan, inputs.loss, MFM_X);
    mfm_plan_free(plan);
    mfm_graph_free(net.graph);
    mfm_ctx_free(ctx);
    return loss;
}

/* The same bits, fused or not. */
static void check(form f, int fused)
{
    CU_ASSERT(loss_of(&f, true, fused) == loss_of(&f, false, 0));
}

static void test_fused(void)
{
    check((form){.gelu = true}, 1);
    check((form){.gelu = true, .summand = true}, 1);
    check((form){.gelu = true, .summand = true, .turned = true}, 1);
    check((form){.gelu = true, .turned = true}, 1);
}

static void test_others(void)
{
    check((form){.summand = true}, 0);
    check((form){.gelu = true, .summand = true, .kept = true}, 0);
}

static const mfm_case cases[] = {
    {"Gelu belongs to the product before it", test_fused},
    {"another function does not, nor where the product is read by itself", test_others},
};
MFM_SUITE("core/engine/fuse_product", cases)
