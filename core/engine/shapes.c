#include "core/engine/shapes.h"

#include <string.h>

/* All that the shape hook of a node reads. */
typedef struct frame {
    mfm_tensor *tensors;
    mfm_tensor **slots;
    size_t room;
} frame;

static int make_room(mfm_ctx *ctx, frame *f, size_t count)
{
    if (count <= f->room)
        return MFM_OK;
    mfm_free(ctx, f->tensors);
    mfm_free(ctx, f->slots);
    f->tensors = mfm_alloc(ctx, count, sizeof *f->tensors);
    f->slots = mfm_alloc(ctx, count, sizeof *f->slots);
    f->room = f->tensors && f->slots ? count : 0;
    return f->room ? MFM_OK : MFM_ENOMEM;
}

static mfm_tensor *tensor_of(frame *f, size_t slot, int value, const mfm_shape *shapes)
{
    if (value < 0)
        return NULL;
    f->tensors[slot] = (mfm_tensor){.shape = shapes[value]};
    return &f->tensors[slot];
}

static int infer(const mfm_graph *graph, const mfm_graph_node *source, frame *f,
                 mfm_graph_shapes_at *shapes)
{
    const size_t n_in = (size_t)source->n_in, n_out = (size_t)source->n_out;
    int status = make_room(graph->ctx, f, n_in + n_out);
    if (status)
        return status;
    for (size_t i = 0; i < n_in; i++)
        f->slots[i] = tensor_of(f, i, source->in[i], shapes->of);
    for (size_t i = 0; i < n_out; i++)
        f->slots[n_in + i] = tensor_of(f, n_in + i, source->out[i], shapes->of);
    mfm_node node = {.op = source->op,
                     .name = source->name,
                     .attr = source->attr,
                     .opset = source->opset,
                     .training = shapes->training && !source->inference,
                     .n_in = source->n_in,
                     .n_out = source->n_out,
                     .in = f->slots,
                     .out = f->slots + n_in};
    status = source->op->shape(graph->ctx, &node);
    for (size_t i = 0; i < n_out && !status; i++) {
        const mfm_value *value = &graph->values[source->out[i]];
        mfm_shape *shape = &shapes->of[source->out[i]];
        *shape = node.out[i]->shape;
        shape->layout = value->shape.layout;
        status = mfm_shape_check(graph->ctx, shape, value->name);
    }
    return status;
}

static int extend(const mfm_graph *graph, mfm_graph_shapes_at *shapes)
{
    const size_t wanted = graph->n_values;
    if (wanted > shapes->capacity) {
        const size_t larger = wanted > 2 * shapes->capacity ? wanted : 2 * shapes->capacity;
        mfm_shape *fresh = mfm_alloc(graph->ctx, larger, sizeof *fresh);
        if (!fresh)
            return MFM_ENOMEM;
        if (shapes->n_values)
            memcpy(fresh, shapes->of, shapes->n_values * sizeof *fresh);
        mfm_free(graph->ctx, shapes->of);
        shapes->of = fresh;
        shapes->capacity = larger;
    }
    int status = MFM_OK;
    for (; shapes->n_values < wanted && !status; shapes->n_values++) {
        const mfm_value *value = &graph->values[shapes->n_values];
        mfm_shape *shape = &shapes->of[shapes->n_values];
        if (value->kind == MFM_VALUE_NODE)
            continue;
        *shape = value->shape;
        if (value->kind == MFM_VALUE_INPUT && shape->rank && shape->dim[0] < 0)
            shape->dim[0] = shapes->batch;
        status = mfm_shape_check(graph->ctx, shape, value->name);
    }
    return status;
}

int mfm_graph_shapes_grow(const mfm_graph *graph, mfm_graph_shapes_at *shapes)
{
    frame f = {.room = 0};
    int status = extend(graph, shapes);
    for (; shapes->n_nodes < graph->n_nodes && !status; shapes->n_nodes += !status)
        status = infer(graph, &graph->nodes[shapes->n_nodes], &f, shapes);
    mfm_free(graph->ctx, f.tensors);
    mfm_free(graph->ctx, f.slots);
    return status;
}

void mfm_graph_shapes_clear(mfm_ctx *ctx, mfm_graph_shapes_at *shapes)
{
    mfm_free(ctx, shapes->of);
    shapes->of = NULL;
    shapes->n_values = shapes->n_nodes = shapes->capacity = 0;
}

int mfm_graph_shapes(const mfm_graph *graph, int64_t batch, bool training, mfm_shape *shapes)
{
    mfm_graph_shapes_at at = {.batch = batch, .training = training};
    const int status = mfm_graph_shapes_grow(graph, &at);
    if (!status && graph->n_values)
        memcpy(shapes, at.of, graph->n_values * sizeof *shapes);
    mfm_graph_shapes_clear(graph->ctx, &at);
    return status;
}
