#include "tools/infer/graph_values.h"

#include <string.h>

#include "core/engine/plan/plan.h"
#include "onnx/import/import.h"

typedef struct evaluation {
    mfm_ctx *ctx;
    mfm_graph *graph;
    mfm_plan *plan;
    int *outputs;
    real **stored; /* inputs in storage order */
} evaluation;

static int make_plan(evaluation *e, int64_t batch, size_t n_outputs)
{
    static const mfm_pass forward[1] = {{MFM_FORWARD, ~0u}};
    mfm_slot *keep = mfm_alloc(e->ctx, n_outputs, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < n_outputs; i++)
        keep[i] = (mfm_slot){e->outputs[i], MFM_X};
    const mfm_plan_spec spec = {.batch = batch,
                                .passes = forward,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = (int)n_outputs,
                                .frozen = true};
    const int status = mfm_plan_new(e->ctx, e->graph, &spec, &e->plan);
    mfm_free(e->ctx, keep);
    return status;
}

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

static int read_outputs(const evaluation *e, mfm_model_value *outputs, size_t n_outputs)
{
    for (size_t i = 0; i < n_outputs; i++) {
        outputs[i].shape = *mfm_plan_shape(e->plan, e->outputs[i]);
        outputs[i].numbers = mfm_alloc_aligned(e->ctx, (size_t)mfm_shape_count(&outputs[i].shape),
                                               sizeof *outputs[i].numbers);
        if (!outputs[i].numbers)
            return MFM_ENOMEM;
        mfm_layout_to_row_major(&outputs[i].shape, mfm_plan_lane(e->plan, e->outputs[i], MFM_X),
                                outputs[i].numbers);
    }
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
        status = make_plan(&e, n_inputs ? inputs[0].shape.dim[0] : 1, n_outputs);
    for (size_t i = 0; i < n_inputs && !status; i++)
        status = bind_input(&e, names[i], &inputs[i], &e.stored[i]);
    if (!status) {
        mfm_plan_bind_params(e.plan, MFM_X, e.graph->params);
        mfm_plan_bind_state(e.plan, e.graph->state);
        status = mfm_plan_check_bound(e.plan);
    }
    if (!status) {
        mfm_plan_run(e.plan, 0);
        status = read_outputs(&e, outputs, n_outputs);
    }
    mfm_plan_free(e.plan);
    mfm_graph_free(e.graph);
    for (size_t i = 0; e.stored && i < n_inputs; i++)
        mfm_free_aligned(ctx, e.stored[i]);
    mfm_free(ctx, e.stored);
    mfm_free(ctx, e.outputs);
    return status;
}
