#include "core/data/check_images.h"

#include <omp.h>

#include "core/data/sources/source.h"

static int read_one(mfm_reader *reader, uint32_t index)
{
    const int status = mfm_reader_begin(reader, index);
    return status ? status : mfm_reader_pixels(reader, 1);
}

static void read_all(mfm_reader **readers, int workers, uint32_t count, int *status)
{
#pragma omp parallel for num_threads(workers) schedule(dynamic)
    for (uint32_t i = 0; i < count; i++)
        status[i] = read_one(readers[omp_get_thread_num()], i);
}

/* Once more, for the message. */
static uint32_t tell(mfm_ctx *ctx, mfm_reader *reader, uint32_t count, const int *status)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < count; i++)
        if (status[i] && read_one(reader, i)) {
            mfm_warn(ctx, "%s", mfm_reader_picture(reader)->message);
            failed++;
        }
    return failed;
}

int mfm_images_check(mfm_ctx *ctx, const mfm_images *images, uint32_t *failed)
{
    *failed = 0;
    if (!images->source || images->count == 0)
        return MFM_OK;
    const int wanted = omp_get_max_threads();
    mfm_reader **readers = mfm_alloc(ctx, (size_t)wanted, sizeof(mfm_reader *));
    int *status = mfm_alloc(ctx, images->count, sizeof *status);
    int opened = 0, code = readers && status ? MFM_OK : MFM_ENOMEM;
    while (code == MFM_OK && opened < wanted) {
        code = mfm_reader_open(ctx, images, 0, 0, 0, &readers[opened]);
        opened += code == MFM_OK;
    }
    if (code == MFM_OK) {
        read_all(readers, wanted, images->count, status);
        *failed = tell(ctx, readers[0], images->count, status);
    }
    for (int i = 0; i < opened; i++)
        mfm_reader_close(ctx, readers[i]);
    mfm_free(ctx, readers);
    mfm_free(ctx, status);
    return code;
}
