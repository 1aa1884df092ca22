/*
 * Classifier re-training (cRT; Kang et al., ICLR 2020, section 4.1): the second of two stages. The
 * fully connected layer that makes the logits starts anew and is trained alone, on batches in which
 * every class is as frequent; all that lies below it stays as the first stage has left it.
 *
 * W and b start uniform in +-1 / sqrt(width), as the authors' framework has it.
 */
#include <math.h>

#include "core/base/random.h"
#include "core/train/features/head_training.h"
#include "core/train/problem/split_network.h"

enum { INIT_NODE = 910 };

enum start { ANEW, AS_IN_MODEL };

typedef struct crt_values {
    int start;
} crt_values;

static const char *const starts[] = {[ANEW] = "anew", [AS_IN_MODEL] = "model", NULL};
static const mfm_option table[] = {
    {.name = "classifier",
     .kind = MFM_OPTION_CHOICE,
     .value = "START",
     .choices = starts,
     .offset = offsetof(crt_values, start),
     .help = "start the last layer anew, or as the model has it"},
};
static const crt_values defaults = {.start = ANEW};
static const mfm_settings classifier_settings =
    MFM_SETTINGS("Classifier re-training", table, defaults);

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int status = mfm_problem_of_features(ctx, network, &spec, "classifier re-training", problem);
    if (!status)
        status = mfm_problem_finish(*problem);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static void start_anew(const mfm_training *t, int param, uint32_t node)
{
    const mfm_classifier *c = &t->problem->classifier;
    const mfm_value *value = param < 0 ? NULL : &t->problem->main->values[param];
    if (!value || !value->trainable)
        return;
    const mfm_key key = {.seed = t->options.seed, .stream = MFM_STREAM_INIT, .node = node};
    const double bound = 1 / sqrt((double)c->width);
    const int64_t count = mfm_shape_count(&value->shape);
    for (int64_t i = 0; i < count; i++)
        t->w[value->offset + (size_t)i] =
            (real)(bound * (2 * mfm_random_uniform(&key, (uint64_t)i) - 1));
}

static bool renews(const mfm_train_options *options)
{
    const crt_values *v = mfm_chosen_values(options, &classifier_settings);
    return v->start == ANEW;
}

static int start(mfm_training *t)
{
    if (t->counters.step == 0 && renews(&t->options)) {
        start_anew(t, t->problem->classifier.weight, INIT_NODE);
        start_anew(t, t->problem->classifier.bias, INIT_NODE + 1);
        mfm_training_start_bias(t);
    }
    return MFM_OK;
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    *losses = (mfm_step_losses){.train = mfm_head_run(t, &batches[0])};
    const real *gradient = mfm_sharpen(&t->sharpness, t->problem->main, mfm_head_gradient(t), t->w,
                                       mfm_head_gradient_again, t);
    mfm_optimizer_step(&t->optimizer, lr, 1, gradient, t->w);
}

static const mfm_settings *const settings[] = {&classifier_settings, NULL};

const mfm_method mfm_method_crt = {
    .name = "crt",
    .summary = "classifier re-training: the last layer anew, on frozen features",
    .settings = settings,
    .last_layer_alone = true,
    .sampler = "class-balanced",
    .streams = {{.name = "train", .from = MFM_FROM_TRAIN}},
    .sharpens = true,
    .build = build,
    .begin = mfm_head_begin,
    .renews_classifier = renews,
    .start = start,
    .step = step,
    .end = mfm_head_end,
    .bytes = mfm_head_bytes};
