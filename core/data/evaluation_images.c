#include "core/data/evaluation_images.h"

#include <omp.h>

#include "core/data/feed.h"
#include "core/data/sources/source.h"

struct mfm_evaluation_images {
    mfm_ctx *ctx;
    const mfm_images *images;
    const uint32_t *indices;
    const mfm_preprocess *preprocess;
    mfm_worker **workers; /* [n_workers], one a thread */
    int n_workers;
    bool copied; /* augmented copies are read */
    uint64_t seed;
    uint32_t copy;
};

void mfm_evaluation_images_copy(mfm_evaluation_images *e, uint64_t seed, uint32_t copy)
{
    e->copied = true;
    e->seed = seed;
    e->copy = copy;
}

void mfm_evaluation_images_close(mfm_evaluation_images *e)
{
    if (!e)
        return;
    for (int i = 0; i < e->n_workers; i++)
        mfm_worker_free(e->ctx, e->workers[i]);
    mfm_free(e->ctx, e->workers);
    mfm_free(e->ctx, e);
}

/* Images in memory are copied faster than threads are told to. */
static int open_workers(mfm_evaluation_images *e)
{
    const bool decodes = e->images->source && e->images->source->decodes;
    const int wanted = decodes ? omp_get_max_threads() : 1;
    e->workers = mfm_alloc(e->ctx, (size_t)wanted, sizeof *e->workers);
    int status = e->workers ? MFM_OK : MFM_ENOMEM;
    while (!status && e->n_workers < wanted) {
        status = mfm_worker_new(e->ctx, e->images, e->preprocess, &e->workers[e->n_workers]);
        e->n_workers += !status;
    }
    return status;
}

int mfm_evaluation_images_open(mfm_ctx *ctx, const mfm_images *images, const uint32_t *indices,
                               const mfm_preprocess *preprocess, mfm_evaluation_images **result)
{
    *result = NULL;
    mfm_evaluation_images *e = mfm_alloc(ctx, 1, sizeof *e);
    if (!e)
        return MFM_ENOMEM;
    *e = (mfm_evaluation_images){
        .ctx = ctx, .images = images, .indices = indices, .preprocess = preprocess};
    const int status = open_workers(e);
    if (status) {
        mfm_evaluation_images_close(e);
        return status;
    }
    *result = e;
    return MFM_OK;
}

static int read_one(const mfm_evaluation_images *e, int worker, uint32_t number, real *out,
                    real *label)
{
    const uint32_t index = e->indices ? e->indices[number] : number;
    if (e->copied)
        return mfm_copied_image(e->workers[worker], e->seed, index, e->copy, out, label);
    return mfm_evaluation_image(e->workers[worker], index, out, label);
}

/* Whatever the threads do, the message is of the first image that cannot be read. */
int mfm_evaluation_images_read(mfm_evaluation_images *e, uint32_t first, uint32_t count, real *out,
                               real *labels)
{
    const size_t size = mfm_preprocess_size(e->preprocess);
    uint32_t broken = count;
#pragma omp parallel for num_threads(e->n_workers) schedule(dynamic) reduction(min : broken)
    for (uint32_t i = 0; i < count; i++) {
        real label;
        const int status = read_one(e, omp_get_thread_num(), first + i, out + i * size, &label);
        const bool left_out = labels && mfm_images_skip(e->images, status);
        if (status && !left_out && i < broken)
            broken = i;
        if (labels)
            labels[i] = left_out ? MFM_LEFT_OUT : label;
    }
    mfm_images_tell(e->ctx, e->images, false);
    if (broken == count)
        return MFM_OK;
    real label;
    const int status = read_one(e, 0, first + broken, out + broken * size, &label);
    return status ? mfm_fail(e->ctx, status, "%s", mfm_worker_message(e->workers[0])) : MFM_OK;
}
