#include "core/train/losses/loss.h"

#include <string.h>

#include "core/train/problem/class_weights.h"

#define MFM_LOSS(name) extern const mfm_loss mfm_loss_##name;
#include "core/train/losses/losses.def"
#include "extra/losses.def"
#undef MFM_LOSS

#define MFM_LOSS(name) &mfm_loss_##name,
const mfm_loss *const mfm_losses[] = {
#include "core/train/losses/losses.def"
#include "extra/losses.def"
    NULL};
#undef MFM_LOSS

const mfm_loss *mfm_loss_find(const char *name)
{
    for (int i = 0; mfm_losses[i]; i++)
        if (strcmp(mfm_losses[i]->name, name) == 0)
            return mfm_losses[i];
    return NULL;
}

static const mfm_loss *loss_of(const mfm_loss_spec *spec)
{
    return spec->loss ? spec->loss : mfm_losses[0];
}

static const mfm_class_weights *weights_of(const mfm_loss_spec *spec)
{
    return mfm_values_of(spec->chosen, &mfm_class_weights_settings);
}

bool mfm_loss_has_table(const mfm_loss_spec *spec)
{
    return loss_of(spec)->relabel || weights_of(spec)->form != MFM_WEIGHTS_NONE;
}

void mfm_loss_fill_table(const mfm_loss_spec *spec, int64_t classes, uint64_t epoch, real *table)
{
    const mfm_loss *loss = loss_of(spec);
    memset(table, 0, (size_t)(classes * classes) * sizeof *table);
    for (int64_t c = 0; !loss->relabel && c < classes; c++)
        table[c * classes + c] = 1;
    if (loss->relabel)
        loss->relabel(spec->task, spec->chosen, table);
    const mfm_class_weights *weights = weights_of(spec);
    if (weights->form == MFM_WEIGHTS_NONE || epoch < weights->defer)
        return;
    const double scale = mfm_class_weights_scale(weights, spec->task);
    for (int64_t c = 0; c < classes; c++) {
        const double weight = scale * mfm_class_weight(weights, spec->task, c);
        for (int64_t k = 0; k < classes; k++)
            table[c * classes + k] *= (real)weight;
    }
}

int mfm_loss_node(const mfm_loss_site *site, const char *domain, const char *op_type,
                  const void *attr, const int *in, int n_in, int *out, int n_out)
{
    enum { OPSET = 13 };
    const bool own = domain[0];
    const mfm_op *op = mfm_op_find(domain, op_type, own ? 1 : OPSET);
    if (!op)
        return mfm_fail(site->graph->ctx, MFM_ENOTSUP, "operator %s: not built in", op_type);
    const int status = mfm_graph_add(site->graph, op, own ? 1 : OPSET, site->name, attr, in, n_in,
                                     NULL, n_out, out);
    if (!status)
        site->graph->nodes[site->graph->n_nodes - 1].segment = site->segment;
    return status;
}

int mfm_loss_const(const mfm_loss_site *site, const char *name, const mfm_shape *shape,
                   const real *data, int *value)
{
    return mfm_graph_const(site->graph, name, shape, data, value);
}

static int check(const mfm_loss_spec *spec, const mfm_loss_site *site)
{
    mfm_ctx *ctx = site->graph->ctx;
    const mfm_loss *loss = loss_of(spec);
    if (spec->task)
        return MFM_OK;
    if (loss->counts)
        return mfm_fail(ctx, MFM_EINVAL,
                        "loss %s: the number of training images of each class is needed",
                        loss->name);
    if (weights_of(spec)->form != MFM_WEIGHTS_NONE)
        return mfm_fail(ctx, MFM_EINVAL,
                        "class weights: the number of training images of each class is needed");
    return MFM_OK;
}

int mfm_loss_add(const mfm_loss_spec *spec, const mfm_loss_site *given, mfm_loss_ends *ends)
{
    const mfm_loss *loss = loss_of(spec);
    mfm_loss_site site = *given;
    site.task = spec->task;
    site.chosen = spec->chosen;
    *ends = (mfm_loss_ends){site.logits, -1};
    int status = check(spec, &site);
    if (!status && loss->adjust)
        status = loss->adjust(&site, &ends->adjusted);
    site.logits = ends->adjusted;
    return status ? status : loss->build(&site, &ends->losses);
}

int mfm_loss_add_mean(const mfm_loss_spec *spec, const mfm_loss_site *site, int losses,
                      int sample_weights, int *loss)
{
    const bool by_weights = weights_of(spec)->form != MFM_WEIGHTS_NONE &&
                            weights_of(spec)->reduction == MFM_OVER_WEIGHTS;
    const int in[4] = {losses, sample_weights, by_weights ? site->labels : -1,
                       by_weights ? site->table : -1};
    return mfm_loss_node(site, "mfm", "MeanLoss", NULL, in, 4, loss, 1);
}
