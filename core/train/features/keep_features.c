#include "core/train/features/keep_features.h"

#include <stdio.h>

typedef struct keeper {
    mfm_ctx *ctx;
    mfm_frozen_features *features;
    const mfm_preprocess *preprocess;
    const mfm_evaluation_watch *watch;
    size_t left, kept; /* bytes */
    char *note;
    size_t used; /* characters of it */
} keeper;

static double mib(size_t bytes)
{
    return (double)bytes / 0x1p20;
}

static void tell(keeper *k, const mfm_feature_images *i, uint32_t count)
{
    k->used += (size_t)snprintf(k->note + k->used, MFM_FEATURE_NOTE - k->used, "%s%u %s",
                                k->used ? ", " : "the features of ", count, i->what);
}

static int keep(keeper *k, const mfm_feature_images *i)
{
    uint32_t left_out;
    const size_t size = mfm_frozen_features_size(k->features, i->count);
    if (size > k->left) {
        mfm_warn(k->ctx,
                 "the features of %u %s images take %.1f MiB, --feature-memory leaves %.1f: they "
                 "are computed each time",
                 i->count, i->what, mib(size), mib(k->left));
        return MFM_OK;
    }
    const int status = mfm_frozen_features_keep(k->features, i->images, k->preprocess, i->indices,
                                                i->count, k->watch, &left_out);
    if (status == MFM_ENOMEM)
        return mfm_fail_in(k->ctx, status,
                           "features of %u images (--feature-memory 0 does without)", i->count);
    if (status)
        return status;
    if (left_out)
        mfm_warn(k->ctx,
                 "%u of %u %s images cannot be read: features of batches with them are "
                 "computed each time",
                 left_out, i->count, i->what);
    k->left -= size;
    k->kept += size;
    tell(k, i, i->count - left_out);
    return MFM_OK;
}

int mfm_keep_features(mfm_ctx *ctx, mfm_frozen_features *features, const mfm_feature_images *list,
                      int n, const mfm_preprocess *preprocess, size_t memory,
                      const mfm_evaluation_watch *watch, char note[MFM_FEATURE_NOTE])
{
    keeper k = {.ctx = ctx,
                .features = features,
                .preprocess = preprocess,
                .watch = watch,
                .left = memory,
                .note = note};
    int status = MFM_OK;
    note[0] = '\0';
    for (int i = 0; i < n && !status && memory; i++)
        if (list[i].count && !list[i].varies)
            status = keep(&k, &list[i]);
    if (!status && k.used)
        snprintf(note + k.used, MFM_FEATURE_NOTE - k.used, " images are computed once: %.1f MiB",
                 mib(k.kept));
    return status;
}
