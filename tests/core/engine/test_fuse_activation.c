/* Normalisation with Swish or HardSwish behind becomes one operator, in every form in which files
 * have it; convolutions in frozen plans take with them what follows. */
#include <string.h>

#include "core/engine/fuse.h"
#include "core/engine/observe.h"

#include "tests/refusals.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 5, WIDTH = 20 };

/* How a function is written. */
enum form {
    SIGMOID_MUL,
    MUL_SIGMOID,
    HARD_SWISH,
    HARD_SIGMOID_MUL,
    OTHER_HARD_SIGMOID,
    RELU6,
    OTHER_CLIP,
    FORMS
};

/* What it becomes alone, NULL: it stays in parts; and whether the normalisation takes it. */
static const struct {
    const char *whole;
    bool taken;
} known[FORMS] = {[SIGMOID_MUL] = {"Swish", true},    [MUL_SIGMOID] = {"Swish", true},
                  [HARD_SWISH] = {"HardSwish", true}, [HARD_SIGMOID_MUL] = {"HardSwish", true},
                  [RELU6] = {"Clip", true},           [OTHER_CLIP] = {"Clip", false}};

static int activate(mfm_net *net, int x, enum form form)
{
    static const char *const gates[FORMS] = {
        [SIGMOID_MUL] = "Sigmoid",
        [MUL_SIGMOID] = "Sigmoid",
        [HARD_SIGMOID_MUL] = "HardSigmoid alpha=0.16666666666666667 beta=0.5",
        [OTHER_HARD_SIGMOID] = "HardSigmoid alpha=0.2 beta=0.5"};
    if (!gates[form])
        return mfm_net_node(net,
                            form == HARD_SWISH ? "HardSwish"
                            : form == RELU6    ? "Clip min=0 max=6"
                                               : "Clip min=-1 max=6",
                            0, x, -1, -1);
    const int gate = mfm_net_node(net, gates[form], 0, x, -1, -1);
    return form == MUL_SIGMOID ? mfm_net_node(net, "Mul", 0, gate, x, -1)
                               : mfm_net_node(net, "Mul", 0, x, gate, -1);
}

static int norm(mfm_net *net, int x, int channels)
{
    real mean[WIDTH], variance[WIDTH];
    const mfm_shape shape = mfm_shape_of(1, channels);
    int in[5] = {x, mfm_net_param(net, shape, 1), mfm_net_param(net, shape, 1)}, out = -1;
    for (int i = 0; i < channels; i++) {
        mean[i] = (real)(0.1 * i - 1);
        variance[i] = (real)(0.5 + 0.1 * i);
    }
    if (!net->status)
        net->status = mfm_graph_state(net->graph, "mean", &shape, mean, &in[3]);
    if (!net->status)
        net->status = mfm_graph_state(net->graph, "variance", &shape, variance, &in[4]);
    if (!net->status)
        net->status = mfm_graph_add(net->graph, mfm_op_find("", "BatchNormalization", 17), 17,
                                    "norm", NULL, in, 5, NULL, 1, &out);
    return out;
}

/* A head over [n, WIDTH, SIDE, SIDE]. */
static void head(mfm_net *net, int x, fuse_inputs *inputs)
{
    const int mean = mfm_net_node(net, "ReduceMean axes=2,3 keepdims=0", 0, x, -1, -1);
    const int w = mfm_net_param(net, mfm_shape_of(2, WIDTH, 4), 0.5);
    const int logits = mfm_net_node(net, "MatMul", 0, mean, w, -1);
    inputs->loss = mfm_net_node(net, "mfm:SoftmaxCrossEntropy", 0, logits, inputs->labels, -1);
}

