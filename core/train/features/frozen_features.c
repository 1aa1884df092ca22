#include <assert.h>
#include <string.h>

#include "core/data/sources/source.h"
#include "core/train/batch_size.h"
#include "core/train/features/feature_parts.h"
#include "core/train/vector.h"

enum { ALIGNED = 64 / sizeof(real) };

/* ---- making ---------------------------------------------------------------------------------- */

/* The largest divisor of the batch up to MOST_IMAGES that is run at once (core/train/batch_size.h),
 * or the least there is; of a batch that has none but small ones, the batch itself. */
static uint32_t choose_part(uint32_t batch, int64_t products)
{
    enum { LEAST_IMAGES = 8, MOST_IMAGES = 64 };
    uint32_t chosen = batch;
    for (uint32_t part = MOST_IMAGES; part >= LEAST_IMAGES; part--) {
        if (batch % part != 0)
            continue;
        chosen = part;
        if (part * products <= mfm_products_at_once)
            break;
    }
    return chosen;
}

static int plan_prefix(mfm_frozen_features *f, uint32_t images)
{
    static const mfm_pass forward[1] = {{MFM_FORWARD, 1}};
    static const char *const names[1] = {"frozen prefix"};
    const mfm_prefix *prefix = &f->problem->prefix;
    mfm_slot *keep = mfm_alloc(f->ctx, prefix->n, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < prefix->n; i++)
        keep[i] = (mfm_slot){prefix->outputs[i], MFM_X};
    const mfm_plan_spec spec = {.batch = images,
                                .training = false,
                                .passes = forward,
                                .n_passes = 1,
                                .pass_names = names,
                                .keep = keep,
                                .n_keep = (int)prefix->n,
                                .frozen = true};
    const int status = mfm_plan_new(f->ctx, prefix->graph, &spec, &f->plan);
    mfm_free(f->ctx, keep);
    return status;
}

/* A plan of one image tells how many run at once. */
static int plan_part(mfm_frozen_features *f, uint32_t batch)
{
    const int status = plan_prefix(f, 1);
    if (status)
        return status;
    f->products = mfm_plan_macs(f->plan);
    f->part = choose_part(batch, f->products);
    mfm_plan_free(f->plan);
    f->plan = NULL;
    return plan_prefix(f, f->part);
}

static int measure(mfm_frozen_features *f)
{
    const mfm_prefix *prefix = &f->problem->prefix;
    mfm_shape image = *mfm_problem_image_shape(f->problem);
    image.dim[0] = 1;
    f->image = (size_t)mfm_shape_count(&image);
    f->widths = mfm_alloc(f->ctx, prefix->n, sizeof *f->widths);
    for (size_t i = 0; f->widths && i < prefix->n; i++) {
        const mfm_shape *shape = mfm_plan_shape(f->plan, prefix->outputs[i]);
        f->widths[i] = (size_t)mfm_shape_count(shape) / f->part;
        f->width += f->widths[i];
    }
    if (!f->widths)
        return MFM_ENOMEM;
    const int status = mfm_vector_new(f->ctx, NULL, f->part, &f->labels);
    return status ? status : mfm_vector_new(f->ctx, NULL, f->part * f->image, &f->images);
}

/* A graph without numbers is planned, not run. */
static void bind(const mfm_frozen_features *f)
{
    const mfm_prefix *prefix = &f->problem->prefix;
    if (prefix->graph->params_size && !prefix->graph->params)
        return;
    mfm_plan_bind_params(f->plan, MFM_X, prefix->graph->params);
    mfm_plan_bind_state(f->plan, prefix->graph->state);
    mfm_plan_bind_input(f->plan, prefix->images, MFM_X, f->images);
}

int mfm_frozen_features_new(mfm_ctx *ctx, const mfm_problem *problem, uint32_t batch,
                            mfm_frozen_features **features)
{
    mfm_frozen_features *f = mfm_alloc(ctx, 1, sizeof *f);
    *features = f;
    if (!f)
        return MFM_ENOMEM;
    *f = (mfm_frozen_features){.ctx = ctx, .problem = problem};
    int status = plan_part(f, batch);
    if (!status)
        status = measure(f);
    if (!status) {
        bind(f);
        return MFM_OK;
    }
    mfm_frozen_features_free(f);
    *features = NULL;
    return status;
}

void mfm_feature_set_clear(mfm_ctx *ctx, mfm_feature_set *set)
{
    mfm_free(ctx, set->row);
    mfm_free_aligned(ctx, set->data);
    *set = (mfm_feature_set){.images = NULL};
}

void mfm_frozen_features_free(mfm_frozen_features *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n_sets; i++)
        mfm_feature_set_clear(f->ctx, &f->sets[i]);
    mfm_feature_file_close(f->file);
    mfm_free_aligned(f->ctx, f->from_file);
    mfm_plan_free(f->plan);
    mfm_free(f->ctx, f->widths);
    mfm_free_aligned(f->ctx, f->images);
    mfm_free_aligned(f->ctx, f->labels);
    mfm_free(f->ctx, f);
}

int64_t mfm_frozen_features_products(const mfm_frozen_features *f)
{
    return f->products;
}

uint32_t mfm_frozen_features_part(const mfm_frozen_features *f)
{
    return f->part;
}

size_t mfm_frozen_features_size(const mfm_frozen_features *f, uint64_t count)
{
    return count * f->width * sizeof(real);
}

