#include <math.h>

#include "onnx/storage/holder.h"
#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

int mfm_tensor_check_finite(const mfm_model *model, const char *name, const real *numbers,
                            size_t count)
{
    /* Zero times a number is zero, or not a number: a sum that the compiler may take in any order.
     */
    for (size_t first = 0, n; first < count; first += n) {
        enum { PIECE = 4096 };
        real sum = 0;
        n = count - first < PIECE ? count - first : PIECE;
        for (size_t i = 0; i < n; i++)
            sum += numbers[first + i] * 0;
        if (sum == 0)
            continue;
        size_t bad = first;
        while (isfinite(numbers[bad]))
            bad++;
        return mfm_fail(model->ctx, MFM_EDATA,
                        "%s: tensor '%s': holds %s: weights and statistics must be finite; the "
                        "file was written by a training that went wrong, or is damaged",
                        mfm_model_path(model), name,
                        isnan(numbers[bad]) ? "a value that is not a number (NaN)" : "infinity");
    }
    return MFM_OK;
}

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
        if (!status)
            status = mfm_tensor_check_finite(model, value->name, graph->params + value->offset,
                                             (size_t)mfm_shape_count(&value->shape));
    }
    mfm_holders_clear(&holders);
    return status;
}
