/*
 * Learning to reweight examples (Ren et al., ICML 2018): each sample of a batch counts by how much
 * its gradient agrees with that of the meta batch,
 *
 *     g_i = <grad_w l_i(w), grad_w L_meta(w)>,   w_i = max(g_i, 0) / sum_j max(g_j, 0),
 *     L   = sum_i w_i l_i,
 *
 * all w_i 0 where no g_i is positive. g_i is the derivative of l_i along v = grad L_meta(w): one
 * tangent sweep for all samples. The virtual step of the paper starts from weights 0, so its w^ is
 * w. Nothing is learned beside w.
 */
#include <string.h>

#include "core/train/bilevel/meta_step.h"
#include "core/train/comm/comm.h"
#include "core/train/problem/split_network.h"
#include "core/train/training.h"
#include "core/train/vector.h"

enum { TRAIN, META };

typedef struct l2rw {
    mfm_bilevel *bilevel;
    size_t first; /* of this rank's samples in the batch of all */
    /* [batch] of all ranks: g, and the weights times the batch, because the objective is a mean. */
    real *agreement, *weights;
} l2rw;

static int add_parts(mfm_problem *p)
{
    static const mfm_shape per_sample = {.rank = 1, .dim = {-1}};
    int h, hyper;
    int status = mfm_problem_add_losses(p, MFM_SEGMENT_LOSSES, "losses", &p->plain);
    if (!status)
        status = mfm_graph_input(p->main, "sample_weights", MFM_DATA, &per_sample, &h);
    p->objective = p->plain;
    if (!status)
        status = mfm_problem_add_mean(p, MFM_SEGMENT_OBJECTIVE, "weighted_loss", h, &p->objective);
    if (!status)
        status = mfm_problem_add_hyper(p, "sample_weights", MFM_HYPER_BATCH, NULL, 1, &hyper);
    if (!status)
        status = mfm_problem_give(p, hyper, 0, h);
    return status ? status : mfm_problem_finish(p);
}

static int build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                 const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    int status = mfm_problem_of_network(ctx, network, &spec, problem);
    if (!status)
        status = add_parts(*problem);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}

static int begin(mfm_training *t)
{
    const mfm_share share = mfm_training_share(t);
    const mfm_bilevel_spec spec = {.batch = t->options.batch,
                                   .meta_batch = t->options.meta_batch,
                                   .share = share,
                                   .meta_share = mfm_training_meta_share(t),
                                   .comm = t->options.comm,
                                   .meta = MFM_META_AT_W,
                                   .sharp = mfm_sharpness_on(&t->sharpness)};
    l2rw *s = mfm_alloc(t->ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    t->method_state = s;
    s->first = (size_t)mfm_share_first(&share);
    int status = mfm_vector_new(t->ctx, NULL, t->options.batch, &s->weights);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, t->options.batch, &s->agreement);
    if (!status)
        status = mfm_bilevel_new(t->ctx, t->problem, &spec, &s->bilevel);
    real *own = s->weights + s->first;
    if (!status)
        mfm_bilevel_bind(s->bilevel, t->w, t->state, &own);
    return status;
}

/* g of this rank's samples -> that of all. */
static const real *gather(const mfm_training *t, const l2rw *s, const real *own)
{
    const mfm_share share = mfm_training_share(t);
    memcpy(s->agreement + s->first, own, (size_t)mfm_share_count(&share) * sizeof *own);
    mfm_comm_gather_rows(t->options.comm, t->options.batch, s->agreement, sizeof *s->agreement);
    return s->agreement;
}

/* agreement: g_i, times anything that is positive and the same for all. */
static void weigh(const real *agreement, size_t n, real *weights)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += agreement[i] > 0 ? (double)agreement[i] : 0;
    for (size_t i = 0; i < n; i++)
        weights[i] = agreement[i] > 0 ? (real)((double)agreement[i] * (double)n / sum) : 0;
}

static void step(mfm_training *t, const mfm_batch *batches, double lr, mfm_step_losses *losses)
{
    l2rw *s = t->method_state;
    mfm_bilevel_begin(s->bilevel, &batches[TRAIN], NULL, t->options.seed, t->counters.step);
    mfm_bilevel_virtual(s->bilevel, &batches[META], NULL);
    weigh(gather(t, s, mfm_bilevel_hypergradients(s->bilevel)[0]), t->options.batch, s->weights);
    mfm_step_weights(t, s->bilevel, lr);
    const mfm_bilevel_losses last = mfm_bilevel_last(s->bilevel);
    *losses = (mfm_step_losses){.train = last.train, .meta = last.meta};
}

static void end(mfm_training *t)
{
    l2rw *s = t->method_state;
    mfm_bilevel_free(s->bilevel);
    mfm_free_aligned(t->ctx, s->agreement);
    mfm_free_aligned(t->ctx, s->weights);
    mfm_free(t->ctx, s);
    t->method_state = NULL;
}

static size_t bytes(const mfm_training *t)
{
    const l2rw *s = t->method_state;
    return mfm_bilevel_bytes(s->bilevel) + 2 * t->options.batch * sizeof(real);
}

const mfm_method mfm_method_l2rw = {
    .name = "l2rw",
    .summary = "Learning to reweight: samples weighted by how their gradients help the meta batch",
    .streams = {[TRAIN] = {.name = "train", .from = MFM_FROM_TRAIN},
                [META] = {.name = "meta", .from = MFM_FROM_META}},
    .sharpens = true,
    .build = build,
    .begin = begin,
    .step = step,
    .end = end,
    .bytes = bytes};
