/* What importing and planning take grows with the network, not with its square. Memory is counted,
 * which nothing else on the machine disturbs: all that is asked for in four times as many nodes. */
#include <stdio.h>
#include <stdlib.h>

#include "core/engine/plan/plan.h"
#include "core/train/problem/split_network.h"
#include "onnx/import/import.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

enum { SHORT = 100, LONG = 4 * SHORT };

typedef struct counter {
    double bytes, requests;
} counter;

static void *count_alloc(void *self, size_t size)
{
    counter *c = self;
    c->bytes += (double)size;
    c->requests++;
    return malloc(size);
}

static void count_free(void *self, void *pointer)
{
    (void)self;
    free(pointer);
}

static void must(mfm_ctx *ctx, int status)
{
    if (status)
        printf("\n    %s", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

static void begin(mfm_model *m)
{
    hand_input(m, "x", HAND_DIMS(-1, 3, 2, 2));
    hand_weight(m, "w", HAND_DIMS(4, 3, 1, 1));
    hand_node(m, "Conv", "conv", "x w", "v0");
    hand_ints(m, "zero", 1, (const int64_t[]){0});
    hand_ints(m, "image", 3, (const int64_t[]){4, 2, 2});
}

static void end(mfm_model *m, int last)
{
    char name[16];
    snprintf(name, sizeof name, "v%d", last);
    hand_weight(m, "fc", HAND_DIMS(4, 5));
    hand_node(m, "GlobalAveragePool", "pool", name, "pool");
    hand_node(m, "Flatten", "flatten", "pool", "features");
    hand_node(m, "MatMul", "fc", "features fc", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
}

/* Normalisation and Relu, again and again. */
static void add_norm(mfm_model *m, int i)
{
    char in[96], out[32];
    static const char *const parts[] = {"scale", "bias", "mean", "variance"};
    for (int k = 0; k < 4; k++) {
        char name[32];
        snprintf(name, sizeof name, "%s%d", parts[k], i);
        hand_weight(m, name, HAND_DIMS(4));
    }
    snprintf(in, sizeof in, "v%d scale%d bias%d mean%d variance%d", i, i, i, i, i);
    snprintf(out, sizeof out, "n%d", i);
    hand_node(m, "BatchNormalization", "", in, out);
    snprintf(in, sizeof in, "v%d", i + 1);
    hand_node(m, "Relu", "", out, in);
}

/* Flat and an image again, by lists that a shape sub-graph makes. */
static void add_shapes(mfm_model *m, int i)
{
    char a[96], b[32];
    snprintf(a, sizeof a, "v%d", i);
    snprintf(b, sizeof b, "s%d", i);
    hand_node(m, "Shape", "", a, b);
    snprintf(a, sizeof a, "s%d zero", i);
    snprintf(b, sizeof b, "n%d", i);
    hand_node(m, "Gather", "", a, b);
    snprintf(a, sizeof a, "n%d image", i);
    snprintf(b, sizeof b, "l%d", i);
    must(m->ctx, mfm_proto_attr_int(m, hand_node(m, "Concat", "", a, b), "axis", 0));
    snprintf(a, sizeof a, "v%d l%d", i, i);
    snprintf(b, sizeof b, "v%d", i + 1);
    hand_node(m, "Reshape", "", a, b);
}

typedef struct cost {
    counter import, problem;
} cost;

static cost measure(void (*add)(mfm_model *m, int i), int length)
{
    static const mfm_pass passes[] = {{MFM_FORWARD, UINT32_MAX}};
    counter count = {0};
    const mfm_allocator allocator = {.alloc = count_alloc, .free = count_free, .self = &count};
    mfm_ctx *ctx = mfm_ctx_new(&allocator);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *m = hand_model(ctx, 8, 13);
    begin(m);
    for (int i = 0; i < length; i++)
        add(m, i);
    end(m, length);
    mfm_network *network;
    cost c;
    count = (counter){0};
    must(ctx, mfm_model_import(ctx, m, &network));
    c.import = count;
    const mfm_loss_spec spec = {.loss = NULL};
    mfm_problem *problem;
    count = (counter){0};
    must(ctx, mfm_problem_plain(ctx, network, &spec, &problem));
    const mfm_slot keep = {problem->plain.logits, MFM_X};
    const mfm_plan_spec plan_spec = {
        .batch = 2, .training = true, .passes = passes, .n_passes = 1, .keep = &keep, .n_keep = 1};
    mfm_plan *plan;
    must(ctx, mfm_plan_new(ctx, problem->main, &plan_spec, &plan));
    c.problem = count;
    mfm_plan_free(plan);
    mfm_problem_free(problem);
    mfm_network_free(ctx, network);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
    return c;
}

static void check(const char *what, counter less, counter more)
{
    const double bytes = more.bytes / less.bytes, requests = more.requests / less.requests;
    if (bytes > 5.5 || requests > 5.5)
        printf("\n    %s: %.1f times the bytes, %.1f times the requests", what, bytes, requests);
    CU_ASSERT(bytes <= 5.5); /* 4 and what doubling arrays add; the square would be 16 */
    CU_ASSERT(requests <= 5.5);
}

static void check_chain(void (*add)(mfm_model *m, int i))
{
    const cost less = measure(add, SHORT), more = measure(add, LONG);
    check("import", less.import, more.import);
    check("problem and plan", less.problem, more.problem);
}

static void test_norms(void)
{
    check_chain(add_norm);
}

static void test_shapes(void)
{
    check_chain(add_shapes);
}

static const mfm_case cases[] = {
    {"pairs of BatchNormalization and Relu take memory in proportion", test_norms},
    {"so do shape sub-graphs", test_shapes},
};
MFM_SUITE("onnx/import_growth", cases)
