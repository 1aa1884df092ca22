#include "core/data/test_prior.h"

#include <math.h>
#include <stdbool.h>

#include "core/data/split.h"
#include "core/base/random.h"

static const double published_imbalance = 10; /* of test1 and test2 */

/* What is known while a set is made. */
typedef struct plan {
    mfm_ctx *ctx;
    const mfm_dataset *dataset;
    const mfm_prior_options *options;
    uint32_t *members; /* images of class c, shuffled: members[first[c] .. first[c + 1] - 1] */
    uint32_t *first;   /* [classes + 1] */
    uint32_t *place;   /* [classes]: k of the class's n(k) */
} plan;

static uint32_t images_of(const plan *p, int c)
{
    return p->first[c + 1] - p->first[c];
}

/* A counting sort by class, then each class is shuffled with its own key. */
static int group_by_class(plan *p)
{
    const mfm_images *test = &p->dataset->test;
    const int classes = p->dataset->classes;
    p->members = mfm_alloc(p->ctx, test->count, sizeof *p->members);
    p->first = mfm_alloc(p->ctx, (size_t)classes + 2, sizeof *p->first);
    if (!p->members || !p->first)
        return MFM_ENOMEM;
    uint32_t *next = p->first + 1; /* where class c goes on: ends as first[c + 1] */
    for (uint32_t i = 0; i < test->count; i++)
        next[test->labels[i] + 1]++;
    for (int c = 0; c < classes; c++)
        next[c + 1] += next[c];
    for (uint32_t i = 0; i < test->count; i++)
        p->members[next[test->labels[i]]++] = i;
    for (int c = 0; c < classes; c++) {
        const mfm_key key = {p->options->seed, MFM_STREAM_PRIOR, (uint32_t)c, 0};
        mfm_random_shuffle(&key, p->members + p->first[c], images_of(p, c));
    }
    return MFM_OK;
}

static int place_classes(plan *p)
{
    const uint32_t classes = (uint32_t)p->dataset->classes;
    const enum mfm_prior_kind kind = p->options->kind;
    p->place = mfm_alloc(p->ctx, classes, sizeof *p->place);
    if (!p->place)
        return MFM_ENOMEM;
    const bool reversed = kind == MFM_PRIOR_BACKWARD || kind == MFM_PRIOR_TEST1;
    for (uint32_t c = 0; c < classes; c++)
        p->place[c] = reversed ? classes - 1 - c : c;
    if (kind == MFM_PRIOR_TEST1) /* the rarest of them is class 0 */
        for (uint32_t c = 0; c < classes / 2; c++)
            p->place[c] = classes - 1;
    if (kind == MFM_PRIOR_TEST2) {
        const mfm_key key = {p->options->seed, MFM_STREAM_PRIOR, 0, 1};
        mfm_random_shuffle(&key, p->place, classes);
    }
    return MFM_OK;
}

static double largest_weight(const plan *p)
{
    double largest = 0;
    for (int c = 0; c < p->dataset->classes; c++)
        if (images_of(p, c) > 0)
            largest = fmax(largest, p->options->weights[c]);
    return largest;
}

/* What class c has in a set whose largest class has n. */
static uint32_t share(const plan *p, uint32_t n, int c)
{
    const mfm_prior_options *o = p->options;
    const int classes = p->dataset->classes;
    switch (o->kind) {
    case MFM_PRIOR_UNIFORM:
        return n;
    case MFM_PRIOR_FORWARD:
    case MFM_PRIOR_BACKWARD:
        return mfm_split_class_count(n, o->imbalance, (int)p->place[c], classes);
    case MFM_PRIOR_TEST1:
    case MFM_PRIOR_TEST2:
        return mfm_split_class_count(n, published_imbalance, (int)p->place[c], classes);
    case MFM_PRIOR_WEIGHTS:
    default:
        return (uint32_t)lround(n * (o->weights[c] / largest_weight(p)));
    }
}

