#include "onnx/export.h"

#include <string.h>

#include "onnx/strmap.h"
#include "onnx/tensor_data.h"

/* Where a name's numbers are in the file: in an initialiser, in a Constant node's value, or only by
 * way of an Identity (the first, when there are several) in one of them. */
typedef struct holder {
    Onnx__TensorProto *tensor;
    Onnx__NodeProto *identity;
} holder;

/* What is written, and room for one value of it, in row-major order, twice. */
typedef struct vectors {
    const mfm_graph *graph;
    const real *params, *state;
    real *row_major, *scratch;
} vectors;

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
    holder h = {0};
    size_t index;
    for (;;) {
        if (mfm_strmap_get(&w->initializers, name, &index)) {
            h.tensor = graph->initializer[index];
            return h;
        }
        if (!mfm_strmap_get(&w->nodes, name, &index))
            return h;
        Onnx__NodeProto *node = graph->node[index];
        if (is_op(node, "Constant") && node->n_attribute == 1)
            h.tensor = node->attribute[0]->t;
        if (!is_op(node, "Identity") || node->n_input != 1)
            return h;
        if (!h.identity)
            h.identity = node;
        name = node->input[0];
    }
}

/* Nodes and initialisers by name, anew after positions have moved. */
static int index_again(writer *w)
{
    mfm_strmap_clear(&w->nodes);
    mfm_strmap_clear(&w->initializers);
    mfm_strmap_init(&w->nodes, w->ctx);
    mfm_strmap_init(&w->initializers, w->ctx);
    return index_model(w);
}

/* Before version 4 of the format an initialiser must be an input, too. */
static int add_initializer(mfm_model *model, Onnx__TensorProto *tensor)
{
    enum { FREE_INITIALIZERS = 4 };
    Onnx__GraphProto *graph = model->proto->graph;
    if (model->proto->ir_version < FREE_INITIALIZERS) {
        Onnx__ValueInfoProto *input =
            mfm_proto_value_info(model, tensor->name, tensor->dims, tensor->n_dims, "");
        if (!input)
            return MFM_ENOMEM;
        input->type->tensor_type->elem_type = tensor->data_type;
        if (mfm_proto_append(model, &graph->input, &graph->n_input, input)) {
            mfm_proto_discard(model, input);
            return MFM_ENOMEM;
        }
    }
    return mfm_proto_append(model, &graph->initializer, &graph->n_initializer, tensor);
}

/* An initialiser like the Identity's source, named as its output, in its place. */
static int untie(writer *w, const holder *h, const real *row_major)
{
    Onnx__GraphProto *graph = w->model->proto->graph;
    Onnx__TensorProto *own = mfm_tensor_like(w->model, h->tensor, h->identity->output[0]);
    if (!own)
        return MFM_ENOMEM;
    mfm_tensor_set_reals(own, row_major);
    const int status = add_initializer(w->model, own);
    if (status) {
        mfm_proto_discard(w->model, own);
        return status;
    }
    for (size_t i = 0; i < graph->n_node; i++)
        if (graph->node[i] == h->identity) {
            mfm_proto_remove(w->model, &graph->node, &graph->n_node, i);
            break;
        }
    return index_again(w);
}

static bool same_numbers(const Onnx__TensorProto *tensor, const real *row_major, real *scratch)
{
    mfm_tensor_get_reals(tensor, scratch);
    return memcmp(scratch, row_major, mfm_tensor_size(tensor) * sizeof *scratch) == 0;
}

/* row_major and scratch have room for the value. *untied is set when an Identity had to go. */
static int write_value(writer *w, const mfm_value *value, const holder *h, const real *stored,
                       real *row_major, real *scratch, bool *untied)
{
    mfm_layout_to_row_major(&value->shape, stored, row_major);
    if (!h->identity) {
        mfm_tensor_set_reals(h->tensor, row_major);
        return MFM_OK;
    }
    if (same_numbers(h->tensor, row_major, scratch))
        return MFM_OK;
    *untied = true;
    return untie(w, h, row_major);
}

static int check_holder(const writer *w, const mfm_value *value, const holder *h)
{
    if (!h->tensor || !mfm_tensor_is_float(h->tensor) ||
        mfm_tensor_size(h->tensor) != (size_t)mfm_shape_count(&value->shape))
        return mfm_fail(w->ctx, MFM_EINVAL, "%s: parameter '%s': the model has no tensor for it",
                        mfm_model_path(w->model), value->name);
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

/* One sweep over the values of a kind: those with a tensor of their own, or Identities. */
static int write_some(writer *w, const vectors *v, bool identities, bool *untied)
{
    int status = MFM_OK;
    for (size_t i = 0; i < v->graph->n_values && !status; i++) {
        const mfm_value *value = &v->graph->values[i];
        const real *vector = value->kind == MFM_VALUE_PARAM   ? v->params
                             : value->kind == MFM_VALUE_STATE ? v->state
                                                              : NULL;
        if (!vector)
            continue;
        const holder h = find_holder(w, value->name);
        status = check_holder(w, value, &h);
        if (!status && (h.identity != NULL) == identities)
            status =
                write_value(w, value, &h, vector + value->offset, v->row_major, v->scratch, untied);
    }
    return status;
}

/* An Identity stays where its source, as written, still has its numbers. One that goes may have
 * been the source of another, so this is repeated until all stay. */
static int write_all(writer *w, const vectors *v)
{
    bool untied = false;
    int status = index_model(w);
    if (!status)
        status = write_some(w, v, false, &untied);
    do {
        untied = false;
        if (!status)
            status = write_some(w, v, true, &untied);
    } while (untied && !status);
    return status;
}

int mfm_model_write_values(mfm_ctx *ctx, mfm_model *model, const mfm_graph *graph,
                           const real *params, const real *state)
{
    writer w = {.ctx = ctx, .model = model};
    vectors v = {.graph = graph, .params = params, .state = state};
    const size_t room = largest_value(graph);
    mfm_strmap_init(&w.nodes, ctx);
    mfm_strmap_init(&w.initializers, ctx);
    v.row_major = mfm_alloc_aligned(ctx, room, sizeof *v.row_major);
    v.scratch = mfm_alloc_aligned(ctx, room, sizeof *v.scratch);
    const int status = v.row_major && v.scratch ? write_all(&w, &v) : MFM_ENOMEM;
    mfm_free_aligned(ctx, v.row_major);
    mfm_free_aligned(ctx, v.scratch);
    mfm_strmap_clear(&w.nodes);
    mfm_strmap_clear(&w.initializers);
    return status;
}
