#include "core/train/evaluate.h"

#include <assert.h>
#include <math.h>

#include "core/base/words.h"
#include "core/data/evaluation_images.h"
#include "core/train/batch_size.h"
#include "core/train/comm/bad_images_of_all.h"
#include "core/train/comm/comm.h"
#include "core/train/features/frozen_features.h"
#include "core/data/sources/source.h"

struct mfm_evaluator {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    const mfm_preprocess *preprocess;
    mfm_plan *plan;
    mfm_comm *comm; /* those who evaluate together; NULL: alone */
    uint32_t batch;
    real *images;                  /* [batch, height, width, channels] */
    real *labels;                  /* [batch] */
    mfm_frozen_features *features; /* of a prefix; NULL: there is none */
    real **room;                   /* for those of a batch */
    uint32_t *numbers;             /* [batch] of the images in their part */
};

static const mfm_pass forward_pass[1] = {{MFM_FORWARD, MFM_SET_PLAIN}};

int mfm_inference_plan(mfm_ctx *ctx, const mfm_problem *problem, int64_t batch, mfm_plan **plan)
{
    const mfm_slot keep[1] = {{problem->plain.logits, MFM_X}};
    const mfm_plan_spec spec = {.batch = batch,
                                .training = false,
                                .passes = forward_pass,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = 1,
                                .frozen = true};
    return mfm_plan_new(ctx, problem->main, &spec, plan);
}

int mfm_evaluation_batch(mfm_ctx *ctx, const mfm_problem *problem,
                         const mfm_frozen_features *features, int64_t *batch)
{
    enum { MOST = 100 };
    mfm_plan *one;
    const int status = mfm_inference_plan(ctx, problem, 1, &one);
    if (status)
        return status;
    const int64_t more = features ? mfm_frozen_features_products(features) : 0;
    *batch = mfm_batch_size(mfm_plan_macs(one) + more, MOST);
    mfm_plan_free(one);
    const int64_t part = features ? mfm_frozen_features_part(features) : 1;
    if (*batch < MOST)
        *batch = *batch < part ? part : *batch / part * part;
    return MFM_OK;
}

static int build(mfm_evaluator *e)
{
    const int status = mfm_inference_plan(e->ctx, e->problem, e->batch, &e->plan);
    if (status)
        return status;
    const size_t size = mfm_preprocess_size(e->preprocess) * e->batch;
    e->images = mfm_alloc_aligned(e->ctx, size, sizeof *e->images);
    e->labels = mfm_alloc_aligned(e->ctx, e->batch, sizeof *e->labels);
    if (!e->images || !e->labels)
        return MFM_ENOMEM;
    for (size_t i = 0; i < size; i++) /* a short last batch leaves the rest as it is */
        e->images[i] = 0;
    if (e->problem->images >= 0)
        mfm_plan_bind_input(e->plan, e->problem->images, MFM_X, e->images);
    return MFM_OK;
}

int mfm_evaluator_use_features(mfm_evaluator *e, mfm_frozen_features *features)
{
    const mfm_prefix *prefix = &e->problem->prefix;
    e->features = features;
    e->numbers = mfm_alloc(e->ctx, e->batch, sizeof *e->numbers);
    const int status = e->numbers ? mfm_feature_room_new(features, e->batch, &e->room) : MFM_ENOMEM;
    for (size_t i = 0; !status && i < prefix->n; i++)
        mfm_plan_bind_input(e->plan, prefix->inputs[i], MFM_X, e->room[i]);
    return status;
}

int mfm_evaluator_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_preprocess *preprocess,
                      int64_t batch, mfm_evaluator **evaluator)
{
    *evaluator = mfm_alloc(ctx, 1, sizeof **evaluator);
    if (!*evaluator)
        return MFM_ENOMEM;
    **evaluator = (mfm_evaluator){
        .ctx = ctx, .problem = problem, .preprocess = preprocess, .batch = (uint32_t)batch};
    const int status = build(*evaluator);
    if (status) {
        mfm_evaluator_free(*evaluator);
        *evaluator = NULL;
    }
    return status;
}

void mfm_evaluator_free(mfm_evaluator *evaluator)
{
    if (!evaluator)
        return;
    mfm_plan_free(evaluator->plan);
    mfm_feature_room_free(evaluator->ctx, evaluator->room);
    mfm_free(evaluator->ctx, evaluator->numbers);
    mfm_free_aligned(evaluator->ctx, evaluator->images);
    mfm_free_aligned(evaluator->ctx, evaluator->labels);
    mfm_free(evaluator->ctx, evaluator);
}

/* What an evaluation goes through. */
typedef struct passage {
    const mfm_images *images;
    const uint32_t *indices; /* NULL: the first ones */
    mfm_evaluation_images *reading;
    uint32_t count, counted;
    double sum;            /* of the losses */
    mfm_outcome *outcomes; /* [ranks, batch] of a round: each rank's batch, one after the other */
} passage;

/* What is kept of the images e->numbers; those that are left out have none. */
static int take_features(mfm_evaluator *e, const mfm_images *images, uint32_t n)
{
    int status = MFM_OK;
    for (uint32_t i = 0; i < n && !status; i++) {
        const uint32_t number = e->numbers[i];
        const bool left_out = mfm_images_left_out(images, number);
        e->labels[i] = left_out ? MFM_LEFT_OUT : images->labels[number];
        if (!left_out)
            status = mfm_frozen_features_take_one(e->features, images, number, 0, 0, i, e->room);
    }
    return status;
}

