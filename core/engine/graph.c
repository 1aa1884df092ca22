#include "core/engine/graph.h"

#include <assert.h>
#include <string.h>

/* Parameters start on 64-byte boundaries. */
enum { PARAM_ALIGNMENT = 64 / sizeof(real) };

int mfm_graph_new(mfm_ctx *ctx, mfm_graph **graph)
{
    *graph = mfm_alloc(ctx, 1, sizeof **graph);
    if (!*graph)
        return MFM_ENOMEM;
    (*graph)->ctx = ctx;
    return MFM_OK;
}

void mfm_graph_free(mfm_graph *graph)
{
    if (!graph)
        return;
    mfm_ctx *ctx = graph->ctx;
    for (size_t i = 0; i < graph->n_values; i++) {
        mfm_free(ctx, graph->values[i].name);
        mfm_free_aligned(ctx, graph->values[i].data);
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        mfm_graph_node *node = &graph->nodes[i];
        mfm_free(ctx, node->name);
        mfm_free(ctx, node->attr);
        mfm_free(ctx, node->in);
    }
    mfm_free(ctx, graph->values);
    mfm_free(ctx, graph->nodes);
    mfm_free_aligned(ctx, graph->params);
    mfm_free_aligned(ctx, graph->state);
    mfm_free(ctx, graph);
}

/* A value with its name copied; *added stays valid until the next one is added. */
static int add_value(mfm_graph *graph, const char *name, enum mfm_value_kind kind,
                     const mfm_shape *shape, mfm_value **added)
{
    int status = mfm_grow(graph->ctx, &graph->values, graph->n_values, &graph->values_capacity,
                          sizeof *graph->values);
    if (status)
        return status;
    mfm_value *value = &graph->values[graph->n_values];
    memset(value, 0, sizeof *value);
    value->name = mfm_strdup(graph->ctx, name ? name : "");
    if (!value->name)
        return MFM_ENOMEM;
    value->kind = kind;
    value->producer = -1;
    if (shape)
        value->shape = *shape;
    graph->n_values++;
    *added = value;
    return MFM_OK;
}

static int last_value(const mfm_graph *graph)
{
    return (int)graph->n_values - 1;
}

int mfm_graph_input(mfm_graph *graph, const char *name, enum mfm_role role, const mfm_shape *shape,
                    int *value)
{
    mfm_value *added;
    int status = add_value(graph, name, MFM_VALUE_INPUT, shape, &added);
    if (status)
        return status;
    added->role = role;
    *value = last_value(graph);
    return MFM_OK;
}

static size_t padded_count(size_t count)
{
    return (count + PARAM_ALIGNMENT - 1) / PARAM_ALIGNMENT * PARAM_ALIGNMENT;
}

/* Appends count reals at the next boundary of a flat vector that doubles as it grows. */
static int append_flat(mfm_graph *graph, real **vector, size_t *size, size_t *capacity,
                       const real *data, size_t count)
{
    const size_t padded = padded_count(count);
    if (*size + padded > *capacity) {
        const size_t wanted = *size + padded;
        const size_t larger = wanted > 2 * *capacity ? wanted : 2 * *capacity;
        real *fresh = mfm_alloc_aligned(graph->ctx, larger, sizeof *fresh);
        if (!fresh)
            return MFM_ENOMEM;
        if (*size)
            memcpy(fresh, *vector, *size * sizeof *fresh);
        mfm_free_aligned(graph->ctx, *vector);
        *vector = fresh;
        *capacity = larger;
    }
    memset(*vector + *size, 0, padded * sizeof **vector);
    memcpy(*vector + *size, data, count * sizeof *data);
    *size += padded;
    return MFM_OK;
}

int mfm_graph_param(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                    int *value)
{
    const size_t offset = graph->params_size, count = (size_t)mfm_shape_count(shape);
    int status = MFM_OK;
    if (offset && !data != !graph->params)
        return mfm_fail(graph->ctx, MFM_EINVAL,
                        "parameter '%s': with numbers and without in one graph", name);
    if (data)
        status = append_flat(graph, &graph->params, &graph->params_size, &graph->params_capacity,
                             data, count);
    else
        graph->params_size += padded_count(count);
    if (status)
        return status;
    mfm_value *added;
    status = add_value(graph, name, MFM_VALUE_PARAM, shape, &added);
    if (status)
        return status;
    added->role = MFM_PARAM;
    added->offset = offset;
    added->trainable = true;
    added->rate = 1;
    *value = last_value(graph);
    return MFM_OK;
}

int mfm_graph_alloc_params(mfm_graph *graph)
{
    if (graph->params || graph->params_size == 0)
        return MFM_OK;
    graph->params = mfm_alloc_aligned(graph->ctx, graph->params_size, sizeof *graph->params);
    if (!graph->params)
        return MFM_ENOMEM;
    graph->params_capacity = graph->params_size;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        const size_t count = (size_t)mfm_shape_count(&value->shape);
        memset(graph->params + value->offset + count, 0,
               (padded_count(count) - count) * sizeof *graph->params);
    }
    return MFM_OK;
}

