#include "core/train/features/frozen_features.h"

#include <string.h>

#include "core/data/evaluation_images.h"
#include "core/train/vector.h"

struct mfm_frozen_features {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    mfm_plan *plan;
    uint32_t batch;
    size_t width;
    real *kept;    /* [count, width]; NULL: none are */
    uint32_t *row; /* of an image in kept, by its number in its part */
    size_t kept_size;
};

/* ---- the graph ------------------------------------------------------------------------------- */

/* Marks the values that the features are made from. */
static void mark_ancestors(const mfm_graph *graph, int features, uint8_t *below)
{
    below[features] = 1;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &graph->nodes[i];
        bool needed = false;
        for (int j = 0; j < node->n_out; j++)
            needed |= below[node->out[j]];
        for (int j = 0; needed && j < node->n_in; j++)
            if (node->in[j] >= 0)
                below[node->in[j]] = 1;
    }
}

static void set_segments(mfm_graph *graph, const uint8_t *below)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        graph->nodes[i].segment =
            below[graph->nodes[i].out[0]] ? MFM_SEGMENT_SHARED : MFM_SEGMENT_PLAIN;
}

static int check_apart(mfm_ctx *ctx, const mfm_graph *graph, int param, const uint8_t *below,
                       const char *what)
{
    if (param < 0 || !below[param])
        return MFM_OK;
    return mfm_fail(ctx, MFM_ENOTSUP,
                    "%s: the classifier's parameter '%s' also makes the features that it reads: "
                    "these cannot stay as they are",
                    what, graph->values[param].name);
}

int mfm_problem_freeze_features(mfm_problem *p, const char *what)
{
    const mfm_classifier *c = &p->classifier;
    mfm_graph *graph = p->main;
    int status = mfm_classifier_need(p->ctx, c, what);
    if (status)
        return status;
    uint8_t *below = mfm_alloc(p->ctx, graph->n_values, 1);
    if (!below)
        return MFM_ENOMEM;
    mark_ancestors(graph, c->features, below);
    status = check_apart(p->ctx, graph, c->weight, below, what);
    if (!status)
        status = check_apart(p->ctx, graph, c->bias, below, what);
    if (!status)
        set_segments(graph, below);
    for (size_t i = 0; i < graph->n_values; i++)
        if ((int)i != c->weight && (int)i != c->bias)
            graph->values[i].trainable = false;
    mfm_free(p->ctx, below);
    return status;
}

/* ---- running it ------------------------------------------------------------------------------ */

static int build(mfm_frozen_features *f, uint32_t segments, real *params, real *state)
{
    const mfm_pass forward[1] = {{MFM_FORWARD, segments}};
    static const char *const names[1] = {"frozen features"};
    const int value = f->problem->classifier.features;
    const mfm_slot keep[1] = {{value, MFM_X}};
    const mfm_plan_spec spec = {.batch = f->batch,
                                .training = false,
                                .passes = forward,
                                .n_passes = 1,
                                .pass_names = names,
                                .keep = keep,
                                .n_keep = 1,
                                .frozen = true};
    const int status = mfm_plan_new(f->ctx, f->problem->main, &spec, &f->plan);
    if (status)
        return status;
    mfm_plan_bind_params(f->plan, MFM_X, params);
    mfm_plan_bind_state(f->plan, state);
    f->width = (size_t)mfm_shape_count(mfm_plan_shape(f->plan, value)) / f->batch;
    return MFM_OK;
}

int mfm_frozen_features_new(mfm_ctx *ctx, const mfm_problem *problem, uint32_t segments,
                            int64_t batch, real *params, real *state,
                            mfm_frozen_features **features)
{
    mfm_frozen_features *f = mfm_alloc(ctx, 1, sizeof *f);
    *features = f;
    if (!f)
        return MFM_ENOMEM;
    *f = (mfm_frozen_features){.ctx = ctx, .problem = problem, .batch = (uint32_t)batch};
    const int status = build(f, segments, params, state);
    if (status) {
        mfm_frozen_features_free(f);
        *features = NULL;
    }
    return status;
}

