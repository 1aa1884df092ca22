#include "core/train/bilevel.h"

#include <string.h>

#include "core/train/vector.h"

/* Passes of the three plans, in the order in which a step runs them. */
enum {
    TRAIN_PLAIN,
    TRAIN_UPDATE,
    TRAIN_TAIL,
    TRAIN_BACKWARD,
    TRAIN_TANGENT,
    TRAIN_MIXED,
    TRAIN_TAIL_AGAIN,
    TRAIN_BACKWARD_AGAIN,
    TRAIN_PASSES
};
enum { META_FORWARD, META_BACKWARD, META_PASSES };
enum { HYPER_FORWARD, HYPER_BACKWARD, HYPER_FORWARD_AGAIN, HYPER_PASSES };

static const mfm_pass train_passes[TRAIN_PASSES] = {
    [TRAIN_PLAIN] = {MFM_FORWARD, MFM_SET_PLAIN | MFM_SET_SOFT_LABEL},
    [TRAIN_UPDATE] = {MFM_UPDATE, MFM_SET_PLAIN},
    [TRAIN_TAIL] = {MFM_FORWARD, MFM_SET_TAIL},
    [TRAIN_BACKWARD] = {MFM_VJP, MFM_SET_MODULATED},
    [TRAIN_TANGENT] = {MFM_JVP, MFM_SET_MODULATED},
    [TRAIN_MIXED] = {MFM_VJP_T, MFM_SET_MODULATED},
    [TRAIN_TAIL_AGAIN] = {MFM_FORWARD, MFM_SET_TAIL},
    [TRAIN_BACKWARD_AGAIN] = {MFM_VJP, MFM_SET_MODULATED},
};
static const mfm_pass meta_passes[META_PASSES] = {
    [META_FORWARD] = {MFM_FORWARD, MFM_SET_META_LOSS},
    [META_BACKWARD] = {MFM_VJP, MFM_SET_META_LOSS},
};
static const mfm_pass hyper_passes[HYPER_PASSES] = {
    [HYPER_FORWARD] = {MFM_FORWARD, 1},
    [HYPER_BACKWARD] = {MFM_VJP, 1},
    [HYPER_FORWARD_AGAIN] = {MFM_FORWARD, 1},
};
static const char *const train_names[TRAIN_PASSES] = {
    [TRAIN_PLAIN] = "plain forward",
    [TRAIN_UPDATE] = "running statistics",
    [TRAIN_TAIL] = "modulated forward",
    [TRAIN_BACKWARD] = "modulated backward",
    [TRAIN_TANGENT] = "tangent of forward",
    [TRAIN_MIXED] = "tangent of backward",
    [TRAIN_TAIL_AGAIN] = "modulated forward again",
    [TRAIN_BACKWARD_AGAIN] = "modulated backward again",
};
static const char *const meta_names[META_PASSES] = {
    [META_FORWARD] = "meta forward",
    [META_BACKWARD] = "meta backward",
};
static const char *const hyper_names[HYPER_PASSES] = {
    [HYPER_FORWARD] = "modulator forward",
    [HYPER_BACKWARD] = "modulator backward",
    [HYPER_FORWARD_AGAIN] = "modulator forward again",
};

struct mfm_bilevel {
    mfm_ctx *ctx;
    const mfm_split_graph *split;
    mfm_plan *train, *meta, *hyper;
    real *w;         /* the caller's */
    real *gradient;  /* g1, then g2 */
    real *virtual_w; /* w^ */
    real *v;         /* grad L_meta(w^) */
    real *phi_gradient;
    mfm_bilevel_losses losses;
};

