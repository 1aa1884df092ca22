/* Meta Feature Modulator: the exact bilevel step of bilevel.h, every step. */
#include "core/train/hyper_training.h"
#include "core/train/training.h"
#include "core/train/vector.h"

enum { TRAIN, META };

static int begin(mfm_training *t)
{
    const mfm_modulator_training *o =
        mfm_chosen_values(&t->options, &mfm_modulator_training_settings);
    const mfm_graph *modulator = t->split->modulator;
    mfm_bilevel *bilevel;
    int status = mfm_vector_new(t->ctx, modulator->params, modulator->params_size, &t->phi);
    if (!status)
        status = mfm_optimizer_init(t->ctx, &t->modulator_optimizer,
                                    (enum mfm_optimizer_kind)o->optimizer, o->momentum,
                                    o->weight_decay, modulator);
    if (!status)
        status =
            mfm_bilevel_new(t->ctx, t->split, t->options.batch, t->options.meta_batch, &bilevel);
    if (status)
        return status;
    mfm_bilevel_bind(bilevel, t->w, t->state, t->phi);
    t->method_state = bilevel;
    return MFM_OK;
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    const mfm_modulator_training *o =
        mfm_chosen_values(&t->options, &mfm_modulator_training_settings);
    mfm_bilevel *b = t->method_state;
    mfm_bilevel_virtual(b, &batches[TRAIN], &batches[META], lr, t->options.seed, t->counters.step);
    mfm_optimizer_step(&t->modulator_optimizer, mfm_modulator_lr(o), -lr,
                       mfm_bilevel_hypergradient(b), t->phi);
    mfm_optimizer_step(&t->optimizer, lr, 1, mfm_bilevel_gradient(b), t->w);
    const mfm_bilevel_losses last = mfm_bilevel_last(b);
    *losses = (mfm_step_losses){.train = last.train, .meta = last.meta};
}

static void end(mfm_training *t)
{
    mfm_bilevel_free(t->method_state);
    t->method_state = NULL;
}

static size_t bytes(const mfm_training *t)
{
    return mfm_bilevel_bytes(t->method_state);
}

static const mfm_settings *const settings[] = {&mfm_modulator_training_settings, NULL};

const mfm_method mfm_method_mfm = {
    .name = "mfm",
    .summary = "Meta Feature Modulator: exact bilevel step",
    .needs_modulator = true,
    .settings = settings,
    .streams = {[TRAIN] = {"train", MFM_FROM_TRAIN, NULL}, [META] = {"meta", MFM_FROM_META, NULL}},
    .rate_option = "modulator-lr",
    .begin = begin,
    .step = step,
    .end = end,
    .bytes = bytes};
