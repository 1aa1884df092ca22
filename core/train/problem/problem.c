#include "core/train/problem/problem.h"

#include <stdio.h>

#include "core/engine/fuse.h"
#include "core/engine/layout.h"
#include "core/engine/narrow.h"
#include "core/train/problem/problem_parts.h"

int mfm_problem_new(mfm_ctx *ctx, int64_t classes, const mfm_loss_spec *spec, mfm_problem **problem)
{
    mfm_problem *p = mfm_alloc(ctx, 1, sizeof *p);
    *problem = p;
    if (!p)
        return MFM_ENOMEM;
    *p = (mfm_problem){.ctx = ctx,
                       .images = -1,
                       .labels = -1,
                       .shares = -1,
                       .table = -1,
                       .costs = -1,
                       .classes = classes,
                       .spec = spec ? *spec : (mfm_loss_spec){.loss = NULL},
                       .classifier = {.weight = -1}};
    if (!p->spec.loss)
        p->spec.loss = mfm_losses[0];
    p->plain = p->meta = p->objective = (mfm_path){-1, -1, -1, -1};
    const int status = mfm_graph_new(ctx, &p->main);
    if (status) {
        mfm_problem_free(p);
        *problem = NULL;
    }
    return status;
}

void mfm_problem_free(mfm_problem *p)
{
    if (!p)
        return;
    mfm_graph_free(p->main);
    mfm_graph_free(p->prefix.graph);
    mfm_free(p->ctx, p->prefix.outputs);
    mfm_free(p->ctx, p->prefix.inputs);
    for (int i = 0; i < p->n_hypers; i++)
        mfm_graph_free(p->hypers[i].graph);
    mfm_free(p->ctx, p->reads);
    mfm_free(p->ctx, p->gives);
    mfm_free_aligned(p->ctx, p->table_values);
    mfm_free_aligned(p->ctx, p->cost_logs);
    mfm_free(p->ctx, p);
}

int mfm_problem_add_hyper(mfm_problem *p, const char *name, enum mfm_hyper_kind kind,
                          mfm_graph *graph, size_t width, int *index)
{
    if (p->n_hypers == MFM_MAX_HYPERS) {
        mfm_graph_free(graph);
        return mfm_fail(p->ctx, MFM_ENOTSUP, "hyper graph %s: a problem has at most %d", name,
                        MFM_MAX_HYPERS);
    }
    mfm_hyper *hyper = &p->hypers[p->n_hypers];
    *hyper = (mfm_hyper){.kind = kind, .graph = graph, .width = width};
    snprintf(hyper->name, sizeof hyper->name, "%s", name);
    *index = p->n_hypers++;
    return MFM_OK;
}

static int add_link(mfm_ctx *ctx, mfm_hyper_link **links, size_t *count, size_t *capacity,
                    mfm_hyper_link link)
{
    const int status = mfm_grow(ctx, links, *count, capacity, sizeof **links);
    if (!status)
        (*links)[(*count)++] = link;
    return status;
}

/* Rows are cut into what they give. */
static int lay_out_row(mfm_problem *p, int hyper, size_t *width)
{
    *width = 0;
    for (size_t i = 0; i < p->n_gives; i++) {
        if (p->gives[i].hyper != hyper)
            continue;
        const mfm_value *h = &p->main->values[p->gives[i].main];
        mfm_shape shape = h->shape;
        if (shape.rank < 1 || shape.dim[0] != -1)
            return mfm_fail(p->ctx, MFM_ENOTSUP,
                            "value '%s': the same for all samples: it cannot be one of each sample",
                            h->name);
        shape.dim[0] = 1;
        p->gives[i].value = (int)*width;
        *width += (size_t)mfm_shape_count(&shape);
    }
    return MFM_OK;
}

