/* Attention, as exporters write it out, becomes one node, and only then. All passes agree with
 * those of the parts. */
#include "core/engine/fuse.h"

#include <math.h>
#include <string.h>

#include "core/engine/observe.h"
#include "support/fuse_check.h"
#include "tests/suite.h"

enum { SIDE = 4, TOKENS = SIDE * SIDE, HEADS = 2, WIDTH = 3, WINDOWS = 4 };
enum place { NOWHERE, BEFORE_Q, BEFORE_BOTH, BEFORE_TRANSPOSE, BEHIND };
enum choice { NONE, ALLOWS, FORBIDS };
/* Where queries, keys and values come from: products of their own, or one that has all of them for
 * each token of each sample, or for each sample of each token. */
enum source { APART, BY_SAMPLES, BY_TOKENS };

/* One way to write an attention. */
typedef struct form {
    enum place scaled;
    const char *scale; /* operator */
    bool first;        /* the number is input 0 */
    bool windows;      /* tokens in windows along the batch axis; else all of an image */
    bool bias, mask;
    const char *softmax, *turn;
    bool seen;               /* probabilities are read elsewhere */
    bool learned;            /* the scale is a parameter */
    bool mask_first;         /* then the bias */
    const char *products[2]; /* the operators, in full, where they are not MatMul */
    enum choice choice;      /* the mask has truth values, 1 where it allows, or forbids */
    real low;                /* what stands where it forbids */
    enum source source;
    int queries;      /* which part of BY_SAMPLES and BY_TOKENS they are; 0, as exporters have it */
    const char *back; /* behind the node: a Transpose of the results */
} form;

static int constant(mfm_net *net, mfm_shape shape, const real *data)
{
    int to = -1;
    if (!net->status)
        net->status = mfm_graph_const(net->graph, "constant", &shape, data, &to);
    return to;
}

static int scaled(mfm_net *net, const form *f, int x)
{
    const real half = (real)0.6;
    const int number = f->learned ? mfm_net_param(net, mfm_shape_of(1, 1), 1)
                                  : constant(net, mfm_shape_of(0), &half);
    if (f->first && f->scale[0] == 'D') /* what is divided by is far from 0 */
        x = mfm_net_node(net, "Exp", 0, x, -1, -1);
    return f->first ? mfm_net_node(net, f->scale, 0, number, x, -1)
                    : mfm_net_node(net, f->scale, 0, x, number, -1);
}

/* [n, HEADS, TOKENS, WIDTH], or [n WINDOWS, HEADS, TOKENS / WINDOWS, WIDTH], of the images. */
static int project(mfm_net *net, const form *f, int images)
{
    const int w = mfm_net_param(net, mfm_shape_of(4, HEADS * WIDTH, 3, 1, 1), 0.8);
    const int image = mfm_net_node(net, "Conv", 0, images, w, -1);
    const char *shape = f->windows ? "Reshape shape=-1,2,3,4" : "Reshape shape=0,2,3,16";
    const int heads = mfm_net_node(net, shape, 0, image, -1, -1);
    return mfm_net_node(net, "Transpose perm=0,1,3,2", 0, heads, -1, -1);
}

static int part_of(mfm_net *net, const form *f, int parts, real number)
{
    const int index = constant(net, mfm_shape_of(0), &number);
    const int part = mfm_net_node(net, "Gather axis=0", 0, parts, index, -1);
    if (f->source == BY_SAMPLES)
        return part;
    const int rows = mfm_net_node(net, "Reshape shape=16,-1,3", 0, part, -1, -1);
    const int turned = mfm_net_node(net, "Transpose perm=1,0,2", 0, rows, -1, -1);
    return mfm_net_node(net, "Reshape shape=-1,2,16,3", 0, turned, -1, -1);
}

/* Queries, keys and values of the images, each as `project` has them. */
static void project_all(mfm_net *net, const form *f, int images, int *part)
{
    const int w = mfm_net_param(net, mfm_shape_of(4, 3 * HEADS * WIDTH, 3, 1, 1), 0.8);
    const int image = mfm_net_node(net, "Conv", 0, images, w, -1);
    const int columns = mfm_net_node(net, "Reshape shape=0,18,16", 0, image, -1, -1);
    const bool first = f->source == BY_TOKENS;
    int all = mfm_net_node(net, first ? "Transpose perm=2,0,1" : "Transpose perm=0,2,1", 0, columns,
                           -1, -1);
    all = mfm_net_node(net, first ? "Reshape shape=16,-1,3,6" : "Reshape shape=-1,16,3,2,3", 0, all,
                       -1, -1);
    if (first) {
        all = mfm_net_node(net, "Unsqueeze axes=0", 0, all, -1, -1);
        all = mfm_net_node(net, "Transpose perm=3,1,2,0,4", 0, all, -1, -1);
        all = mfm_net_node(net, "Squeeze axes=3", 0, all, -1, -1);
    } else {
        all = mfm_net_node(net, "Transpose perm=2,0,3,1,4", 0, all, -1, -1);
    }
    for (int i = 0; i < 3; i++)
        part[i] = part_of(net, f, all, (real)((i + f->queries) % 3));
}

