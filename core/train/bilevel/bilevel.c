#include "core/train/bilevel/bilevel.h"

#include <assert.h>
#include <string.h>

#include "core/train/bilevel/factored.h"
#include "core/train/bilevel/hyper_plan.h"
#include "core/train/bilevel/moved_weights.h"
#include "core/train/comm/gradient_sum.h"
#include "core/train/vector.h"

/* Passes over the training batch, in the order in which a step runs them. */
enum {
    TRAIN_PLAIN,
    TRAIN_UPDATE,
    TRAIN_REST,
    TRAIN_BACKWARD,
    TRAIN_TANGENT,
    TRAIN_MIXED,
    TRAIN_REST_AGAIN,
    TRAIN_BACKWARD_AGAIN,
    TRAIN_NEARBY,
    TRAIN_BACKWARD_NEARBY,
    TRAIN_PASSES
};
enum { META_FORWARD, META_BACKWARD, META_PASSES };

static const mfm_pass train_passes[TRAIN_PASSES] = {
    [TRAIN_PLAIN] = {MFM_FORWARD, MFM_SET_PLAIN | MFM_SET_SOURCE},
    [TRAIN_UPDATE] = {MFM_UPDATE, MFM_SET_PLAIN},
    [TRAIN_REST] = {MFM_FORWARD, MFM_SET_REST},
    [TRAIN_BACKWARD] = {MFM_VJP, MFM_SET_OBJECTIVE},
    [TRAIN_TANGENT] = {MFM_JVP, MFM_SET_OBJECTIVE},
    [TRAIN_MIXED] = {MFM_VJP_T, MFM_SET_OBJECTIVE},
    [TRAIN_REST_AGAIN] = {MFM_FORWARD, MFM_SET_REST},
    [TRAIN_BACKWARD_AGAIN] = {MFM_VJP, MFM_SET_OBJECTIVE},
    [TRAIN_NEARBY] = {MFM_FORWARD, MFM_SET_OBJECTIVE},
    [TRAIN_BACKWARD_NEARBY] = {MFM_VJP, MFM_SET_OBJECTIVE},
};
static const mfm_pass meta_passes[META_PASSES] = {
    [META_FORWARD] = {MFM_FORWARD, MFM_SET_META_LOSS},
    [META_BACKWARD] = {MFM_VJP, MFM_SET_META_LOSS},
};
static const char *const train_names[TRAIN_PASSES] = {
    [TRAIN_PLAIN] = "plain forward",
    [TRAIN_UPDATE] = "running statistics",
    [TRAIN_REST] = "objective forward",
    [TRAIN_BACKWARD] = "objective backward",
    [TRAIN_TANGENT] = "tangent of forward",
    [TRAIN_MIXED] = "tangent of backward",
    [TRAIN_REST_AGAIN] = "objective forward again",
    [TRAIN_BACKWARD_AGAIN] = "objective backward again",
    [TRAIN_NEARBY] = "sharp forward",
    [TRAIN_BACKWARD_NEARBY] = "sharp backward",
};
static const char *const meta_names[META_PASSES] = {
    [META_FORWARD] = "meta forward",
    [META_BACKWARD] = "meta backward",
};

/* The passes that a step has, and the one after which the meta batch may use the buffers. */
typedef struct schedule {
    int first[TRAIN_PASSES], count, lend_after;
} schedule;

static const schedule schedules[] = {
    [MFM_META_EXACT] = {{TRAIN_PLAIN, TRAIN_UPDATE, TRAIN_REST, TRAIN_BACKWARD, TRAIN_TANGENT,
                         TRAIN_MIXED, TRAIN_REST_AGAIN, TRAIN_BACKWARD_AGAIN},
                        8,
                        TRAIN_BACKWARD},
    [MFM_META_AT_W] = {{TRAIN_PLAIN, TRAIN_UPDATE, TRAIN_REST, TRAIN_TANGENT, TRAIN_MIXED,
                        TRAIN_REST_AGAIN, TRAIN_BACKWARD_AGAIN},
                       7,
                       TRAIN_REST},
    [MFM_META_NEVER] = {{TRAIN_PLAIN, TRAIN_UPDATE, TRAIN_REST, TRAIN_BACKWARD}, 4, 0},
};

