#include "core/train/review.h"

#include <stdio.h>

#include <string.h>

#include "core/data/evaluation_images.h"
#include "core/train/features/frozen_features.h"
#include "core/train/vector.h"

enum { FEATURE_BATCH = 100 };

typedef struct review {
    mfm_training *t;
    const mfm_train_data *data;
    uint32_t *indices; /* of the images whose features are taken */
    int *labels;
    uint32_t count;
} review;

static int classify(const review *r, mfm_evaluator *evaluator, real *params,
                    const mfm_evaluation_watch *watch, mfm_confusion *confusion)
{
    const mfm_split *s = r->data->split;
    const bool apart = s->validation_count > 0;
    double loss;
    return mfm_evaluate_some(evaluator, &r->data->dataset->train, apart ? s->validation : s->train,
                             apart ? s->validation_count : s->train_count, params, r->t->state,
                             watch, confusion, &loss);
}

/* The first images of each class, in the order of the split. */
static int choose_images(review *r, uint64_t per_class)
{
    const mfm_split *s = r->data->split;
    const mfm_problem *p = r->t->problem;
    mfm_ctx *ctx = r->t->ctx;
    uint64_t *taken = mfm_alloc(ctx, (size_t)p->classes, sizeof *taken);
    r->indices = mfm_alloc(ctx, s->train_count, sizeof *r->indices);
    r->labels = mfm_alloc(ctx, s->train_count, sizeof *r->labels);
    const bool made = taken && r->indices && r->labels;
    for (uint32_t i = 0; made && i < s->train_count; i++) {
        const int label = r->data->dataset->train.labels[s->train[i]];
        if (taken[label]++ >= per_class)
            continue;
        r->indices[r->count] = s->train[i];
        r->labels[r->count++] = label;
    }
    mfm_free(ctx, taken);
    return made ? MFM_OK : MFM_ENOMEM;
}

/* What the classifier reads, in inference form and at some parameters. */
typedef struct reader {
    const mfm_training *t;
    mfm_plan *plan;
    real *images; /* [FEATURE_BATCH, image] */
    real **room;  /* of a prefix; NULL: there is none */
    size_t width;
} reader;

static int reader_init(reader *d, real *params)
{
    static const mfm_pass forward[1] = {{MFM_FORWARD, MFM_SET_PLAIN}};
    const mfm_problem *p = d->t->problem;
    mfm_ctx *ctx = d->t->ctx;
    const mfm_slot keep[1] = {{p->classifier.features, MFM_X}};
    const mfm_plan_spec spec = {.batch = FEATURE_BATCH,
                                .passes = forward,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = 1,
                                .frozen = true};
    mfm_shape image = *mfm_problem_image_shape(p);
    image.dim[0] = FEATURE_BATCH;
    if (p->classifier.features < 0)
        return mfm_fail(ctx, MFM_ENOTSUP, "loss %s: what the classifier reads is frozen with it",
                        p->spec.loss->name);
    int status = mfm_plan_new(ctx, p->main, &spec, &d->plan);
    if (!status)
        status = mfm_vector_new(ctx, NULL, (size_t)mfm_shape_count(&image), &d->images);
    if (!status && d->t->features)
        status = mfm_feature_room_new(d->t->features, FEATURE_BATCH, &d->room);
    if (status)
        return status;
    mfm_plan_bind_params(d->plan, MFM_X, params);
    mfm_plan_bind_state(d->plan, d->t->state);
    if (p->images >= 0)
        mfm_plan_bind_input(d->plan, p->images, MFM_X, d->images);
    for (size_t i = 0; i < p->prefix.n; i++)
        mfm_plan_bind_input(d->plan, p->prefix.inputs[i], MFM_X, d->room[i]);
    d->width =
        (size_t)mfm_shape_count(mfm_plan_shape(d->plan, p->classifier.features)) / FEATURE_BATCH;
    return MFM_OK;
}

static void reader_clear(reader *d)
{
    mfm_plan_free(d->plan);
    mfm_feature_room_free(d->t->ctx, d->room);
    mfm_free_aligned(d->t->ctx, d->images);
}

/* rows [count, width] */
static int read_rows(const reader *d, const review *r, const mfm_evaluation_watch *watch,
                     real *rows)
{
    const mfm_training *t = d->t;
    mfm_evaluation_images *images;
    int status = mfm_evaluation_images_open(t->ctx, &r->data->dataset->train, r->indices,
                                            r->data->preprocess, &images);
    for (uint32_t first = 0; first < r->count && !status;) {
        const uint32_t left = r->count - first, n = left < FEATURE_BATCH ? left : FEATURE_BATCH;
        status = mfm_evaluation_images_read(images, first, n, d->images, NULL);
        if (status)
            break;
        if (t->features)
            mfm_frozen_features_make(t->features, d->images, n, d->room);
        mfm_plan_run(d->plan, 0);
        memcpy(rows + first * d->width,
               mfm_plan_lane(d->plan, t->problem->classifier.features, MFM_X),
               n * d->width * sizeof *rows);
        first += n;
        status = watch->on_batch(watch->self, first, r->count);
    }
    mfm_evaluation_images_close(images);
    return status;
}

static int change(review *r, real *params, const mfm_evaluation_watch *watch,
                  const mfm_confusion *confusion)
{
    mfm_training *t = r->t;
    const mfm_problem *p = t->problem;
    reader d = {.t = t};
    real *rows = NULL;
    int status = reader_init(&d, params);
    if (!status)
        status = mfm_vector_new(t->ctx, NULL, r->count * d.width, &rows);
    if (!status)
        status = read_rows(&d, r, watch, rows);
    if (!status) {
        const mfm_loss_view view = {.task = p->spec.task,
                                    .chosen = p->spec.chosen,
                                    .confusion = confusion,
                                    .features = rows,
                                    .width = d.width,
                                    .labels = r->labels,
                                    .count = r->count};
        status = p->spec.loss->change_costs(t->ctx, &view, t->costs);
    }
    mfm_free_aligned(t->ctx, rows);
    reader_clear(&d);
    return status;
}

int mfm_review(mfm_training *t, const mfm_train_data *data, mfm_evaluator *evaluator, real *params,
               const mfm_evaluation_watch *watch, mfm_confusion *confusion)
{
    const mfm_loss *loss = t->problem->spec.loss;
    review r = {.t = t, .data = data};
    int status = classify(&r, evaluator, params, watch, confusion);
    if (!status)
        status = choose_images(&r, loss->looks_at(t->problem->spec.chosen));
    if (!status)
        status = change(&r, params, watch, confusion);
    mfm_free(t->ctx, r.indices);
    mfm_free(t->ctx, r.labels);
    return status;
}

void mfm_tell_loss(const mfm_training *t, const mfm_train_data *data,
                   const mfm_train_events *events)
{
    const double start = mfm_training_bias_start(t);
    const bool apart = data->split->validation_count > 0;
    char text[96];
    snprintf(text, sizeof text, "the last layer's biases start at %.4g and do not decay", start);
    if (start != 0 && t->counters.step == 0 && events->on_note)
        events->on_note(events->self, text);
    if (t->costs && events->on_note)
        events->on_note(events->self,
                        apart ? "costs follow the confusion of the validation images"
                              : "costs follow the confusion of the training images: --validation "
                                "keeps some apart for that");
}
