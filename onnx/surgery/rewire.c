#include "onnx/surgery/rewire.h"

#include <string.h>

static bool defines(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_input; i++)
        if (strcmp(mfm_proto_text(graph->input[i]->name), name) == 0)
            return true;
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(mfm_proto_text(graph->initializer[i]->name), name) == 0)
            return true;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (strcmp(graph->node[i]->output[k], name) == 0)
                return true;
    return false;
}

static int rewire_nodes(mfm_model *model, Onnx__GraphProto *graph, const char *from,
                        const char *to);

static int rewire_inner(mfm_model *model, Onnx__GraphProto *graph, const char *from, const char *to)
{
    if (defines(graph, from))
        return MFM_OK;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_output && !status; i++)
        if (strcmp(mfm_proto_text(graph->output[i]->name), from) == 0)
            status = mfm_proto_set_string(model, &graph->output[i]->name, to);
    return status ? status : rewire_nodes(model, graph, from, to);
}

static int rewire_attribute(mfm_model *model, Onnx__AttributeProto *attr, const char *from,
                            const char *to)
{
    int status = attr->g ? rewire_inner(model, attr->g, from, to) : MFM_OK;
    for (size_t i = 0; i < attr->n_graphs && !status; i++)
        status = rewire_inner(model, attr->graphs[i], from, to);
    return status;
}

static int rewire_nodes(mfm_model *model, Onnx__GraphProto *graph, const char *from, const char *to)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++) {
        Onnx__NodeProto *node = graph->node[i];
        for (size_t k = 0; k < node->n_input && !status; k++)
            if (strcmp(node->input[k], from) == 0)
                status = mfm_proto_set_string(model, &node->input[k], to);
        for (size_t k = 0; k < node->n_attribute && !status; k++)
            status = rewire_attribute(model, node->attribute[k], from, to);
    }
    return status;
}

int mfm_rewire_uses(mfm_model *model, const char *from, const char *to)
{
    return rewire_nodes(model, model->proto->graph, from, to);
}

int mfm_rewire_producer(mfm_model *model, const char *from, const char *to)
{
    Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (strcmp(graph->node[i]->output[k], from) == 0)
                return mfm_proto_set_string(model, &graph->node[i]->output[k], to);
    return mfm_fail(model->ctx, MFM_EDATA, "%s: value %s: no node writes it", model->path, from);
}
