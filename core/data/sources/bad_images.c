#include "core/data/sources/bad_images.h"

#include <stdatomic.h>
#include <stdio.h>

#include "core/base/words.h"

typedef struct first {
    uint32_t index;
    char message[MFM_BAD_MESSAGE];
    atomic_bool written; /* the two above */
} first;

struct mfm_bad_images {
    char *name;
    uint32_t images;
    atomic_uchar *bad; /* [images] */
    atomic_uint count;
    first first[MFM_BAD_TOLD];
    unsigned told, total_told;
    bool hushed;
};

int mfm_bad_images_new(mfm_ctx *ctx, const char *name, uint32_t images, mfm_bad_images **result)
{
    mfm_bad_images *b = *result = mfm_alloc(ctx, 1, sizeof *b);
    if (!b)
        return MFM_ENOMEM;
    b->images = images;
    b->name = mfm_strdup(ctx, name);
    b->bad = mfm_alloc(ctx, images, sizeof *b->bad);
    if (b->name && b->bad)
        return MFM_OK;
    mfm_bad_images_free(ctx, b);
    *result = NULL;
    return MFM_ENOMEM;
}

void mfm_bad_images_free(mfm_ctx *ctx, mfm_bad_images *b)
{
    if (!b)
        return;
    mfm_free(ctx, b->name);
    mfm_free(ctx, b->bad);
    mfm_free(ctx, b);
}

void mfm_bad_images_note(mfm_bad_images *b, uint32_t index, const char *message)
{
    if (atomic_exchange(&b->bad[index], 1))
        return;
    const unsigned number = atomic_fetch_add(&b->count, 1);
    if (number >= MFM_BAD_TOLD)
        return;
    first *f = &b->first[number];
    f->index = index;
    snprintf(f->message, sizeof f->message, "%s", message);
    atomic_store(&f->written, true);
}

bool mfm_bad_images_has(const mfm_bad_images *b, uint32_t index)
{
    return atomic_load(&b->bad[index]);
}

uint32_t mfm_bad_images_count(const mfm_bad_images *b)
{
    return atomic_load(&b->count);
}

bool mfm_bad_images_first(const mfm_bad_images *b, uint32_t k, uint32_t *index,
                          char message[MFM_BAD_MESSAGE])
{
    if (k >= MFM_BAD_TOLD || !atomic_load(&b->first[k].written))
        return false;
    *index = b->first[k].index;
    snprintf(message, MFM_BAD_MESSAGE, "%s", b->first[k].message);
    return true;
}

void mfm_bad_images_tell(mfm_ctx *ctx, mfm_bad_images *b, bool total)
{
    const unsigned count = atomic_load(&b->count);
    if (b->hushed)
        return;
    for (; b->told < MFM_BAD_TOLD && atomic_load(&b->first[b->told].written); b->told++)
        mfm_warn(ctx, "%s: it is left out", b->first[b->told].message);
    if (total && count > b->total_told) {
        mfm_warn(ctx, "%s: %u of %u images cannot be read and %s left out", b->name, count,
                 b->images, mfm_plural(count, "is", "are"));
        b->total_told = count;
    }
}

void mfm_bad_images_hush(mfm_bad_images *b)
{
    b->hushed = true;
}
