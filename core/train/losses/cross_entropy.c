/* -log softmax(z)_y. */
#include "core/train/losses/cross_entropy.h"

#include "core/train/losses/prior.h"

int mfm_cross_entropy_build(const mfm_loss_site *site, int *losses)
{
    const int in[4] = {site->logits, site->labels, -1, site->table};
    int out[2];
    const int status = mfm_loss_node(site, "mfm", "SoftmaxCrossEntropy", NULL, in, 4, out, 2);
    *losses = out[1];
    return status;
}

int mfm_shift_logits(const mfm_loss_site *site, const real *shift, int *adjusted)
{
    const mfm_shape shape = mfm_shape_of(1, site->task->classes);
    int in[2] = {site->logits, -1};
    const int status = mfm_loss_const(site, "logit_shift", &shape, shift, &in[1]);
    return status ? status : mfm_loss_node(site, "", "Add", NULL, in, 2, adjusted, 1);
}

int mfm_adjust_by_prior(const mfm_loss_site *site, double tau, int *adjusted)
{
    mfm_ctx *ctx = site->graph->ctx;
    real *shift = mfm_alloc(ctx, (size_t)site->task->classes, sizeof *shift);
    if (!shift)
        return MFM_ENOMEM;
    for (int64_t c = 0; c < site->task->classes; c++)
        shift[c] = (real)mfm_prior(site->task, tau, c);
    const int status = mfm_shift_logits(site, shift, adjusted);
    mfm_free(ctx, shift);
    return status;
}

const mfm_loss mfm_loss_cross_entropy = {
    .name = "cross-entropy",
    .summary = "softmax cross-entropy",
    .build = mfm_cross_entropy_build,
};
