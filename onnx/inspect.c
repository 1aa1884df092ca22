#include "onnx/inspect.h"

#include <string.h>

#include "core/engine/op.h"
#include "onnx/links.h"

static bool is_standard(const Onnx__NodeProto *node, const char *op_type)
{
    const char *domain = mfm_proto_text(node->domain);
    return strcmp(mfm_proto_text(node->op_type), op_type) == 0 &&
           (!domain[0] || strcmp(domain, "ai.onnx") == 0);
}

static uint64_t elements_of(const Onnx__TensorProto *tensor)
{
    uint64_t count = 1;
    for (size_t i = 0; i < tensor->n_dims; i++)
        count *= (uint64_t)tensor->dims[i];
    return count;
}

static bool is_real(const Onnx__TensorProto *tensor)
{
    return tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
           tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
           tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
           tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
}

static mfm_model_port read_port(const Onnx__ValueInfoProto *info)
{
    mfm_model_port port = {.name = mfm_proto_text(info->name), .rank = -1};
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !info->type->tensor_type || !info->type->tensor_type->shape ||
        info->type->tensor_type->shape->n_dim > MFM_PORT_RANK)
        return port;
    const Onnx__TensorShapeProto *shape = info->type->tensor_type->shape;
    port.rank = (int)shape->n_dim;
    for (size_t i = 0; i < shape->n_dim; i++)
        port.dim[i] =
            shape->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                ? shape->dim[i]->dim_value
                : -1;
    return port;
}

static int read_ports(mfm_ctx *ctx, const Onnx__GraphProto *graph, const mfm_links *links,
                      mfm_model_facts *facts)
{
    facts->inputs = mfm_alloc(ctx, graph->n_input, sizeof *facts->inputs);
    facts->outputs = mfm_alloc(ctx, graph->n_output, sizeof *facts->outputs);
    if (!facts->inputs || !facts->outputs)
        return MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_input; i++) {
        const mfm_link *value = mfm_links_find(links, graph->input[i]->name);
        if (!value || !value->initializer)
            facts->inputs[facts->n_inputs++] = read_port(graph->input[i]);
    }
    for (size_t i = 0; i < graph->n_output; i++)
        facts->outputs[facts->n_outputs++] = read_port(graph->output[i]);
    return MFM_OK;
}

/* Operators that the importer folds away before training. */
static bool is_folded(const Onnx__NodeProto *node)
{
    return is_standard(node, "Constant") || is_standard(node, "Shape") ||
           is_standard(node, "Gather") || is_standard(node, "Cast");
}

static int read_gaps(mfm_ctx *ctx, const mfm_model *model, mfm_model_facts *facts)
{
    size_t capacity = 0;
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        const Onnx__NodeProto *node = graph->node[i];
        const char *domain = mfm_proto_text(node->domain), *name = mfm_proto_text(node->name);
        const char *op_type = mfm_proto_text(node->op_type);
        if (is_folded(node) || mfm_op_find(domain, op_type, (int)mfm_model_opset(model, domain)))
            continue;
        if (mfm_grow(ctx, &facts->gaps, facts->n_gaps, &capacity, sizeof *facts->gaps))
            return MFM_ENOMEM;
        facts->gaps[facts->n_gaps++] = (mfm_model_gap){op_type, domain,
                                                       name[0]          ? name
                                                       : node->n_output ? node->output[0]
                                                                        : ""};
    }
    return MFM_OK;
}

static bool several_nodes_read(const mfm_links *links, const mfm_link *value)
{
    for (size_t i = 1; i < value->n_uses; i++)
        if (links->uses[value->first_use + i] != links->uses[value->first_use])
            return true;
    return false;
}

static int read_shared(mfm_ctx *ctx, const mfm_links *links, mfm_model_facts *facts)
{
    size_t capacity = 0;
    for (size_t i = 0; i < links->n_values; i++) {
        const mfm_link *value = &links->values[i];
        if (!value->initializer || !is_real(value->initializer) ||
            elements_of(value->initializer) < 2 || !several_nodes_read(links, value))
            continue;
        if (mfm_grow(ctx, &facts->shared, facts->n_shared, &capacity, sizeof *facts->shared))
            return MFM_ENOMEM;
        facts->shared[facts->n_shared++] = value->name;
    }
    return MFM_OK;
}

static bool ends_in_softmax(const Onnx__GraphProto *graph, const mfm_links *links)
{
    const mfm_link *output = graph->n_output ? mfm_links_find(links, graph->output[0]->name) : NULL;
    if (!output || output->producer == MFM_NOWHERE)
        return false;
    const Onnx__NodeProto *node = graph->node[output->producer];
    return is_standard(node, "Softmax") || is_standard(node, "LogSoftmax");
}

static int read_facts(mfm_ctx *ctx, const mfm_model *model, mfm_model_facts *facts)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    mfm_links links;
    int status = mfm_links_make(model, &links);
    facts->ir_version = model->proto->ir_version;
    facts->opset = mfm_model_opset(model, "");
    facts->graph = mfm_proto_text(graph->name);
    facts->producer = mfm_proto_text(model->proto->producer_name);
    facts->producer_version = mfm_proto_text(model->proto->producer_version);
    facts->n_nodes = graph->n_node;
    facts->n_initializers = graph->n_initializer;
    for (size_t i = 0; i < graph->n_initializer; i++)
        facts->elements += elements_of(graph->initializer[i]);
    if (!status)
        status = read_ports(ctx, graph, &links, facts);
    if (!status)
        status = read_gaps(ctx, model, facts);
    if (!status)
        status = read_shared(ctx, &links, facts);
    if (!status)
        facts->ends_in_softmax = ends_in_softmax(graph, &links);
    mfm_links_clear(&links);
    return status;
}

int mfm_model_facts_new(mfm_ctx *ctx, const mfm_model *model, mfm_model_facts **facts)
{
    *facts = mfm_alloc(ctx, 1, sizeof **facts);
    if (!*facts)
        return MFM_ENOMEM;
    const int status = read_facts(ctx, model, *facts);
    if (status) {
        mfm_model_facts_free(ctx, *facts);
        *facts = NULL;
    }
    return status;
}

void mfm_model_facts_free(mfm_ctx *ctx, mfm_model_facts *facts)
{
    if (!facts)
        return;
    mfm_free(ctx, facts->inputs);
    mfm_free(ctx, facts->outputs);
    mfm_free(ctx, facts->gaps);
    mfm_free(ctx, facts->shared);
    mfm_free(ctx, facts);
}

mfm_model_node mfm_model_node_at(const mfm_model *model, size_t at)
{
    const Onnx__NodeProto *node = model->proto->graph->node[at];
    mfm_model_node result = {.op_type = mfm_proto_text(node->op_type)};
    for (size_t i = 0; i < node->n_input; i++) {
        const Onnx__TensorProto *tensor = mfm_proto_initializer(model, node->input[i]);
        if (!tensor || !is_real(tensor))
            continue;
        result.parameters += elements_of(tensor);
        if (i == 1)
            result.weights = elements_of(tensor);
    }
    return result;
}
