#include "onnx/export.h"

#include <string.h>

#include "onnx/storage/holder.h"
#include "onnx/storage/tensor_data.h"

/* What is written, and room for one value of it, in row-major order, twice. */
typedef struct vectors {
    const mfm_graph *graph;
    const real *params, *state;
    real *row_major, *scratch;
} vectors;

typedef struct writer {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_holders holders;
} writer;

/* Nodes and initialisers by name, anew after positions have moved. */
static int index_again(writer *w)
{
    mfm_holders_clear(&w->holders);
    return mfm_holders_init(w->ctx, w->model, &w->holders);
}

/* An initialiser like the Identity's source, named as its output, in its place. */
static int untie(writer *w, const mfm_holder *h, const real *row_major)
{
    Onnx__GraphProto *graph = w->model->proto->graph;
    Onnx__TensorProto *own = mfm_tensor_like(w->model, h->tensor, h->identity->output[0]);
    if (!own)
        return MFM_ENOMEM;
    mfm_tensor_set_reals(own, row_major);
    const int status = mfm_proto_add_initializer(w->model, own);
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
static int write_value(writer *w, const mfm_value *value, const mfm_holder *h, const real *stored,
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
        mfm_holder h;
        status = mfm_holders_find(&w->holders, value, &h);
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
    int status = mfm_holders_init(w->ctx, w->model, &w->holders);
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
    v.row_major = mfm_alloc_aligned(ctx, room, sizeof *v.row_major);
    v.scratch = mfm_alloc_aligned(ctx, room, sizeof *v.scratch);
    const int status = v.row_major && v.scratch ? write_all(&w, &v) : MFM_ENOMEM;
    mfm_free_aligned(ctx, v.row_major);
    mfm_free_aligned(ctx, v.scratch);
    mfm_holders_clear(&w.holders);
    return status;
}