struct mfm_bilevel {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    mfm_bilevel_spec spec;
    mfm_plan *train, *meta;          /* meta NULL without meta steps */
    int pass[TRAIN_PASSES];          /* its number in the train plan */
    const char *names[TRAIN_PASSES]; /* by that number */
    mfm_hyper_plan *hypers[MFM_MAX_HYPERS];
    const real *hypergradients[MFM_MAX_HYPERS];
    mfm_gradient_sum *sum;         /* of g */
    mfm_gradient_sum *sum_without; /* but for the matrices that have factors, if any has */
    mfm_gradient_sum *sum_v;
    real *w;                 /* the caller's */
    real *gradient;          /* g1, then g2 */
    mfm_moved_weights moved; /* w^, and v = grad L_meta(w^) */
    mfm_factored *factored;
    const uint32_t *rows; /* of the batch */
    uint64_t seed, step;
    bool again; /* the objective has been run forward in this step */
    mfm_bilevel_losses losses;
};

/* Numbers the passes of a step; returns how many there are. */
static int choose_passes(mfm_bilevel *b, mfm_pass passes[TRAIN_PASSES])
{
    const schedule *s = &schedules[b->spec.meta];
    const int last = s->count + (b->spec.sharp ? 2 : 0);
    for (int i = 0; i < last; i++) {
        const int which = i < s->count ? s->first[i] : TRAIN_NEARBY + i - s->count;
        passes[i] = train_passes[which];
        b->names[i] = train_names[which];
        b->pass[which] = i;
    }
    return last;
}

static int plan_train(mfm_bilevel *b)
{
    const mfm_problem *problem = b->problem;
    const bool meta = b->spec.meta != MFM_META_NEVER;
    mfm_pass passes[TRAIN_PASSES];
    const int n_passes = choose_passes(b, passes);
    const int lend_after = meta ? b->pass[schedules[b->spec.meta].lend_after] : 0;
    int n = 0;
    mfm_slot *keep = mfm_alloc(b->ctx, 2 + problem->n_reads + problem->n_gives, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < problem->n_reads; i++)
        keep[n++] = (mfm_slot){problem->reads[i].main, MFM_X};
    keep[n++] = (mfm_slot){problem->objective.loss, MFM_X};
    keep[n++] = (mfm_slot){problem->objective.loss, MFM_G};
    for (size_t i = 0; i < problem->n_gives && meta; i++)
        keep[n++] = (mfm_slot){problem->gives[i].main, MFM_DG};
    const mfm_plan_spec spec = {.batch = mfm_share_count(&b->spec.share),
                                .share = b->spec.share,
                                .training = true,
                                .passes = passes,
                                .n_passes = n_passes,
                                .pass_names = b->names,
                                .keep = keep,
                                .n_keep = n,
                                .param_gradients = true,
                                .param_tangents = meta,
                                .tangent_params = b->spec.moved,
                                .lend_after = lend_after,
                                .restore = meta,
                                .restore_after = lend_after,
                                .lend = meta ? mfm_plan_reals(b->meta) : 0};
    const int status = mfm_plan_new(b->ctx, problem->main, &spec, &b->train);
    mfm_free(b->ctx, keep);
    return status;
}

/* The meta batch's buffers lie among those of the training batch that are dead meanwhile: also of
 * what can be restored, which costs one sweep in either plan. */
static int plan_meta(mfm_bilevel *b)
{
    const int loss = b->problem->meta.loss;
    const mfm_slot keep[2] = {{loss, MFM_X}, {loss, MFM_G}};
    const mfm_plan_spec spec = {.batch = mfm_share_count(&b->spec.meta_share),
                                .share = b->spec.meta_share,
                                .training = true,
                                .passes = meta_passes,
                                .n_passes = META_PASSES,
                                .pass_names = meta_names,
                                .keep = keep,
                                .n_keep = 2,
                                .param_gradients = true,
                                .gradient_params = b->spec.moved,
                                .restore = true,
                                .restore_after = META_FORWARD,
                                .borrow = true};
    return mfm_plan_new(b->ctx, b->problem->main, &spec, &b->meta);
}

static int make_vectors(mfm_bilevel *b)
{
    const mfm_graph *graph = b->problem->main;
    const int status = mfm_vector_new(b->ctx, NULL, graph->params_size, &b->gradient);
    return status || !b->meta
               ? status
               : mfm_moved_weights_init(b->ctx, graph, &b->spec, b->factored, &b->moved);
}

/* A hyper graph writes h where the objective reads it, and reads where the main graph writes. */
static void connect(mfm_bilevel *b)
{
    for (int i = 0; i < b->problem->n_hypers; i++)
        mfm_hyper_plan_connect(b->hypers[i], b->train);
    mfm_plan_bind_params(b->train, MFM_G, b->gradient);
    *mfm_plan_lane(b->train, b->problem->objective.loss, MFM_G) = 1;
    if (b->meta)
        mfm_plan_bind_arena(b->meta, mfm_plan_lent(b->train));
}

