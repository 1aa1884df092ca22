#include "core/data/split.h"

#include <math.h>
#include <stdbool.h>

#include "core/data/fnv.h"
#include "core/data/sources/source.h"
#include "core/base/random.h"

/* What is known while a split is made. */
struct plan {
    mfm_ctx *ctx;
    const mfm_dataset *dataset;
    const mfm_split_options *options;
    uint32_t *members; /* images of class c, shuffled: members[first[c] .. first[c + 1] - 1] */
    uint32_t *first;   /* [classes + 1] */
    bool thin;         /* false: every image is kept */
    uint32_t n_max;
    int without_share; /* classes that have fewer images than their share, */
    int farthest;      /* of which this one has the smallest part of it: */
    uint32_t has, its_share;
};

/* mu is 1 / imbalance before it is raised, and all in double: the published counts come from
 * exactly this; a float mu gives 49 for 5000 images at imbalance 100 where 50 is right. */
uint32_t mfm_split_class_count(uint32_t n_max, double imbalance, int class_number, int classes)
{
    if (classes <= 1)
        return n_max;
    const double mu = 1.0 / imbalance;
    return (uint32_t)floor(n_max * pow(mu, (double)class_number / (classes - 1)));
}

static uint32_t class_size(const struct plan *plan, int class_number)
{
    return plan->first[class_number + 1] - plan->first[class_number];
}

/* What is taken out of each class for the meta set. */
static uint32_t meta_taken_out(const struct plan *plan)
{
    return plan->options->meta_from == MFM_META_DISJOINT ? plan->options->meta_per_class : 0;
}

static uint32_t validation_size(const struct plan *plan, int class_number)
{
    const mfm_split_options *options = plan->options;
    if (options->validation_per_class > 0 || options->validation_share == 0)
        return options->validation_per_class;
    const double share = options->validation_share * class_size(plan, class_number);
    return share < 1 ? 1 : (uint32_t)lround(share);
}

static uint64_t taken_out(const struct plan *plan, int class_number)
{
    return (uint64_t)meta_taken_out(plan) + validation_size(plan, class_number);
}

/* A counting sort by class, then each class is shuffled with its own key. */
static int group_by_class(struct plan *plan)
{
    const mfm_images *train = &plan->dataset->train;
    const int classes = plan->dataset->classes;
    plan->members = mfm_alloc(plan->ctx, train->count, sizeof *plan->members);
    plan->first = mfm_alloc(plan->ctx, (size_t)classes + 2, sizeof *plan->first);
    if (!plan->members || !plan->first)
        return MFM_ENOMEM;
    uint32_t *next = plan->first + 1; /* where class c goes on: ends as first[c + 1] */
    for (uint32_t i = 0; i < train->count; i++)
        next[train->labels[i] + 1]++;
    for (int c = 0; c < classes; c++)
        next[c + 1] += next[c];
    for (uint32_t i = 0; i < train->count; i++)
        plan->members[next[train->labels[i]]++] = i;
    for (int c = 0; c < classes; c++) {
        const mfm_key key = {plan->options->seed, MFM_STREAM_SPLIT, (uint32_t)c, 0};
        mfm_random_shuffle(&key, plan->members + plan->first[c], class_size(plan, c));
    }
    return MFM_OK;
}

static int check_options(struct plan *plan)
{
    const mfm_split_options *options = plan->options;
    if (plan->dataset->train.count == 0)
        return mfm_fail(plan->ctx, MFM_EINVAL, "split of %s: no training images: they are needed",
                        plan->dataset->name);
    if (!(options->imbalance >= 1) || !isfinite(options->imbalance))
        return mfm_fail(plan->ctx, MFM_EINVAL, "split: imbalance %g: a finite number >= 1",
                        options->imbalance);
    if (!(options->validation_share >= 0 && options->validation_share < 1))
        return mfm_fail(plan->ctx, MFM_EINVAL, "split: validation share %g: at least 0, below 1",
                        options->validation_share);
    return MFM_OK;
}