static void drop(mfm_frozen_features *f)
{
    mfm_free_aligned(f->ctx, f->kept);
    mfm_free(f->ctx, f->row);
    f->kept = NULL;
    f->row = NULL;
    f->kept_size = 0;
}

void mfm_frozen_features_free(mfm_frozen_features *f)
{
    if (!f)
        return;
    drop(f);
    mfm_plan_free(f->plan);
    mfm_free(f->ctx, f);
}

size_t mfm_frozen_features_size(const mfm_frozen_features *f, uint32_t count)
{
    return count * f->width * sizeof(real);
}

bool mfm_frozen_features_kept(const mfm_frozen_features *f)
{
    return f->kept != NULL;
}

const real *mfm_frozen_features_rows(const mfm_frozen_features *f, size_t *width)
{
    *width = f->width;
    return f->kept;
}

static const real *run(mfm_frozen_features *f, const real *images)
{
    mfm_plan_bind_input(f->plan, f->problem->images, MFM_X, (real *)images);
    mfm_plan_run(f->plan, 0);
    return mfm_plan_lane(f->plan, f->problem->classifier.features, MFM_X);
}

/* room [batch, image]: the last batch is filled up with what the one before has left there. */
static int fill(mfm_frozen_features *f, mfm_evaluation_images *images, const uint32_t *indices,
                uint32_t count, const mfm_evaluation_watch *watch, real *room)
{
    int status = MFM_OK;
    for (uint32_t first = 0; first < count && !status;) {
        const uint32_t n = count - first < f->batch ? count - first : f->batch;
        for (uint32_t i = 0; i < n; i++)
            f->row[indices[first + i]] = first + i;
        status = mfm_evaluation_images_read(images, first, n, room, NULL);
        if (status)
            return status;
        memcpy(f->kept + first * f->width, run(f, room), n * f->width * sizeof(real));
        first += n;
        status = watch ? watch->on_batch(watch->self, first, count) : MFM_OK;
    }
    return status;
}

int mfm_frozen_features_keep(mfm_frozen_features *f, const mfm_images *images,
                             const mfm_preprocess *preprocess, const uint32_t *indices,
                             uint32_t count, const mfm_evaluation_watch *watch)
{
    real *room;
    drop(f);
    int status = mfm_vector_new(f->ctx, NULL, mfm_preprocess_size(preprocess) * f->batch, &room);
    if (!status)
        status = mfm_vector_new(f->ctx, NULL, count * f->width, &f->kept);
    f->row = status ? NULL : mfm_alloc(f->ctx, images->count, sizeof *f->row);
    if (!status && !f->row)
        status = MFM_ENOMEM;
    mfm_evaluation_images *reading = NULL;
    if (!status)
        status = mfm_evaluation_images_open(f->ctx, images, indices, preprocess, &reading);
    if (!status)
        status = fill(f, reading, indices, count, watch, room);
    mfm_evaluation_images_close(reading);
    f->kept_size = mfm_frozen_features_size(f, count) + images->count * sizeof *f->row;
    mfm_free_aligned(f->ctx, room);
    if (status)
        drop(f);
    return status;
}

void mfm_frozen_features_of(mfm_frozen_features *f, const mfm_batch *batch, real *to)
{
    const size_t row = f->width * sizeof(real);
    if (!f->kept)
        memcpy(to, run(f, batch->images), f->batch * row);
    for (size_t i = 0; f->kept && i < f->batch; i++)
        memcpy(to + i * f->width, f->kept + f->row[batch->indices[i]] * f->width, row);
}

size_t mfm_frozen_features_bytes(const mfm_frozen_features *f)
{
    return mfm_plan_bytes(f->plan) + f->kept_size;
}
