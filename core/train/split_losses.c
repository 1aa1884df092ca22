/* The losses of a split graph, with the inputs that only they read. */
#include "core/train/split_graph.h"

/* Labels that were mixed, and the table by which classes are weighted and smoothed. */
static int add_label_inputs(mfm_split_graph *to)
{
    const mfm_shape labels = mfm_shape_of(1, -1), shares = mfm_shape_of(2, -1, to->classes);
    const mfm_shape square = mfm_shape_of(2, to->classes, to->classes);
    int status = mfm_graph_input(to->main, "labels", MFM_INDEX, &labels, &to->labels);
    if (!status && to->spec.soft_labels)
        status = mfm_graph_input(to->main, "shares", MFM_INDEX, &shares, &to->shares);
    if (status || !mfm_loss_has_table(&to->spec))
        return status;
    status = mfm_graph_input(to->main, "label_table", MFM_INDEX, &square, &to->table);
    to->table_values =
        mfm_alloc_aligned(to->ctx, (size_t)(to->classes * to->classes), sizeof(real));
    return status ? status : to->table_values ? MFM_OK : MFM_ENOMEM;
}

static int add_loss(const mfm_split_graph *to, int segment, const char *name, int logits,
                    mfm_loss_ends *ends)
{
    const mfm_loss_site site = {.graph = to->main,
                                .segment = segment,
                                .name = name,
                                .logits = logits,
                                .labels = to->shares >= 0 ? to->shares : to->labels,
                                .table = to->table};
    return mfm_loss_add(&to->spec, &site, -1, ends);
}

/* The meta batch is balanced: it is neither mixed nor weighted. */
static int add_meta_loss(mfm_split_graph *to)
{
    static const mfm_loss_spec plain = {.loss = NULL};
    const mfm_loss_site site = {.graph = to->main,
                                .segment = MFM_SEGMENT_META_LOSS,
                                .name = "meta_loss",
                                .logits = to->logits,
                                .labels = to->labels,
                                .table = -1};
    mfm_loss_ends ends;
    const int status = mfm_loss_add(&plain, &site, -1, &ends);
    to->meta_loss = ends.loss;
    return status;
}

static int add_soft_label(mfm_split_graph *to)
{
    const mfm_loss_site site = {
        .graph = to->main, .segment = MFM_SEGMENT_SOFT_LABEL, .name = "soft_label"};
    return mfm_loss_node(&site, "", "Softmax", NULL, &to->logits, 1, &to->soft_label, 1);
}

int mfm_split_graph_add_losses(mfm_split_graph *to)
{
    mfm_loss_ends modulated = {.loss = -1};
    int status = add_label_inputs(to);
    if (!status)
        status = add_soft_label(to);
    if (!status)
        status = add_loss(to, MFM_SEGMENT_PLAIN_LOSS, "plain_loss", to->logits, &to->plain_ends);
    if (!status)
        status = add_meta_loss(to);
    if (!status && to->modulated_logits >= 0)
        status =
            add_loss(to, MFM_SEGMENT_MODULATED, "modulated_loss", to->modulated_logits, &modulated);
    to->plain_loss = to->plain_ends.loss;
    to->modulated_loss = modulated.loss;
    return status;
}

void mfm_split_graph_set_epoch(const mfm_split_graph *split, uint64_t epoch)
{
    if (split->table_values)
        mfm_loss_fill_table(&split->spec, split->classes, epoch, split->table_values);
}

void mfm_split_graph_bind(const mfm_split_graph *split, mfm_plan *plan, const mfm_batch *batch)
{
    mfm_plan_bind_input(plan, split->images, MFM_X, (real *)batch->images);
    mfm_plan_bind_input(plan, split->labels, MFM_X, (real *)batch->labels);
    if (split->shares >= 0 && batch->soft_labels)
        mfm_plan_bind_input(plan, split->shares, MFM_X, (real *)batch->soft_labels);
    if (split->table >= 0)
        mfm_plan_bind_input(plan, split->table, MFM_X, split->table_values);
}
