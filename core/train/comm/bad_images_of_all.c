#include "core/train/comm/bad_images_of_all.h"

#include <stdio.h>

#include "core/data/sources/source.h"

typedef struct told {
    uint32_t index;
    bool there;
    char message[MFM_BAD_MESSAGE];
} told;

/* Of all ranks, one after the other. */
typedef struct findings {
    told *told;    /* [ranks, MFM_BAD_TOLD] the first ones */
    uint8_t *bits; /* [ranks, size] one for each image */
    size_t size;
} findings;

static void put_own(const findings *f, const mfm_images *images, int rank)
{
    told *own = f->told + (size_t)rank * MFM_BAD_TOLD;
    uint8_t *bits = f->bits + (size_t)rank * f->size;
    for (uint32_t k = 0; k < MFM_BAD_TOLD; k++)
        own[k].there = mfm_bad_images_first(images->bad, k, &own[k].index, own[k].message);
    for (uint32_t i = 0; i < images->count; i++)
        if (mfm_bad_images_has(images->bad, i))
            bits[i / 8] |= (uint8_t)(1u << i % 8);
}

/* Where all have found more than are kept, or a reader is just writing its message. */
static void note_without_message(const mfm_images *images, uint32_t index)
{
    char message[MFM_BAD_MESSAGE];
    const char *path = mfm_images_path(images, index);
    snprintf(message, sizeof message, "%s: it cannot be read", path ? path : "an image");
    mfm_bad_images_note(images->bad, index, message);
}

static void take_all(const findings *f, const mfm_images *images, int ranks)
{
    for (size_t k = 0; k < (size_t)ranks * MFM_BAD_TOLD; k++)
        if (f->told[k].there)
            mfm_bad_images_note(images->bad, f->told[k].index, f->told[k].message);
    for (size_t r = 0; r < (size_t)ranks; r++)
        for (uint32_t i = 0; i < images->count; i++)
            if (f->bits[r * f->size + i / 8] >> i % 8 & 1)
                note_without_message(images, i);
}

void mfm_leave_telling(mfm_comm *comm, const mfm_dataset *dataset)
{
    if (mfm_comm_rank(comm) == 0)
        return;
    mfm_images_hush(&dataset->train);
    mfm_images_hush(&dataset->test);
}

int mfm_bad_images_of_all(mfm_comm *comm, mfm_ctx *ctx, const mfm_images *images)
{
    const int ranks = mfm_comm_ranks(comm);
    size_t begin_told[MFM_CHUNKS + 1], begin_bits[MFM_CHUNKS + 1];
    findings f = {.size = (images->count + 7u) / 8};
    if (ranks == 1 || !images->bad || !images->skips ||
        !mfm_comm_max(comm, mfm_bad_images_count(images->bad) > 0))
        return MFM_OK;
    f.told = mfm_alloc(ctx, (size_t)ranks * MFM_BAD_TOLD, sizeof *f.told);
    f.bits = mfm_alloc(ctx, (size_t)ranks * f.size, 1);
    const int status = mfm_comm_agree(comm, ctx, f.told && f.bits ? MFM_OK : MFM_ENOMEM);
    if (!status) {
        for (size_t r = 0; r <= (size_t)ranks; r++) {
            begin_told[r] = r * MFM_BAD_TOLD * sizeof *f.told;
            begin_bits[r] = r * f.size;
        }
        put_own(&f, images, mfm_comm_rank(comm));
        mfm_comm_gather(comm, f.told, begin_told);
        mfm_comm_gather(comm, f.bits, begin_bits);
        take_all(&f, images, ranks);
        mfm_images_tell(ctx, images, false);
    }
    mfm_free(ctx, f.told);
    mfm_free(ctx, f.bits);
    return status;
}
