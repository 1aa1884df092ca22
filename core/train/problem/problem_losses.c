/* The losses of a problem, with the inputs that only they read. */
#include <tgmath.h>

#include "core/train/problem/problem_parts.h"

/* Labels, those that were mixed, the table by which classes are weighted and smoothed, and costs.
 */
static int add_inputs(mfm_problem *p)
{
    const mfm_shape labels = mfm_shape_of(1, -1), shares = mfm_shape_of(2, -1, p->classes);
    const mfm_shape square = mfm_shape_of(2, p->classes, p->classes);
    if (p->labels >= 0)
        return MFM_OK;
    int status = mfm_graph_input(p->main, "labels", MFM_INDEX, &labels, &p->labels);
    if (!status && p->spec.soft_labels)
        status = mfm_graph_input(p->main, "shares", MFM_INDEX, &shares, &p->shares);
    if (!status && p->spec.loss->change_costs) {
        status = mfm_graph_input(p->main, "label_costs", MFM_INDEX, &square, &p->costs);
        p->cost_logs = mfm_alloc_aligned(p->ctx, (size_t)(p->classes * p->classes), sizeof(real));
        status = !status && !p->cost_logs ? MFM_ENOMEM : status;
    }
    if (status || !mfm_loss_has_table(&p->spec))
        return status;
    status = mfm_graph_input(p->main, "label_table", MFM_INDEX, &square, &p->table);
    p->table_values = mfm_alloc_aligned(p->ctx, (size_t)(p->classes * p->classes), sizeof(real));
    return status ? status : p->table_values ? MFM_OK : MFM_ENOMEM;
}

/* labels -1: those of the batch. */
static mfm_loss_site site_of(const mfm_problem *p, int segment, const char *name, int labels,
                             const mfm_path *path)
{
    return (mfm_loss_site){.graph = p->main,
                           .segment = segment,
                           .name = name,
                           .logits = path->logits,
                           .labels = labels >= 0      ? labels
                                     : p->shares >= 0 ? p->shares
                                                      : p->labels,
                           .table = p->table,
                           .costs = p->costs};
}

int mfm_problem_add_losses_on(mfm_problem *p, int segment, const char *name, int labels,
                              mfm_path *path)
{
    mfm_loss_ends ends = {-1, -1};
    int status = add_inputs(p);
    if (!status) {
        const mfm_loss_site site = site_of(p, segment, name, labels, path);
        status = mfm_loss_add(&p->spec, &site, &ends);
    }
    path->adjusted = ends.adjusted;
    path->losses = ends.losses;
    return status;
}

int mfm_problem_add_losses(mfm_problem *p, int segment, const char *name, mfm_path *path)
{
    return mfm_problem_add_losses_on(p, segment, name, -1, path);
}

int mfm_problem_add_mean_on(mfm_problem *p, int segment, const char *name, int labels, int weights,
                            mfm_path *path)
{
    const mfm_loss_site site = site_of(p, segment, name, labels, path);
    return mfm_loss_add_mean(&p->spec, &site, path->losses, weights, &path->loss);
}

int mfm_problem_add_mean(mfm_problem *p, int segment, const char *name, int weights, mfm_path *path)
{
    return mfm_problem_add_mean_on(p, segment, name, -1, weights, path);
}

/* The meta batch is balanced: it is neither mixed nor weighted. */
int mfm_problem_add_meta_loss(mfm_problem *p)
{
    static const mfm_loss_spec cross_entropy = {.loss = NULL};
    mfm_loss_site site = site_of(p, MFM_SEGMENT_META_LOSS, "meta_loss", -1, &p->plain);
    site.labels = p->labels;
    site.table = -1;
    mfm_loss_ends ends;
    const int status = mfm_loss_add(&cross_entropy, &site, &ends);
    if (status)
        return status;
    p->meta =
        (mfm_path){.logits = p->plain.logits, .adjusted = ends.adjusted, .losses = ends.losses};
    return mfm_loss_add_mean(&cross_entropy, &site, ends.losses, -1, &p->meta.loss);
}

void mfm_problem_set_epoch(const mfm_problem *p, uint64_t epoch)
{
    if (p->table_values)
        mfm_loss_fill_table(&p->spec, p->classes, epoch, p->table_values);
}

void mfm_problem_set_costs(const mfm_problem *p, const real *costs)
{
    const real least = (real)1e-6; /* of a checkpoint that was not written so */
    for (int64_t i = 0; i < p->classes * p->classes; i++)
        p->cost_logs[i] = log(costs[i] > least ? costs[i] : least);
}

void mfm_problem_bind(const mfm_problem *p, mfm_plan *plan, const mfm_batch *batch)
{
    if (p->images >= 0)
        mfm_plan_bind_input(plan, p->images, MFM_X, (real *)batch->images);
    for (size_t i = 0; i < p->prefix.n; i++)
        mfm_plan_bind_input(plan, p->prefix.inputs[i], MFM_X, (real *)batch->features[i]);
    mfm_plan_bind_input(plan, p->labels, MFM_X, (real *)batch->labels);
    if (p->shares >= 0 && batch->soft_labels)
        mfm_plan_bind_input(plan, p->shares, MFM_X, (real *)batch->soft_labels);
    if (p->table >= 0)
        mfm_plan_bind_input(plan, p->table, MFM_X, p->table_values);
    if (p->costs >= 0)
        mfm_plan_bind_input(plan, p->costs, MFM_X, p->cost_logs);
}
