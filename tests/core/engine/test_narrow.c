/* Tokens that nobody reads are not computed: the same numbers in all four passes, and what is left
 * whole. */
#include "core/engine/narrow.h"

#include "tests/refusals.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

/* Images of 3 x 16 x 16 as 48 tokens of 16 channels. */
enum { SIDE = 16, TOKENS = 48, CHANNELS = 16, WIDE = 24, MOST_VALUES = 64 };

/* How the last layer's tokens are read. Of ONE and LIST few are, and nothing reads the others. */
enum form { ONE, LIST, MANY, READ_ELSEWHERE, DRAWN, OTHER_SEGMENT, ALONG_TOKENS };

typedef struct network {
    fuse_inputs inputs;
    int wide; /* value inside the last layer */
} network;

static int taken_count(enum form form)
{
    return form == LIST ? 2 : form == MANY ? TOKENS / 2 : 1;
}

static int places(mfm_net *net, enum form form)
{
    const real at[TOKENS] = {5, 0};
    const mfm_shape scalar = {.rank = 0}, list = mfm_shape_of(1, taken_count(form));
    int value = -1;
    if (!net->status)
        net->status =
            mfm_graph_const(net->graph, "", taken_count(form) > 1 ? &list : &scalar, at, &value);
    if (!net->status)
        net->graph->values[value].role = MFM_INDEX;
    return value;
}

static int product(mfm_net *net, int segment, int x, int from, int to)
{
    const int w = mfm_net_param(net, mfm_shape_of(2, from, to), 0.4);
    const int b = mfm_net_param(net, mfm_shape_of(1, to), 0.4);
    return mfm_net_node(net, "Add", segment, mfm_net_node(net, "MatMul", segment, x, w, -1), b, -1);
}

static int mean_of(mfm_net *net, int x)
{
    return mfm_net_node(net, "ReduceMean axes=1 keepdims=1", 0, x, -1, -1);
}

/* Tokens that exchange their mean, as attention does; an MLP beside a shortcut; some are read. */
static mfm_net transformer(mfm_ctx *ctx, network *n, enum form form)
{
    const int behind = form == OTHER_SEGMENT;
    mfm_net net = mfm_net_new(ctx);
    fuse_add_inputs(&net, SIDE, 3, &n->inputs);
    const int x = mfm_net_node(&net, "Reshape shape=0,48,16", 0, n->inputs.images, -1, -1);
    const int first = product(&net, 0, x, CHANNELS, CHANNELS);
    const int mixed = mfm_net_node(&net, "Add", 0, first, mean_of(&net, first), -1);
    const int norm = mfm_net_node(&net, "LayerNormalization axis=-1", 0, mixed,
                                  mfm_net_param(&net, mfm_shape_of(1, CHANNELS), 1),
                                  mfm_net_param(&net, mfm_shape_of(1, CHANNELS), 1));
    n->wide = product(&net, 0, norm, CHANNELS, WIDE);
    const char *function = form == DRAWN ? "Dropout" : "Tanh";
    int bent = mfm_net_node(&net, function, 0, n->wide, -1, -1);
    if (form == ALONG_TOKENS)
        bent = mfm_net_node(&net, "Softmax axis=1", 0, bent, -1, -1);
    const int mlp = product(&net, 0, bent, WIDE, CHANNELS);
    int last = mfm_net_node(&net, "Add", 0, mixed, mlp, -1);
    if (form == READ_ELSEWHERE)
        last = mfm_net_node(&net, "Add", 0, last, mean_of(&net, mlp), -1);
    const int taken = mfm_net_node(&net, "Gather axis=1", behind, last, places(&net, form), -1);
    const int flat = mfm_net_node(&net, "Flatten", behind, taken, -1, -1);
    const int logits = product(&net, behind, flat, taken_count(form) * CHANNELS, 4);
    n->inputs.loss =
        mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", behind, logits, n->inputs.labels, -1);
    return net;
}

