#include "core/train/bilevel/hyper_plan.h"

#include <string.h>

#include "core/train/vector.h"

enum { FORWARD, BACKWARD, FORWARD_AGAIN, PASSES };

static const mfm_pass passes[PASSES] = {
    [FORWARD] = {MFM_FORWARD, 1}, [BACKWARD] = {MFM_VJP, 1}, [FORWARD_AGAIN] = {MFM_FORWARD, 1}};
static const char *const pass_names[PASSES] = {[FORWARD] = "hyper graph forward",
                                               [BACKWARD] = "hyper graph backward",
                                               [FORWARD_AGAIN] = "hyper graph forward again"};

struct mfm_hyper_plan {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    const mfm_hyper *hyper;
    int index;
    mfm_share share; /* of the batch */
    int64_t batch;   /* samples of it at hand */
    mfm_plan *plan;  /* NULL without a graph */
    real *phi;       /* the caller's */
    real *gradient;  /* NULL when frozen */
    size_t gradient_size;
    real *rows; /* without a graph: h of the batch, one give after the other */
    size_t *at; /* [n_gives] where each begins in `rows` */
};

static bool gives(const mfm_hyper_plan *p, size_t link)
{
    return p->problem->gives[link].hyper == p->index;
}

/* Reals of one sample's row that a give takes. */
static size_t share(const mfm_hyper_plan *p, size_t link)
{
    mfm_shape shape = p->problem->main->values[p->problem->gives[link].main].shape;
    shape.dim[0] = 1;
    return (size_t)mfm_shape_count(&shape);
}

static int plan_graph(mfm_hyper_plan *p, bool frozen)
{
    const mfm_problem *problem = p->problem;
    mfm_slot *keep = mfm_alloc(p->ctx, 2 * problem->n_gives + 1, sizeof *keep);
    int n = 0;
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < problem->n_gives; i++) {
        if (!gives(p, i))
            continue;
        keep[n++] = (mfm_slot){problem->gives[i].value, MFM_X};
        if (!frozen)
            keep[n++] = (mfm_slot){problem->gives[i].value, MFM_G};
    }
    const mfm_plan_spec spec = {.batch = p->batch,
                                .share = p->share,
                                .training = true,
                                .passes = passes,
                                .n_passes = frozen ? 1 : PASSES,
                                .pass_names = pass_names,
                                .keep = keep,
                                .n_keep = n,
                                .param_gradients = !frozen};
    const int status = mfm_plan_new(p->ctx, p->hyper->graph, &spec, &p->plan);
    mfm_free(p->ctx, keep);
    return status;
}

static int place_rows(mfm_hyper_plan *p)
{
    size_t size = 0;
    p->at = mfm_alloc(p->ctx, p->problem->n_gives, sizeof *p->at);
    if (!p->at)
        return MFM_ENOMEM;
    for (size_t i = 0; i < p->problem->n_gives; i++)
        if (gives(p, i)) {
            p->at[i] = size;
            size += (share(p, i) * (size_t)p->batch + 15) / 16 * 16; /* on 64-byte boundaries */
        }
    return mfm_vector_new(p->ctx, NULL, size, &p->rows);
}

static int build(mfm_hyper_plan *p, bool frozen)
{
    const bool graph = p->hyper->kind == MFM_HYPER_GRAPH;
    p->gradient_size = graph ? p->hyper->graph->params_size : p->hyper->width * (size_t)p->batch;
    int status = graph ? plan_graph(p, frozen) : place_rows(p);
    if (!status && !frozen)
        status = mfm_vector_new(p->ctx, NULL, p->gradient_size, &p->gradient);
    if (!status && graph && !frozen)
        mfm_plan_bind_params(p->plan, MFM_G, p->gradient);
    return status;
}

