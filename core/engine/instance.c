#include "core/engine/instance.h"

#include <string.h>

static int set_shapes(mfm_ctx *ctx, const mfm_graph *graph, int64_t batch, const mfm_shape *shapes,
                      mfm_tensor *tensors)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind == MFM_VALUE_NODE && shapes)
            tensors[i].shape = shapes[i];
        if (value->kind == MFM_VALUE_NODE)
            continue;
        tensors[i].shape = value->shape;
        if (value->kind == MFM_VALUE_INPUT && value->shape.rank && value->shape.dim[0] < 0)
            tensors[i].shape.dim[0] = batch;
        int status = mfm_shape_check(ctx, &tensors[i].shape, value->name);
        if (status)
            return status;
        if (value->kind == MFM_VALUE_CONST)
            tensors[i].lane[MFM_X] = value->data;
    }
    return MFM_OK;
}

static mfm_tensor *tensor_of(mfm_instance *instance, int value)
{
    return value < 0 ? NULL : &instance->tensors[value];
}

static int infer_node(mfm_instance *instance, const mfm_graph_node *source, mfm_node *node)
{
    for (int i = 0; i < node->n_in; i++)
        node->in[i] = tensor_of(instance, source->in[i]);
    for (int i = 0; i < node->n_out; i++)
        node->out[i] = tensor_of(instance, source->out[i]);
    int status = source->op->shape(instance->ctx, node);
    for (int i = 0; i < node->n_out; i++)
        node->out[i]->shape.layout = instance->graph->values[source->out[i]].shape.layout;
    for (int i = 0; i < node->n_out && !status; i++)
        status = mfm_shape_check(instance->ctx, &node->out[i]->shape,
                                 instance->graph->values[source->out[i]].name);
    return status;
}

/* False where a parameter's place is taken by what is given or made anew in each pass. */
static bool owns_parameters(const mfm_graph *graph, const mfm_graph_node *node)
{
    const mfm_port *port = node->op->inputs;
    for (int i = 0; i < node->n_in && port->name; i++) {
        const enum mfm_value_kind kind =
            node->in[i] < 0 ? MFM_VALUE_CONST : graph->values[node->in[i]].kind;
        if (port->role == MFM_PARAM && (kind == MFM_VALUE_NODE || kind == MFM_VALUE_INPUT))
            return false;
        if (!port->variadic)
            port++;
    }
    return true;
}

static int make_nodes(mfm_instance *instance, int64_t batch, mfm_instance_use use)
{
    const mfm_graph *graph = instance->graph;
    size_t slot = 0, flag = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *source = &graph->nodes[i];
        if (!(use.segments >> source->segment & 1))
            continue;
        mfm_node *node = &instance->nodes[i];
        *node = (mfm_node){.op = source->op,
                           .name = source->name,
                           .attr = source->attr,
                           .opset = source->opset,
                           .training = use.training && !source->inference,
                           .share = use.share.samples ? use.share : mfm_share_whole(batch),
                           .frozen = use.frozen && owns_parameters(graph, source),
                           .n_in = source->n_in,
                           .n_out = source->n_out};
        node->in = instance->slots + slot;
        node->out = node->in + node->n_in;
        slot += (size_t)(node->n_in + node->n_out);
        node->accumulates = instance->flags + flag;
        flag += (size_t)node->n_in;
        node->key.node = source->key;
        const int status = infer_node(instance, source, node);
        if (status)
            return status;
    }
    return MFM_OK;
}

int mfm_instance_init(mfm_ctx *ctx, const mfm_graph *graph, int64_t batch, mfm_instance_use use,
                      mfm_instance *instance)
{
    size_t n_slots = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        n_slots += (size_t)(graph->nodes[i].n_in + graph->nodes[i].n_out);
    *instance = (mfm_instance){.ctx = ctx, .graph = graph};
    instance->tensors = mfm_alloc(ctx, graph->n_values, sizeof *instance->tensors);
    instance->nodes = mfm_alloc(ctx, graph->n_nodes, sizeof *instance->nodes);
    instance->slots = mfm_alloc(ctx, n_slots, sizeof(mfm_tensor *));
    instance->flags = mfm_alloc(ctx, n_slots, 1);
    int status = MFM_ENOMEM;
    if (instance->tensors && instance->nodes && instance->slots && instance->flags)
        status = set_shapes(ctx, graph, batch, use.shapes, instance->tensors);
    if (!status)
        status = make_nodes(instance, batch, use);
    if (status)
        mfm_instance_clear(instance);
    return status;
}

int mfm_instance_setup(mfm_instance *instance)
{
    int status = MFM_OK;
    for (size_t i = 0; i < instance->graph->n_nodes && !status; i++)
        if (instance->nodes[i].op)
            status = mfm_node_setup(instance->ctx, &instance->nodes[i]);
    return status;
}

void mfm_instance_clear(mfm_instance *instance)
{
    mfm_ctx *ctx = instance->ctx;
    for (size_t i = 0; instance->nodes && i < instance->graph->n_nodes; i++)
        mfm_node_release(ctx, &instance->nodes[i]);
    mfm_free(ctx, instance->tensors);
    mfm_free(ctx, instance->nodes);
    mfm_free(ctx, instance->slots);
    mfm_free(ctx, instance->flags);
    memset(instance, 0, sizeof *instance);
}
