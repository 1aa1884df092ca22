/* Hand-made networks taken apart: what lands where, and what is refused. */
#include "core/train/problem/split_network.h"

#include <string.h>

#include "core/train/training.h"
#include "tests/core/train/support/hand_network.h"

static int build(hand *h, mfm_problem **problem)
{
    const mfm_train_options options = {
        .method = mfm_method_find(h->network->soft_label >= 0 ? "mfm" : "base")};
    return mfm_method_build(h->ctx, h->network, NULL, &options, problem);
}

static mfm_problem *split_new(hand *h)
{
    mfm_problem *split = NULL;
    const int status = build(h, &split);
    if (status)
        printf("\n    %s\n", mfm_message(h->ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
    return split;
}

/* Nodes of that name in a segment; -1 counts all segments. */
static int count_nodes(const mfm_graph *graph, const char *name, int segment)
{
    int count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        count += (segment < 0 || graph->nodes[i].segment == segment) &&
                 strcmp(graph->nodes[i].name, name) == 0;
    return count;
}

static int count_operators(const mfm_graph *graph, const char *op, int segment)
{
    int count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        count += (segment < 0 || graph->nodes[i].segment == segment) &&
                 strcmp(graph->nodes[i].op->name, op) == 0;
    return count;
}

static int count_params(const mfm_graph *graph, const char *name)
{
    int count = 0;
    for (size_t i = 0; i < graph->n_values; i++)
        count += graph->values[i].kind == MFM_VALUE_PARAM &&
                 (!name || strcmp(graph->values[i].name, name) == 0);
    return count;
}

/* A node's segments, as text: "s" shared, "p" plain, "m" modulated. */
static const char *where(const mfm_graph *graph, const char *name, char text[8])
{
    const int at[3] = {MFM_SEGMENT_SHARED, MFM_SEGMENT_PLAIN, MFM_SEGMENT_OBJECTIVE};
    size_t used = 0;
    for (int i = 0; i < 3; i++)
        for (int n = count_nodes(graph, name, at[i]); n > 0 && used < 7; n--)
            text[used++] = "spm"[i];
    text[used] = 0;
    return text;
}

static void expect_where(const mfm_graph *graph, const char *name, const char *expected)
{
    char text[8];
    where(graph, name, text);
    if (strcmp(text, expected) != 0)
        printf("\n    %s: in \"%s\", not \"%s\"\n", name, text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_plain(void)
{
    hand h;
    hand_new(HAND_DROPOUT, &h);
    mfm_problem *split = split_new(&h);
    static const char *const nodes[] = {"conv1",   "relu1", "conv2", "relu2", "dropout",
                                        "flatten", "fc1",   "relu3", "fc2"};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        expect_where(split->main, nodes[i], "s");
    CU_ASSERT_EQUAL(split->main->n_nodes, 9 + 4); /* losses and their mean, twice */
    CU_ASSERT_EQUAL(count_nodes(split->main, "plain_loss", MFM_SEGMENT_PLAIN_LOSS), 2);
    CU_ASSERT_EQUAL(count_nodes(split->main, "meta_loss", MFM_SEGMENT_META_LOSS), 2);
    CU_ASSERT_EQUAL(count_params(split->main, NULL), 4);
    CU_ASSERT_EQUAL(split->n_hypers, 0);
    CU_ASSERT_EQUAL(split->n_gives, 0);
    CU_ASSERT_EQUAL(split->objective.loss, split->plain.loss);
    CU_ASSERT_EQUAL(split->objective.logits, split->plain.logits);
    CU_ASSERT_EQUAL(split->classes, HAND_CLASSES);
    mfm_problem_free(split);
    hand_clear(&h);
}

/* What every modulated network has. */
static void check_modulated(const hand *h, const mfm_problem *split, int what, int sites)
{
    const int rows = (what & HAND_AT_2) != 0; /* without pixels: not fused */
    static const char *const params[] = {"conv1", "conv2", "fc1", "fc2"};
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(count_params(split->main, params[i]), 1);
        CU_ASSERT_EQUAL(count_params(split->hypers[0].graph, params[i]), 0);
    }
    CU_ASSERT_EQUAL(count_params(split->main, NULL), 4);
    CU_ASSERT_EQUAL(count_params(split->hypers[0].graph, NULL), 1 + 2 * sites);
    CU_ASSERT_EQUAL(count_nodes(split->hypers[0].graph, "hidden", -1), 1);
    CU_ASSERT_EQUAL(count_nodes(split->main, "hidden", -1), 0);
    CU_ASSERT_EQUAL(count_nodes(split->main, "switched", -1), 0);
    CU_ASSERT_EQUAL(count_nodes(split->main, "modulated", MFM_SEGMENT_OBJECTIVE), sites);
    CU_ASSERT_EQUAL(count_nodes(split->main, "modulated", -1), sites);
    CU_ASSERT_EQUAL(count_operators(split->main, "ModulateRelu", -1), sites - rows);
    CU_ASSERT_EQUAL(count_operators(split->main, "Mul", -1), rows);
    CU_ASSERT_EQUAL(split->n_gives, (size_t)(2 * sites));
    CU_ASSERT_EQUAL(mfm_graph_find(split->main, "switch"), -1);
    CU_ASSERT_EQUAL(mfm_graph_find(split->hypers[0].graph, "switch"), -1);
    for (size_t i = 0; i < split->n_gives; i++) {
        const mfm_value *from = &split->hypers[0].graph->values[split->gives[i].value];
        const mfm_value *to = &split->main->values[split->gives[i].main];
        CU_ASSERT_STRING_EQUAL(from->name, to->name);
        CU_ASSERT_EQUAL(to->kind, MFM_VALUE_INPUT);
        CU_ASSERT_EQUAL(to->shape.dim[0], -1);
    }
    CU_ASSERT_EQUAL(split->hypers[0].graph->values[split->reads[0].value].kind, MFM_VALUE_INPUT);
    CU_ASSERT(h->network->n_sites == (size_t)sites);
}

/* The Relu behind a site of images is part of the modulation there (fuse.h), which has a name of
 * its own. */
static void check_parts(int what, int sites, const char *const expected[8])
{
    static const char *const nodes[8] = {"conv1",   "relu1", "conv2", "relu2",
                                         "flatten", "fc1",   "relu3", "fc2"};
    hand h;
    hand_new(what, &h);
    mfm_problem *split = split_new(&h);
    for (int i = 0; i < 8; i++)
        expect_where(split->main, nodes[i], expected[i]);
    check_modulated(&h, split, what, sites);
    mfm_problem_free(split);
    hand_clear(&h);
}

static void test_early(void)
{
    check_parts(HAND_AT_0, 1, (const char *const[]){"s", "p", "pm", "pm", "pm", "pm", "pm", "pm"});
}

static void test_middle(void)
{
    check_parts(HAND_AT_1, 1, (const char *const[]){"s", "s", "s", "p", "pm", "pm", "pm", "pm"});
}

static void test_late(void)
{
    check_parts(HAND_AT_2, 1, (const char *const[]){"s", "s", "s", "s", "s", "s", "pm", "pm"});
}

static void test_several(void)
{
    check_parts(HAND_AT_0 | HAND_AT_1 | HAND_AT_2, 3,
                (const char *const[]){"s", "p", "pm", "p", "pm", "pm", "pm", "pm"});
    check_parts(HAND_AT_1 | HAND_AT_2, 2,
                (const char *const[]){"s", "s", "s", "p", "pm", "pm", "pm", "pm"});
}

static void test_dropout_keys(void)
{
    hand h;
    hand_new(HAND_AT_0 | HAND_DROPOUT, &h);
    mfm_problem *split = split_new(&h);
    uint32_t keys[2] = {0, 1};
    int found = 0;
    for (size_t i = 0; i < split->main->n_nodes; i++)
        if (strcmp(split->main->nodes[i].name, "dropout") == 0 && found < 2)
            keys[found++] = split->main->nodes[i].key;
    CU_ASSERT_EQUAL(found, 2);
    CU_ASSERT_EQUAL(keys[0], keys[1]);
    mfm_problem_free(split);
    hand_clear(&h);
}

static const mfm_value *find_param(const mfm_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_PARAM && strcmp(graph->values[i].name, name) == 0)
            return &graph->values[i];
    CU_FAIL_FATAL("no such parameter");
    return NULL;
}

static void test_numbers(void)
{
    hand h;
    hand_new(HAND_AT_1, &h);
    mfm_graph *from = h.network->graph;
    const mfm_value *frozen = find_param(from, "conv2");
    from->values[frozen - from->values].trainable = false;
    mfm_problem *split = split_new(&h);
    for (size_t i = 0; i < from->n_values; i++) {
        const mfm_value *value = &from->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        const bool own = mfm_graph_find(split->main, value->name) < 0;
        const mfm_graph *graph = own ? split->hypers[0].graph : split->main;
        const mfm_value *copy = find_param(graph, value->name);
        CU_ASSERT(mfm_shape_equal(&copy->shape, &value->shape));
        CU_ASSERT_EQUAL(copy->trainable, value->trainable);
        CU_ASSERT_EQUAL(memcmp(graph->params + copy->offset, from->params + value->offset,
                               (size_t)mfm_shape_count(&value->shape) * sizeof(real)),
                        0);
    }
    mfm_problem_free(split);
    hand_clear(&h);
}

/* The plain path of a modulated network is the plain network: same logits, bit for bit. */
static void run_plain(int what, real logits[2 * HAND_CLASSES])
{
    hand h;
    hand_new(what, &h);
    mfm_problem *split = split_new(&h);
    const mfm_pass pass = {MFM_FORWARD, MFM_SET_PLAIN};
    const mfm_slot keep = {split->plain.logits, MFM_X};
    const mfm_plan_spec spec = {
        .batch = 2, .passes = &pass, .n_passes = 1, .keep = &keep, .n_keep = 1};
    mfm_plan *plan = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_plan_new(h.ctx, split->main, &spec, &plan), MFM_OK);
    real images[2 * 18];
    for (int i = 0; i < 36; i++)
        images[i] = (real)((i * 7 % 11) - 5) / 4;
    mfm_plan_bind_input(plan, split->images, MFM_X, images);
    mfm_plan_bind_params(plan, MFM_X, split->main->params);
    mfm_plan_run(plan, 0);
    memcpy(logits, mfm_plan_lane(plan, split->plain.logits, MFM_X),
           sizeof(real) * 2 * HAND_CLASSES);
    mfm_plan_free(plan);
    mfm_problem_free(split);
    hand_clear(&h);
}

static void test_plain_path(void)
{
    real plain[2 * HAND_CLASSES], modulated[2 * HAND_CLASSES];
    run_plain(0, plain);
    CU_ASSERT_NOT_EQUAL(plain[0], plain[1]);
    for (int sites = 1; sites < 1 << HAND_SITES; sites++) {
        run_plain(sites, modulated);
        CU_ASSERT_EQUAL(memcmp(plain, modulated, sizeof plain), 0);
    }
}

static void refuse(hand *h, int code, const char *part)
{
    mfm_problem *split = NULL;
    CU_ASSERT_EQUAL(build(h, &split), code);
    CU_ASSERT_PTR_NULL(split);
    if (!strstr(mfm_message(h->ctx), part))
        printf("\n    %s\n", mfm_message(h->ctx));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h->ctx), part));
    hand_clear(h);
}

