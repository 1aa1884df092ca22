#include <string.h>

#include "onnx/inject.h"
#include "onnx/rewire.h"
#include "onnx/strmap.h"
#include "onnx/validate.h"
#include "onnx/walk.h"

typedef struct stripper {
    mfm_ctx *ctx;
    mfm_model *model;
    const mfm_inject_info *info;
    mfm_strmap nodes, initializers, inputs; /* the names listed; the number is 1 once it was met */
    mfm_strmap gone;                        /* values that no remaining node may read */
} stripper;

static int misfit(const stripper *s, const char *what, const char *name, const char *rule)
{
    return mfm_fail(s->ctx, MFM_EDATA, "cannot strip %s: %s %s: %s", s->model->path, what, name,
                    rule);
}

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

/* Notes that a listed name is in the graph; twice is once too often. */
static int meet(const stripper *s, mfm_strmap *map, const char *what, const char *name)
{
    size_t met;
    if (!mfm_strmap_get(map, name, &met))
        return MFM_OK;
    if (met)
        return misfit(s, what, name, "it is there twice");
    return mfm_strmap_set(map, name, 1);
}

static int require_met(const stripper *s, const mfm_strmap *map, const char *what,
                       char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t met = 0;
        if (!mfm_strmap_get(map, names[i], &met) || !met)
            return misfit(s, what, names[i], "listed as injected, and not there");
    }
    return MFM_OK;
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

static int meet_all(stripper *s)
{
    const Onnx__GraphProto *graph = s->model->proto->graph;
    const mfm_inject_info *info = s->info;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++)
        status = meet(s, &s->nodes, "node", mfm_proto_text(graph->node[i]->name));
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status =
            meet(s, &s->initializers, "initializer", mfm_proto_text(graph->initializer[i]->name));
    for (size_t i = 0; i < graph->n_input && !status; i++)
        status = meet(s, &s->inputs, "input", mfm_proto_text(graph->input[i]->name));
    if (!status)
        status = require_met(s, &s->nodes, "node", info->nodes, info->n_nodes);
    if (!status)
        status = require_met(s, &s->initializers, "initializer", info->initializers,
                             info->n_initializers);
    return status ? status : require_met(s, &s->inputs, "input", info->inputs, info->n_inputs);
}

static bool is_modulated(const mfm_inject_info *info, const char *name)
{
    for (size_t i = 0; i < info->n_sites; i++)
        if (strcmp(info->sites[i].output, name) == 0)
            return true;
    return false;
}

/* What remains may read the modulated features, and nothing else of the modulator. */
static int check_reader(void *self, Onnx__NodeProto *node)
{
    const stripper *s = self;
    for (size_t i = 0; i < node->n_input; i++)
        if (is_listed(&s->gone, node->input[i]) && !is_modulated(s->info, node->input[i]))
            return misfit(s, "value", node->input[i], "a node outside the modulator reads it");
    return MFM_OK;
}

static int check_readers(stripper *s)
{
    const Onnx__GraphProto *graph = s->model->proto->graph;
    const mfm_visitor visitor = {.node = check_reader, .self = s};
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_node && !status; i++) {
        if (is_listed(&s->nodes, graph->node[i]->name))
            continue;
        status = check_reader(s, graph->node[i]);
        for (size_t k = 0; k < graph->node[i]->n_attribute && !status; k++)
            if (graph->node[i]->attribute[k]->g)
                status = mfm_walk_graph(graph->node[i]->attribute[k]->g, &visitor);
    }
    for (size_t i = 0; i < graph->n_output && !status; i++) {
        const char *name = mfm_proto_text(graph->output[i]->name);
        if (is_listed(&s->gone, name) && !is_modulated(s->info, name))
            status = misfit(s, "value", name, "it is an output of the graph");
    }
    return status;
}

static void remove_parts(stripper *s)
{
    Onnx__GraphProto *g = s->model->proto->graph;
    for (size_t i = g->n_value_info; i-- > 0;)
        if (is_listed(&s->gone, g->value_info[i]->name) &&
            !mfm_is_graph_output(s->model, mfm_proto_text(g->value_info[i]->name)))
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
        status = meet_all(s);
    if (!status)
        status = list_gone(s);
    if (!status)
        status = check_readers(s);
    if (status)
        return status;
    remove_parts(s);
    status = rewire_sites(s);
    if (info->ir_version < MFM_INJECT_IR)
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
    status = strip(&s);
    for (size_t i = 0; i < 4; i++)
        mfm_strmap_clear(maps[i]);
    mfm_inject_info_free(ctx, info);
    return status;
}