static int plan_train(mfm_bilevel *b, int64_t batch)
{
    const mfm_split_graph *split = b->split;
    const size_t n_keep = 3 + split->n_hyper;
    mfm_slot *keep = mfm_alloc(b->ctx, n_keep, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    keep[0] = (mfm_slot){split->soft_label, MFM_X};
    keep[1] = (mfm_slot){split->modulated_loss, MFM_X};
    keep[2] = (mfm_slot){split->modulated_loss, MFM_G};
    for (size_t i = 0; i < split->n_hyper; i++)
        keep[3 + i] = (mfm_slot){split->hyper_inputs[i], MFM_DG};
    const mfm_plan_spec spec = {.batch = batch,
                                .training = true,
                                .passes = train_passes,
                                .n_passes = TRAIN_PASSES,
                                .pass_names = train_names,
                                .keep = keep,
                                .n_keep = (int)n_keep,
                                .param_gradients = true,
                                .param_tangents = true,
                                .lend_after = TRAIN_BACKWARD,
                                .restore = true,
                                .restore_after = TRAIN_BACKWARD,
                                .lend = mfm_plan_reals(b->meta)};
    const int status = mfm_plan_new(b->ctx, split->main, &spec, &b->train);
    mfm_free(b->ctx, keep);
    return status;
}

/* The meta batch's buffers lie among those of the training batch that are dead meanwhile: also of
 * what can be restored, which costs one sweep in either plan. */
static int plan_meta(mfm_bilevel *b, int64_t batch)
{
    const mfm_slot keep[2] = {{b->split->meta_loss, MFM_X}, {b->split->meta_loss, MFM_G}};
    const mfm_plan_spec spec = {.batch = batch,
                                .training = true,
                                .passes = meta_passes,
                                .n_passes = META_PASSES,
                                .pass_names = meta_names,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true,
                                .restore = true,
                                .restore_after = META_FORWARD,
                                .borrow = true};
    return mfm_plan_new(b->ctx, b->split->main, &spec, &b->meta);
}

static int plan_hyper(mfm_bilevel *b, int64_t batch)
{
    const mfm_split_graph *split = b->split;
    mfm_slot *keep = mfm_alloc(b->ctx, 2 * split->n_hyper, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < split->n_hyper; i++) {
        keep[2 * i] = (mfm_slot){split->hyper_outputs[i], MFM_X};
        keep[2 * i + 1] = (mfm_slot){split->hyper_outputs[i], MFM_G};
    }
    const mfm_plan_spec spec = {.batch = batch,
                                .training = true,
                                .passes = hyper_passes,
                                .n_passes = HYPER_PASSES,
                                .pass_names = hyper_names,
                                .keep = keep,
                                .n_keep = (int)(2 * split->n_hyper),
                                .param_gradients = true};
    const int status = mfm_plan_new(b->ctx, split->modulator, &spec, &b->hyper);
    mfm_free(b->ctx, keep);
    return status;
}

static int make_vectors(mfm_bilevel *b)
{
    const size_t n = b->split->main->params_size;
    int status = mfm_vector_new(b->ctx, NULL, n, &b->gradient);
    if (!status)
        status = mfm_vector_new(b->ctx, NULL, n, &b->virtual_w);
    if (!status)
        status = mfm_vector_new(b->ctx, NULL, n, &b->v);
    if (!status)
        status = mfm_vector_new(b->ctx, NULL, b->split->modulator->params_size, &b->phi_gradient);
    return status;
}

/* The modulator writes h where the modulated tail reads it, reads y0 where softmax writes it. */
static void connect(mfm_bilevel *b)
{
    const mfm_split_graph *split = b->split;
    mfm_plan_bind_arena(b->meta, mfm_plan_lent(b->train));
    mfm_plan_bind_input(b->hyper, split->modulator_soft_label, MFM_X,
                        mfm_plan_lane(b->train, split->soft_label, MFM_X));
    for (size_t i = 0; i < split->n_hyper; i++)
        mfm_plan_bind_input(b->train, split->hyper_inputs[i], MFM_X,
                            mfm_plan_lane(b->hyper, split->hyper_outputs[i], MFM_X));
    mfm_plan_bind_params(b->train, MFM_G, b->gradient);
    mfm_plan_bind_params(b->train, MFM_DX, b->v);
    mfm_plan_bind_params(b->meta, MFM_X, b->virtual_w);
    mfm_plan_bind_params(b->meta, MFM_G, b->v);
    mfm_plan_bind_params(b->hyper, MFM_G, b->phi_gradient);
    *mfm_plan_lane(b->train, split->modulated_loss, MFM_G) = 1;
}

static int build(mfm_bilevel *b, int64_t batch, int64_t meta_batch)
{
    if (!b->split->modulator || !b->split->n_hyper)
        return mfm_fail(b->ctx, MFM_EINVAL, "bilevel step: the model has no modulator: inject one");
    int status = plan_meta(b, meta_batch);
    if (!status)
        status = plan_train(b, batch);
    if (!status)
        status = plan_hyper(b, batch);
    if (!status)
        status = make_vectors(b);
    if (!status)
        connect(b);
    return status;
}

int mfm_bilevel_new(mfm_ctx *ctx, const mfm_split_graph *split, int64_t batch, int64_t meta_batch,
                    mfm_bilevel **bilevel)
{
    *bilevel = mfm_alloc(ctx, 1, sizeof **bilevel);
    if (!*bilevel)
        return MFM_ENOMEM;
    **bilevel = (mfm_bilevel){.ctx = ctx, .split = split};
    const int status = build(*bilevel, batch, meta_batch);
    if (status) {
        mfm_bilevel_free(*bilevel);
        *bilevel = NULL;
    }
    return status;
}

void mfm_bilevel_free(mfm_bilevel *b)
{
    if (!b)
        return;
    mfm_plan_free(b->train);
    mfm_plan_free(b->meta);
    mfm_plan_free(b->hyper);
    mfm_free_aligned(b->ctx, b->gradient);
    mfm_free_aligned(b->ctx, b->virtual_w);
    mfm_free_aligned(b->ctx, b->v);
    mfm_free_aligned(b->ctx, b->phi_gradient);
    mfm_free(b->ctx, b);
}

void mfm_bilevel_bind(mfm_bilevel *b, real *w, real *state, real *phi)
{
    b->w = w;
    mfm_plan_bind_params(b->train, MFM_X, w);
    mfm_plan_bind_state(b->train, state);
    mfm_plan_bind_state(b->meta, state);
    mfm_plan_bind_params(b->hyper, MFM_X, phi);
}

void mfm_bilevel_virtual(mfm_bilevel *b, const mfm_batch *train, const mfm_batch *meta,
                         double alpha, uint64_t seed, uint64_t step)
{
    const mfm_split_graph *split = b->split;
    mfm_split_graph_bind(split, b->train, train);
    mfm_split_graph_bind(split, b->meta, meta);
    mfm_plan_set_step(b->train, MFM_STREAM_DROPOUT, seed, step);
    mfm_plan_set_step(b->meta, MFM_STREAM_META_DROPOUT, seed, step);

    mfm_plan_run(b->train, TRAIN_PLAIN);
    mfm_plan_run(b->train, TRAIN_UPDATE);
    mfm_plan_run(b->hyper, HYPER_FORWARD);
    mfm_plan_run(b->train, TRAIN_TAIL);
    mfm_plan_run(b->train, TRAIN_BACKWARD);
    const size_t n = split->main->params_size;
    for (size_t i = 0; i < n; i++)
        b->virtual_w[i] = b->w[i] - (real)alpha * b->gradient[i];
    mfm_plan_run(b->meta, META_FORWARD);
    b->losses.meta = (double)*mfm_plan_lane(b->meta, split->meta_loss, MFM_X);
    *mfm_plan_lane(b->meta, split->meta_loss, MFM_G) = 1;
    mfm_plan_run(b->meta, META_BACKWARD);
}

const real *mfm_bilevel_hypergradient(mfm_bilevel *b)
{
    const mfm_split_graph *split = b->split;
    mfm_plan_run(b->train, TRAIN_TANGENT);
    mfm_plan_run(b->train, TRAIN_MIXED);
    for (size_t i = 0; i < split->n_hyper; i++) {
        const size_t count =
            (size_t)mfm_shape_count(mfm_plan_shape(b->train, split->hyper_inputs[i]));
        memcpy(mfm_plan_lane(b->hyper, split->hyper_outputs[i], MFM_G),
               mfm_plan_lane(b->train, split->hyper_inputs[i], MFM_DG), count * sizeof(real));
    }
    mfm_plan_run(b->hyper, HYPER_BACKWARD);
    return b->phi_gradient;
}

const real *mfm_bilevel_gradient(mfm_bilevel *b)
{
    mfm_plan_run(b->hyper, HYPER_FORWARD_AGAIN);
    mfm_plan_run(b->train, TRAIN_TAIL_AGAIN);
    b->losses.train = (double)*mfm_plan_lane(b->train, b->split->modulated_loss, MFM_X);
    mfm_plan_run(b->train, TRAIN_BACKWARD_AGAIN);
    return b->gradient;
}

mfm_bilevel_losses mfm_bilevel_last(const mfm_bilevel *b)
{
    return b->losses;
}

const real *mfm_bilevel_virtual_weights(const mfm_bilevel *b)
{
    return b->virtual_w;
}

const real *mfm_bilevel_meta_gradient(const mfm_bilevel *b)
{
    return b->v;
}

const real *mfm_bilevel_soft_label(const mfm_bilevel *b)
{
    return mfm_plan_lane(b->train, b->split->soft_label, MFM_X);
}

size_t mfm_bilevel_bytes(const mfm_bilevel *b)
{
    const size_t vectors = 3 * b->split->main->params_size + b->split->modulator->params_size;
    return mfm_plan_bytes(b->train) + mfm_plan_bytes(b->meta) + mfm_plan_bytes(b->hyper) +
           vectors * sizeof(real);
}
