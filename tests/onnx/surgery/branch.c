/* Two branches made of one: what is doubled, what is not, and what is refused. ONNX Runtime's word
 * on the result is in tests/interop/models/stages.py. */
#include "onnx/surgery/branch.h"

#include <string.h>

#include "onnx/import/import.h"
#include "onnx/surgery/inject.h"
#include "onnx/proto/validate.h"
#include "tests/refusals.h"
#include "tests/onnx/built.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

enum { IR = 8, OPSET = 13 };

static mfm_ctx *context(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    return ctx;
}

static void must(mfm_ctx *ctx, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

static size_t writers(const mfm_model *model, const char *name)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    size_t count = 0;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            count += strcmp(graph->node[i]->output[k], name) == 0;
    return count;
}

/* The block's convolution and normalisation, the sum and what follows are there twice; the first
 * convolution is not. */
static void test_block(int64_t ir_version, int64_t opset)
{
    mfm_ctx *ctx = context();
    mfm_model *model = hand_residual(ctx, ir_version, opset);
    const Onnx__GraphProto *graph = model->proto->graph;
    const size_t nodes = graph->n_node;
    must(ctx, mfm_model_branch(ctx, model, NULL));
    CU_ASSERT(mfm_model_has_branches(model));
    must(ctx, mfm_validate(model));
    static const char *const twice[] = {"c2", "n2", "sum", "a2", "pool", "flat"};
    for (size_t i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.rebalancing", twice[i]);
        CU_ASSERT_EQUAL(writers(model, twice[i]), 1);
        CU_ASSERT_EQUAL(writers(model, name), 1);
    }
    CU_ASSERT_EQUAL(graph->n_node, nodes + 6 + 1);
    CU_ASSERT_EQUAL(count_nodes(model, "Conv"), 3);
    CU_ASSERT_EQUAL(count_nodes(model, "Concat"), 1);
    const Onnx__NodeProto *last = graph->node[graph->n_node - 1];
    CU_ASSERT_STRING_EQUAL(last->op_type, "Gemm");
    CU_ASSERT_STRING_EQUAL(last->output[0], "logits");
    mfm_network *network;
    must(ctx, mfm_model_import(ctx, model, &network));
    mfm_network_free(ctx, network);
    CU_ASSERT_EQUAL(mfm_model_branch(ctx, model, NULL), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "two branches already"));
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_blocks(void)
{
    test_block(IR, OPSET);
    test_block(3, 9); /* whose weights are declared as inputs */
}

/* Flatten, Gemm 18 -> 4, Relu, then what makes the logits [., 3]: W is [3, 4] with transB, or
 * [4, 3]. */
static mfm_model *small(mfm_ctx *ctx, const char *last, bool by_class)
{
    mfm_model *m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 2, 3, 3));
    hand_weight(m, "w1", HAND_DIMS(18, 4));
    hand_weight(m, "w2", 2, by_class ? (const int64_t[]){3, 4} : (const int64_t[]){4, 3});
    hand_node(m, "Flatten", "", "x", "flat");
    hand_node(m, "Gemm", "hidden", "flat w1", "h");
    hand_node(m, "Relu", "", "h", "a");
    Onnx__NodeProto *node = hand_node(m, last, "", "a w2", "z");
    if (by_class)
        must(ctx, mfm_proto_attr_int(m, node, "transB", 1));
    hand_output(m, "z", HAND_DIMS(-1, 3));
    return m;
}

static void numbers_of(const mfm_model *model, float *numbers, size_t count)
{
    const Onnx__TensorProto *t = mfm_proto_initializer(model, "w2");
    CU_ASSERT_EQUAL_FATAL(t->raw_data.len, count * sizeof *numbers);
    memcpy(numbers, t->raw_data.data, t->raw_data.len);
}

