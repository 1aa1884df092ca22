#include "onnx/storage/holder.h"

#include <string.h>

#include "onnx/storage/tensor_data.h"

static bool is_op(const Onnx__NodeProto *node, const char *op_type)
{
    return strcmp(mfm_proto_text(node->op_type), op_type) == 0;
}

int mfm_holders_init(mfm_ctx *ctx, const mfm_model *model, mfm_holders *holders)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    *holders = (mfm_holders){.ctx = ctx, .model = model};
    mfm_strmap_init(&holders->nodes, ctx);
    mfm_strmap_init(&holders->initializers, ctx);
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++)
        if (graph->node[i]->n_output)
            status = mfm_strmap_set(&holders->nodes, graph->node[i]->output[0], i);
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status =
            mfm_strmap_set(&holders->initializers, mfm_proto_text(graph->initializer[i]->name), i);
    return status;
}

void mfm_holders_clear(mfm_holders *holders)
{
    mfm_strmap_clear(&holders->nodes);
    mfm_strmap_clear(&holders->initializers);
}

static mfm_holder find(const mfm_holders *holders, const char *name)
{
    const Onnx__GraphProto *graph = holders->model->proto->graph;
    mfm_holder h = {0};
    size_t index;
    for (;;) {
        if (mfm_strmap_get(&holders->initializers, name, &index)) {
            h.tensor = graph->initializer[index];
            return h;
        }
        if (!mfm_strmap_get(&holders->nodes, name, &index))
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

int mfm_holders_find(const mfm_holders *holders, const mfm_value *value, mfm_holder *holder)
{
    *holder = find(holders, value->name);
    if (!holder->tensor || !mfm_tensor_is_float(holder->tensor) ||
        mfm_tensor_size(holder->tensor) != (size_t)mfm_shape_count(&value->shape))
        return mfm_fail(holders->ctx, MFM_EINVAL,
                        "%s: parameter '%s': the model has no tensor for it",
                        mfm_model_path(holders->model), value->name);
    return MFM_OK;
}
