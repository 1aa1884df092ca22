#include "onnx/holder.h"
#include "onnx/import.h"
#include "onnx/tensor_data.h"

int mfm_model_read_values(mfm_ctx *ctx, const mfm_model *model, mfm_graph *graph)
{
    mfm_holders holders;
    int status = mfm_holders_init(ctx, model, &holders);
    if (!status)
        status = mfm_graph_alloc_params(graph);
    for (size_t i = 0; i < graph->n_values && !status; i++) {
        const mfm_value *value = &graph->values[i];
        mfm_holder holder;
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        status = mfm_holders_find(&holders, value, &holder);
        if (!status)
            status =
                mfm_tensor_read(model, holder.tensor, &value->shape, graph->params + value->offset);
    }
    mfm_holders_clear(&holders);
    return status;
}