int mfm_graph_state(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                    int *value)
{
    const size_t offset = graph->state_size;
    int status = append_flat(graph, &graph->state, &graph->state_size, &graph->state_capacity, data,
                             (size_t)mfm_shape_count(shape));
    if (status)
        return status;
    mfm_value *added;
    status = add_value(graph, name, MFM_VALUE_STATE, shape, &added);
    if (status)
        return status;
    added->role = MFM_STATE;
    added->offset = offset;
    *value = last_value(graph);
    return MFM_OK;
}

int mfm_graph_const(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                    int *value)
{
    const size_t count = (size_t)mfm_shape_count(shape);
    real *copy = mfm_alloc_aligned(graph->ctx, count, sizeof *copy);
    if (!copy)
        return MFM_ENOMEM;
    memcpy(copy, data, count * sizeof *copy);
    mfm_value *added;
    int status = add_value(graph, name, MFM_VALUE_CONST, shape, &added);
    if (status) {
        mfm_free_aligned(graph->ctx, copy);
        return status;
    }
    added->data = copy;
    *value = last_value(graph);
    return MFM_OK;
}

static int port_count(const mfm_port *ports, bool *variadic)
{
    int count = 0;
    *variadic = false;
    for (; ports[count].name; count++)
        *variadic = ports[count].variadic;
    return count;
}

static int check_arity(mfm_graph *graph, const mfm_op *op, const char *name, const int *in,
                       int n_in, int n_out)
{
    bool variadic;
    const int inputs = port_count(op->inputs, &variadic);
    if (n_in > inputs && !variadic)
        return mfm_fail(graph->ctx, MFM_EDATA, "%s '%s': %d inputs: at most %d", op->name,
                        name ? name : "", n_in, inputs);
    for (int i = 0; i < inputs; i++)
        if (!op->inputs[i].optional && (i >= n_in || in[i] < 0))
            return mfm_fail(graph->ctx, MFM_EDATA, "%s '%s': input %d (%s): must be given",
                            op->name, name ? name : "", i, op->inputs[i].name);
    const int outputs = port_count(op->outputs, &variadic);
    if (n_out < 1 || (n_out > outputs && !variadic))
        return mfm_fail(graph->ctx, MFM_EDATA, "%s '%s': %d outputs: between 1 and %d", op->name,
                        name ? name : "", n_out, outputs);
    return MFM_OK;
}

static int fill_node(mfm_graph *graph, mfm_graph_node *node, const char *name, const void *attr,
                     const int *in)
{
    mfm_ctx *ctx = graph->ctx;
    node->name = mfm_strdup(ctx, name ? name : "");
    node->in = mfm_alloc(ctx, (size_t)(node->n_in + node->n_out), sizeof *node->in);
    node->attr = mfm_alloc(ctx, 1, node->op->attr_size);
    if (!node->name || !node->in || !node->attr)
        return MFM_ENOMEM;
    node->out = node->in + node->n_in;
    if (node->n_in)
        memcpy(node->in, in, (size_t)node->n_in * sizeof *in);
    if (attr && node->op->attr_size)
        memcpy(node->attr, attr, node->op->attr_size);
    else
        mfm_attr_defaults(node->op, node->attr);
    return MFM_OK;
}

int mfm_graph_add(mfm_graph *graph, const mfm_op *op, int opset, const char *name, const void *attr,
                  const int *in, int n_in, const char *const *out_names, int n_out, int *out)
{
    int status = check_arity(graph, op, name, in, n_in, n_out);
    if (!status)
        status = mfm_grow(graph->ctx, &graph->nodes, graph->n_nodes, &graph->nodes_capacity,
                          sizeof *graph->nodes);
    if (status)
        return status;
    for (int i = 0; i < n_in; i++)
        assert(in[i] < (int)graph->n_values);
    mfm_graph_node *node = &graph->nodes[graph->n_nodes];
    *node = (mfm_graph_node){.op = op, .opset = opset, .n_in = n_in, .n_out = n_out};
    node->key = (uint32_t)graph->n_nodes;
    graph->n_nodes++;
    status = fill_node(graph, node, name, attr, in);
    for (int i = 0; i < n_out && !status; i++) {
        mfm_value *added;
        status = add_value(graph, out_names ? out_names[i] : NULL, MFM_VALUE_NODE, NULL, &added);
        if (status)
            break;
        added->producer = (int)graph->n_nodes - 1;
        node->out[i] = out[i] = last_value(graph);
    }
    return status;
}

int mfm_graph_find(const mfm_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (strcmp(graph->values[i].name, name) == 0)
            return (int)i;
    return -1;
}

void mfm_graph_number_producers(mfm_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < graph->nodes[i].n_out; k++)
            graph->values[graph->nodes[i].out[k]].producer = (int)i;
}
