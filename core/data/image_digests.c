#include "core/data/image_digests.h"

#include <omp.h>
#include <string.h>

#include "core/data/sources/source.h"

static int open_readers(mfm_ctx *ctx, const mfm_images *images, const mfm_preprocess *p,
                        mfm_reader **readers, int wanted)
{
    int status = MFM_OK;
    for (int i = 0; i < wanted && !status; i++)
        status = mfm_reader_open(ctx, images, p->image_height, p->image_width, p->image_channels,
                                 &readers[i]);
    return status;
}

int mfm_image_digests(mfm_ctx *ctx, const mfm_images *images, const mfm_preprocess *preprocess,
                      const uint32_t *indices, uint32_t count, mfm_digest *digests, bool *known)
{
    const int threads = images->source ? omp_get_max_threads() : 1;
    mfm_reader **readers = mfm_alloc(ctx, (size_t)threads, sizeof(mfm_reader *));
    const int status =
        readers ? open_readers(ctx, images, preprocess, readers, threads) : MFM_ENOMEM;
    memset(digests, 0, count * sizeof *digests);
#pragma omp parallel for num_threads(threads) schedule(dynamic) if (threads > 1)
    for (uint32_t i = 0; i < (status ? 0 : count); i++)
        known[i] =
            mfm_reader_digest(readers[omp_get_thread_num()], indices[i], &digests[i]) == MFM_OK;
    for (int i = 0; readers && i < threads; i++)
        mfm_reader_close(ctx, readers[i]);
    mfm_free(ctx, readers);
    return status;
}