/* W / 2, twice side by side along the features. */
static void check_weight(const char *last, bool by_class)
{
    mfm_ctx *ctx = context();
    mfm_model *model = small(ctx, last, by_class);
    float before[12], after[24];
    numbers_of(model, before, 12);
    must(ctx, mfm_model_branch(ctx, model, "fc:1"));
    numbers_of(model, after, 24);
    const Onnx__TensorProto *t = mfm_proto_initializer(model, "w2");
    CU_ASSERT_EQUAL(t->dims[0], by_class ? 3 : 8);
    CU_ASSERT_EQUAL(t->dims[1], by_class ? 8 : 3);
    for (int c = 0; c < 3; c++)
        for (int f = 0; f < 4; f++)
            for (int half = 0; half < 2; half++)
                CU_ASSERT_EQUAL(by_class ? after[c * 8 + half * 4 + f]
                                         : after[(half * 4 + f) * 3 + c],
                                (by_class ? before[c * 4 + f] : before[f * 3 + c]) / 2);
    CU_ASSERT_EQUAL(writers(model, "h.rebalancing"), 1);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_weight(void)
{
    check_weight("Gemm", true);
    check_weight("Gemm", false);
    check_weight("MatMul", false);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(mfm_ctx *ctx, mfm_model *model, const char *layer, int code,
                          const char *text)
{
    size_t before, after;
    void *first = hand_pack(ctx, model, &before);
    CU_ASSERT_EQUAL(mfm_model_branch(ctx, model, layer), code);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), text));
    if (!strstr(mfm_message(ctx), text))
        printf("\n    %s\n", mfm_message(ctx));
    void *second = hand_pack(ctx, model, &after);
    CU_ASSERT(before == after && memcmp(first, second, before) == 0);
    mfm_free(ctx, first);
    mfm_free(ctx, second);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_no_block(void)
{
    mfm_ctx *ctx = context();
    check_refused(ctx, small(ctx, "Gemm", true), NULL, MFM_EINVAL, "no residual block to double");
}

static void test_no_weights(void)
{
    mfm_ctx *ctx = context();
    check_refused(ctx, small(ctx, "Gemm", true), "fc:2", MFM_EINVAL, "nothing with weights");
}

static void test_tied(void)
{
    mfm_ctx *ctx = context();
    mfm_model *m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 4));
    hand_weight(m, "w", HAND_DIMS(4, 4));
    hand_weight(m, "v", HAND_DIMS(4, 3));
    hand_node(m, "Gemm", "", "x w", "h");
    hand_node(m, "Relu", "", "h", "a");
    hand_node(m, "Gemm", "", "a w", "k");
    hand_node(m, "Relu", "", "k", "b");
    hand_node(m, "Gemm", "", "b v", "z");
    hand_output(m, "z", HAND_DIMS(-1, 3));
    check_refused(ctx, m, "fc:2", MFM_ENOTSUP, "'w' are read below and above");
}

/* The last layer's weights also make its features; a convolution makes the logits. */
static void test_classifier(void)
{
    mfm_ctx *ctx = context();
    mfm_model *m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 4));
    hand_weight(m, "w", HAND_DIMS(4, 4));
    hand_node(m, "Gemm", "", "x w", "h");
    hand_node(m, "Gemm", "", "h w", "z");
    hand_output(m, "z", HAND_DIMS(-1, 4));
    check_refused(ctx, m, "fc:1", MFM_ENOTSUP, "its weights are used elsewhere, too");
    ctx = context();
    m = hand_model(ctx, IR, OPSET);
    hand_input(m, "x", HAND_DIMS(-1, 2, 3, 3));
    hand_weight(m, "w", HAND_DIMS(5, 2, 1, 1));
    hand_node(m, "Conv", "", "x w", "c");
    hand_node(m, "GlobalAveragePool", "", "c", "p");
    hand_node(m, "Flatten", "", "p", "z");
    hand_output(m, "z", HAND_DIMS(-1, 5));
    check_refused(ctx, m, "conv:1", MFM_ENOTSUP, "the last layer is of another form");
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct packed {
    void *bytes;
    size_t size;
} packed;

static int attempt(mfm_ctx *ctx, void *self)
{
    const packed *p = self;
    mfm_model *model;
    int status = mfm_model_parse(ctx, p->bytes, p->size, "m.onnx", &model);
    if (!status)
        status = mfm_model_branch(ctx, model, NULL);
    mfm_model_free(model);
    return status;
}

static void test_memory(void)
{
    mfm_ctx *ctx = context();
    mfm_model *model = hand_residual(ctx, IR, OPSET);
    packed p;
    p.bytes = hand_pack(ctx, model, &p.size);
    mfm_assert_refusals_are_told(attempt, &p);
    mfm_free(ctx, p.bytes);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"the last block and what follows it is there twice", test_blocks},
    {"the classifier has its weights twice, at half their size", test_weight},
    {"a model without a block needs a layer", test_no_block},
    {"what has no weights is not doubled", test_no_weights},
    {"weights are doubled with all that reads them, or not at all", test_tied},
    {"the classifier must be one whose weights can be doubled", test_classifier},
    {"every refused allocation is told, and nothing leaks", test_memory},
};

MFM_SUITE("onnx/branch", cases)
