#include "onnx/info/inspect.h"

#include <string.h>

#include "onnx/functions/flat.h"
#include "onnx/import/import_parts.h"
#include "onnx/layers/links.h"
#include "onnx/roles/roles.h"

static uint64_t elements_of(const Onnx__TensorProto *tensor)
{
    uint64_t count = 1;
    for (size_t i = 0; i < tensor->n_dims; i++)
        count *= (uint64_t)tensor->dims[i];
    return count;
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

static int list_gaps(mfm_ctx *ctx, const mfm_model *model, const bool *gaps, mfm_model_facts *facts)
{
    size_t capacity = 0;
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        const Onnx__NodeProto *node = graph->node[i];
        const char *domain = mfm_proto_text(node->domain);
        const char *op_type = mfm_proto_text(node->op_type);
        if (!gaps[i])
            continue;
        if (mfm_grow(ctx, &facts->gaps, facts->n_gaps, &capacity, sizeof *facts->gaps))
            return MFM_ENOMEM;
        facts->gaps[facts->n_gaps++] = (mfm_model_gap){op_type, domain, mfm_proto_title(node)};
    }
    return MFM_OK;
}

static int read_gaps(mfm_ctx *ctx, const mfm_model *model, mfm_model_facts *facts)
{
    bool *gaps = mfm_alloc(ctx, model->proto->graph->n_node, sizeof *gaps);
    if (!gaps)
        return MFM_ENOMEM;
    int status = mfm_import_find_gaps(model, gaps);
    if (!status)
        status = list_gaps(ctx, model, gaps, facts);
    mfm_free(ctx, gaps);
    return status;
}

static bool ends_in_softmax(const mfm_model *model, const mfm_links *links)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    const mfm_link *output = mfm_links_find(links, mfm_model_logits_name(model));
    if (!output || output->producer == MFM_NOWHERE)
        return false;
    const Onnx__NodeProto *node = graph->node[output->producer];
    return mfm_proto_is(node, "Softmax") || mfm_proto_is(node, "LogSoftmax");
}

static int read_facts(mfm_ctx *ctx, const mfm_model *model, mfm_model_facts *facts)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    mfm_links links = {.model = model};
    mfm_strmap_init(&links.map, ctx);
    int status = mfm_flat_new(ctx, model, &facts->flat);
    if (!status)
        status = mfm_links_make(mfm_flat_model(facts->flat), &links);
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
        status = read_gaps(ctx, mfm_flat_model(facts->flat), facts);
    if (!status)
        facts->ends_in_softmax = ends_in_softmax(mfm_flat_model(facts->flat), &links);
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
    mfm_flat_free(facts->flat);
    mfm_free(ctx, facts);
}

static bool is_arithmetic(const Onnx__NodeProto *node)
{
    return mfm_proto_is(node, "Mul") || mfm_proto_is(node, "Div") || mfm_proto_is(node, "Sub") ||
           mfm_proto_is(node, "Add");
}

/* The value of the images; NULL unless the graph is fed that alone. */
static const mfm_link *find_images(const Onnx__GraphProto *graph, const mfm_links *links)
{
    const mfm_link *images = NULL;
    for (size_t i = 0; i < graph->n_input; i++) {
        const mfm_link *value = mfm_links_find(links, graph->input[i]->name);
        if (!value || value->initializer)
            continue;
        if (images)
            return NULL;
        images = value;
    }
    return images;
}

int mfm_model_own_scale(const mfm_model *model, const char **title)
{
    enum { MOST_STEPS = 16 };
    const Onnx__GraphProto *graph = model->proto->graph;
    mfm_links links = {.model = model};
    mfm_strmap_init(&links.map, model->ctx);
    const int status = mfm_links_make(model, &links);
    *title = NULL;
    const mfm_link *value = status ? NULL : find_images(graph, &links);
    for (int step = 0; value && !*title && step < MOST_STEPS; step++) {
        const ptrdiff_t use = mfm_links_sole_use(&links, value);
        if (use == MFM_NOWHERE)
            break;
        const Onnx__NodeProto *node = graph->node[use];
        const mfm_link *left = mfm_links_input(&links, (size_t)use, 0);
        const mfm_link *other = left == value ? mfm_links_input(&links, (size_t)use, 1) : left;
        if (is_arithmetic(node) && node->n_output && other && other->constant)
            *title = mfm_proto_title(node);
        value = mfm_only_moves(node) ? mfm_links_output(&links, (size_t)use, 0) : NULL;
    }
    mfm_links_clear(&links);
    return status;
}

const char *mfm_model_metadata(const mfm_model *model, const char *key)
{
    return mfm_proto_metadata(model, key);
}

size_t mfm_model_metadata_count(const mfm_model *model)
{
    return model->proto->n_metadata_props;
}

void mfm_model_metadata_at(const mfm_model *model, size_t index, const char **key,
                           const char **value)
{
    const Onnx__StringStringEntryProto *entry = model->proto->metadata_props[index];
    *key = mfm_proto_text(entry->key);
    *value = mfm_proto_text(entry->value);
}

int mfm_model_set_metadata(mfm_model *model, const char *key, const char *value)
{
    return mfm_proto_set_metadata(model, key, value);
}

mfm_model_node mfm_model_node_at(const mfm_roles *roles, size_t at)
{
    const Onnx__NodeProto *node = roles->model->proto->graph->node[at];
    mfm_model_node result = {.op_type = mfm_proto_text(node->op_type)};
    for (size_t i = 0; i < node->n_input; i++) {
        const mfm_tensor_role *tensor = mfm_roles_behind(roles, node->input[i]);
        if (!tensor)
            continue;
        result.parameters += tensor->numbers;
        if (i == 1)
            result.weights = tensor->numbers;
    }
    return result;
}
