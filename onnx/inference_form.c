/* Nodes as exporters write them for training, turned into what a runtime should serve. */
#include <string.h>

#include "onnx/export.h"
#include "onnx/strmap.h"
#include "onnx/proto.h"

static bool is_op(const Onnx__NodeProto *node, const char *op_type)
{
    return strcmp(mfm_proto_text(node->op_type), op_type) == 0;
}

/* Every name that a node or the graph's outputs read. */
static int find_read(mfm_strmap *read, const Onnx__GraphProto *graph)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t j = 0; j < graph->node[i]->n_input && !status; j++)
            status = mfm_strmap_set(read, graph->node[i]->input[j], 0);
    for (size_t i = 0; i < graph->n_output && !status; i++)
        status = mfm_strmap_set(read, mfm_proto_text(graph->output[i]->name), 0);
    return status;
}

/* Drops outputs 1 and on; refuses when somebody reads one. */
static int keep_first_output(mfm_model *model, Onnx__NodeProto *node, const mfm_strmap *read)
{
    for (size_t i = 1; i < node->n_output; i++)
        if (node->output[i][0] && mfm_strmap_get(read, node->output[i], NULL))
            return mfm_fail(model->ctx, MFM_ENOTSUP,
                            "%s: %s '%s': output %zu is read: it cannot be left out for inference",
                            mfm_model_path(model), node->op_type, mfm_proto_text(node->name), i);
    while (node->n_output > 1) {
        node->n_output--;
        model->allocator.free(model->allocator.allocator_data, node->output[node->n_output]);
    }
    return MFM_OK;
}

static int batch_norm(mfm_model *model, Onnx__NodeProto *node, const mfm_strmap *read)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(mfm_proto_text(node->attribute[i]->name), "training_mode") == 0)
            node->attribute[i]->i = 0;
    return keep_first_output(model, node, read);
}

/* Input 2 is training_mode, false when absent. The mask output may stay only if somebody reads it. */
static int dropout(mfm_model *model, Onnx__NodeProto *node)
{
    while (node->n_input > 2) {
        node->n_input--;
        model->allocator.free(model->allocator.allocator_data, node->input[node->n_input]);
    }
    return MFM_OK;
}

int mfm_model_set_inference(mfm_ctx *ctx, mfm_model *model)
{
    Onnx__GraphProto *graph = model->proto->graph;
    mfm_strmap read;
    mfm_strmap_init(&read, ctx);
    int status = find_read(&read, graph);
    for (size_t i = 0; i < graph->n_node && !status; i++) {
        if (is_op(graph->node[i], "BatchNormalization"))
            status = batch_norm(model, graph->node[i], &read);
        else if (is_op(graph->node[i], "Dropout") && mfm_model_opset(model, "") >= 12)
            status = dropout(model, graph->node[i]);
    }
    mfm_strmap_clear(&read);
    return status;
}
