#include "tools/report/run_scatters.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine/plan/plan.h"
#include "core/report/tsne.h"
#include "onnx/import/import.h"
#include "onnx/info/inspect.h"
#include "onnx/modulator.h"

/* A modulator's outputs, in the order in which the file has them. */
typedef struct outputs {
    const char **name; /* [count], borrowed from json */
    int *value;        /* [count], in the graph */
    size_t count;
    json_t *json;
} outputs;

static void clear_outputs(mfm_ctx *ctx, outputs *o)
{
    mfm_free(ctx, o->name);
    mfm_free(ctx, o->value);
    json_decref(o->json);
}

static int read_outputs(mfm_ctx *ctx, const mfm_model *model, outputs *o)
{
    static const char *const keys[] = {"gamma", "beta"};
    const char *text = mfm_model_metadata(model, MFM_MODULATOR_KEY);
    *o = (outputs){.json = text ? json_loads(text, 0, NULL) : NULL};
    const json_t *sites = json_object_get(o->json, "sites");
    const size_t most = 2 * json_array_size(sites) + 1;
    o->name = mfm_alloc(ctx, most, sizeof *o->name);
    o->value = mfm_alloc(ctx, most, sizeof *o->value);
    if (!o->name || !o->value)
        return MFM_ENOMEM;
    for (size_t i = 0; i < json_array_size(sites); i++)
        for (int k = 0; k < 2; k++) {
            const char *name =
                json_string_value(json_object_get(json_array_get(sites, i), keys[k]));
            if (name && *name)
                o->name[o->count++] = name;
        }
    return o->count ? MFM_OK
                    : mfm_fail(ctx, MFM_EDATA,
                               "%s: metadata " MFM_MODULATOR_KEY ": it does not tell the outputs",
                               mfm_model_path(model));
}

/* One output's numbers [count, width] as a scatter. */
static int lay_out(mfm_run_record *r, const char *name, const real *numbers, int count, int width,
                   mfm_run_evaluation *e)
{
    mfm_ctx *ctx = r->ctx;
    const size_t size = (size_t)count * (size_t)width;
    double *x = mfm_alloc(ctx, size, sizeof *x), *y = mfm_alloc(ctx, 2 * (size_t)count, sizeof *y);
    const char *title = mfm_run_record_keep(r, mfm_strdup(ctx, name));
    mfm_page_scatter scatter = {.title = title, .xy = y, .group = e->groups, .count = count};
    int status = x && y && title ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < size && !status; i++)
        x[i] = (double)numbers[i];
    if (!status)
        status = mfm_tsne(ctx, x, count, width, &mfm_tsne_defaults, y, &scatter.objective);
    mfm_free(ctx, x);
    if (status) {
        mfm_free(ctx, y);
        return status;
    }
    e->layouts[e->n_scatters] = y;
    e->scatters[e->n_scatters++] = scatter;
    return MFM_OK;
}

static int run_plan(mfm_run_record *r, const mfm_graph *graph, const outputs *o,
                    const real *soft_labels, int count, mfm_run_evaluation *e)
{
    mfm_plan *plan;
    int status = mfm_plan_new_forward(r->ctx, graph, count, o->value, o->count, &plan);
    if (status)
        return status;
    mfm_plan_bind_params(plan, MFM_X, graph->params);
    mfm_plan_bind_state(plan, graph->state);
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_INPUT)
            mfm_plan_bind_input(plan, (int)i, MFM_X, (real *)soft_labels);
    status = mfm_plan_check_bound(plan);
    if (!status)
        mfm_plan_run(plan, 0);
    for (size_t i = 0; i < o->count && !status; i++) {
        const int64_t numbers = mfm_shape_count(mfm_plan_shape(plan, o->value[i]));
        status = lay_out(r, o->name[i], mfm_plan_lane(plan, o->value[i], MFM_X), count,
                         (int)(numbers / count), e);
    }
    mfm_plan_free(plan);
    return status;
}

static int lay_out_all(mfm_run_record *r, const mfm_model *model, const real *soft_labels,
                       int count, mfm_run_evaluation *e)
{
    outputs o;
    mfm_graph *graph = NULL;
    int status = read_outputs(r->ctx, model, &o);
    if (!status)
        status = mfm_graph_import(r->ctx, model, o.count, &graph, o.value);
    if (!status) {
        e->scatters = mfm_alloc(r->ctx, o.count, sizeof *e->scatters);
        e->layouts = mfm_alloc(r->ctx, o.count, sizeof *e->layouts);
        status = e->scatters && e->layouts ? MFM_OK : MFM_ENOMEM;
    }
    if (!status)
        status = run_plan(r, graph, &o, soft_labels, count, e);
    mfm_graph_free(graph);
    clear_outputs(r->ctx, &o);
    r->page.scatters = e->scatters;
    r->page.n_scatters = e->n_scatters;
    return status;
}

int mfm_run_scatters(mfm_run_record *r, const char *path, const real *soft_labels, int count,
                     mfm_run_evaluation *e)
{
    mfm_model *model;
    int status = mfm_model_load(r->ctx, path, &model);
    if (status)
        return status;
    const char *input = mfm_modulator_input(model);
    if (strcmp(input, "softmax") == 0)
        status = lay_out_all(r, model, soft_labels, count, e);
    else if (!(r->page.note = mfm_run_record_keep(
                   r, mfm_format(r->ctx,
                                 "gamma and beta are not shown: the modulator reads %s, which are "
                                 "not what the plain classifier gives.",
                                 input))))
        status = MFM_ENOMEM;
    mfm_model_free(model);
    return status;
}