static int make_sums(mfm_bilevel *b)
{
    const mfm_graph *graph = b->problem->main;
    int status = mfm_gradient_sum_new(b->ctx, b->spec.comm, graph, NULL, &b->sum);
    if (!status && b->meta)
        status = mfm_gradient_sum_new(b->ctx, b->spec.comm, graph, b->moved.v_room.at, &b->sum_v);
    if (status || !b->factored)
        return status;
    size_t *without = mfm_alloc(b->ctx, graph->n_values, sizeof *without);
    if (!without)
        return MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_values; i++)
        without[i] = mfm_factored_has(b->factored, (int)i) ? MFM_NO_ROOM : graph->values[i].offset;
    status = mfm_gradient_sum_new(b->ctx, b->spec.comm, graph, without, &b->sum_without);
    mfm_free(b->ctx, without);
    return status;
}

/* factors: those of the matrices that have them stand in place of their gradients. */
static mfm_gradient_sum *sum_of(const mfm_bilevel *b, bool factors)
{
    return factors && b->factored ? b->sum_without : b->sum;
}

static int build(mfm_bilevel *b)
{
    const bool never = b->spec.meta == MFM_META_NEVER;
    if (!b->problem->n_gives)
        return mfm_fail(b->ctx, MFM_EINVAL, "bilevel step: the problem has no hyper graph");
    int status = never ? MFM_OK : plan_meta(b);
    if (!status)
        status = plan_train(b);
    for (int i = 0; i < b->problem->n_hypers && !status; i++)
        status = mfm_hyper_plan_new(b->ctx, b->problem, i, &b->spec.share, never, &b->hypers[i]);
    if (!status && b->meta)
        status = mfm_factored_new(b->ctx, b->problem, &b->spec, b->train, b->meta, &b->factored);
    if (!status)
        status = make_vectors(b);
    if (!status)
        connect(b);
    b->spec.moved = NULL; /* the caller's */
    return status ? status : make_sums(b);
}

