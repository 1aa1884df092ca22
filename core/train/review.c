#include "core/train/review.h"

#include "core/train/features/frozen_features.h"

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

static int change(review *r, real *params, const mfm_evaluation_watch *watch,
                  const mfm_confusion *confusion)
{
    mfm_training *t = r->t;
    const mfm_problem *p = t->problem;
    mfm_frozen_features *features;
    int status = mfm_frozen_features_new(t->ctx, p, MFM_SET_PLAIN, FEATURE_BATCH, params, t->state,
                                         &features);
    if (status)
        return status;
    status = mfm_frozen_features_keep(features, &r->data->dataset->train, r->data->preprocess,
                                      r->indices, r->count, watch);
    if (!status) {
        mfm_loss_view view = {.task = p->spec.task,
                              .chosen = p->spec.chosen,
                              .confusion = confusion,
                              .labels = r->labels,
                              .count = r->count};
        view.features = mfm_frozen_features_rows(features, &view.width);
        status = p->spec.loss->change_costs(t->ctx, &view, t->costs);
    }
    mfm_frozen_features_free(features);
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
