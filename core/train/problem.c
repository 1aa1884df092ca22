#include "core/train/problem.h"

#include <stdio.h>
#include <string.h>

#include "core/engine/fuse.h"
#include "core/train/problem_parts.h"

int mfm_problem_new(mfm_ctx *ctx, int64_t classes, const mfm_loss_spec *spec, mfm_problem **problem)
{
    mfm_problem *p = mfm_alloc(ctx, 1, sizeof *p);
    *problem = p;
    if (!p)
        return MFM_ENOMEM;
    *p = (mfm_problem){.ctx = ctx,
                       .labels = -1,
                       .shares = -1,
                       .table = -1,
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
    for (int i = 0; i < p->n_hypers; i++)
        mfm_graph_free(p->hypers[i].graph);
    mfm_free(p->ctx, p->reads);
    mfm_free(p->ctx, p->gives);
    mfm_free_aligned(p->ctx, p->table_values);
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

/* "axes=1 keepdims=1" */
static int parse_attributes(mfm_ctx *ctx, const mfm_op *op, const char *text, void *attr)
{
    char name[32], value[64];
    int used, status = MFM_OK;
    mfm_attr_defaults(op, attr);
    for (; !status && sscanf(text, " %31[^=]=%63[^ ]%n", name, value, &used) == 2; text += used)
        status = mfm_attr_parse(ctx, op, attr, name, value);
    return status;
}

int mfm_problem_node(mfm_problem *p, int segment, const char *name, const char *domain,
                     const char *op_type, int opset, const char *attributes, const int *in,
                     int n_in, int *out)
{
    const mfm_op *op = mfm_op_find(domain, op_type, opset);
    if (!op)
        return mfm_fail(p->ctx, MFM_ENOTSUP, "operator %s: not built in", op_type);
    void *attr = attributes ? mfm_alloc(p->ctx, 1, op->attr_size) : NULL;
    if (attributes && !attr)
        return MFM_ENOMEM;
    const char *const names[1] = {name};
    int status = attributes ? parse_attributes(p->ctx, op, attributes, attr) : MFM_OK;
    if (!status)
        status = mfm_graph_add(p->main, op, opset, name, attr, in, n_in, names, 1, out);
    if (!status)
        p->main->nodes[p->main->n_nodes - 1].segment = segment;
    mfm_free(p->ctx, attr);
    return status;
}

static int fuse(mfm_problem *p)
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
    const int status = mfm_graph_fuse(p->main, keep, n);
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
        status = fuse(p);
    mfm_problem_set_epoch(p, 0);
    return status;
}

const mfm_hyper *mfm_problem_hyper(const mfm_problem *p, const char *name)
{
    for (int i = 0; i < p->n_hypers; i++)
        if (strcmp(p->hypers[i].name, name) == 0)
            return &p->hypers[i];
    return NULL;
}
