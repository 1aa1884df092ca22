#include "onnx/surgery/head/unit_features.h"

#include <string.h>

#include "onnx/proto/names.h"

/* Since these, operators broadcast by themselves, and ReduceMean takes its axes as an input. */
enum { BROADCAST_OPSET = 7, AXES_INPUT_OPSET = 18 };

static const float epsilon = 1e-12f;
static const char unit[] = "mfm.unit.features"; /* what the last node writes, or that with .N */

typedef struct maker {
    mfm_model *model;
    mfm_names *names;
    size_t at;  /* where the next node goes */
    int status; /* sticky */
} maker;

/* The node that multiplies with those weights; NULL: there is none. */
static Onnx__NodeProto *find_layer(const mfm_model *model, const char *weight, size_t *at)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        Onnx__NodeProto *node = graph->node[i];
        if ((mfm_proto_is(node, "Gemm") || mfm_proto_is(node, "MatMul")) && node->n_input > 1 &&
            strcmp(node->input[1], weight) == 0) {
            *at = i;
            return node;
        }
    }
    return NULL;
}

/* A tensor of one number, or of one whole number; its name. */
static const char *add_tensor(maker *m, const char *base, int32_t type, size_t rank,
                              const void *number)
{
    const int64_t one = 1;
    const char *name = NULL;
    if (!m->status)
        m->status = mfm_names_unique(m->names, base, &name);
    Onnx__TensorProto *tensor =
        m->status ? NULL : mfm_proto_tensor(m->model, name, type, &one, rank, number);
    if (!tensor) {
        m->status = m->status ? m->status : mfm_code(m->model->ctx);
        return NULL;
    }
    m->status = mfm_proto_add_initializer(m->model, tensor);
    if (m->status)
        mfm_proto_discard(m->model, tensor);
    return name;
}

/* A node that reads one or two values (b NULL); what it writes. axis: of a ReduceMean of old. */
static const char *add_node(maker *m, const char *op_type, const char *base, const char *a,
                            const char *b, const int64_t *axis)
{
    Onnx__GraphProto *graph = m->model->proto->graph;
    const char *const inputs[2] = {a, b};
    const char *name = NULL, *output = NULL;
    if (!m->status)
        m->status = mfm_names_unique(m->names, base, &name);
    if (!m->status)
        m->status = mfm_names_unique(m->names, base, &output);
    if (m->status)
        return NULL;
    Onnx__NodeProto *node = mfm_proto_node(m->model, op_type, name, inputs, b ? 2 : 1, &output, 1);
    if (!node) {
        m->status = mfm_code(m->model->ctx);
        return NULL;
    }
    if (axis)
        m->status = mfm_proto_attr_ints(m->model, node, "axes", axis, 1);
    if (!m->status)
        m->status = mfm_proto_insert(m->model, &graph->node, &graph->n_node, m->at, node);
    if (m->status)
        mfm_proto_discard(m->model, node);
    else
        m->at++;
    return output;
}

static int edit(maker *m, Onnx__NodeProto *layer, bool axes_input)
{
    const int64_t axis = 1;
    const char *features = layer->input[0];
    const char *axes =
        axes_input ? add_tensor(m, "mfm.unit.axes", ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 1, &axis)
                   : NULL;
    const char *small =
        add_tensor(m, "mfm.unit.epsilon", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 0, &epsilon);
    const char *square = add_node(m, "Mul", "mfm.unit.square", features, features, NULL);
    const char *mean =
        add_node(m, "ReduceMean", "mfm.unit.mean", square, axes, axes_input ? NULL : &axis);
    const char *shifted = add_node(m, "Add", "mfm.unit.shifted", mean, small, NULL);
    const char *length = add_node(m, "Sqrt", "mfm.unit.length", shifted, NULL, NULL);
    const char *divided = add_node(m, "Div", unit, features, length, NULL);
    return m->status ? m->status : mfm_proto_set_string(m->model, &layer->input[0], divided);
}

int mfm_model_unit_features(mfm_ctx *ctx, mfm_model *model, const char *weight)
{
    maker m = {.model = model};
    const Onnx__TensorProto *tensor = mfm_proto_initializer(model, weight);
    Onnx__NodeProto *layer = find_layer(model, weight, &m.at);
    const int64_t opset = mfm_model_opset(model, "");
    if (!layer || !tensor || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return mfm_fail(ctx, MFM_ENOTSUP,
                        "%s: no Gemm or MatMul reads '%s' as float32: its features cannot be "
                        "brought to one length",
                        mfm_model_path(model), weight);
    if (strncmp(layer->input[0], unit, sizeof unit - 1) == 0)
        return MFM_OK; /* another run of such a loss has done it */
    if (opset < BROADCAST_OPSET)
        return mfm_fail(ctx, MFM_ENOTSUP,
                        "%s: opset %lld: features can be brought to one length from opset %d on",
                        mfm_model_path(model), (long long)opset, BROADCAST_OPSET);
    int status = mfm_names_new(model, &m.names);
    if (!status)
        status = edit(&m, layer, opset >= AXES_INPUT_OPSET);
    mfm_names_free(m.names);
    return status;
}