int mfm_feature_room_new(const mfm_frozen_features *f, uint32_t n, real ***room)
{
    const size_t outputs = f->problem->prefix.n;
    size_t total = 0;
    real *block;
    for (size_t i = 0; i < outputs; i++)
        total += (n * f->widths[i] + ALIGNED - 1) / ALIGNED * ALIGNED;
    *room = mfm_alloc(f->ctx, outputs, sizeof **room);
    if (!*room)
        return MFM_ENOMEM;
    const int status = mfm_vector_new(f->ctx, NULL, total, &block);
    for (size_t i = 0; !status && i < outputs; i++) {
        (*room)[i] = block;
        block += (n * f->widths[i] + ALIGNED - 1) / ALIGNED * ALIGNED;
    }
    return status;
}

void mfm_feature_room_free(mfm_ctx *ctx, real **room)
{
    if (!room)
        return;
    mfm_free_aligned(ctx, room[0]);
    mfm_free(ctx, room);
}

static const real *output(const mfm_frozen_features *f, size_t i)
{
    return mfm_plan_lane(f->plan, f->problem->prefix.outputs[i], MFM_X);
}

void mfm_frozen_features_make(mfm_frozen_features *f, const real *images, uint32_t n,
                              real *const *to)
{
    for (uint32_t first = 0; first < n; first += f->part) {
        const uint32_t count = n - first < f->part ? n - first : f->part;
        memcpy(f->images, images + first * f->image, count * f->image * sizeof *images);
        mfm_plan_run(f->plan, 0);
        for (size_t i = 0; i < f->problem->prefix.n; i++)
            memcpy(to[i] + first * f->widths[i], output(f, i), count * f->widths[i] * sizeof **to);
    }
}

void mfm_feature_part_run(mfm_frozen_features *f, uint32_t n, real *to)
{
    size_t at = 0;
    mfm_plan_run(f->plan, 0);
    for (size_t i = 0; i < f->problem->prefix.n; i++) {
        const real *from = output(f, i);
        for (uint32_t k = 0; k < n; k++)
            memcpy(to + k * f->width + at, from + k * f->widths[i], f->widths[i] * sizeof *to);
        at += f->widths[i];
    }
}

/* ---- what is kept ---------------------------------------------------------------------------- */

/* The set that has a form of an image, and the row there. */
static const mfm_feature_set *find(const mfm_frozen_features *f, const mfm_images *images,
                                   uint32_t index, uint32_t copies, uint32_t copy, uint32_t *row)
{
    for (int i = 0; i < f->n_sets; i++) {
        const mfm_feature_set *set = &f->sets[i];
        if (set->images != images || set->copies != copies)
            continue;
        *row = set->row[(size_t)index * mfm_feature_forms(set) + copy];
        if (*row != MFM_NO_FEATURES)
            return set;
    }
    return NULL;
}

bool mfm_feature_known(const mfm_frozen_features *f, const mfm_images *images, uint32_t index,
                       uint32_t copies, uint32_t copy)
{
    uint32_t row;
    return find(f, images, index, copies, copy, &row) != NULL;
}

bool mfm_frozen_features_kept(const mfm_frozen_features *f, const mfm_images *images,
                              const uint32_t *indices, uint32_t n, uint32_t copies,
                              const uint32_t *copy)
{
    uint32_t kept = 0;
    while (images && f->n_sets && kept < n &&
           mfm_feature_known(f, images, indices[kept], copies, copy ? copy[kept] : 0))
        kept++;
    return kept == n;
}

bool mfm_frozen_features_kept_all(const mfm_frozen_features *f, const mfm_images *images,
                                  const uint32_t *indices, uint32_t n, uint32_t copies)
{
    bool all = true;
    for (uint32_t i = 0; i < n && all; i++)
        for (uint32_t c = 0; c < (copies ? copies : 1) && all; c++)
            all = mfm_feature_known(f, images, indices[i], copies, c) ||
                  mfm_images_left_out(images, indices[i]);
    return all;
}

int mfm_frozen_features_take_one(const mfm_frozen_features *f, const mfm_images *images,
                                 uint32_t index, uint32_t copies, uint32_t copy, uint32_t at,
                                 real *const *to)
{
    uint32_t number = MFM_NO_FEATURES;
    const mfm_feature_set *set = find(f, images, index, copies, copy, &number);
    assert(set);
    const real *row = set->data ? set->data + number * f->width : f->from_file;
    const int status = set->data ? MFM_OK : mfm_feature_file_read(f->file, number, f->from_file);
    if (status)
        return mfm_fail_in(f->ctx, status, "features that were there when the run began");
    for (size_t i = 0; i < f->problem->prefix.n; row += f->widths[i++])
        memcpy(to[i] + at * f->widths[i], row, f->widths[i] * sizeof *row);
    return MFM_OK;
}

int mfm_frozen_features_take(const mfm_frozen_features *f, const mfm_images *images,
                             const uint32_t *indices, uint32_t n, uint32_t copies,
                             const uint32_t *copy, real *const *to)
{
    int status = MFM_OK;
    for (uint32_t i = 0; i < n && !status; i++)
        status =
            mfm_frozen_features_take_one(f, images, indices[i], copies, copy ? copy[i] : 0, i, to);
    return status;
}

size_t mfm_frozen_features_bytes(const mfm_frozen_features *f)
{
    size_t bytes = mfm_plan_bytes(f->plan) + f->part * f->image * sizeof(real) +
                   f->problem->prefix.graph->params_size * sizeof(real) +
                   mfm_feature_file_bytes(f->file);
    for (int i = 0; i < f->n_sets; i++) {
        const mfm_feature_set *set = &f->sets[i];
        bytes += set->images->count * mfm_feature_forms(set) * sizeof *set->row;
        bytes += set->data ? mfm_frozen_features_size(f, set->count) : 0;
    }
    return bytes;
}