/* images -> pool -> pooled [n, 2], a feature made of the images alone. */
static int pooled(hand *h)
{
    const int x = network_node(h, "pool", "GlobalAveragePool", h->network->images, -1, -1);
    return network_node(h, "pooled", "Flatten", x, -1, -1);
}

static void finish(hand *h, int feature, int modulated, int width)
{
    hand_add_site(h, feature, modulated);
    h->network->logits = hand_linear(h, "head", modulated, width, HAND_CLASSES);
}

static void test_reads_switch(void)
{
    hand h;
    hand_start(&h);
    const int feature = pooled(&h);
    hand_modulator_inputs(&h);
    const int y = network_node(&h, "tangled", "Mul", h.network->soft_label, h.network->toggle, -1);
    const int shift = hand_linear(&h, "shift", y, HAND_CLASSES, 2);
    finish(&h, feature, network_node(&h, "modulated", "Add", feature, shift, -1), 2);
    refuse(&h, MFM_ENOTSUP, "Mul 'tangled': the switch");
}

/* shift = Gemm(soft label + Gemm(pooled image)) */
static void test_reads_image(void)
{
    hand h;
    hand_start(&h);
    const int feature = pooled(&h);
    hand_modulator_inputs(&h);
    const int seen = hand_linear(&h, "seen", feature, 2, HAND_CLASSES);
    const int both = network_node(&h, "both", "Add", h.network->soft_label, seen, -1);
    const int shift = hand_linear(&h, "shift", both, HAND_CLASSES, 2);
    finish(&h, feature, network_node(&h, "modulated", "Add", feature, shift, -1), 2);
    refuse(&h, MFM_ENOTSUP, "Gemm 'seen': the modulator's parameter 'seen' meets values made from");
}

