#include "tools/infer/graph_values.h"

#include <string.h>

#include "onnx/import/import.h"

typedef struct evaluation {
    mfm_ctx *ctx;
    mfm_graph *graph;
    mfm_plan *plan;
    int *outputs;
    real **stored; /* inputs in storage order */
} evaluation;

static int bind_input(evaluation *e, const char *name, const mfm_model_value *input, real **stored)
{
    const int value = mfm_graph_find(e->graph, name);
    if (value < 0 || e->graph->values[value].kind != MFM_VALUE_INPUT)
        return mfm_fail(e->ctx, MFM_EINVAL, "input '%s': the model has no such input", name);
    if (!mfm_shape_equal(mfm_plan_shape(e->plan, value), &input->shape)) {
        char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
        return mfm_fail(e->ctx, MFM_EDATA, "input '%s': shape %s: the model takes %s", name,
                        mfm_shape_text(&input->shape, a),
                        mfm_shape_text(mfm_plan_shape(e->plan, value), b));
    }
    *stored = mfm_alloc_aligned(e->ctx, (size_t)mfm_shape_count(&input->shape), sizeof **stored);
    if (!*stored)
        return MFM_ENOMEM;
    mfm_layout_to_engine(&input->shape, input->numbers, *stored);
    mfm_plan_bind_input(e->plan, value, MFM_X, *stored);
    return MFM_OK;
}

int mfm_graph_values(mfm_ctx *ctx, const mfm_model *model, const char *const *names,
                     const mfm_model_value *inputs, size_t n_inputs, mfm_model_value *outputs,
                     size_t n_outputs)
{
    evaluation e = {.ctx = ctx};
    memset(outputs, 0, n_outputs * sizeof *outputs);
    e.outputs = mfm_alloc(ctx, n_outputs, sizeof *e.outputs);
    e.stored = mfm_alloc(ctx, n_inputs, sizeof *e.stored);
    int status = e.outputs && e.stored ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = mfm_graph_import(ctx, model, n_outputs, &e.graph, e.outputs);
    if (!status)
        status = mfm_plan_new_forward(ctx, e.graph, n_inputs ? inputs[0].shape.dim[0] : 1,
                                      e.outputs, n_outputs, &e.plan);
    for (size_t i = 0; i < n_inputs && !status; i++)
        status = bind_input(&e, names[i], &inputs[i], &e.stored[i]);
    if (!status) {
        mfm_plan_bind_params(e.plan, MFM_X, e.graph->params);
        mfm_plan_bind_state(e.plan, e.graph->state);
        status = mfm_plan_check_bound(e.plan);
    }
    if (!status) {
        mfm_plan_run(e.plan, 0);
        status = mfm_model_values_read(ctx, e.plan, e.outputs, n_outputs, outputs);
    }
    mfm_plan_free(e.plan);
    mfm_graph_free(e.graph);
    for (size_t i = 0; e.stored && i < n_inputs; i++)
        mfm_free_aligned(ctx, e.stored[i]);
    mfm_free(ctx, e.stored);
    mfm_free(ctx, e.outputs);
    return status;
}
