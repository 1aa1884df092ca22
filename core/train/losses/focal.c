/*
 * Focal loss (Lin et al., ICCV 2017), which weakens samples that are right already:
 *     softmax   (1 - p_y)^gamma (-log p_y)                                 as in LDAM's code
 *     sigmoid   sum_c (1 - p_c)^gamma (-log p_c), p_c of "class c or not"  Cui et al., CVPR 2019
 */
#include "core/train/losses/last_bias.h"
#include "core/train/losses/loss.h"

enum form { SOFTMAX, SIGMOID };

typedef struct focal_values {
    int form;
    double gamma;
} focal_values;

static const char *const form_names[] = {[SOFTMAX] = "softmax", [SIGMOID] = "sigmoid", NULL};
static const focal_values defaults = {.form = SOFTMAX, .gamma = 1};
static const mfm_option table[] = {
    {.name = "focal-form",
     .kind = MFM_OPTION_CHOICE,
     .value = "FORM",
     .choices = form_names,
     .offset = offsetof(focal_values, form),
     .help = "take probabilities over all classes, or of each class against the others"},
    {.name = "focal-gamma",
     .kind = MFM_OPTION_REAL,
     .value = "G",
     .max = 100,
     .offset = offsetof(focal_values, gamma),
     .help = "how strongly samples that are right are weighted down"},
};
static const mfm_settings settings = MFM_SETTINGS("Focal loss", table, defaults);

static int build(const mfm_loss_site *site, int *losses)
{
    const focal_values *v = mfm_values_of(site->chosen, &settings);
    const int in[3] = {site->logits, site->labels, site->table};
    const double gamma = v->gamma; /* the one attribute of either operator */
    return mfm_loss_node(site, "mfm", v->form == SIGMOID ? "SigmoidFocalLoss" : "FocalLoss", &gamma,
                         in, 3, losses, 1);
}

static bool starts_bias(const mfm_chosen *chosen)
{
    const focal_values *v = mfm_values_of(chosen, &settings);
    return v->form == SIGMOID && mfm_last_bias_chosen(chosen);
}

const mfm_loss mfm_loss_focal = {
    .name = "focal",
    .summary = "focal loss, over softmax or sigmoid probabilities",
    .settings = {&settings, &mfm_last_bias_settings},
    .build = build,
    .starts_bias = starts_bias,
};