/* Points, a function, single channels, a function: as in EfficientNet and MobileNet. */
static mfm_net network(mfm_ctx *ctx, enum form form, bool with_norm, bool bias, fuse_inputs *inputs)
{
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 5, inputs);
    int x = inputs->images;
    for (int k = 0; k < 2; k++) {
        const int w = k ? mfm_net_param(&net, mfm_shape_of(4, WIDTH, 1, 3, 3), 0.5)
                        : mfm_net_param(&net, mfm_shape_of(4, WIDTH, 3, 1, 1), 0.5);
        const int b = bias ? mfm_net_param(&net, mfm_shape_of(1, WIDTH), 1) : -1;
        x = mfm_net_node(&net, k ? "Conv group=20 pads=1,1,1,1" : "Conv", 0, x, w, b);
        if (with_norm)
            x = norm(&net, x, WIDTH);
        x = activate(&net, x, form);
    }
    head(&net, x, inputs);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    return net;
}

static mfm_bench train(enum form form, bool with_norm, bool fuse, fuse_inputs *inputs)
{
    mfm_net net = network(fuse_ctx(), form, with_norm, false, inputs);
    if (fuse)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &inputs->loss, 1), MFM_OK);
    const mfm_slot keep[] = {{inputs->loss, MFM_X}, {inputs->loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, inputs);
}

/* All passes agree with those of the parts; the double build in full. */
static void check_training(enum form form, bool with_norm)
{
    fuse_inputs inputs[2];
    mfm_bench plain = train(form, with_norm, false, &inputs[0]);
    mfm_bench fused = train(form, with_norm, true, &inputs[1]);
    const int found = fuse_count(fused.graph, "BatchNormalizationActivation");
    CU_ASSERT_EQUAL(found, with_norm && known[form].taken ? 2 : 0);
    if (!with_norm && known[form].whole)
        CU_ASSERT_EQUAL(fuse_count(fused.graph, known[form].whole), 2);
    fuse_expect_same(&fused, &plain, sizeof(real) == 8 ? 1e-10 : 1e-4);
    fuse_finish(&plain);
    fuse_finish(&fused);
}

static void functions_behind_a_normalisation(void)
{
    for (int form = 0; form < FORMS; form++)
        check_training((enum form)form, true);
}

static void functions_alone(void)
{
    check_training(SIGMOID_MUL, false);
    check_training(MUL_SIGMOID, false);
    check_training(HARD_SIGMOID_MUL, false);
}

/* ---- frozen plans ---------------------------------------------------------------------------- */

static int count_calls(const mfm_plan *plan, const char *op)
{
    int found = 0;
    for (size_t i = 0; i < mfm_plan_nodes(plan); i++)
        found += strcmp(mfm_plan_call(plan, 0, (int)i).op, op) == 0;
    return found;
}

static const mfm_pass forward = {MFM_FORWARD, 1};

static mfm_plan_spec inference(const mfm_slot *keep, int n_keep, bool frozen)
{
    return (mfm_plan_spec){.batch = FUSE_BATCH,
                           .passes = &forward,
                           .n_passes = 1,
                           .keep = keep,
                           .n_keep = n_keep,
                           .frozen = frozen};
}

/* The loss in inference, over the graph's numbers. */
static double loss_of(mfm_net *net, fuse_inputs *inputs, mfm_plan *plan)
{
    mfm_plan_bind_input(plan, inputs->images, MFM_X, inputs->image);
    mfm_plan_bind_input(plan, inputs->labels, MFM_X, inputs->classes);
    mfm_plan_bind_params(plan, MFM_X, net->graph->params);
    mfm_plan_bind_state(plan, net->graph->state);
    mfm_plan_run(plan, 0);
    return (double)*mfm_plan_lane(plan, inputs->loss, MFM_X);
}

static double check_plan(mfm_ctx *ctx, enum form form, bool with_norm, bool bias, bool frozen)
{
    fuse_inputs inputs;
    mfm_net net = network(ctx, form, with_norm, bias, &inputs);
    const mfm_slot keep = {inputs.loss, MFM_X};
    const mfm_plan_spec spec = inference(&keep, 1, frozen);
    mfm_plan *plan;
    if (frozen)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &inputs.loss, 1), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(ctx, net.graph, &spec, &plan), MFM_OK);
    CU_ASSERT_EQUAL(count_calls(plan, "FinishedConv"), frozen && (with_norm || bias) ? 2 : 0);
    CU_ASSERT_EQUAL(fuse_count(net.graph, "FinishedConv"), 0);
    const double loss = loss_of(&net, &inputs, plan);
    mfm_plan_free(plan);
    mfm_graph_free(net.graph);
    return loss;
}

