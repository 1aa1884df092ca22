/* Meta Feature Modulator: the exact bilevel step of bilevel.h, every step. */
#include "core/train/training.h"

static int begin(mfm_training *t)
{
    mfm_bilevel *bilevel;
    const int status =
        mfm_bilevel_new(t->ctx, t->split, t->options.batch, t->options.meta_batch, &bilevel);
    if (status)
        return status;
    mfm_bilevel_bind(bilevel, t->w, t->state, t->phi);
    t->method_state = bilevel;
    return MFM_OK;
}

static void step(mfm_training *t, const mfm_batch *train, const mfm_batch *meta, double lr,
                 mfm_step_losses *losses)
{
    mfm_bilevel *b = t->method_state;
    mfm_bilevel_virtual(b, train, meta, lr, t->options.seed, t->counters.step);
    mfm_optimizer_step(&t->modulator_optimizer, t->options.modulator_lr, -lr,
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

const mfm_method mfm_method_mfm = {
    "mfm", "Meta Feature Modulator: exact bilevel step", true, true, begin, step, end, bytes};