static int biased(mfm_net *net, const form *f, int s, int keys)
{
    return f->bias ? mfm_net_node(net, "Add", 0, s,
                                  mfm_net_param(net, mfm_shape_of(4, 1, HEADS, keys, keys), 1), -1)
                   : s;
}

/* Where the mask forbids, the scores are f->low. */
static int chosen(mfm_net *net, const form *f, int s, int keys)
{
    real allowed[TOKENS * TOKENS];
    for (int i = 0; i < keys * keys; i++)
        allowed[i] = (i % 3 != 1) == (f->choice == ALLOWS);
    const int mask = constant(net, mfm_shape_of(2, keys, keys), allowed);
    const int low = constant(net, mfm_shape_of(0), &f->low);
    return f->choice == ALLOWS ? mfm_net_node(net, "Where", 0, mask, s, low)
                               : mfm_net_node(net, "Where", 0, mask, low, s);
}

static int masked(mfm_net *net, const form *f, int s)
{
    const int keys = f->windows ? TOKENS / WINDOWS : TOKENS;
    real mask[WINDOWS * TOKENS * TOKENS];
    for (int i = 0; i < WINDOWS * TOKENS * TOKENS; i++)
        mask[i] = i % 5 == 3 ? -(real)INFINITY : (real)(i % 3);
    if (!f->mask_first)
        s = biased(net, f, s, keys);
    if (f->choice)
        return chosen(net, f, s, keys);
    if (f->mask && !f->windows) {
        s = mfm_net_node(net, "Add", 0, s, constant(net, mfm_shape_of(2, keys, keys), mask), -1);
        return f->mask_first ? biased(net, f, s, keys) : s;
    }
    if (!f->mask)
        return s;
    const int cut = mfm_net_node(net, "Reshape shape=-1,4,2,4,4", 0, s, -1, -1);
    const int all = constant(net, mfm_shape_of(5, 1, WINDOWS, 1, keys, keys), mask);
    const int sum = mfm_net_node(net, "Add", 0, cut, all, -1);
    return mfm_net_node(net, "Reshape shape=-1,2,4,4", 0, sum, -1, -1);
}

static int attend(mfm_net *net, const form *f, int images)
{
    int part[3] = {-1, -1, -1};
    if (f->source == APART)
        for (int i = 0; i < 3; i++)
            part[i] = project(net, f, images);
    else
        project_all(net, f, images, part);
    int q = part[0], k = part[1];
    const int v = part[2];
    if (f->scaled == BEFORE_Q || f->scaled == BEFORE_BOTH)
        q = scaled(net, f, q);
    if (f->scaled == BEFORE_TRANSPOSE)
        k = scaled(net, f, k);
    if (f->turn[0])
        k = mfm_net_node(net, f->turn, 0, k, -1, -1);
    if (f->scaled == BEFORE_BOTH)
        k = scaled(net, f, k);
    int s = mfm_net_node(net, f->products[0] ? f->products[0] : "MatMul", 0, q, k, -1);
    if (f->scaled == BEHIND)
        s = scaled(net, f, s);
    const int p = mfm_net_node(net, f->softmax, 0, masked(net, f, s), -1, -1);
    const int y = mfm_net_node(net, f->products[1] ? f->products[1] : "MatMul", 0, p, v, -1);
    if (f->back) {
        const int turned = mfm_net_node(net, f->back, 0, y, -1, -1);
        return mfm_net_node(net, "Tanh", 0, turned, -1, -1);
    }
    return f->seen ? mfm_net_node(net, "Add", 0, y,
                                  mfm_net_node(net, "ReduceMax axes=-1", 0, p, -1, -1), -1)
                   : y;
}