/* Images or features, and labels, of numbers first .. first + n - 1. */
static int read_batch(mfm_evaluator *e, const passage *p, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; e->features && i < n; i++)
        e->numbers[i] = p->indices ? p->indices[first + i] : first + i;
    if (e->features && e->problem->images < 0 &&
        mfm_frozen_features_kept_all(e->features, p->images, e->numbers, n, 0))
        return take_features(e, p->images, n);
    const int status = mfm_evaluation_images_read(p->reading, first, n, e->images, e->labels);
    if (!status && e->features)
        mfm_frozen_features_make(e->features, e->images, n, e->room);
    return status;
}

void mfm_evaluator_share(mfm_evaluator *e, mfm_comm *comm)
{
    e->comm = comm;
}

/* One batch, numbers first .. first + n - 1. */
static int run_batch(mfm_evaluator *e, const passage *p, uint32_t first, uint32_t n,
                     const mfm_evaluation_watch *watch, mfm_outcome *outcomes)
{
    const int64_t classes = e->problem->classes;
    const real *logits = mfm_plan_lane(e->plan, e->problem->plain.logits, MFM_X);
    const int status = read_batch(e, p, first, n);
    if (status)
        return status;
    mfm_plan_run(e->plan, 0);
    for (uint32_t i = 0; i < n; i++) {
        const real *row = logits + (int64_t)i * classes;
        const int label = (int)e->labels[i];
        outcomes[i] =
            label != MFM_LEFT_OUT ? mfm_outcome_of(row, classes, label) : mfm_outcome_none;
        if (watch && watch->on_image)
            watch->on_image(watch->self, &outcomes[i], row);
    }
    return MFM_OK;
}

static void count(passage *p, uint32_t n, mfm_confusion *confusion)
{
    for (uint32_t i = 0; i < n; i++) {
        const mfm_outcome *o = &p->outcomes[i];
        if (o->label == mfm_outcome_none.label)
            continue;
        p->counted++;
        mfm_confusion_add(confusion, o->label, o->predicted);
        p->sum += o->loss;
    }
}

/* A batch for each rank, of which the last may be short or empty; then all count all, in order. */
static int run_round(mfm_evaluator *e, passage *p, uint32_t first, uint32_t n,
                     const mfm_evaluation_watch *watch, mfm_confusion *confusion)
{
    const uint32_t ranks = (uint32_t)mfm_comm_ranks(e->comm);
    const uint32_t rank = (uint32_t)mfm_comm_rank(e->comm);
    size_t begin[MFM_CHUNKS + 1];
    uint32_t at[MFM_CHUNKS + 1];
    for (uint32_t r = 0; r <= ranks; r++) {
        at[r] = r * e->batch < n ? r * e->batch : n;
        begin[r] = at[r] * sizeof *p->outcomes;
    }
    const uint32_t own = at[rank + 1] - at[rank];
    const int status =
        own ? run_batch(e, p, first + at[rank], own, watch, p->outcomes + at[rank]) : MFM_OK;
    if (status)
        return status;
    mfm_comm_gather(e->comm, p->outcomes, begin);
    count(p, n, confusion);
    return MFM_OK;
}

static int run_batches(mfm_evaluator *e, passage *p, const mfm_evaluation_watch *watch,
                       mfm_confusion *confusion)
{
    const uint32_t most = e->batch * (uint32_t)mfm_comm_ranks(e->comm);
    assert(!e->problem->prefix.graph || e->features);
    assert(!e->comm || !watch || !watch->on_image);
    p->outcomes = mfm_alloc(e->ctx, most, sizeof *p->outcomes);
    int status = p->outcomes ? MFM_OK : MFM_ENOMEM;
    for (uint32_t first = 0; first < p->count && !status;) {
        const uint32_t left = p->count - first, got = left < most ? left : most;
        status = run_round(e, p, first, got, watch, confusion);
        first += got;
        if (!status && watch)
            status = watch->on_batch(watch->self, first, p->count);
    }
    mfm_free(e->ctx, p->outcomes);
    const unsigned long long undecided = status ? 0 : mfm_confusion_undecided(confusion);
    if (undecided > 0)
        mfm_warn(e->ctx, "the outputs for %llu of %u images are not numbers: they count as wrong",
                 undecided, p->count);
    return status;
}

int mfm_evaluate_some(mfm_evaluator *e, const mfm_images *images, const uint32_t *indices,
                      uint32_t count, real *params, real *state, const mfm_evaluation_watch *watch,
                      mfm_confusion *confusion, double *loss)
{
    passage p = {.images = images, .indices = indices, .count = count};
    mfm_confusion_reset(confusion);
    mfm_plan_bind_params(e->plan, MFM_X, params);
    mfm_plan_bind_state(e->plan, state);
    int status = mfm_evaluation_images_open(e->ctx, images, indices, e->preprocess, &p.reading);
    if (!status)
        status = run_batches(e, &p, watch, confusion);
    if (!status)
        status = mfm_bad_images_of_all(e->comm, e->ctx, images);
    mfm_images_tell(e->ctx, images, true);
    mfm_evaluation_images_close(p.reading);
    if (!status && count && !p.counted)
        status = mfm_fail(e->ctx, MFM_EDATA,
                          "evaluation: none of %u %s can be read: a share of nothing is no error",
                          count, mfm_plural(count, "image", "images"));
    *loss = p.counted ? p.sum / p.counted : NAN;
    return status;
}

int mfm_evaluate(mfm_evaluator *e, const mfm_images *images, real *params, real *state,
                 const mfm_evaluation_watch *watch, mfm_confusion *confusion, double *loss)
{
    return mfm_evaluate_some(e, images, NULL, images->count, params, state, watch, confusion, loss);
}