static bool fits(const plan *p, uint32_t n)
{
    for (int c = 0; c < p->dataset->classes; c++)
        if (images_of(p, c) > 0 && share(p, n, c) > images_of(p, c))
            return false;
    return true;
}

/* No share falls when n grows, so the largest n that fits is found by halving. n may exceed every
 * class: no class need stand where n(k) is largest. */
static uint32_t largest_that_fits(const plan *p)
{
    uint32_t low = 0, high = UINT32_MAX / 2;
    while (low < high) {
        const uint32_t middle = low + (high - low + 1) / 2;
        if (fits(p, middle))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int count_classes(const plan *p, mfm_test_prior *prior)
{
    const mfm_prior_options *o = p->options;
    const bool weighted = o->kind == MFM_PRIOR_WEIGHTS;
    if (p->dataset->test.count == 0 || (weighted && !(largest_weight(p) > 0)))
        return mfm_fail(p->ctx, MFM_EINVAL, "test prior: %s has no test images to draw from",
                        p->dataset->name);
    const uint32_t n = largest_that_fits(p);
    for (int c = 0; c < prior->classes; c++) {
        const bool wanted = !weighted || o->weights[c] > 0;
        if (images_of(p, c) == 0 && weighted && wanted)
            mfm_warn(p->ctx, "class %d (%s) has no test images: its share stays empty", c,
                     p->dataset->class_names[c]);
        if (images_of(p, c) == 0 || !wanted)
            continue;
        prior->per_class[c] = share(p, n, c);
        prior->count += prior->per_class[c];
        if (prior->per_class[c] == 0)
            return mfm_fail(p->ctx, MFM_EINVAL,
                            "test prior: class %d (%s) would keep none of its %u test image%s: "
                            "choose a distribution that is less uneven",
                            c, p->dataset->class_names[c], images_of(p, c),
                            images_of(p, c) == 1 ? "" : "s");
    }
    return MFM_OK;
}

/* The first per_class[c] members of each class, in the order of the images. */
static int collect(const plan *p, mfm_test_prior *prior)
{
    const uint32_t images = p->dataset->test.count;
    bool *chosen = mfm_alloc(p->ctx, images, sizeof *chosen);
    prior->indices = mfm_alloc(p->ctx, prior->count, sizeof *prior->indices);
    const int status = chosen && prior->indices ? MFM_OK : MFM_ENOMEM;
    if (!status) {
        for (int c = 0; c < prior->classes; c++)
            for (uint32_t i = 0; i < prior->per_class[c]; i++)
                chosen[p->members[p->first[c] + i]] = true;
        for (uint32_t i = 0, at = 0; i < images; i++)
            if (chosen[i])
                prior->indices[at++] = i;
    }
    mfm_free(p->ctx, chosen);
    return status;
}

int mfm_test_prior_new(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_prior_options *options,
                       mfm_test_prior **result)
{
    *result = NULL;
    mfm_test_prior *prior = mfm_alloc(ctx, 1, sizeof *prior);
    if (!prior)
        return MFM_ENOMEM;
    prior->classes = dataset->classes;
    prior->per_class = mfm_alloc(ctx, (size_t)dataset->classes, sizeof *prior->per_class);
    plan p = {.ctx = ctx, .dataset = dataset, .options = options};
    int status = prior->per_class ? group_by_class(&p) : MFM_ENOMEM;
    if (!status)
        status = place_classes(&p);
    if (!status)
        status = count_classes(&p, prior);
    if (!status)
        status = collect(&p, prior);
    mfm_free(ctx, p.members);
    mfm_free(ctx, p.first);
    mfm_free(ctx, p.place);
    if (status)
        mfm_test_prior_free(ctx, prior);
    else
        *result = prior;
    return status;
}

void mfm_test_prior_free(mfm_ctx *ctx, mfm_test_prior *prior)
{
    if (!prior)
        return;
    mfm_free(ctx, prior->indices);
    mfm_free(ctx, prior->per_class);
    mfm_free(ctx, prior);
}
