#include "core/data/samplers/class_draw.h"

/* Tells the draws from those of the shuffle, which has node 0. */
enum { NODE = 1 };

typedef struct class_draw {
    uint32_t images, batch, epochs;
    mfm_key key;
    mfm_class_counts counts;
    mfm_class_shares shares;
    bool changes;
    uint64_t epoch;    /* that `bounds` is of */
    uint32_t *count;   /* [classes] */
    uint32_t *first;   /* [classes + 1] where a class begins in members */
    uint32_t *members; /* [images], class after class */
    double *bounds;    /* [classes] cumulative shares, the last is their sum */
} class_draw;

static int count_classes(const mfm_sampling *s)
{
    int classes = 1;
    for (uint32_t i = 0; s->labels && i < s->count; i++)
        if (s->labels[s->indices[i]] >= classes)
            classes = s->labels[s->indices[i]] + 1;
    return classes;
}

static void group(class_draw *d, const mfm_sampling *s)
{
    uint32_t *next = d->first + 1; /* where a class goes on: ends as first[c + 1] */
    const int classes = d->counts.classes;
    for (uint32_t i = 0; i < s->count; i++)
        d->count[s->labels ? s->labels[s->indices[i]] : 0]++;
    for (int c = 0; c + 1 < classes; c++)
        next[c + 1] = next[c] + d->count[c];
    for (uint32_t i = 0; i < s->count; i++)
        d->members[next[s->labels ? s->labels[s->indices[i]] : 0]++] = s->indices[i];
    d->counts.total = s->count;
    for (int c = 0; c < classes; c++) {
        d->counts.present += d->count[c] > 0;
        if (d->count[c] > d->counts.largest)
            d->counts.largest = d->count[c];
    }
}

static void set_bounds(class_draw *d, uint64_t epoch)
{
    const double progress = d->epochs > 1 ? (double)epoch / (double)(d->epochs - 1) : 1;
    double sum = 0;
    d->shares(&d->counts, progress < 1 ? progress : 1, d->bounds);
    for (int c = 0; c < d->counts.classes; c++) {
        sum += d->count[c] ? d->bounds[c] : 0;
        d->bounds[c] = sum;
    }
    d->epoch = epoch;
}

int mfm_class_draw_begin(mfm_ctx *ctx, const mfm_sampling *s, mfm_class_shares shares, bool changes,
                         void **state)
{
    *state = NULL;
    class_draw *d = mfm_alloc(ctx, 1, sizeof *d);
    if (!d)
        return MFM_ENOMEM;
    *d = (class_draw){.images = s->count,
                      .batch = s->batch,
                      .epochs = s->epochs,
                      .key = {.seed = s->seed, .stream = s->stream, .node = NODE},
                      .shares = shares,
                      .changes = changes};
    d->counts.classes = count_classes(s);
    const size_t classes = (size_t)d->counts.classes;
    d->count = mfm_alloc(ctx, classes, sizeof *d->count);
    d->first = mfm_alloc(ctx, classes + 1, sizeof *d->first);
    d->members = mfm_alloc(ctx, s->count, sizeof *d->members);
    d->bounds = mfm_alloc(ctx, classes, sizeof *d->bounds);
    d->counts.count = d->count;
    if (!d->count || !d->first || !d->members || !d->bounds) {
        mfm_class_draw_end(ctx, d);
        return MFM_ENOMEM;
    }
    group(d, s);
    set_bounds(d, 0);
    *state = d;
    return MFM_OK;
}

void mfm_class_draw_end(mfm_ctx *ctx, void *state)
{
    class_draw *d = state;
    mfm_free(ctx, d->count);
    mfm_free(ctx, d->first);
    mfm_free(ctx, d->members);
    mfm_free(ctx, d->bounds);
    mfm_free(ctx, d);
}

/* The class whose part of the shares holds u, 0 <= u < 1: one that has a share. */
static int class_at(const class_draw *d, double u)
{
    const int classes = d->counts.classes;
    const double at = u * d->bounds[classes - 1];
    int low = 0, high = classes - 1;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (at < d->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void mfm_class_draw_batch(void *state, uint64_t step, uint32_t *indices)
{
    class_draw *d = state;
    const uint64_t epoch = mfm_epoch_of_step(step, d->images, d->batch);
    if (d->changes && epoch != d->epoch)
        set_bounds(d, epoch);
    d->key.step = step;
    for (uint32_t slot = 0; slot < d->batch; slot++) {
        const int c = class_at(d, mfm_random_uniform(&d->key, 2 * (uint64_t)slot));
        const uint64_t member = mfm_random_below(&d->key, 2 * (uint64_t)slot + 1, d->count[c]);
        indices[slot] = d->members[d->first[c] + member];
    }
}