int mfm_bilevel_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_bilevel_spec *spec,
                    mfm_bilevel **bilevel)
{
    mfm_bilevel *b = mfm_alloc(ctx, 1, sizeof *b);
    *bilevel = b;
    if (!b)
        return MFM_ENOMEM;
    *b = (mfm_bilevel){.ctx = ctx, .problem = problem, .spec = *spec};
    if (!spec->share.samples)
        b->spec.share = mfm_share_whole(spec->batch);
    if (!spec->meta_share.samples)
        b->spec.meta_share = mfm_share_whole(spec->meta_batch);
    const int status = build(b);
    if (status) {
        mfm_bilevel_free(b);
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
    mfm_gradient_sum_free(b->sum);
    mfm_gradient_sum_free(b->sum_without);
    mfm_gradient_sum_free(b->sum_v);
    for (int i = 0; i < MFM_MAX_HYPERS; i++)
        mfm_hyper_plan_free(b->hypers[i]);
    mfm_free_aligned(b->ctx, b->gradient);
    mfm_moved_weights_clear(b->ctx, &b->moved);
    mfm_factored_free(b->factored);
    mfm_free(b->ctx, b);
}

void mfm_bilevel_bind(mfm_bilevel *b, real *w, real *state, real *const *phi)
{
    b->w = w;
    mfm_plan_bind_params(b->train, MFM_X, w);
    mfm_plan_bind_state(b->train, state);
    for (int i = 0; i < b->problem->n_hypers; i++)
        mfm_hyper_plan_bind(b->hypers[i], phi[i]);
    if (!b->meta)
        return;
    mfm_plan_bind_state(b->meta, state);
    mfm_moved_weights_bind(&b->moved, b->train, b->meta, w);
}

static void make_h(mfm_bilevel *b, bool again)
{
    for (int i = 0; i < b->problem->n_hypers; i++)
        mfm_hyper_plan_forward(b->hypers[i], b->rows, again);
}

void mfm_bilevel_begin(mfm_bilevel *b, const mfm_batch *train, const uint32_t *rows, uint64_t seed,
                       uint64_t step)
{
    b->rows = rows;
    b->seed = seed;
    b->step = step;
    b->again = false;
    b->losses = (mfm_bilevel_losses){.meta = 0};
    mfm_problem_bind(b->problem, b->train, train);
    mfm_plan_set_step(b->train, MFM_STREAM_DROPOUT, seed, step);
    mfm_plan_run(b->train, b->pass[TRAIN_PLAIN]);
    mfm_plan_run(b->train, b->pass[TRAIN_UPDATE]);
}

/* A sweep that leaves a gradient of w, of this rank's samples: then that of all. */
static void run_backward(mfm_bilevel *b, int pass, bool factors)
{
    mfm_factored_take(b->factored, factors);
    mfm_gradient_sum_run(sum_of(b, factors), b->train, b->pass[pass], b->gradient);
}

/* The objective for the phi that is there now. */
static void run_objective(mfm_bilevel *b)
{
    make_h(b, b->again);
    mfm_plan_run(b->train, b->pass[b->again ? TRAIN_REST_AGAIN : TRAIN_REST]);
}

void mfm_bilevel_virtual(mfm_bilevel *b, const mfm_batch *meta, const mfm_virtual_step *step)
{
    const int loss = b->problem->meta.loss;
    run_objective(b);
    if (b->moved.w) {
        const bool by_factors = mfm_virtual_step_is_plain(step);
        assert(by_factors || b->spec.full);
        run_backward(b, TRAIN_BACKWARD, by_factors);
        mfm_factored_move(b->factored, b->w, step->alpha, by_factors);
        mfm_moved_weights_move(&b->moved, step, b->w, b->gradient, by_factors ? b->factored : NULL);
    }
    b->again = true;
    mfm_problem_bind(b->problem, b->meta, meta);
    mfm_plan_set_step(b->meta, MFM_STREAM_META_DROPOUT, b->seed, b->step);
    mfm_plan_run(b->meta, META_FORWARD);
    b->losses.meta = (double)*mfm_plan_lane(b->meta, loss, MFM_X);
    *mfm_plan_lane(b->meta, loss, MFM_G) = 1;
    mfm_gradient_sum_run(b->sum_v, b->meta, META_BACKWARD, b->moved.v);
    mfm_factored_direct(b->factored);
    mfm_moved_weights_scale(&b->moved);
}

const real *const *mfm_bilevel_hypergradients(mfm_bilevel *b)
{
    mfm_plan_run(b->train, b->pass[TRAIN_TANGENT]);
    mfm_plan_run(b->train, b->pass[TRAIN_MIXED]);
    for (int i = 0; i < b->problem->n_hypers; i++) {
        const mfm_hyper *hyper = &b->problem->hypers[i];
        real *gradient = mfm_hyper_plan_backward(b->hypers[i], b->train, MFM_DG);
        if (hyper->kind == MFM_HYPER_GRAPH)
            mfm_comm_sum_reals(b->spec.comm, gradient, hyper->graph->params_size);
        b->hypergradients[i] = gradient;
    }
    return b->hypergradients;
}

const real *mfm_bilevel_gradient(mfm_bilevel *b)
{
    run_objective(b);
    run_backward(b, b->again ? TRAIN_BACKWARD_AGAIN : TRAIN_BACKWARD, false);
    b->again = true;
    b->losses.train = (double)*mfm_plan_lane(b->train, b->problem->objective.loss, MFM_X);
    return b->gradient;
}

const real *mfm_bilevel_gradient_nearby(mfm_bilevel *b)
{
    mfm_plan_run(b->train, b->pass[TRAIN_NEARBY]);
    run_backward(b, TRAIN_BACKWARD_NEARBY, false);
    return b->gradient;
}

mfm_bilevel_losses mfm_bilevel_last(const mfm_bilevel *b)
{
    return b->losses;
}

static bool holds_all(const mfm_bilevel *b, const mfm_param_room *room)
{
    return room->size == b->problem->main->params_size;
}

const real *mfm_bilevel_virtual_weights(const mfm_bilevel *b)
{
    if (!b->moved.w)
        return b->w;
    return holds_all(b, &b->moved.w_room) ? b->moved.w : NULL;
}

const real *mfm_bilevel_meta_gradient(const mfm_bilevel *b)
{
    return holds_all(b, &b->moved.v_room) ? b->moved.v : NULL;
}

size_t mfm_bilevel_factored(const mfm_bilevel *b)
{
    return mfm_factored_count(b->factored);
}

const real *mfm_bilevel_read(const mfm_bilevel *b, size_t link)
{
    return mfm_plan_lane(b->train, b->problem->reads[link].main, MFM_X);
}

size_t mfm_bilevel_bytes(const mfm_bilevel *b)
{
    size_t bytes = b->problem->main->params_size * sizeof(real);
    bytes += mfm_moved_weights_bytes(&b->moved) + mfm_factored_bytes(b->factored);
    bytes += mfm_plan_bytes(b->train) + (b->meta ? mfm_plan_bytes(b->meta) : 0);
    for (int i = 0; i < b->problem->n_hypers; i++)
        bytes += mfm_hyper_plan_bytes(b->hypers[i]);
    return bytes;
}