static void test_scales_image(void)
{
    hand h;
    hand_start(&h);
    const int feature = pooled(&h);
    hand_modulator_inputs(&h);
    const int shift = hand_linear(&h, "shift", h.network->soft_label, HAND_CLASSES, 2);
    const int sum = network_node(&h, "sum", "Add", feature, shift, -1);
    finish(&h, feature, hand_linear(&h, "mix", sum, 2, 2), 2);
    refuse(&h, MFM_ENOTSUP, "Gemm 'mix': the modulator's parameter 'mix' meets values made from");
}

static void test_unknown_input(void)
{
    hand h;
    hand_start(&h);
    const mfm_shape shape = mfm_shape_of(2, -1, 2);
    int extra = -1;
    CU_ASSERT_EQUAL_FATAL(mfm_graph_input(h.network->graph, "prior", MFM_DATA, &shape, &extra),
                          MFM_OK);
    const int x = network_node(&h, "sum", "Add", pooled(&h), extra, -1);
    h.network->logits = hand_linear(&h, "head", x, 2, HAND_CLASSES);
    refuse(&h, MFM_ENOTSUP, "input 'prior'");
}

/* Features [n, 3] of the images, and z [n, 3] made from the soft label. */
static int three_wide(hand *h, int *z)
{
    hand_start(h);
    const int feature = hand_linear(h, "wide", pooled(h), 2, 3);
    hand_modulator_inputs(h);
    *z = hand_linear(h, "shift", h->network->soft_label, HAND_CLASSES, 3);
    return feature;
}

