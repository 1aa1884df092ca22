/* Cross-entropy of logits times a factor. */
#include "core/train/losses/cross_entropy.h"

typedef struct toy_values {
    double factor;
} toy_values;

static const toy_values defaults = {.factor = 2};
static const mfm_option table[] = {{.name = "loss-factor",
                                    .kind = MFM_OPTION_REAL,
                                    .value = "X",
                                    .max = 10,
                                    .offset = offsetof(toy_values, factor),
                                    .help = "factor of the logits"}};
static const mfm_settings settings = MFM_SETTINGS("Toy loss", table, defaults);

static int adjust(const mfm_loss_site *site, int *adjusted)
{
    const toy_values *v = mfm_values_of(site->chosen, &settings);
    const mfm_shape scalar = mfm_shape_of(0);
    const real factor = (real)v->factor;
    int in[2] = {site->logits, -1};
    const int status = mfm_loss_const(site, "factor", &scalar, &factor, &in[1]);
    return status ? status : mfm_loss_node(site, "", "Mul", NULL, in, 2, adjusted, 1);
}

const mfm_loss mfm_loss_toy = {.name = "toy",
                               .summary = "cross-entropy of scaled logits",
                               .settings = {&settings},
                               .adjust = adjust,
                               .build = mfm_cross_entropy_build};