static void check_frozen(enum form form, bool with_norm, bool bias)
{
    mfm_ctx *ctx = fuse_ctx();
    const double parts = check_plan(ctx, form, with_norm, bias, false);
    CU_ASSERT_DOUBLE_EQUAL(check_plan(ctx, form, with_norm, bias, true), parts,
                           sizeof(real) == 8 ? 1e-12 : 1e-5);
    mfm_ctx_free(ctx);
}

static void convolutions_finish(void)
{
    for (int form = 0; form < FORMS; form++)
        for (int k = 0; k < 4; k++)
            check_frozen((enum form)form, k & 1, k >> 1);
}

/* Other numbers of the states count as soon as they are bound; a kept value is there. */
static void states_and_kept_values(void)
{
    fuse_inputs inputs;
    mfm_net net = network(fuse_ctx(), SIGMOID_MUL, true, false, &inputs);
    const int conv = net.graph->nodes[0].out[0];
    const mfm_slot keep[2] = {{inputs.loss, MFM_X}, {conv, MFM_X}};
    const mfm_plan_spec open = inference(keep, 2, false), closed = inference(keep, 2, true);
    mfm_plan *plain, *frozen;
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(net.ctx, net.graph, &open, &plain), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(net.ctx, net.graph, &closed, &frozen), MFM_OK);
    CU_ASSERT_EQUAL(count_calls(frozen, "FinishedConv"), 1); /* behind which nothing is kept */
    const double before = loss_of(&net, &inputs, frozen);
    CU_ASSERT_DOUBLE_EQUAL(before, loss_of(&net, &inputs, plain), 1e-5);
    CU_ASSERT_DOUBLE_EQUAL(mfm_plan_lane(frozen, conv, MFM_X)[7],
                           mfm_plan_lane(plain, conv, MFM_X)[7], 1e-5);
    for (size_t i = 0; i < net.graph->state_size; i++)
        net.graph->state[i] += (real)0.75;
    mfm_plan_bind_state(frozen, net.graph->state);
    mfm_plan_run(frozen, 0);
    const double after = (double)*mfm_plan_lane(frozen, inputs.loss, MFM_X);
    CU_ASSERT_DOUBLE_EQUAL(after, loss_of(&net, &inputs, plain), 1e-5);
    CU_ASSERT(after < before - 1e-3 || after > before + 1e-3);
    mfm_plan_free(plain);
    mfm_plan_free(frozen);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static int make_and_free(mfm_ctx *ctx, void *self)
{
    const mfm_net *net = self;
    const int loss = net->graph->nodes[net->graph->n_nodes - 1].out[0];
    const mfm_slot keep = {loss, MFM_X};
    const mfm_plan_spec spec = inference(&keep, 1, true);
    mfm_plan *plan;
    const int status = mfm_plan_new(ctx, net->graph, &spec, &plan);
    mfm_plan_free(plan);
    return status;
}

static void every_failed_allocation_is_told(void)
{
    fuse_inputs inputs;
    mfm_net net = network(fuse_ctx(), HARD_SWISH, true, true, &inputs);
    mfm_assert_refusals_are_told(make_and_free, &net);
    mfm_graph_free(net.graph);
    mfm_ctx_free(net.ctx);
}

static const mfm_case cases[] = {
    {"a normalisation takes the function behind it", functions_behind_a_normalisation},
    {"functions written in parts become whole", functions_alone},
    {"convolutions over parameters that stay finish their results", convolutions_finish},
    {"they follow the states that are bound, and spare what is kept", states_and_kept_values},
    {"every failed allocation is told", every_failed_allocation_is_told},
};
MFM_SUITE("core/engine/fuse_activation", cases)
