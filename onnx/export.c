#include "onnx/export.h"

#include <string.h>

#include "onnx/strmap.h"
#include "onnx/tensor_data.h"

/* Where a name's numbers are in the file: an initialiser, a Constant node's value, or only an
 * Identity of one of them. */
typedef struct holder {
    Onnx__TensorProto *tensor;
    Onnx__NodeProto *identity;
} holder;

typedef struct writer {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_strmap nodes;        /* first output -> node */
    mfm_strmap initializers; /* name -> initialiser */
} writer;

static bool is_op(const Onnx__NodeProto *node, const char *op_type)
{
    return strcmp(mfm_proto_text(node->op_type), op_type) == 0;
}

static int index_model(writer *w)
{
    const Onnx__GraphProto *graph = w->model->proto->graph;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++)
        if (graph->node[i]->n_output)
            status = mfm_strmap_set(&w->nodes, graph->node[i]->output[0], i);
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status = mfm_strmap_set(&w->initializers, mfm_proto_text(graph->initializer[i]->name), i);
    return status;
}

static holder find_holder(const writer *w, const char *name)
{
    const Onnx__GraphProto *graph = w->model->proto->graph;
    size_t index;
    if (mfm_strmap_get(&w->initializers, name, &index))
        return (holder){.tensor = graph->initializer[index]};
    if (!mfm_strmap_get(&w->nodes, name, &index))
        return (holder){0};
    Onnx__NodeProto *node = graph->node[index];
    if (is_op(node, "Constant") && node->n_attribute == 1)
        return (holder){.tensor = node->attribute[0]->t};
    if (is_op(node, "Identity") && node->n_input == 1)
        return (holder){.identity = node, .tensor = find_holder(w, node->input[0]).tensor};
    return (holder){0};
}

/* An initialiser like `source`, named as the Identity's output, in the place of the Identity. */
static int untie(writer *w, const holder *h, const real *row_major)
{
    Onnx__GraphProto *graph = w->model->proto->graph;
    Onnx__TensorProto *own =
        mfm_proto_tensor(w->model, h->identity->output[0], ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                         h->tensor->dims, h->tensor->n_dims, NULL);
    if (!own)
        return mfm_code(w->ctx);
    mfm_tensor_set_reals(own, row_major);
    int status = mfm_proto_append(w->model, &graph->initializer, &graph->n_initializer, own);
    if (status) {
        mfm_proto_discard(w->model, own);
        return status;
    }
    for (size_t i = 0; i < graph->n_node; i++)
        if (graph->node[i] == h->identity) {
            mfm_proto_remove(w->model, &graph->node, &graph->n_node, i);
            break;
        }
    mfm_strmap_clear(&w->nodes); /* positions have moved */
    mfm_strmap_clear(&w->initializers);
    mfm_strmap_init(&w->nodes, w->ctx);
    mfm_strmap_init(&w->initializers, w->ctx);
    return index_model(w);
}

static bool same_numbers(const Onnx__TensorProto *tensor, const real *row_major, real *scratch)
{
    mfm_tensor_get_reals(tensor, scratch);
    return memcmp(scratch, row_major, mfm_tensor_size(tensor) * sizeof *scratch) == 0;
}

/* row_major and scratch have room for the value. */
static int write_value(writer *w, const mfm_value *value, const real *stored, real *row_major,
                       real *scratch)
{
    const holder h = find_holder(w, value->name);
    if (!h.tensor || !mfm_tensor_is_float(h.tensor) ||
        mfm_tensor_size(h.tensor) != (size_t)mfm_shape_count(&value->shape))
        return mfm_fail(w->ctx, MFM_EINVAL, "%s: parameter '%s': the model has no tensor for it",
                        mfm_model_path(w->model), value->name);
    mfm_layout_to_row_major(&value->shape, stored, row_major);
    if (!h.identity)
        mfm_tensor_set_reals(h.tensor, row_major);
    else if (!same_numbers(h.tensor, row_major, scratch))
        return untie(w, &h, row_major);
    return MFM_OK;
}

static size_t largest_value(const mfm_graph *graph)
{
    size_t largest = 1;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM && value->kind != MFM_VALUE_STATE)
            continue;
        const size_t count = (size_t)mfm_shape_count(&value->shape);
        largest = count > largest ? count : largest;
    }
    return largest;
}

/* Identities are written first: they read their source's old numbers to see whether they differ. */
static int write_all(writer *w, const mfm_graph *graph, const real *params, const real *state,
                     bool identities, real *row_major, real *scratch)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        const real *vector = value->kind == MFM_VALUE_PARAM   ? params
                             : value->kind == MFM_VALUE_STATE ? state
                                                              : NULL;
        if (!vector || (find_holder(w, value->name).identity != NULL) != identities)
            continue;
        const int status = write_value(w, value, vector + value->offset, row_major, scratch);
        if (status)
            return status;
    }
    return MFM_OK;
}

int mfm_model_write_values(mfm_ctx *ctx, mfm_model *model, const mfm_graph *graph,
                           const real *params, const real *state)
{
    writer w = {.ctx = ctx, .model = model};
    mfm_strmap_init(&w.nodes, ctx);
    mfm_strmap_init(&w.initializers, ctx);
    const size_t room = largest_value(graph);
    real *row_major = mfm_alloc_aligned(ctx, 2 * room, sizeof *row_major);
    int status = row_major ? index_model(&w) : MFM_ENOMEM;
    if (!status)
        status = write_all(&w, graph, params, state, true, row_major, row_major + room);
    if (!status)
        status = write_all(&w, graph, params, state, false, row_major, row_major + room);
    mfm_free_aligned(ctx, row_major);
    mfm_strmap_clear(&w.nodes);
    mfm_strmap_clear(&w.initializers);
    return status;
}