/* Values of three axes with as many tokens. */
static int with_tokens(const mfm_graph *graph, int64_t tokens)
{
    mfm_shape shapes[MOST_VALUES];
    int found = 0;
    CU_ASSERT_FATAL(graph->n_values <= MOST_VALUES);
    CU_ASSERT_EQUAL_FATAL(mfm_graph_shapes(graph, FUSE_BATCH, true, shapes), MFM_OK);
    for (size_t i = 0; i < graph->n_values; i++)
        found += graph->values[i].kind == MFM_VALUE_NODE && shapes[i].rank == 3 &&
                 shapes[i].dim[1] == tokens;
    return found;
}

static void check_producers(const mfm_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        CU_ASSERT_EQUAL(graph->values[node->out[0]].producer, (int)i);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0 && graph->values[node->in[k]].kind == MFM_VALUE_NODE)
                CU_ASSERT(graph->values[node->in[k]].producer < (int)i);
    }
}

/* All four passes. Narrow, the first product is taken once, and eight values behind it are short;
 * without, it is the mean or what the last Gather takes that is as short. */
static mfm_bench run(network *n, enum form form, bool narrow)
{
    mfm_net net = transformer(fuse_ctx(), n, form);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    if (narrow)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_narrow(net.graph, &n->inputs.loss, 1), MFM_OK);
    CU_ASSERT_EQUAL(with_tokens(net.graph, taken_count(form)), narrow ? 10 : 1);
    check_producers(net.graph);
    const mfm_slot keep[] = {{n->inputs.loss, MFM_X}, {n->inputs.loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, &n->inputs);
}

static void same_numbers(void)
{
    const double tolerance = sizeof(real) == sizeof(float) ? 1e-5 : 1e-13;
    for (int form = ONE; form <= LIST; form++) {
        network n, m;
        mfm_bench whole = run(&n, (enum form)form, false);
        mfm_bench narrow = run(&m, (enum form)form, true);
        CU_ASSERT_DOUBLE_EQUAL(*mfm_plan_lane(narrow.plan, m.inputs.loss, MFM_X),
                               *mfm_plan_lane(whole.plan, n.inputs.loss, MFM_X), tolerance);
        fuse_expect_same(&narrow, &whole, tolerance);
        CU_ASSERT(mfm_plan_bytes(narrow.plan) < mfm_plan_bytes(whole.plan));
        fuse_finish(&whole);
        fuse_finish(&narrow);
    }
}

/* As many values as that stay whole. */
static void expect_whole(enum form form, bool keep, int whole)
{
    network n;
    mfm_ctx *ctx = fuse_ctx();
    mfm_net net = transformer(ctx, &n, form);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    const int before = with_tokens(net.graph, TOKENS);
    const int kept[] = {n.inputs.loss, keep ? n.wide : -1};
    CU_ASSERT_EQUAL(mfm_graph_narrow(net.graph, kept, 2), MFM_OK);
    CU_ASSERT_EQUAL(with_tokens(net.graph, TOKENS), whole < 0 ? before : whole);
    check_producers(net.graph);
    mfm_graph_free(net.graph);
    mfm_ctx_free(ctx);
}

static void left_whole(void)
{
    expect_whole(ONE, false, 3);             /* up to the first product, whose mean is read */
    expect_whole(ONE, true, 7);              /* up to the product that is kept, and its sum */
    expect_whole(DRAWN, false, 8);           /* up to what is drawn */
    expect_whole(ALONG_TOKENS, false, 9);    /* up to what works along the tokens */
    expect_whole(READ_ELSEWHERE, false, 10); /* the sums at the end are short */
    expect_whole(MANY, false, -1);
    expect_whole(OTHER_SEGMENT, false, -1);
}

static int narrow_in(mfm_ctx *ctx, void *unused)
{
    (void)unused;
    network n;
    mfm_net net = transformer(ctx, &n, ONE);
    if (!net.status)
        net.status = mfm_graph_narrow(net.graph, &n.inputs.loss, 1);
    mfm_graph_free(net.graph);
    return net.status;
}

static void refusals(void)
{
    mfm_assert_refusals_are_told(narrow_in, NULL);
}

static const mfm_case cases[] = {
    {"tokens that are read alone give the same numbers in all passes", same_numbers},
    {"what is kept, drawn, read elsewhere or along the tokens stays whole", left_whole},
    {"every refused allocation is told and nothing leaks", refusals},
};
MFM_SUITE("core/engine/narrow", cases)