/* Of each class at least one image is left to train with. */
static int check_class(const struct plan *plan, int c)
{
    const uint32_t images = class_size(plan, c), meta = meta_taken_out(plan);
    const uint32_t validation = validation_size(plan, c);
    const char *name = plan->dataset->class_names[c];
    if (images == 0)
        return mfm_fail(plan->ctx, MFM_EINVAL,
                        "split: class %d (%s) has no training images: number the labels without "
                        "gaps, or add images of it",
                        c, name);
    if (taken_out(plan, c) < images)
        return MFM_OK;
    if (validation == 0)
        return mfm_fail(plan->ctx, MFM_EINVAL,
                        "split: --meta-per-class %u takes all images of class %d (%s), which has "
                        "%u: at most %u",
                        meta, c, name, images, images - 1);
    return mfm_fail(plan->ctx, MFM_EINVAL,
                    "split: %u image%s for validation%s of class %d (%s), which has %u: at least "
                    "one must be left to train with",
                    validation, validation == 1 ? "" : "s", meta ? " besides the meta images" : "",
                    c, name, images);
}

static int choose_largest(struct plan *plan)
{
    const mfm_split_options *options = plan->options;
    const int classes = plan->dataset->classes;
    int least = 0;
    for (int c = 1; c < classes; c++)
        least = class_size(plan, c) < class_size(plan, least) ? c : least;
    int status = check_class(plan, least); /* told first: the likeliest */
    uint64_t left = plan->dataset->train.count;
    for (int c = 0; c < classes && !status; c++) {
        status = check_class(plan, c);
        left -= status ? 0 : taken_out(plan, c);
    }
    if (status)
        return status;
    plan->thin = options->imbalance > 1 || options->max_per_class > 0;
    plan->n_max =
        options->max_per_class ? options->max_per_class : (uint32_t)(left / (uint32_t)classes);
    return MFM_OK;
}

static const char *plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

static void note_share(struct plan *plan, int c, uint32_t has, uint32_t share)
{
    plan->without_share++;
    if (plan->without_share > 1 && (uint64_t)has * plan->its_share >= (uint64_t)plan->has * share)
        return;
    plan->farthest = c;
    plan->has = has;
    plan->its_share = share;
}

/* One warning for all classes: of a dataset with a tail of its own they may be most. */
static void tell_shares(const struct plan *plan)
{
    if (plan->without_share == 0)
        return;
    const char *name = plan->dataset->class_names[plan->farthest];
    if (plan->without_share == 1)
        mfm_warn(plan->ctx, "class %d (%s) has %u image%s: fewer than its share of %u",
                 plan->farthest, name, plan->has, plural(plan->has), plan->its_share);
    else
        mfm_warn(plan->ctx,
                 "%d classes have fewer images than their share: class %d (%s) has %u of %u, the "
                 "smallest part",
                 plan->without_share, plan->farthest, name, plan->has, plan->its_share);
}

static int count_class(struct plan *plan, mfm_split *split, int c)
{
    const char *name = plan->dataset->class_names[c];
    const mfm_split_options *options = plan->options;
    const uint32_t left = class_size(plan, c) - (uint32_t)taken_out(plan, c);
    const uint32_t share =
        plan->thin ? mfm_split_class_count(plan->n_max, options->imbalance, c, split->classes)
                   : left;
    const uint32_t kept = share < left ? share : left;
    if (kept == 0)
        return mfm_fail(plan->ctx, MFM_EINVAL,
                        "split: class %d (%s) keeps none of %u image%s at imbalance %g: choose one "
                        "below %u",
                        c, name, left, left == 1 ? "" : "s", options->imbalance, plan->n_max);
    if (kept < share)
        note_share(plan, c, left, share);
    split->train_per_class[c] = kept;
    split->train_count += kept;
    split->validation_per_class[c] = validation_size(plan, c);
    split->validation_count += split->validation_per_class[c];
    return MFM_OK;
}

static int rarest(const mfm_split *split)
{
    int rarest = 0;
    for (int c = 1; c < split->classes; c++)
        if (split->train_per_class[c] < split->train_per_class[rarest])
            rarest = c;
    return rarest;
}

