/*
 * The graph of a plan over parameters that stay: the caller's with chains fused further
 * (core/engine/fuse.h), as a copy whose nodes are its own. Values keep their numbers, and names,
 * parameters and constants are the caller's.
 */
#include <string.h>

#include "core/engine/fuse.h"
#include "core/engine/plan/plan_parts.h"

void mfm_plan_free_frozen(mfm_graph *graph)
{
    if (!graph)
        return;
    mfm_ctx *ctx = graph->ctx;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        mfm_free(ctx, graph->nodes[i].name);
        mfm_free(ctx, graph->nodes[i].attr);
        mfm_free(ctx, graph->nodes[i].in);
    }
    mfm_free(ctx, graph->nodes);
    mfm_free(ctx, graph->values);
    mfm_free(ctx, graph);
}

/* Appends a copy; what a failure has made is freed with the graph. */
static int copy_node(mfm_graph *graph, const mfm_graph_node *from)
{
    mfm_ctx *ctx = graph->ctx;
    const size_t slots = (size_t)(from->n_in + from->n_out);
    mfm_graph_node *node = &graph->nodes[graph->n_nodes++];
    *node = *from;
    node->name = from->name ? mfm_strdup(ctx, from->name) : NULL;
    node->attr = mfm_alloc(ctx, 1, from->op->attr_size);
    node->in = mfm_alloc(ctx, slots, sizeof *node->in);
    if ((from->name && !node->name) || !node->attr || !node->in)
        return MFM_ENOMEM;
    node->out = node->in + from->n_in;
    if (from->op->attr_size)
        memcpy(node->attr, from->attr, from->op->attr_size);
    if (slots)
        memcpy(node->in, from->in, slots * sizeof *node->in);
    return MFM_OK;
}

static int copy_graph(mfm_ctx *ctx, const mfm_graph *from, mfm_graph *to)
{
    *to = *from;
    to->ctx = ctx;
    to->n_nodes = 0;
    to->values = mfm_alloc(ctx, from->n_values, sizeof *to->values);
    to->nodes = mfm_alloc(ctx, from->n_nodes, sizeof *to->nodes);
    if (!to->values || !to->nodes)
        return MFM_ENOMEM;
    if (from->n_values)
        memcpy(to->values, from->values, from->n_values * sizeof *to->values);
    int status = MFM_OK;
    for (size_t i = 0; i < from->n_nodes && !status; i++)
        status = copy_node(to, &from->nodes[i]);
    return status;
}

static int fuse(mfm_graph *graph, const mfm_plan_spec *spec)
{
    int *keep = mfm_alloc(graph->ctx, (size_t)spec->n_keep, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (int i = 0; i < spec->n_keep; i++)
        keep[i] = spec->keep[i].value;
    const int status = mfm_graph_fuse_frozen(graph, spec->batch, keep, (size_t)spec->n_keep);
    mfm_free(graph->ctx, keep);
    return status;
}

int mfm_plan_freeze(mfm_ctx *ctx, const mfm_graph *from, const mfm_plan_spec *spec,
                    mfm_graph **graph)
{
    *graph = mfm_alloc(ctx, 1, sizeof **graph);
    if (!*graph)
        return MFM_ENOMEM;
    int status = copy_graph(ctx, from, *graph);
    if (!status)
        status = fuse(*graph, spec);
    if (status) {
        mfm_plan_free_frozen(*graph);
        *graph = NULL;
    }
    return status == MFM_ENOMEM ? status : MFM_OK;
}