int mfm_hyper_plan_new(mfm_ctx *ctx, const mfm_problem *problem, int hyper, const mfm_share *share,
                       bool frozen, mfm_hyper_plan **plan)
{
    mfm_hyper_plan *p = mfm_alloc(ctx, 1, sizeof *p);
    *plan = p;
    if (!p)
        return MFM_ENOMEM;
    *p = (mfm_hyper_plan){.ctx = ctx,
                          .problem = problem,
                          .hyper = &problem->hypers[hyper],
                          .index = hyper,
                          .share = *share,
                          .batch = mfm_share_count(share)};
    const int status = build(p, frozen);
    if (status) {
        mfm_hyper_plan_free(p);
        *plan = NULL;
    }
    return status;
}

void mfm_hyper_plan_free(mfm_hyper_plan *p)
{
    if (!p)
        return;
    mfm_plan_free(p->plan);
    mfm_free_aligned(p->ctx, p->gradient);
    mfm_free_aligned(p->ctx, p->rows);
    mfm_free(p->ctx, p->at);
    mfm_free(p->ctx, p);
}

void mfm_hyper_plan_connect(mfm_hyper_plan *p, mfm_plan *main)
{
    const mfm_problem *problem = p->problem;
    for (size_t i = 0; i < problem->n_reads; i++)
        if (problem->reads[i].hyper == p->index)
            mfm_plan_bind_input(p->plan, problem->reads[i].value, MFM_X,
                                mfm_plan_lane(main, problem->reads[i].main, MFM_X));
    for (size_t i = 0; i < problem->n_gives; i++)
        if (gives(p, i))
            mfm_plan_bind_input(main, problem->gives[i].main, MFM_X,
                                p->plan ? mfm_plan_lane(p->plan, problem->gives[i].value, MFM_X)
                                        : p->rows + p->at[i]);
}

void mfm_hyper_plan_bind(mfm_hyper_plan *p, real *phi)
{
    p->phi = phi;
    if (p->plan)
        mfm_plan_bind_params(p->plan, MFM_X, phi);
}

/* Cuts the samples' rows of phi into the values that are given. */
static void pick_rows(mfm_hyper_plan *p, const uint32_t *rows)
{
    for (size_t i = 0; i < p->problem->n_gives; i++) {
        if (!gives(p, i))
            continue;
        const size_t count = share(p, i);
        for (size_t k = 0; k < (size_t)p->batch; k++)
            memcpy(p->rows + p->at[i] + k * count,
                   p->phi + (rows ? rows[k] : k) * p->hyper->width +
                       (size_t)p->problem->gives[i].value,
                   count * sizeof(real));
    }
}

void mfm_hyper_plan_forward(mfm_hyper_plan *p, const uint32_t *rows, bool again)
{
    if (p->plan)
        mfm_plan_run(p->plan, again ? FORWARD_AGAIN : FORWARD);
    else
        pick_rows(p, rows);
}

real *mfm_hyper_plan_backward(mfm_hyper_plan *p, mfm_plan *main, enum mfm_lane lane)
{
    for (size_t i = 0; i < p->problem->n_gives; i++) {
        const mfm_hyper_link *link = &p->problem->gives[i];
        if (!gives(p, i))
            continue;
        const real *from = mfm_plan_lane(main, link->main, lane);
        const size_t all = (size_t)mfm_shape_count(mfm_plan_shape(main, link->main));
        if (p->plan) {
            memcpy(mfm_plan_lane(p->plan, link->value, MFM_G), from, all * sizeof(real));
            continue;
        }
        const size_t count = share(p, i);
        for (size_t k = 0; k < (size_t)p->batch; k++)
            memcpy(p->gradient + k * p->hyper->width + (size_t)link->value, from + k * count,
                   count * sizeof(real));
    }
    if (p->plan)
        mfm_plan_run(p->plan, BACKWARD);
    return p->gradient;
}

size_t mfm_hyper_plan_bytes(const mfm_hyper_plan *p)
{
    size_t reals = p->gradient ? p->gradient_size : 0;
    for (size_t i = 0; !p->plan && i < p->problem->n_gives; i++)
        reals += gives(p, i) ? share(p, i) * (size_t)p->batch : 0;
    return (p->plan ? mfm_plan_bytes(p->plan) : 0) + reals * sizeof(real);
}