int mfm_problem_use_rows(mfm_problem *p, int hyper, const char *name, uint32_t samples)
{
    size_t width;
    mfm_graph *graph;
    int rows, status = lay_out_row(p, hyper, &width);
    if (!status)
        status = mfm_graph_new(p->ctx, &graph);
    if (status)
        return status;
    mfm_hyper *h = &p->hypers[hyper];
    mfm_graph_free(h->graph);
    *h = (mfm_hyper){.kind = MFM_HYPER_ROWS, .graph = graph, .width = width};
    snprintf(h->name, sizeof h->name, "%s", name);
    const mfm_shape shape = mfm_shape_of(2, (int64_t)samples, (int64_t)width);
    return mfm_graph_param(graph, "rows", &shape, NULL, &rows);
}

int mfm_problem_read(mfm_problem *p, int main, int hyper, int value)
{
    return add_link(p->ctx, &p->reads, &p->n_reads, &p->reads_capacity,
                    (mfm_hyper_link){main, hyper, value});
}

int mfm_problem_give(mfm_problem *p, int hyper, int value, int main)
{
    return add_link(p->ctx, &p->gives, &p->n_gives, &p->gives_capacity,
                    (mfm_hyper_link){main, hyper, value});
}

int mfm_problem_prefix_input(mfm_problem *p, int output, const char *name, const mfm_shape *shape,
                             int *input)
{
    mfm_prefix *f = &p->prefix;
    for (size_t i = 0; i < f->n; i++)
        if (f->outputs[i] == output) {
            *input = f->inputs[i];
            return MFM_OK;
        }
    int status = mfm_grow(p->ctx, &f->outputs, f->n, &f->outputs_capacity, sizeof *f->outputs);
    if (!status)
        status = mfm_grow(p->ctx, &f->inputs, f->n, &f->inputs_capacity, sizeof *f->inputs);
    if (!status)
        status = mfm_graph_input(p->main, name, MFM_DATA, shape, input);
    if (status)
        return status;
    f->outputs[f->n] = output;
    f->inputs[f->n++] = *input;
    return MFM_OK;
}

const mfm_shape *mfm_problem_image_shape(const mfm_problem *p)
{
    return p->images >= 0 ? &p->main->values[p->images].shape
                          : &p->prefix.graph->values[p->prefix.images].shape;
}

static int rewrite_graph(mfm_graph *graph, const int *keep, size_t n_keep)
{
    int status = mfm_graph_narrow(graph, keep, n_keep);
    if (!status)
        status = mfm_graph_fuse(graph, keep, n_keep);
    return status ? status : mfm_graph_lay_out(graph, keep, n_keep);
}

static int rewrite(mfm_problem *p)
{
    enum { PATHS = 3, VALUES = 4 };
    const size_t most = PATHS * VALUES + p->n_reads + p->n_gives;
    int *keep = mfm_alloc(p->ctx, most, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    const mfm_path *paths[PATHS] = {&p->plain, &p->meta, &p->objective};
    size_t n = 0;
    for (int i = 0; i < PATHS; i++) {
        keep[n++] = paths[i]->logits;
        keep[n++] = paths[i]->adjusted;
        keep[n++] = paths[i]->losses;
        keep[n++] = paths[i]->loss;
    }
    for (size_t i = 0; i < p->n_reads; i++)
        keep[n++] = p->reads[i].main;
    for (size_t i = 0; i < p->n_gives; i++)
        keep[n++] = p->gives[i].main;
    int status = rewrite_graph(p->main, keep, n);
    if (!status && p->prefix.graph)
        status = rewrite_graph(p->prefix.graph, p->prefix.outputs, p->prefix.n);
    mfm_free(p->ctx, keep);
    return status;
}

int mfm_problem_finish(mfm_problem *p)
{
    mfm_path *plain = &p->plain;
    int status = MFM_OK;
    if (plain->losses < 0)
        status = mfm_problem_add_losses(p, MFM_SEGMENT_PLAIN_LOSS, "plain_loss", plain);
    if (!status)
        status = mfm_problem_add_mean(p, MFM_SEGMENT_PLAIN_LOSS, "plain_loss", -1, plain);
    if (!status)
        status = mfm_problem_add_meta_loss(p);
    if (!status && p->objective.loss < 0)
        p->objective = *plain;
    if (!status)
        status = rewrite(p);
    mfm_problem_set_epoch(p, 0);
    return status;
}
