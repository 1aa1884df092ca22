/*
 * Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS
 * 2019, equation 13: cross-entropy of s (cos(f, W_c) - m_c [c = y]) with the margin
 *     m_c = max_m n_c^(-1/4) / max_k n_k^(-1/4).
 * The classifier compares directions: features and the rows of W are scaled to length 1, there is
 * no bias. What is written has no bias, rows of W of length s / sqrt(width), and nodes that bring
 * features to the length sqrt(width): its logits are s cos(f, W_c).
 */
#include <math.h>

#include "core/train/losses/loss.h"

typedef struct ldam_values {
    double margin, scale;
} ldam_values;

static const ldam_values defaults = {.margin = 0.5, .scale = 30};
static const mfm_option table[] = {
    {.name = "ldam-margin",
     .kind = MFM_OPTION_REAL,
     .value = "M",
     .max = 2,
     .offset = offsetof(ldam_values, margin),
     .help = "margin of the class with the fewest images, as a cosine"},
    {.name = "ldam-scale",
     .kind = MFM_OPTION_REAL,
     .value = "S",
     .min = 1e-3,
     .max = 1e4,
     .offset = offsetof(ldam_values, scale),
     .help = "factor of the cosines"},
};
static const mfm_settings settings = MFM_SETTINGS("LDAM", table, defaults);

static int prepare(mfm_ctx *ctx, mfm_network *network, const mfm_chosen *chosen)
{
    const ldam_values *v = mfm_values_of(chosen, &settings);
    return mfm_network_use_cosines(ctx, network, v->scale);
}

/* The logits are scaled already: so are the margins. */
static int build(const mfm_loss_site *site, int *losses)
{
    const ldam_values *v = mfm_values_of(site->chosen, &settings);
    const int64_t classes = site->task->classes;
    const mfm_shape square = mfm_shape_of(2, classes, classes);
    mfm_ctx *ctx = site->graph->ctx;
    real *margins = mfm_alloc(ctx, (size_t)(classes * classes), sizeof *margins);
    if (!margins)
        return MFM_ENOMEM;
    const double smallest = mfm_task_smallest(site->task);
    for (int64_t c = 0; c < classes; c++)
        margins[c * classes + c] =
            (real)(-v->scale * v->margin * pow(mfm_task_count(site->task, c) / smallest, -0.25));
    int in[4] = {site->logits, site->labels, -1, site->table};
    int status = mfm_loss_const(site, "ldam.margins", &square, margins, &in[2]);
    if (!status)
        status = mfm_loss_node(site, "mfm", "MarginCrossEntropy", NULL, in, 4, losses, 1);
    mfm_free(ctx, margins);
    return status;
}

static void fold(const mfm_classifier *classifier, const mfm_chosen *chosen, real *params)
{
    const ldam_values *v = mfm_values_of(chosen, &settings);
    const double length = v->scale / sqrt((double)classifier->width);
    for (int64_t c = 0; c < classifier->classes; c++) {
        const double norm = mfm_classifier_norm(classifier, params, c);
        if (norm > 0)
            mfm_classifier_scale(classifier, params, c, length / norm);
    }
    mfm_classifier_drop_bias(classifier, params);
}

const mfm_loss mfm_loss_ldam = {
    .name = "ldam",
    .summary = "margins that grow for rare classes, on a cosine classifier",
    .settings = {&settings},
    .rebalances = true,
    .counts = true,
    .prepare = prepare,
    .build = build,
    .fold = fold,
};
