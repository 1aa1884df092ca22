/* Nodes as exporters write them for training, turned into what a runtime should serve. */
#include <string.h>

#include "onnx/export.h"
#include "onnx/functions/flat.h"
#include "onnx/layers/links.h"
#include "onnx/proto/proto.h"
#include "onnx/proto/strmap.h"
#include "onnx/proto/walk.h"

/* The first opset in which a Dropout has training_mode as an input. */
enum { DROPOUT_MODE = 12 };

static int add_inputs(void *self, Onnx__NodeProto *node)
{
    int status = MFM_OK;
    for (size_t j = 0; j < node->n_input && !status; j++)
        status = mfm_strmap_set(self, node->input[j], 0);
    return status;
}

static int add_outputs(void *self, Onnx__GraphProto *graph)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_output && !status; i++)
        status = mfm_strmap_set(self, mfm_proto_text(graph->output[i]->name), 0);
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

/* Without input 2, training_mode. A mask stays: in inference it is all true. */
static void dropout(mfm_model *model, Onnx__NodeProto *node)
{
    while (node->n_input > 2) {
        node->n_input--;
        model->allocator.free(model->allocator.allocator_data, node->input[node->n_input]);
    }
}

/* What is read anywhere: by nodes, and as outputs of graphs and functions. */
static int find_read(const mfm_model *model, mfm_strmap *read)
{
    const mfm_visitor visitor = {.graph = add_outputs, .node = add_inputs, .self = read};
    int status = mfm_walk_model(model, &visitor);
    for (size_t i = 0; i < model->proto->n_functions && !status; i++) {
        const Onnx__FunctionProto *function = model->proto->functions[i];
        for (size_t k = 0; k < function->n_output && !status; k++)
            status = mfm_strmap_set(read, function->output[k], 0);
    }
    return status;
}

/* Every node that the graph carries out, where it stands in the file: in the graph or in a
 * function. One that several calls carry out is changed once and for all of them. */
static int change_nodes(mfm_model *model, const mfm_flat *flat, const mfm_links *links,
                        const mfm_strmap *read)
{
    const Onnx__GraphProto *graph = mfm_flat_model(flat)->proto->graph;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++) {
        Onnx__NodeProto *node = mfm_flat_source(flat, i);
        if (!node || mfm_links_own_statistics(links, graph->node[i]))
            continue; /* of weights: inference needs their statistics, too */
        if (mfm_proto_is(node, "BatchNormalization"))
            status = batch_norm(model, node, read);
        else if (mfm_proto_is(node, "Dropout") &&
                 mfm_node_opset(mfm_flat_model(flat), graph->node[i]) >= DROPOUT_MODE)
            dropout(model, node);
    }
    return status;
}

int mfm_model_set_inference(mfm_ctx *ctx, mfm_model *model)
{
    mfm_flat *flat;
    mfm_strmap read;
    mfm_links links = {.model = model};
    mfm_strmap_init(&read, ctx);
    mfm_strmap_init(&links.map, ctx);
    int status = mfm_flat_new(ctx, model, &flat);
    if (!status)
        status = find_read(model, &read);
    if (!status)
        status = mfm_links_make(mfm_flat_model(flat), &links);
    if (!status)
        status = change_nodes(model, flat, &links, &read);
    mfm_links_clear(&links);
    mfm_strmap_clear(&read);
    mfm_flat_free(flat);
    return status;
}
