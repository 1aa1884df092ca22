#include "tests/onnx/hand.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 16 };

static void need(bool done)
{
    if (!done)
        abort();
}

mfm_model *hand_model(mfm_ctx *ctx, int64_t ir_version, int64_t opset)
{
    mfm_model *model;
    need(mfm_model_new(ctx, "hand", ir_version, opset, &model) == MFM_OK);
    return model;
}

/* Cuts text at its spaces; "-" becomes "". */
static size_t cut(char *text, const char *names[MOST_NAMES])
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        need(count < MOST_NAMES);
        names[count++] = strcmp(word, "-") == 0 ? "" : word;
    }
    return count;
}

Onnx__NodeProto *hand_node(mfm_model *model, const char *op_type, const char *name,
                           const char *inputs, const char *outputs)
{
    const char *in[MOST_NAMES], *out[MOST_NAMES];
    char *in_text = strdup(inputs), *out_text = strdup(outputs);
    need(in_text && out_text);
    const size_t n_in = cut(in_text, in), n_out = cut(out_text, out);
    Onnx__NodeProto *node = mfm_proto_node(model, op_type, name, in, n_in, out, n_out);
    need(node != NULL);
    if (!name[0]) {
        mfm_free(model->ctx, node->name);
        node->name = NULL;
    }
    Onnx__GraphProto *graph = model->proto->graph;
    need(mfm_proto_append(model, &graph->node, &graph->n_node, node) == MFM_OK);
    free(in_text);
    free(out_text);
    return node;
}

static Onnx__TensorProto *add_tensor(mfm_model *model, const char *name, int32_t type, size_t rank,
                                     const int64_t *dims, const void *data)
{
    Onnx__GraphProto *graph = model->proto->graph;
    Onnx__TensorProto *t = mfm_proto_tensor(model, name, type, dims, rank, data);
    need(t != NULL);
    need(mfm_proto_append(model, &graph->initializer, &graph->n_initializer, t) == MFM_OK);
    return t;
}

void hand_weight(mfm_model *model, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__TensorProto *t =
        add_tensor(model, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dims, NULL);
    for (size_t i = 0; i < t->raw_data.len / sizeof(float); i++) {
        const float number = i % 2 ? -0.25F : 0.5F;
        memcpy(t->raw_data.data + i * sizeof number, &number, sizeof number);
    }
}

void hand_ints(mfm_model *model, const char *name, size_t count, const int64_t *ints)
{
    const int64_t dims[] = {(int64_t)count};
    add_tensor(model, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, dims, ints);
}

void hand_input(mfm_model *model, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__GraphProto *graph = model->proto->graph;
    Onnx__ValueInfoProto *info = mfm_proto_value_info(model, name, dims, rank, "n");
    need(info && !mfm_proto_append(model, &graph->input, &graph->n_input, info));
}

void hand_output(mfm_model *model, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__GraphProto *graph = model->proto->graph;
    Onnx__ValueInfoProto *info = mfm_proto_value_info(model, name, dims, rank, "n");
    need(info && !mfm_proto_append(model, &graph->output, &graph->n_output, info));
}

mfm_model *hand_residual(mfm_ctx *ctx, int64_t ir_version, int64_t opset)
{
    mfm_model *m = hand_model(ctx, ir_version, opset);
    hand_input(m, "x", HAND_DIMS(-1, 3, 6, 6));
    hand_weight(m, "w1", HAND_DIMS(4, 3, 1, 1));
    hand_weight(m, "w2", HAND_DIMS(4, 4, 3, 3));
    hand_weight(m, "fc", HAND_DIMS(5, 4));
    hand_weight(m, "bias", HAND_DIMS(5));
    static const char *const statistics[] = {"s", "b", "m", "v"};
    for (size_t i = 0; i < 4; i++)
        hand_weight(m, statistics[i], HAND_DIMS(4));
    /* An IR 3 file lists its initializers as inputs. */
    for (size_t i = 0; i < m->proto->graph->n_initializer && ir_version <= 3; i++) {
        const Onnx__TensorProto *t = m->proto->graph->initializer[i];
        hand_input(m, t->name, t->n_dims, t->dims);
    }
    hand_node(m, "Conv", "", "x w1", "c1");
    hand_node(m, "BatchNormalization", "", "c1 s b m v", "n1");
    hand_node(m, "Relu", "", "n1", "a1");
    Onnx__NodeProto *conv = hand_node(m, "Conv", "", "a1 w2", "c2");
    const int64_t pads[] = {1, 1, 1, 1};
    need(!mfm_proto_attr_ints(m, conv, "pads", pads, 4));
    hand_node(m, "BatchNormalization", "", "c2 s b m v", "n2");
    hand_node(m, "Add", "", "a1 n2", "sum");
    hand_node(m, "Relu", "", "sum", "a2");
    hand_node(m, "GlobalAveragePool", "", "a2", "pool");
    hand_node(m, "Flatten", "", "pool", "flat");
    Onnx__NodeProto *gemm = hand_node(m, "Gemm", "", "flat fc bias", "logits");
    need(!mfm_proto_attr_int(m, gemm, "transB", 1));
    hand_output(m, "logits", HAND_DIMS(-1, 5));
    return m;
}

void *hand_pack(mfm_ctx *ctx, const mfm_model *model, size_t *size)
{
    void *bytes = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_model_pack(ctx, model, &bytes, size), MFM_OK);
    return bytes;
}

void hand_constant(mfm_model *m, const char *initializer, const char *output)
{
    Onnx__GraphProto *graph = m->proto->graph;
    Onnx__NodeProto *node = hand_node(m, "Constant", "", "", output);
    CU_ASSERT_FALSE_FATAL(mfm_proto_attr_int(m, node, "value", 0));
    Onnx__AttributeProto *attr = node->attribute[0];
    attr->has_i = 0;
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    attr->t = mfm_proto_initializer(m, initializer);
    size_t at = 0;
    while (graph->initializer[at] != attr->t)
        at++;
    memmove(graph->initializer + at, graph->initializer + at + 1,
            (graph->n_initializer - at - 1) * sizeof *graph->initializer);
    graph->n_initializer--;
}
