/*
 * The second stage of MiSLAS (Zhong et al., "Improving Calibration for Long-Tailed Recognition",
 * CVPR 2021, section 3.3, and the authors' code): the classifier goes on from where the first stage
 * left it, with one factor for each class beside it (class_scales.h),
 *
 *     z_c = s_c (W_c f + b_c),        s_c = 1 at the start,
 *
 * on batches in which every class is as frequent. The factors learn at --lr, W and b at a part of
 * it. Running statistics may move to what such batches have (section 3.4): normalisations below
 * then use the batch's statistics, with their scale and shift as they are, so features are computed
 * in every step. The stage's loss is label-aware smoothing, its model was trained with mixup: both
 * are options of their own, which the recipe sets.
 */
#include <math.h>

#include "core/train/features/head_training.h"
#include "core/train/methods/class_scales.h"
#include "core/train/problem/split_network.h"

typedef struct mislas_values {
    double rate;
    int statistics;
} mislas_values;

enum statistics { KEPT, SHIFTED };
static const char *const statistics[] = {[KEPT] = "kept", [SHIFTED] = "shifted", NULL};

static const mfm_option table[] = {
    {.name = "classifier-rate",
     .kind = MFM_OPTION_REAL,
     .value = "X",
     .max = 1e3,
     .offset = offsetof(mislas_values, rate),
     .help = "learning rate of the last layer, as a factor of --lr; the factors of classes learn "
             "at --lr"},
    {.name = "statistics",
     .kind = MFM_OPTION_CHOICE,
     .value = "HOW",
     .choices = statistics,
     .offset = offsetof(mislas_values, statistics),
     .help = "keep the statistics of normalisations, or shift them: batches then use their own, "
             "the running ones follow, and features are computed in every step"},
};
/* Of the authors' settings for CIFAR-100 at imbalance 100. */
static const mislas_values defaults = {.rate = 0.2, .statistics = KEPT};
static const mfm_settings mislas_settings = MFM_SETTINGS("MiSLAS", table, defaults);

/* The whole network in training form, of which the classifier alone learns. */
static int shifting_network(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                            mfm_problem **problem)
{
    int status = mfm_problem_of_network(ctx, network, spec, problem);
    if (!status)
        status = mfm_classifier_need(ctx, &(*problem)->classifier, "its second stage");
    if (status)
        return status;
    mfm_problem_fix_features(*problem);
    return MFM_OK;
}

static bool has_statistics(const mfm_graph *graph)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_STATE)
            return true;
    return false;
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    const mislas_values *v = mfm_chosen_values(options, &mislas_settings);
    const bool shift = v->statistics == SHIFTED && has_statistics(network->graph);
    if (v->statistics == SHIFTED && !shift)
        mfm_warn(ctx, "--statistics has no effect: the model has no running statistics");
    int status = shift ? shifting_network(ctx, network, &spec, problem)
                       : mfm_problem_of_features(ctx, network, &spec, "its second stage", problem);
    if (!status)
        status = mfm_class_scales_build(*problem);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

/* Sharpness-aware steps climb along both gradients as one: each gets its share of rho. */
typedef struct ascent {
    mfm_training *training;
    mfm_sharpness of_weights, of_scales;
} ascent;

static ascent make_ascent(mfm_training *t)
{
    const mfm_graph *scales = t->problem->hypers[0].graph;
    const double w = mfm_sharpness_norm(t->problem->main, mfm_head_gradient(t));
    const double s = mfm_sharpness_norm(scales, mfm_head_give_gradient(t, 0));
    const double length = hypot(w, s);
    ascent a = {t, t->sharpness, t->hypers[0].sharpness};
    a.of_weights.rho *= length > 0 ? w / length : 0;
    a.of_scales.rho *= length > 0 ? s / length : 0;
    return a;
}

static const real *gradient_again(void *self)
{
    const ascent *a = self;
    mfm_training *t = a->training;
    if (mfm_sharpness_on(&a->of_scales))
        mfm_sharpen(&a->of_scales, t->problem->hypers[0].graph, mfm_head_give_gradient(t, 0),
                    t->hypers[0].phi, mfm_head_gradient_again, t);
    else
        mfm_head_gradient_again(t);
    return mfm_head_gradient(t);
}

/* Leaves the gradients to step along where those of the last run are. */
static void sharpen(mfm_training *t)
{
    ascent a = make_ascent(t);
    if (mfm_sharpness_on(&a.of_weights))
        mfm_sharpen(&a.of_weights, t->problem->main, mfm_head_gradient(t), t->w, gradient_again,
                    &a);
    else
        gradient_again(&a);
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    const mislas_values *v = mfm_chosen_values(&t->options, &mislas_settings);
    *losses = (mfm_step_losses){.train = mfm_head_run(t, &batches[0])};
    if (mfm_sharpness_on(&t->sharpness))
        sharpen(t);
    mfm_optimizer_step(&t->optimizer, v->rate * lr, 1, mfm_head_gradient(t), t->w);
    mfm_class_scales_step(t, lr, mfm_head_give_gradient(t, 0));
}

static const mfm_settings *const settings[] = {&mislas_settings, NULL};

const mfm_method mfm_method_mislas = {
    .name = "mislas",
    .summary = "MiSLAS's second stage: classifier and one factor per class, on frozen features",
    .settings = settings,
    .last_layer_alone = true,
    .sampler = "class-balanced",
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}},
    .sharpens = true,
    .build = build,
    .begin = mfm_class_scales_begin,
    .step = step,
    .fold = mfm_class_scales_fold,
    .end = mfm_head_end,
    .bytes = mfm_head_bytes};