static mfm_bench build(const form *f, bool fuse, fuse_inputs *inputs)
{
    mfm_net net = mfm_net_new(fuse_ctx());
    fuse_add_inputs(&net, SIDE, 5, inputs);
    const int y = attend(&net, f, inputs->images);
    const int flat = mfm_net_node(&net, "Reshape shape=-1,96", 0, y, -1, -1);
    const int w = mfm_net_param(&net, mfm_shape_of(2, 96, 4), 0.5);
    const int logits = mfm_net_node(&net, "MatMul", 0, flat, w, -1);
    inputs->loss = mfm_net_node(&net, "mfm:SoftmaxCrossEntropy", 0, logits, inputs->labels, -1);
    CU_ASSERT_EQUAL_FATAL(net.status, MFM_OK);
    if (fuse)
        CU_ASSERT_EQUAL_FATAL(mfm_graph_fuse(net.graph, &inputs->loss, 1), MFM_OK);
    const mfm_slot keep[] = {{inputs->loss, MFM_X}, {inputs->loss, MFM_G}};
    const mfm_plan_spec spec = mfm_bench_spec(keep, 2);
    return fuse_run(net, &spec, inputs);
}

/* scales: how many products and quotients by a number stay beside the node. */
static void check(form f, int fused, int scales)
{
    fuse_inputs inputs[2];
    f.scale = f.scale ? f.scale : "Mul";
    f.softmax = f.softmax ? f.softmax : "Softmax axis=-1";
    f.turn = f.turn ? f.turn : "Transpose perm=0,1,3,2";
    mfm_bench plain = build(&f, false, &inputs[0]), one = build(&f, true, &inputs[1]);
    CU_ASSERT_EQUAL(fuse_count(one.graph, "Attention"), fused);
    CU_ASSERT_EQUAL(fuse_count(one.graph, "Softmax"), 1 - fused);
    CU_ASSERT_EQUAL(fuse_count(one.graph, "Mul") + fuse_count(one.graph, "Div"), scales);
    fuse_expect_same(&one, &plain, sizeof(real) == 8 ? 1e-10 : 1e-4);
    fuse_finish(&plain);
    fuse_finish(&one);
}

static void test_scales(void)
{
    check((form){.scaled = NOWHERE}, 1, 0);
    check((form){.scaled = BEFORE_Q}, 1, 0);
    check((form){.scaled = BEFORE_Q, .first = true}, 1, 0);
    check((form){.scaled = BEFORE_Q, .scale = "Div"}, 1, 0);
    check((form){.scaled = BEFORE_BOTH, .softmax = "Softmax axis=3"}, 1, 0);
    check((form){.scaled = BEFORE_TRANSPOSE}, 1, 0);
    check((form){.scaled = BEFORE_TRANSPOSE, .scale = "Div"}, 1, 0);
    check((form){.scaled = BEHIND}, 1, 0);
    check((form){.scaled = BEHIND, .scale = "Div"}, 1, 0);
}

static void test_summands(void)
{
    check((form){.scaled = BEFORE_Q, .bias = true}, 1, 0);
    check((form){.scaled = BEHIND, .scale = "Div", .bias = true}, 1, 0);
    check((form){.scaled = BEHIND, .mask = true}, 1, 0);
    check((form){.scaled = BEFORE_BOTH, .bias = true, .mask = true}, 1, 0);
    check((form){.scaled = BEFORE_Q, .windows = true, .bias = true}, 1, 0);
    check((form){.scaled = BEFORE_Q, .windows = true, .bias = true, .mask = true}, 1, 0);
    check((form){.scaled = BEHIND, .windows = true, .bias = true, .mask = true}, 1, 0);
}

static void test_masks(void)
{
    check((form){.scaled = BEHIND, .bias = true, .mask = true, .mask_first = true}, 1, 0);
    check((form){.scaled = BEFORE_Q, .choice = ALLOWS, .low = -(real)INFINITY}, 1, 0);
    check((form){.scaled = BEHIND, .choice = FORBIDS, .low = -1, .bias = true}, 1, 0);
    check((form){.scaled = NOWHERE, .choice = FORBIDS, .low = 0, .windows = true}, 1, 0);
    check((form){.scaled = BEHIND, .scale = "Div", .choice = ALLOWS, .low = -3, .bias = true}, 1,
          0);
}

/* All inputs vary: each other pass has twice the products of the forward pass, or four times. */
static void expect_products(const mfm_bench *bench, double macs)
{
    static const double times[] = {1, 2, 2, 4};
    for (size_t i = 0; i < mfm_plan_nodes(bench->plan); i++)
        for (int pass = 0; pass < MFM_BENCH_PASSES; pass++) {
            const mfm_call call = mfm_plan_call(bench->plan, pass, (int)i);
            if (strcmp(call.op, "Attention") == 0)
                CU_ASSERT_EQUAL(call.flop, 2 * macs * times[pass]);
        }
}

