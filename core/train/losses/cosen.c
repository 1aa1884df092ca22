/*
 * CoSen (Khan et al., TNNLS 2018): cross-entropy of softmax with costs xi in (0, 1], a row for each
 * true class p,
 *     y_k = xi_pk exp(z_k) / sum_j xi_pj exp(z_j),       l = -log y_p,
 * which is a shift of the logits by log xi_p. xi is 1 in the first epoch, and changes between
 * epochs as core/train/losses/costs.h says. Nothing of it is left in the trained classifier.
 */
#include "core/train/losses/costs.h"
#include "core/train/training.h"

static const mfm_cost_values defaults = {.rate = 0.1,
                                         .separability_mean = 1,
                                         .separability_deviation = 1,
                                         .confusion_mean = 1,
                                         .confusion_deviation = 1,
                                         .images = 100};

static const char *stay(const void *values, const mfm_run_facts *run)
{
    return run->options->epochs < 2                       ? "costs change between epochs"
           : ((const mfm_cost_values *)values)->rate == 0 ? "--cosen-rate is 0"
                                                          : NULL;
}

static const char *one_epoch(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return run->options->epochs < 2 ? "costs change between epochs" : NULL;
}

#define POSITIVE(field) .min = 1e-3, .max = 1e3, .offset = offsetof(mfm_cost_values, field)

static const mfm_option table[] = {
    {.name = "cosen-rate",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 0.5,
     .offset = offsetof(mfm_cost_values, rate),
     .idle = one_epoch,
     .help = "how far costs move towards their target after each epoch; 0.5: all the way"},
    {.name = "cosen-separability",
     .kind = MFM_OPTION_REAL,
     .value = "M",
     .max = 1e3,
     .offset = offsetof(mfm_cost_values, separability_mean),
     .idle = stay,
     .help = "ratio of distances, to the own class over to another, at which costs are highest"},
    {.name = "cosen-separability-width",
     .kind = MFM_OPTION_REAL,
     .value = "S",
     POSITIVE(separability_deviation),
     .idle = stay,
     .help = "standard deviation around it"},
    {.name = "cosen-confusion",
     .kind = MFM_OPTION_REAL,
     .value = "M",
     .max = 1,
     .offset = offsetof(mfm_cost_values, confusion_mean),
     .idle = stay,
     .help = "share of a class's images that are classified as another, or as itself, at which "
             "costs are highest"},
    {.name = "cosen-confusion-width",
     .kind = MFM_OPTION_REAL,
     .value = "S",
     POSITIVE(confusion_deviation),
     .idle = stay,
     .help = "standard deviation around it"},
    {.name = "cosen-images",
     .kind = MFM_OPTION_UINT,
     .value = "K",
     .min = 2,
     .max = 1e6,
     .offset = offsetof(mfm_cost_values, images),
     .idle = stay,
     .help = "training images of each class, the first ones, whose distances are taken"},
};
static const mfm_settings settings = MFM_SETTINGS("CoSen", table, defaults);

static int build(const mfm_loss_site *site, int *losses)
{
    const int in[4] = {site->logits, site->labels, site->costs, site->table};
    return mfm_loss_node(site, "mfm", "MarginCrossEntropy", NULL, in, 4, losses, 1);
}

static uint64_t looks_at(const mfm_chosen *chosen)
{
    return ((const mfm_cost_values *)mfm_values_of(chosen, &settings))->images;
}

static int change_costs(mfm_ctx *ctx, const mfm_loss_view *view, real *costs)
{
    const mfm_cost_values *v = mfm_values_of(view->chosen, &settings);
    const int64_t classes = view->task->classes;
    double *S = mfm_alloc(ctx, (size_t)(classes * classes), sizeof *S);
    double *T = mfm_alloc(ctx, (size_t)(classes * classes), sizeof *T);
    int status = S && T ? mfm_costs_separability(ctx, view, S) : MFM_ENOMEM;
    if (!status) {
        mfm_costs_target(view, v, S, T);
        mfm_costs_step(v, classes, T, costs);
    }
    mfm_free(ctx, S);
    mfm_free(ctx, T);
    return status;
}

const mfm_loss mfm_loss_cosen = {
    .name = "cosen",
    .summary = "costs of classes, learned from frequency, separability and confusion",
    .settings = {&settings},
    .rebalances = true,
    .counts = true,
    .build = build,
    .looks_at = looks_at,
    .change_costs = change_costs,
};
