/*
 * Meta Feature Modulator (Wang et al., arXiv 2008.03428): h = (gamma, beta) of features, by the
 * modulator that the model has, from the soft label that the plain network gives the image itself,
 * held constant: softmax(f(x; w)), or its logits scaled to length 1.
 */
#include <math.h>

#include "core/train/problem/chain.h"
#include "core/train/bilevel/meta_step.h"
#include "core/train/problem/split_network.h"

enum soft_label { SOFTMAX, LOGITS };

typedef struct modulation {
    int soft_label; /* enum soft_label */
    bool adjusted, freeze;
} modulation;

static const char *const soft_labels[] = {[SOFTMAX] = "softmax", [LOGITS] = "logits", NULL};

static const mfm_option modulation_table[] = {
    {.name = "soft-label",
     .kind = MFM_OPTION_CHOICE,
     .value = "FORM",
     .choices = soft_labels,
     .offset = offsetof(modulation, soft_label),
     .help = "what the modulator reads: probabilities, or logits scaled to length 1"},
    {.name = "soft-label-adjusted",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(modulation, adjusted),
     .help = "take the soft label of the logits as the loss adjusts them"},
    {.name = "freeze-modulator",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(modulation, freeze),
     .help = "take the modulator as it is: no meta steps and no meta set"},
};

static const modulation modulation_defaults = {.soft_label = SOFTMAX};
static const mfm_settings modulation_settings =
    MFM_SETTINGS("Modulation", modulation_table, modulation_defaults);

static const modulation *chosen(const mfm_train_options *options)
{
    return mfm_chosen_values(options, &modulation_settings);
}

/* z / max(|z|, 1e-12) for each row z of the logits: |z| = sqrt(C) sqrt(mean z^2). */
static void add_unit_logits(mfm_problem *p, mfm_chain *c)
{
    static const mfm_shape scalar = {.rank = 0};
    const real factor = (real)sqrt((double)p->classes);
    const int logits = c->last;
    int root_of_classes;
    c->status = mfm_graph_const(p->main, "root_of_classes", &scalar, &factor, &root_of_classes);
    mfm_chain_add(c, "Mul", NULL, logits, -1);
    mfm_chain_add(c, "ReduceMean", "axes=1", -1, -1);
    mfm_chain_add(c, "Sqrt", NULL, -1, -1);
    mfm_chain_add(c, "Mul", NULL, root_of_classes, -1);
    mfm_chain_add(c, "Clip", "min=1e-12", -1, -1);
    mfm_chain_add_second(c, "Div", logits);
}

static int add_soft_label(mfm_problem *p, const modulation *m, int *soft_label)
{
    int status = MFM_OK;
    if (m->adjusted)
        status = mfm_problem_add_losses(p, MFM_SEGMENT_LOSSES, "plain_loss", &p->plain);
    mfm_chain c = {.graph = p->main,
                   .segment = MFM_SEGMENT_SOURCE,
                   .name = "soft_label",
                   .last = m->adjusted ? p->plain.adjusted : p->plain.logits,
                   .status = status};
    if (!status && m->soft_label == LOGITS)
        add_unit_logits(p, &c);
    else
        mfm_chain_add(&c, "Softmax", NULL, -1, -1);
    *soft_label = c.last;
    return c.status;
}

static int add_parts(mfm_problem *p, const modulation *m, int hyper, int soft_label_input)
{
    int soft_label;
    int status = add_soft_label(p, m, &soft_label);
    if (!status)
        status = mfm_problem_read(p, soft_label, hyper, soft_label_input);
    if (!status)
        status = mfm_problem_add_losses(p, MFM_SEGMENT_OBJECTIVE, "modulated_loss", &p->objective);
    if (!status)
        status =
            mfm_problem_add_mean(p, MFM_SEGMENT_OBJECTIVE, "modulated_loss", -1, &p->objective);
    return status ? status : mfm_problem_finish(p);
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int hyper, input;
    int status =
        mfm_problem_of_modulated(ctx, network, &spec, "modulator", problem, &hyper, &input);
    if (!status)
        status = add_parts(*problem, chosen(options), hyper, input);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static bool learns(const mfm_train_options *options)
{
    return !chosen(options)->freeze;
}

static const char *modulator_input(const mfm_train_options *options)
{
    static const char *const words[][2] = {
        [SOFTMAX] = {"softmax", "softmax adjusted"}, [LOGITS] = {"logits", "logits adjusted"}};
    const modulation *m = chosen(options);
    return words[m->soft_label][m->adjusted];
}

static int begin(mfm_training *t)
{
    return mfm_meta_step_begin(t, learns(&t->options) ? &mfm_modulator_training_settings : NULL);
}

static const mfm_settings *const settings[] = {
    &modulation_settings, &mfm_modulator_training_settings, &mfm_meta_steps_settings, NULL};

const mfm_method mfm_method_mfm = {
    .name = "mfm",
    .summary = "Meta Feature Modulator: features scaled and shifted by the soft label",
    .needs_modulator = true,
    .settings = settings,
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN},
                {.name = "meta", .from = MFM_FROM_META, .wanted = learns}},
    .rate_option = "modulator-lr",
    .modulator_input = modulator_input,
    .sharpens = true,
    .build = build,
    .begin = begin,
    .reads = mfm_meta_step_reads,
    .step = mfm_meta_step_run,
    .end = mfm_meta_step_end,
    .bytes = mfm_meta_step_bytes};
