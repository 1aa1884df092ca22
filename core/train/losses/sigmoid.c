/* One cross-entropy a class, "class c or not", over sigmoid(z_c): Cui et al., CVPR 2019, eq. 12. */
#include "core/train/losses/last_bias.h"
#include "core/train/losses/loss.h"

static int build(const mfm_loss_site *site, int *losses)
{
    const int in[3] = {site->logits, site->labels, site->table};
    return mfm_loss_node(site, "mfm", "SigmoidFocalLoss", NULL, in, 3, losses, 1);
}

const mfm_loss mfm_loss_sigmoid = {
    .name = "sigmoid",
    .summary = "sigmoid cross-entropy, summed over the classes",
    .settings = {&mfm_last_bias_settings},
    .build = build,
    .starts_bias = mfm_last_bias_chosen,
};
