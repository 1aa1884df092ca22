#include "onnx/proto/validate.h"

#include <string.h>

#include "tests/onnx/hand.h"
#include "tests/suite.h"

static mfm_ctx *ctx;

/* Whether the model breaks a rule, and the message has `part`. Frees the model. */
static bool breaks(mfm_model *model, const char *part)
{
    const int status = mfm_validate(model);
    const bool told = status == MFM_EDATA && strstr(mfm_message(ctx), part);
    if (!told)
        printf("\n    %d: %s\n", status, status ? mfm_message(ctx) : "valid");
    mfm_model_free(model);
    return told;
}

static Onnx__TensorProto *weight(mfm_model *model, const char *name)
{
    Onnx__TensorProto *t = mfm_proto_initializer(model, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(t);
    return t;
}

static mfm_model *residual(void)
{
    mfm_model *model = hand_residual(ctx, 8, 17);
    CU_ASSERT_EQUAL(mfm_validate(model), MFM_OK);
    return model;
}

static void test_assignment(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = residual();
    hand_node(m, "Relu", "again", "x", "c2");
    CU_ASSERT_TRUE(breaks(m, "value c2: defined twice"));
    m = residual();
    hand_weight(m, "c2", HAND_DIMS(1));
    CU_ASSERT_TRUE(breaks(m, "value c2: defined twice"));
    m = residual();
    hand_input(m, "x", HAND_DIMS(1));
    CU_ASSERT_TRUE(breaks(m, "value x: defined twice"));
    m = residual();
    hand_weight(m, "w1", HAND_DIMS(1));
    CU_ASSERT_TRUE(breaks(m, "value w1: defined twice"));
    m = residual(); /* an input with a default is one value */
    hand_input(m, "w1", HAND_DIMS(4, 3, 1, 1));
    CU_ASSERT_EQUAL(mfm_validate(m), MFM_OK);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void test_order(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = residual();
    hand_node(m, "Relu", "lost", "nowhere", "y");
    CU_ASSERT_TRUE(breaks(m, "node lost (Relu) reads nowhere: nothing writes it"));
    m = residual();
    hand_node(m, "Relu", "early", "late", "y");
    hand_node(m, "Relu", "", "x", "late");
    CU_ASSERT_TRUE(breaks(m, "node early (Relu) reads late before it is written: nodes must be"));
    m = residual();
    hand_node(m, "Add", "", "self x", "self");
    CU_ASSERT_TRUE(breaks(m, "node self (Add) reads self before it is written"));
    m = residual();
    hand_output(m, "nothing", HAND_DIMS(1));
    CU_ASSERT_TRUE(breaks(m, "output 'nothing': nothing writes it"));
    m = residual(); /* optional inputs and outputs are empty */
    hand_node(m, "Clip", "", "x - -", "y");
    hand_node(m, "Dropout", "", "x", "z -");
    CU_ASSERT_EQUAL(mfm_validate(m), MFM_OK);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* An If whose branches read c1 from the graph around them. */
static Onnx__GraphProto *add_branch(mfm_model *m, const char *reads)
{
    mfm_model *inner = hand_model(ctx, 8, 17);
    hand_node(inner, "Relu", "", reads, "inner");
    hand_output(inner, "inner", HAND_DIMS(1));
    Onnx__GraphProto *graph = inner->proto->graph;
    inner->proto->graph = NULL;
    mfm_model_free(inner);
    Onnx__NodeProto *node = hand_node(m, "If", "branch", "x", "chosen");
    CU_ASSERT_EQUAL_FATAL(mfm_proto_attr_int(m, node, "then_branch", 0), MFM_OK);
    node->attribute[0]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    node->attribute[0]->g = graph;
    return graph;
}

static void test_inner_graphs(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = residual();
    add_branch(m, "c1");
    CU_ASSERT_EQUAL(mfm_validate(m), MFM_OK);
    hand_node(m, "Relu", "", "inner", "outside");
    CU_ASSERT_TRUE(breaks(m, "reads inner: nothing writes it"));
    m = residual();
    add_branch(m, "absent");
    CU_ASSERT_TRUE(breaks(m, "node inner (Relu) reads absent: nothing writes it"));
    m = residual();
    Onnx__GraphProto *graph = add_branch(m, "c1");
    graph->output[0]->name[0] = 'I';
    CU_ASSERT_TRUE(breaks(m, "output 'Inner': nothing writes it"));
    m = residual();
    Onnx__NodeProto *node = hand_node(m, "If", "hollow", "x", "chosen");
    CU_ASSERT_EQUAL(mfm_proto_attr_int(m, node, "then_branch", 0), MFM_OK);
    node->attribute[0]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    CU_ASSERT_TRUE(breaks(m, "attribute then_branch: its type is graph, and it holds none"));
    mfm_ctx_free(ctx);
}

static void test_tensors(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = residual();
    weight(m, "w1")->dims[0] = 5; /* [5,3,1,1] of float32: 60 bytes, 48 are there */
    CU_ASSERT_TRUE(breaks(m, "tensor w1: 48 bytes: its shape and type ask for 60"));
    m = residual();
    weight(m, "w1")->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    CU_ASSERT_TRUE(breaks(m, "tensor w1: 48 bytes: its shape and type ask for 96"));
    m = residual();
    weight(m, "w1")->dims[1] = -3;
    CU_ASSERT_TRUE(breaks(m, "tensor w1: dimension 1 is -3: it must not be negative"));
    m = residual();
    weight(m, "w1")->dims[0] = INT64_C(1) << 62;
    weight(m, "w1")->dims[1] = 4; /* 2^64 wraps to 0 */
    CU_ASSERT_TRUE(breaks(m, "tensor w1: its dimensions: their product overflows"));
    m = residual();
    weight(m, "w1")->data_type = 0;
    CU_ASSERT_TRUE(breaks(m, "tensor w1: data without a type"));
    m = residual();
    weight(m, "w1")->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
    CU_ASSERT_TRUE(breaks(m, "tensor w1: strings in raw_data"));
    m = residual();
    Onnx__TensorProto *t = weight(m, "w1");
    t->raw_data.len = 0;
    CU_ASSERT_TRUE(breaks(m, "tensor w1: 0 numbers: its shape and type ask for 12"));
    mfm_ctx_free(ctx);
}

/* half precision lies in int32_data, a number each; int4 packed, two in a number */
static void test_typed_data(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = residual();
    Onnx__TensorProto *t = weight(m, "bias"); /* [5] */
    t->raw_data.len = 0;
    t->int32_data = mfm_proto_new(m, 5 * sizeof(int32_t));
    CU_ASSERT_PTR_NOT_NULL_FATAL(t->int32_data);
    memset(t->int32_data, 0, 5 * sizeof(int32_t));
    t->n_int32_data = 5;
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    CU_ASSERT_EQUAL(mfm_validate_tensor(m, t), MFM_OK);
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    CU_ASSERT_EQUAL(mfm_validate_tensor(m, t), MFM_EDATA);
    t->data_type = 22;
    CU_ASSERT_EQUAL(mfm_validate_tensor(m, t), MFM_EDATA);
    t->n_int32_data = 3;
    CU_ASSERT_EQUAL(mfm_validate_tensor(m, t), MFM_OK);
    t->raw_data.len = 20;
    CU_ASSERT_EQUAL(mfm_validate_tensor(m, t), MFM_EDATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "data in 2 fields"));
    CU_ASSERT_EQUAL(mfm_element_bits(ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128), 128);
    CU_ASSERT_EQUAL(mfm_element_bits(1000), 0);
    CU_ASSERT_EQUAL(mfm_element_bits(-1), 0);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void test_heads(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = residual();
    m->proto->has_ir_version = 0;
    m->proto->ir_version = 0;
    CU_ASSERT_TRUE(breaks(m, "IR version 0: at least 1"));
    m = residual();
    mfm_proto_remove(m, &m->proto->opset_import, &m->proto->n_opset_import, 0);
    CU_ASSERT_TRUE(breaks(m, "no operator set"));
    m = residual();
    m->proto->graph->node[0]->op_type[0] = '\0';
    CU_ASSERT_TRUE(breaks(m, "node c1: no operator type"));
    m = residual();
    m->proto->graph->input[0]->name[0] = '\0';
    CU_ASSERT_TRUE(breaks(m, "an input without a name"));
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"every value is assigned once", test_assignment},
    {"every input is written before it is read", test_order},
    {"inner graphs see the values around them, and not the reverse", test_inner_graphs},
    {"a tensor has as much data as its shape and type ask for", test_tensors},
    {"typed data is counted by its type", test_typed_data},
    {"a model has a version, operator sets, types and names", test_heads},
};
MFM_SUITE("onnx/validate", cases)
