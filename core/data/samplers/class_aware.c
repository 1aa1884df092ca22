/*
 * Classes one after the other, and of each class its images one after the other: the classes that
 * have images are gone through again and again, each time in a new order, and whenever a class's
 * turn comes it gives the next of its images, which are gone through in the same way (Shen et al.,
 * Relay Backpropagation, ECCV 2016). Slot i of all batches in a row belongs to round i / C of C
 * classes, and a class has given `round` images before it: so a batch is a function of its step.
 */
#include <string.h>

#include "core/data/samplers/sampler.h"

/* Tells the draws from those of other samplers. Images of class c have node IMAGES + c. */
enum { CLASSES = 2, IMAGES };

typedef struct class_aware {
    uint32_t batch, classes; /* classes: that have images */
    mfm_key key;
    uint32_t *class_of;  /* [classes] their numbers, ascending */
    uint32_t *turn;      /* [classes] places in class_of, in the order of round */
    uint32_t *first;     /* [classes + 1] where a class begins in members and order */
    uint32_t *members;   /* [images], class after class */
    uint32_t *order;     /* the same, each class in the order of its permutation */
    uint64_t round;      /* that turn holds */
    uint64_t *shuffling; /* [classes] the permutation that order holds of each */
} class_aware;

static void end(mfm_ctx *ctx, void *state)
{
    class_aware *s = state;
    void *const parts[] = {s->class_of, s->turn, s->first, s->members, s->order, s->shuffling, s};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        mfm_free(ctx, parts[i]);
}

static uint32_t label_of(const mfm_sampling *sampling, uint32_t i)
{
    return sampling->labels ? sampling->labels[sampling->indices[i]] : 0;
}

/* A counting sort by class. place_of is room, one for each label. */
static void group(class_aware *s, const mfm_sampling *sampling, uint32_t *place_of)
{
    for (uint32_t k = 0; k < s->classes; k++)
        place_of[s->class_of[k]] = k;
    uint32_t *next = s->first + 1; /* where a class goes on: ends as first[k + 1] */
    for (uint32_t i = 0; i < sampling->count; i++)
        if (place_of[label_of(sampling, i)] + 1 < s->classes)
            next[place_of[label_of(sampling, i)] + 1]++;
    for (uint32_t k = 1; k < s->classes; k++)
        next[k] += next[k - 1];
    for (uint32_t i = 0; i < sampling->count; i++)
        s->members[next[place_of[label_of(sampling, i)]]++] = sampling->indices[i];
}

static void shuffle_classes(class_aware *s, uint64_t round)
{
    for (uint32_t k = 0; k < s->classes; k++)
        s->turn[k] = k;
    s->key.node = CLASSES;
    s->key.step = round;
    mfm_random_shuffle(&s->key, s->turn, s->classes);
    s->round = round;
}

static void shuffle_images(class_aware *s, uint32_t k, uint64_t permutation)
{
    const uint32_t first = s->first[k], count = s->first[k + 1] - first;
    memcpy(s->order + first, s->members + first, count * sizeof *s->order);
    s->key.node = IMAGES + s->class_of[k];
    s->key.step = permutation;
    mfm_random_shuffle(&s->key, s->order + first, count);
    s->shuffling[k] = permutation;
}

/* The classes that have images; seen has room for every label. */
static void list_classes(class_aware *s, const mfm_sampling *sampling, uint32_t *seen)
{
    for (uint32_t i = 0; i < sampling->count; i++)
        seen[label_of(sampling, i)] = 1;
    for (uint32_t c = 0; c <= UINT16_MAX; c++)
        if (seen[c])
            s->class_of[s->classes++] = c;
}

static int make(mfm_ctx *ctx, const mfm_sampling *sampling, class_aware *s)
{
    const size_t count = sampling->count, most = (size_t)UINT16_MAX + 1;
    uint32_t *labels = mfm_alloc(ctx, most, sizeof *labels);
    s->class_of = mfm_alloc(ctx, count < most ? count : most, sizeof *s->class_of);
    if (labels && s->class_of)
        list_classes(s, sampling, labels);
    s->turn = mfm_alloc(ctx, s->classes, sizeof *s->turn);
    s->first = mfm_alloc(ctx, (size_t)s->classes + 1, sizeof *s->first);
    s->shuffling = mfm_alloc(ctx, s->classes, sizeof *s->shuffling);
    s->members = mfm_alloc(ctx, count, sizeof *s->members);
    s->order = mfm_alloc(ctx, count, sizeof *s->order);
    const bool all =
        labels && s->class_of && s->turn && s->first && s->shuffling && s->members && s->order;
    if (all)
        group(s, sampling, labels);
    mfm_free(ctx, labels);
    return all ? MFM_OK : MFM_ENOMEM;
}

static int begin(mfm_ctx *ctx, const mfm_sampling *sampling, const void *values, void **state)
{
    (void)values;
    *state = NULL;
    class_aware *s = mfm_alloc(ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    s->batch = sampling->batch;
    s->key = (mfm_key){.seed = sampling->seed, .stream = sampling->stream};
    if (make(ctx, sampling, s)) {
        end(ctx, s);
        return MFM_ENOMEM;
    }
    shuffle_classes(s, 0);
    for (uint32_t k = 0; k < s->classes; k++)
        shuffle_images(s, k, 0);
    *state = s;
    return MFM_OK;
}

static void batch(void *state, uint64_t step, uint32_t *indices)
{
    class_aware *s = state;
    for (uint32_t slot = 0; slot < s->batch; slot++) {
        const uint64_t place = step * s->batch + slot, round = place / s->classes;
        if (s->round != round)
            shuffle_classes(s, round);
        const uint32_t k = s->turn[place % s->classes], count = s->first[k + 1] - s->first[k];
        if (s->shuffling[k] != round / count)
            shuffle_images(s, k, round / count);
        indices[slot] = s->order[s->first[k] + round % count];
    }
}

const mfm_sampler_kind mfm_sampler_class_aware = {
    .name = "class-aware",
    .summary = "classes in turn, and the images of each in turn",
    .rebalances = true,
    .begin = begin,
    .end = end,
    .batch = batch,
};
