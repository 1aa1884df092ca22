#include "core/train/features/frozen_features.h"

#include <assert.h>
#include <string.h>

#include "core/data/evaluation_images.h"
#include "core/train/vector.h"

enum { MOST_SETS = 8, ALIGNED = 64 / sizeof(real) };
static const uint32_t NO_ROW = UINT32_MAX;

/* Kept features of one part of a dataset. */
typedef struct feature_set {
    const mfm_images *images;
    uint32_t *row; /* [images->count] of an image in data; NO_ROW: not kept here */
    real *data;    /* [count, width] */
    uint32_t count;
} feature_set;

struct mfm_frozen_features {
    mfm_ctx *ctx;
    const mfm_problem *problem;
    mfm_plan *plan;
    uint32_t part;
    size_t image, width; /* reals of an image, and of its features */
    size_t *widths;      /* [n] of each output */
    real *images;        /* [part, image]: the last part is filled up with what was there */
    real *labels;        /* [part] */
    feature_set sets[MOST_SETS];
    int n_sets;
};

/* ---- making ---------------------------------------------------------------------------------- */

/* The largest divisor of the batch up to MOST_IMAGES; of a batch that has none but small ones, the
 * batch itself. */
static uint32_t choose_part(uint32_t batch)
{
    enum { LEAST_IMAGES = 8, MOST_IMAGES = 64 };
    for (uint32_t part = MOST_IMAGES; part >= LEAST_IMAGES; part--)
        if (batch % part == 0)
            return part;
    return batch;
}

static int plan_prefix(mfm_frozen_features *f)
{
    static const mfm_pass forward[1] = {{MFM_FORWARD, 1}};
    static const char *const names[1] = {"frozen prefix"};
    const mfm_prefix *prefix = &f->problem->prefix;
    mfm_slot *keep = mfm_alloc(f->ctx, prefix->n, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < prefix->n; i++)
        keep[i] = (mfm_slot){prefix->outputs[i], MFM_X};
    const mfm_plan_spec spec = {.batch = f->part,
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
    *f = (mfm_frozen_features){.ctx = ctx, .problem = problem, .part = choose_part(batch)};
    int status = plan_prefix(f);
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

static void clear_set(mfm_ctx *ctx, feature_set *set)
{
    mfm_free(ctx, set->row);
    mfm_free_aligned(ctx, set->data);
    *set = (feature_set){.images = NULL};
}

void mfm_frozen_features_free(mfm_frozen_features *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n_sets; i++)
        clear_set(f->ctx, &f->sets[i]);
    mfm_plan_free(f->plan);
    mfm_free(f->ctx, f->widths);
    mfm_free_aligned(f->ctx, f->images);
    mfm_free_aligned(f->ctx, f->labels);
    mfm_free(f->ctx, f);
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

/* The first n images of f->images. */
static void run_part(mfm_frozen_features *f)
{
    mfm_plan_run(f->plan, 0);
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
        run_part(f);
        for (size_t i = 0; i < f->problem->prefix.n; i++)
            memcpy(to[i] + first * f->widths[i], output(f, i), count * f->widths[i] * sizeof **to);
    }
}

/* ---- keeping --------------------------------------------------------------------------------- */

static const real *find_row(const mfm_frozen_features *f, const mfm_images *images, uint32_t index)
{
    for (int i = 0; i < f->n_sets; i++)
        if (f->sets[i].images == images && f->sets[i].row[index] != NO_ROW)
            return f->sets[i].data + f->sets[i].row[index] * f->width;
    return NULL;
}

bool mfm_frozen_features_kept(const mfm_frozen_features *f, const mfm_images *images,
                              const uint32_t *indices, uint32_t n)
{
    uint32_t kept = 0;
    while (images && f->n_sets && kept < n && find_row(f, images, indices[kept]))
        kept++;
    return kept == n;
}

/* Whose features are missing: *list [set->count], whose rows are numbered. */
static int list_missing(const mfm_frozen_features *f, const uint32_t *indices, uint32_t count,
                        feature_set *set, uint32_t **list)
{
    set->row = mfm_alloc(f->ctx, set->images->count, sizeof *set->row);
    *list = mfm_alloc(f->ctx, count, sizeof **list);
    if (!set->row || !*list)
        return MFM_ENOMEM;
    for (uint32_t i = 0; i < set->images->count; i++)
        set->row[i] = NO_ROW;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t index = indices ? indices[i] : i;
        if (set->row[index] != NO_ROW || find_row(f, set->images, index))
            continue;
        (*list)[set->count] = index;
        set->row[index] = set->count++;
    }
    return MFM_OK;
}