/* A meta set of copies has no more of a class than there is. One warning for all classes. */
static void tell_short_meta(const struct plan *plan, const mfm_split *split, int least)
{
    const mfm_split_options *options = plan->options;
    const char *name = plan->dataset->class_names[least];
    const uint32_t fewest = split->train_per_class[least];
    int classes = 0;
    for (int c = 0; c < split->classes; c++)
        classes += split->train_per_class[c] < options->meta_per_class;
    if (options->meta_cap == MFM_META_CAP_RAREST)
        mfm_warn(plan->ctx,
                 "class %d (%s), the rarest, has %u image%s: %u instead of %u of each class in the "
                 "meta set",
                 least, name, fewest, plural(fewest), fewest, options->meta_per_class);
    else if (classes == 1)
        mfm_warn(plan->ctx, "class %d (%s) has %u image%s: %u of %u in the meta set", least, name,
                 fewest, plural(fewest), fewest, options->meta_per_class);
    else
        mfm_warn(plan->ctx,
                 "%d classes have fewer than %u images, and as many in the meta set: class %d (%s) "
                 "has the fewest, %u",
                 classes, options->meta_per_class, least, name, fewest);
}

/* A disjoint meta set has what it asks for, one of copies no more than there is. */
static void count_meta(struct plan *plan, mfm_split *split)
{
    const mfm_split_options *options = plan->options;
    const int least = rarest(split);
    const bool capped = options->meta_from == MFM_META_COPY &&
                        split->train_per_class[least] < options->meta_per_class;
    if (capped && !options->meta_unread)
        tell_short_meta(plan, split, least);
    for (int c = 0; c < split->classes; c++) {
        const uint32_t there =
            split->train_per_class[options->meta_cap == MFM_META_CAP_RAREST ? least : c];
        split->meta_per_class[c] =
            capped && there < options->meta_per_class ? there : options->meta_per_class;
        split->meta_count += split->meta_per_class[c];
    }
}

static int count_classes(struct plan *plan, mfm_split *split)
{
    split->classes = plan->dataset->classes;
    const size_t classes = (size_t)split->classes;
    split->train_per_class = mfm_alloc(plan->ctx, classes, sizeof *split->train_per_class);
    split->meta_per_class = mfm_alloc(plan->ctx, classes, sizeof *split->meta_per_class);
    split->validation_per_class =
        mfm_alloc(plan->ctx, classes, sizeof *split->validation_per_class);
    if (!split->train_per_class || !split->meta_per_class || !split->validation_per_class)
        return MFM_ENOMEM;
    int status = choose_largest(plan);
    for (int c = 0; status == MFM_OK && c < split->classes; c++)
        status = count_class(plan, split, c);
    if (status)
        return status;
    tell_shares(plan);
    count_meta(plan, split);
    return MFM_OK;
}

/* per_class[c] members of each class after those before it, ascending: they are marked, then
 * collected in the order of the images. Before lie `skip` members, and after[c] (NULL: none). */
static int collect(struct plan *plan, uint32_t skip, const uint32_t *after,
                   const uint32_t *per_class, uint32_t count, uint32_t **indices)
{
    const uint32_t images = plan->dataset->train.count;
    *indices = mfm_alloc(plan->ctx, count, sizeof **indices);
    bool *chosen = mfm_alloc(plan->ctx, images, sizeof *chosen);
    if (*indices && chosen) {
        for (int c = 0; c < plan->dataset->classes; c++)
            for (uint32_t i = 0; i < per_class[c]; i++)
                chosen[plan->members[plan->first[c] + skip + (after ? after[c] : 0) + i]] = true;
        for (uint32_t i = 0, at = 0; i < images; i++)
            if (chosen[i])
                (*indices)[at++] = i;
    }
    const int status = *indices && chosen ? MFM_OK : MFM_ENOMEM;
    mfm_free(plan->ctx, chosen);
    return status;
}

static uint64_t hash_words(uint64_t hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = mfm_fnv_number(hash, words[i], 4);
    return hash;
}

