#include <string.h>

#include "onnx/surgery/inject.h"
#include "onnx/surgery/inject_check.h"
#include "onnx/surgery/rewire.h"
#include "onnx/proto/strmap.h"
#include "onnx/proto/validate.h"

typedef struct stripper {
    mfm_ctx *ctx;
    mfm_model *model;
    const mfm_inject_info *info;
    mfm_strmap nodes, initializers, inputs; /* the names listed */
    mfm_strmap gone;                        /* values that vanish */
} stripper;

static int list_names(mfm_strmap *map, char *const *names, size_t count)
{
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = mfm_strmap_set(map, names[i], 0);
    return status;
}

static bool is_listed(const mfm_strmap *map, const char *name)
{
    return mfm_strmap_get(map, mfm_proto_text(name), NULL);
}

/* The outputs of injected nodes vanish, and so does the stand-in name of a renamed value. */
static int list_gone(stripper *s)
{
    const Onnx__GraphProto *graph = s->model->proto->graph;
    int status = list_names(&s->gone, s->info->initializers, s->info->n_initializers);
    if (!status)
        status = list_names(&s->gone, s->info->inputs, s->info->n_inputs);
    for (size_t i = 0; i < graph->n_node && !status; i++)
        if (is_listed(&s->nodes, graph->node[i]->name))
            status = list_names(&s->gone, graph->node[i]->output, graph->node[i]->n_output);
    for (size_t i = 0; i < s->info->n_sites && !status; i++)
        if (s->info->sites[i].renamed)
            status = mfm_strmap_set(&s->gone, s->info->sites[i].value, 0);
    return status;
}

static void remove_parts(stripper *s)
{
    Onnx__GraphProto *g = s->model->proto->graph;
    for (size_t i = g->n_value_info; i-- > 0;)
        if (is_listed(&s->gone, g->value_info[i]->name) &&
            !mfm_proto_is_output(s->model, mfm_proto_text(g->value_info[i]->name)))
            mfm_proto_remove(s->model, &g->value_info, &g->n_value_info, i);
    for (size_t i = g->n_node; i-- > 0;)
        if (is_listed(&s->nodes, g->node[i]->name))
            mfm_proto_remove(s->model, &g->node, &g->n_node, i);
    for (size_t i = g->n_initializer; i-- > 0;)
        if (is_listed(&s->initializers, g->initializer[i]->name))
            mfm_proto_remove(s->model, &g->initializer, &g->n_initializer, i);
    for (size_t i = g->n_input; i-- > 0;)
        if (is_listed(&s->inputs, g->input[i]->name))
            mfm_proto_remove(s->model, &g->input, &g->n_input, i);
}

static int rewire_sites(stripper *s)
{
    int status = MFM_OK;
    for (size_t i = 0; i < s->info->n_sites && !status; i++) {
        const mfm_inject_site *site = &s->info->sites[i];
        status = site->renamed ? mfm_rewire_producer(s->model, site->value, site->output)
                               : mfm_rewire_uses(s->model, site->output, site->value);
    }
    return status;
}

static int strip(stripper *s)
{
    const mfm_inject_info *info = s->info;
    int status = list_names(&s->nodes, info->nodes, info->n_nodes);
    if (!status)
        status = list_names(&s->initializers, info->initializers, info->n_initializers);
    if (!status)
        status = list_names(&s->inputs, info->inputs, info->n_inputs);
    if (!status)
        status = list_gone(s);
    if (status)
        return status;
    remove_parts(s);
    status = rewire_sites(s);
    if (info->ir_version < MFM_INJECT_IR && s->model->proto->ir_version == MFM_INJECT_IR)
        s->model->proto->ir_version = info->ir_version;
    if (!status)
        status = mfm_proto_set_metadata(s->model, MFM_INJECT_KEY, NULL);
    return status ? status : mfm_validate(s->model);
}

int mfm_model_strip(mfm_ctx *ctx, mfm_model *model)
{
    mfm_inject_info *info;
    int status = mfm_inject_info_read(ctx, model, &info);
    if (status)
        return mfm_fail_in(ctx, status, "cannot strip %s", model->path);
    if (!info)
        return mfm_fail(ctx, MFM_EINVAL, "cannot strip %s: it has no modulator", model->path);
    stripper s = {.ctx = ctx, .model = model, .info = info};
    mfm_strmap *const maps[] = {&s.nodes, &s.initializers, &s.inputs, &s.gone};
    for (size_t i = 0; i < 4; i++)
        mfm_strmap_init(maps[i], ctx);
    status = mfm_inject_check(ctx, model, info);
    status = status ? mfm_fail_in(ctx, status, "cannot strip") : strip(&s);
    for (size_t i = 0; i < 4; i++)
        mfm_strmap_clear(maps[i]);
    mfm_inject_info_free(ctx, info);
    return status;
}