static void store_part(const mfm_frozen_features *f, uint32_t n, real *to)
{
    size_t at = 0;
    for (size_t i = 0; i < f->problem->prefix.n; i++) {
        const real *from = output(f, i);
        for (uint32_t k = 0; k < n; k++)
            memcpy(to + k * f->width + at, from + k * f->widths[i], f->widths[i] * sizeof *to);
        at += f->widths[i];
    }
}

/* list: whose rows they are. Rows of images that are left out stay, and belong to nobody. */
static int fill(mfm_frozen_features *f, mfm_evaluation_images *reading, const uint32_t *list,
                feature_set *set, const mfm_evaluation_watch *watch, uint32_t *left_out)
{
    int status = MFM_OK;
    for (uint32_t first = 0; first < set->count && !status;) {
        const uint32_t n = set->count - first < f->part ? set->count - first : f->part;
        status = mfm_evaluation_images_read(reading, first, n, f->images, f->labels);
        if (status)
            return status;
        for (uint32_t i = 0; i < n; i++)
            if (f->labels[i] == (real)MFM_LEFT_OUT) {
                set->row[list[first + i]] = NO_ROW;
                ++*left_out;
            }
        run_part(f);
        store_part(f, n, set->data + first * f->width);
        first += n;
        status = watch ? watch->on_batch(watch->self, first, set->count) : MFM_OK;
    }
    return status;
}

int mfm_frozen_features_keep(mfm_frozen_features *f, const mfm_images *images,
                             const mfm_preprocess *preprocess, const uint32_t *indices,
                             uint32_t count, const mfm_evaluation_watch *watch, uint32_t *left_out)
{
    feature_set set = {.images = images};
    uint32_t *list = NULL;
    mfm_evaluation_images *reading = NULL;
    assert(f->n_sets < MOST_SETS);
    *left_out = 0;
    int status = list_missing(f, indices, count, &set, &list);
    if (!status)
        status = mfm_vector_new(f->ctx, NULL, set.count * f->width, &set.data);
    if (!status)
        status = mfm_evaluation_images_open(f->ctx, images, list, preprocess, &reading);
    if (!status)
        status = fill(f, reading, list, &set, watch, left_out);
    mfm_evaluation_images_close(reading);
    mfm_free(f->ctx, list);
    if (status)
        clear_set(f->ctx, &set);
    else
        f->sets[f->n_sets++] = set;
    return status;
}

void mfm_frozen_features_take(const mfm_frozen_features *f, const mfm_images *images,
                              const uint32_t *indices, uint32_t n, real *const *to)
{
    for (uint32_t k = 0; k < n; k++) {
        const real *row = find_row(f, images, indices[k]);
        assert(row);
        for (size_t i = 0; i < f->problem->prefix.n; row += f->widths[i++])
            memcpy(to[i] + k * f->widths[i], row, f->widths[i] * sizeof *row);
    }
}

size_t mfm_frozen_features_bytes(const mfm_frozen_features *f)
{
    size_t bytes = mfm_plan_bytes(f->plan) + f->part * f->image * sizeof(real) +
                   f->problem->prefix.graph->params_size * sizeof(real);
    for (int i = 0; i < f->n_sets; i++)
        bytes += mfm_frozen_features_size(f, f->sets[i].count) +
                 f->sets[i].images->count * sizeof *f->sets[i].row;
    return bytes;
}