/* transposes: how many stay. */
static void check_parts(form f, int gathers, int transposes)
{
    fuse_inputs inputs[2];
    f.scale = "Mul";
    f.softmax = "Softmax axis=-1";
    f.turn = "Transpose perm=0,1,3,2";
    mfm_bench plain = build(&f, false, &inputs[0]), one = build(&f, true, &inputs[1]);
    CU_ASSERT_EQUAL(fuse_count(one.graph, "Attention"), 1);
    CU_ASSERT_EQUAL(fuse_count(one.graph, "Gather"), gathers);
    CU_ASSERT_EQUAL(fuse_count(one.graph, "Transpose"), transposes);
    expect_products(&one, FUSE_BATCH * HEADS * TOKENS * TOKENS * 2 * WIDTH);
    fuse_expect_same(&one, &plain, sizeof(real) == 8 ? 1e-10 : 1e-4);
    fuse_finish(&plain);
    fuse_finish(&one);
}

static void test_parts(void)
{
    check_parts((form){.source = BY_SAMPLES, .scaled = BEFORE_Q}, 0, 1);
    check_parts((form){.source = BY_TOKENS, .scaled = BEFORE_BOTH}, 0, 1);
    check_parts((form){.source = BY_TOKENS, .bias = true, .mask = true}, 0, 1);
    /* Keys, values, queries, in that order, stay where they are. */
    check_parts((form){.source = BY_SAMPLES, .queries = 2}, 3, 2);
    check_parts((form){.source = BY_TOKENS, .queries = 2}, 3, 5);
}

static void test_turned_results(void)
{
    check_parts((form){.back = "Transpose perm=0,2,1,3"}, 0, 2);
    check_parts((form){.back = "Transpose perm=2,0,1,3"}, 0, 2);
    check_parts((form){.source = BY_TOKENS, .back = "Transpose perm=2,0,1,3", .bias = true}, 0, 1);
    check_parts((form){.source = BY_TOKENS, .back = "Transpose perm=0,2,1,3"}, 0, 1);
    check_parts((form){.source = BY_SAMPLES, .back = "Transpose perm=2,0,1,3"}, 0, 1);
    check_parts((form){.back = "Transpose perm=1,2,0,3"}, 0, 3);
}

#define BY_ROWS    "Einsum equation=...id,...jd->...ij"
#define BY_COLUMNS "Einsum equation=bhid,bhdj->bhij"
#define OF_VALUES  "Einsum equation=bhij,bhjd->bhid"

static void test_sums(void)
{
    check((form){.products = {BY_ROWS, OF_VALUES}, .turn = "", .bias = true}, 1, 0);
    check((form){.products = {BY_COLUMNS, OF_VALUES}, .scaled = BEHIND, .mask = true}, 1, 0);
    check((form){.products = {BY_ROWS, OF_VALUES}, .turn = "", .scaled = BEFORE_TRANSPOSE}, 1, 0);
    check((form){.products = {BY_COLUMNS, OF_VALUES}, .choice = ALLOWS, .low = -2}, 1, 0);
    /* Queries with keys of the other order; results that are turned; one product of each kind. */
    check((form){.products = {"Einsum equation=bhid,bhjd->bhji", OF_VALUES}, .turn = ""}, 0, 0);
    check((form){.products = {BY_COLUMNS, "Einsum equation=bhij,bhjd->bihd"}}, 0, 0);
    check((form){.products = {BY_COLUMNS}}, 0, 0);
}

static void test_others(void)
{
    check((form){.scaled = BEFORE_Q, .seen = true}, 0, 1);
    check((form){.scaled = BEHIND, .learned = true}, 0, 1);
    check((form){.scaled = BEFORE_Q, .learned = true}, 1, 1);
    check((form){.scaled = BEFORE_Q, .scale = "Div", .first = true}, 1, 1); /* a quotient by Q */
    check((form){.scaled = BEHIND, .scale = "Div", .first = true}, 0, 1);
    check((form){.scaled = BEFORE_Q, .windows = true, .softmax = "Softmax axis=1"}, 0, 1);
}

static const mfm_case cases[] = {
    {"scales before and behind the product become part of it", test_scales},
    {"so do biases and masks, by windows, too", test_summands},
    {"masks before the bias, and those of truth values", test_masks},
    {"products that are written as sums", test_sums},
    {"what one product has for all heads is read where it lies", test_parts},
    {"results are written where a Transpose would put them", test_turned_results},
    {"what only looks like it stays", test_others},
};
MFM_SUITE("core/engine/fuse_attention", cases)