/* The only h of a network whose shift stands for itself, switched before it is added. */
static mfm_shape shift_shape(hand *h, int feature, int shift)
{
    const int switched = network_node(h, "switched", "Mul", shift, h->network->toggle, -1);
    finish(h, feature, network_node(h, "modulated", "Add", feature, switched, -1), 3);
    mfm_problem *split = split_new(h);
    CU_ASSERT_EQUAL_FATAL(split->n_gives, 1);
    const mfm_shape shape = split->main->values[split->gives[0].main].shape;
    for (size_t i = 0; i < split->hypers[0].graph->n_nodes; i++)
        CU_ASSERT_STRING_NOT_EQUAL(split->hypers[0].graph->nodes[i].name, "switched");
    mfm_problem_free(split);
    hand_clear(h);
    return shape;
}

/* Three channels, as many as images of the first batch that shapes are found at. */
static void test_batch_axis(void)
{
    hand h;
    int z;
    int feature = three_wide(&h, &z);
    mfm_shape shape = shift_shape(&h, feature, z);
    CU_ASSERT(shape.rank == 2 && shape.dim[0] == -1 && shape.dim[1] == 3);
    feature = three_wide(&h, &z);
    shape = shift_shape(&h, feature,
                        network_node(&h, "mean", "ReduceMean axes=0 keepdims=0", z, -1, -1));
    CU_ASSERT(shape.rank == 1 && shape.dim[0] == 3);
    feature = three_wide(&h, &z);
    const int turned = network_node(&h, "turned", "Transpose perm=1,0", z, -1, -1);
    const int mixed = network_node(&h, "mixed", "MatMul", turned, feature, -1);
    finish(&h, feature, network_node(&h, "modulated", "MatMul", feature, mixed, -1), 3);
    refuse(&h, MFM_ENOTSUP, "value 'turned': gamma or beta whose axis 1 grows from 3 to 4");
}

static const mfm_case cases[] = {
    {"a plain network is shared as a whole, and has no modulator", test_plain},
    {"after an early modulator nearly everything is there twice", test_early},
    {"a modulator in the middle shares what lies below it", test_middle},
    {"a late modulator leaves only the last layers twice", test_late},
    {"with several modulators the first one decides what is shared", test_several},
    {"copies of one Dropout draw the same mask", test_dropout_keys},
    {"the parts take over numbers and frozen parameters", test_numbers},
    {"the plain path computes what the network without modulators does", test_plain_path},
    {"a shift alone, and the batch axis of what has three channels", test_batch_axis},
    {"a modulator that computes with the switch is refused", test_reads_switch},
    {"a modulator that reads the image is refused", test_reads_image},
    {"parameters applied to the modulated feature are refused", test_scales_image},
    {"an input beyond images, soft label and switch is refused by name", test_unknown_input},
};

MFM_SUITE("core/train/split_network", cases)
