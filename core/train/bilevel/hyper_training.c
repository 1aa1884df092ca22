#include "core/train/bilevel/hyper_training.h"

#include "core/train/bilevel/meta_step.h"

static const char *const optimizer_names[] = {[MFM_SGD] = "sgd",
                                              [MFM_NESTEROV] = "nesterov",
                                              [MFM_ADAM] = "adam",
                                              [MFM_ADAMW] = "adamw",
                                              NULL};

static const char *const rates[] = {"constant", "follow", NULL};

static const char *no_steps(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return mfm_no_meta_steps(run);
}

static const char *no_momentum(const void *values, const mfm_run_facts *run)
{
    const int kind = ((const mfm_modulator_training *)values)->optimizer;
    const bool takes = mfm_optimizers[kind]->settings[0] == &mfm_momentum_settings;
    return takes ? mfm_no_meta_steps(run) : "its optimizer has none";
}

/* A rate that follows one that stays is constant. */
static const char *nothing_to_follow(const void *values, const mfm_run_facts *run)
{
    const mfm_schedule *s = &run->options->schedule;
    bool stays = true;
    for (uint64_t epoch = 0; epoch < run->options->epochs && stays; epoch++)
        stays = mfm_schedule_lr(s, epoch) == s->base;
    return stays && ((const mfm_modulator_training *)values)->follow
               ? "the weights' own rate stays the same"
               : mfm_no_meta_steps(run);
}

/* The table of hyper-parameters that options call PREFIX-..., and help texts `what`; its rate's
 * help tells a default that depends on the optimiser by itself (by_optimizer). */
#define TABLE(prefix, what, by_optimizer, rate_help)                                               \
    {                                                                                              \
        {.name = prefix "-optimizer",                                                              \
         .kind = MFM_OPTION_CHOICE,                                                                \
         .value = "O",                                                                             \
         .choices = optimizer_names,                                                               \
         .offset = offsetof(mfm_modulator_training, optimizer),                                    \
         .idle = no_steps,                                                                         \
         .help = "what trains " what},                                                             \
            {.name = prefix "-lr",                                                                 \
             .kind = MFM_OPTION_REAL,                                                              \
             .value = "X",                                                                         \
             .min = 1e-12,                                                                         \
             .max = 1e6,                                                                           \
             .offset = offsetof(mfm_modulator_training, lr),                                       \
             .silent_default = by_optimizer,                                                       \
             .idle = no_steps,                                                                     \
             .help = rate_help},                                                                   \
            {.name = prefix "-rate",                                                               \
             .kind = MFM_OPTION_CHOICE,                                                            \
             .value = "HOW",                                                                       \
             .choices = rates,                                                                     \
             .offset = offsetof(mfm_modulator_training, follow),                                   \
             .idle = nothing_to_follow,                                                            \
             .help = "that rate for the whole run, or falling with the weights' own"},             \
            {.name = prefix "-momentum",                                                           \
             .kind = MFM_OPTION_REAL,                                                              \
             .value = "X",                                                                         \
             .max = 1,                                                                             \
             .offset = offsetof(mfm_modulator_training, momentum),                                 \
             .idle = no_momentum,                                                                  \
             .help = "its momentum, for sgd and nesterov"},                                        \
            {.name = prefix "-weight-decay",                                                       \
             .kind = MFM_OPTION_REAL,                                                              \
             .value = "X",                                                                         \
             .max = 1e6,                                                                           \
             .offset = offsetof(mfm_modulator_training, weight_decay),                             \
             .idle = no_steps,                                                                     \
             .help = "its weight decay"},                                                          \
    }

static const mfm_option modulator_table[] =
    TABLE("modulator", "the modulator", true,
          "its learning rate (default: 0.01, 0.001 for adam and adamw)");
static const mfm_option weighting_table[] =
    TABLE("weighting", "the weighting network", false, "its learning rate");

static const mfm_modulator_training modulator_defaults = {
    .optimizer = MFM_SGD, .lr = -1, .momentum = 0.9};
/* Shu et al.'s code for class imbalance. With the constants of their code for noisy labels (Adam,
 * 1e-3, weight decay 1e-4) training on a long tail diverges: docs/methods.md. */
static const mfm_modulator_training weighting_defaults = {
    .optimizer = MFM_NESTEROV, .lr = 1e-5, .momentum = 0.9, .weight_decay = 5e-4};

double mfm_modulator_lr(const mfm_modulator_training *t)
{
    if (t->lr >= 0)
        return t->lr;
    const double own = mfm_optimizers[t->optimizer]->lr;
    return own > 0 ? own : 1e-2;
}

int mfm_modulator_optimizer_init(mfm_ctx *ctx, mfm_optimizer *optimizer,
                                 const mfm_modulator_training *t, const mfm_graph *modulator)
{
    const mfm_optimizer_kind *kind = mfm_optimizers[t->optimizer];
    const mfm_momentum_values values = {t->momentum};
    const bool takes = kind->settings[0] == &mfm_momentum_settings;
    return mfm_optimizer_init(ctx, optimizer, kind, takes ? &values : NULL, t->weight_decay,
                              modulator);
}

static void settle(void *values)
{
    mfm_modulator_training *t = values;
    t->lr = mfm_modulator_lr(t);
}

const mfm_settings mfm_modulator_training_settings = {.title = "Training of the modulator",
                                                      .options = modulator_table,
                                                      .count = sizeof modulator_table /
                                                               sizeof modulator_table[0],
                                                      .defaults = &modulator_defaults,
                                                      .size = sizeof modulator_defaults,
                                                      .settle = settle};

const mfm_settings mfm_weighting_training_settings = {.title = "Training of the weighting network",
                                                      .options = weighting_table,
                                                      .count = sizeof weighting_table /
                                                               sizeof weighting_table[0],
                                                      .defaults = &weighting_defaults,
                                                      .size = sizeof weighting_defaults,
                                                      .settle = settle};