static uint64_t hash_shape(uint64_t hash, const mfm_dataset *dataset)
{
    const uint32_t shape[] = {(uint32_t)dataset->channels, (uint32_t)dataset->height,
                              (uint32_t)dataset->width};
    return hash_words(hash, shape, 3);
}

static uint64_t hash_image(uint64_t hash, const mfm_images *images, uint32_t index, size_t size)
{
    hash = mfm_fnv_number(hash, images->labels[index], 2);
    if (images->source)
        return images->source->hash(images->self, index, hash);
    size_t bytes;
    const void *content = mfm_images_content(images, index, size, &bytes);
    return size ? mfm_fnv(hash, content, bytes) : hash;
}

static uint64_t hash_split(const mfm_dataset *dataset, const mfm_split *split)
{
    const uint32_t classes = (uint32_t)split->classes;
    const size_t size = mfm_dataset_image_size(dataset);
    uint64_t hash = hash_words(MFM_FNV_START, &classes, 1);
    hash = hash_words(hash, &split->train_count, 1);
    hash = hash_words(hash, split->train, split->train_count);
    hash = hash_words(hash, &split->meta_count, 1);
    hash = hash_words(hash, split->meta, split->meta_count);
    hash = hash_shape(hash, dataset);
    for (uint32_t i = 0; i < split->train_count; i++)
        hash = hash_image(hash, &dataset->train, split->train[i], size);
    for (uint32_t i = 0; i < split->meta_count; i++)
        hash = hash_image(hash, &dataset->train, split->meta[i], size);
    if (split->validation_count == 0)
        return hash;
    hash = hash_words(hash, &split->validation_count, 1);
    hash = hash_words(hash, split->validation, split->validation_count);
    for (uint32_t i = 0; i < split->validation_count; i++)
        hash = hash_image(hash, &dataset->train, split->validation[i], size);
    return hash;
}

uint64_t mfm_test_hash(const mfm_dataset *dataset)
{
    const size_t size = mfm_dataset_image_size(dataset);
    uint64_t hash = hash_shape(MFM_FNV_START, dataset);
    for (uint32_t i = 0; i < dataset->test.count; i++)
        hash = hash_image(hash, &dataset->test, i, size);
    return hash;
}

static int make(struct plan *plan, mfm_split *split)
{
    int status = check_options(plan);
    if (status == MFM_OK)
        status = group_by_class(plan);
    if (status == MFM_OK)
        status = count_classes(plan, split);
    const uint32_t meta = meta_taken_out(plan); /* lies before the validation part */
    const bool copied = plan->options->meta_from == MFM_META_COPY;
    const uint32_t *validation = split->validation_per_class;
    if (status == MFM_OK)
        status = collect(plan, meta, NULL, validation, split->validation_count, &split->validation);
    if (status == MFM_OK)
        status = collect(plan, meta, validation, split->train_per_class, split->train_count,
                         &split->train);
    if (status == MFM_OK)
        status = collect(plan, 0, copied ? validation : NULL, split->meta_per_class,
                         split->meta_count, &split->meta);
    if (status == MFM_OK)
        split->hash = hash_split(plan->dataset, split);
    mfm_free(plan->ctx, plan->members);
    mfm_free(plan->ctx, plan->first);
    return status;
}

int mfm_split_new(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_split_options *options,
                  mfm_split **result)
{
    *result = NULL;
    mfm_split *split = mfm_alloc(ctx, 1, sizeof *split);
    if (!split)
        return MFM_ENOMEM;
    struct plan plan = {.ctx = ctx, .dataset = dataset, .options = options};
    const int status = make(&plan, split);
    if (status != MFM_OK) {
        mfm_split_free(ctx, split);
        return status;
    }
    *result = split;
    return MFM_OK;
}

void mfm_split_free(mfm_ctx *ctx, mfm_split *split)
{
    if (!split)
        return;
    mfm_free(ctx, split->train);
    mfm_free(ctx, split->meta);
    mfm_free(ctx, split->validation);
    mfm_free(ctx, split->train_per_class);
    mfm_free(ctx, split->meta_per_class);
    mfm_free(ctx, split->validation_per_class);
    mfm_free(ctx, split);
}
