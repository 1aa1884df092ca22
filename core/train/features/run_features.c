#include "core/train/features/run_features.h"

#include <stdio.h>

#include "core/base/words.h"
#include "core/train/comm/comm.h"
#include "core/train/features/keep_features.h"

uint32_t mfm_copies_of_run(const mfm_training *t, const mfm_train_data *data)
{
    return t->features && data->preprocess->augment.count > 0 ? t->options.augmented_copies : 0;
}

static void tell(const mfm_train_events *events, const char *note)
{
    if (note[0] && events->on_note)
        events->on_note(events->self, note);
}

/* Each rank has the features of all images, which come up anywhere. Where there is a cache, rank 0
 * fills it, without asking the others whether to stop, and they read what it has computed. */
static int keep_in_turn(mfm_training *t, const mfm_feature_images *list, int n,
                        const mfm_feature_keeping *how, char note[MFM_FEATURE_NOTE])
{
    mfm_comm *comm = t->options.comm;
    const bool turns = comm && how->cache;
    const bool leads = mfm_comm_rank(comm) == 0;
    mfm_feature_keeping followed = *how;
    int status = MFM_OK;
    if (turns && !leads)
        followed.watch = NULL;
    if (!turns || leads)
        status = mfm_keep_features(t->ctx, t->features, list, n, how, note);
    if (turns)
        status = mfm_comm_agree(comm, t->ctx, status);
    if (!status && turns && !leads)
        status = mfm_keep_features(t->ctx, t->features, list, n, &followed, note);
    return turns ? mfm_comm_agree(comm, t->ctx, status) : status;
}

int mfm_keep_run_features(mfm_training *t, const mfm_train_data *data,
                          const mfm_train_events *events, const mfm_feature_watch *watch)
{
    const mfm_dataset *dataset = data->dataset;
    const mfm_split *split = data->split;
    const mfm_train_options *o = &t->options;
    const uint32_t copies = mfm_copies_of_run(t, data);
    const bool new_ones = data->preprocess->augment.count > 0 && !copies;
    const mfm_feature_images list[] = {
        {.what = "training",
         .images = &dataset->train,
         .indices = split->train,
         .count = split->train_count,
         .varies = new_ones || o->mixing,
         .copies = copies},
        {.what = "meta",
         .images = &dataset->train,
         .indices = split->meta,
         .count = mfm_method_reads_meta(o) ? split->meta_count : 0,
         .varies = new_ones,
         .copies = copies},
        {.what = "validation",
         .images = &dataset->train,
         .indices = split->validation,
         .count = split->validation_count},
        {.what = "test", .images = &dataset->test, .count = dataset->test.count}};
    const mfm_feature_keeping how = {.preprocess = data->preprocess,
                                     .seed = o->seed,
                                     .memory = (size_t)(o->feature_memory * 0x1p20),
                                     .cache = o->feature_cache,
                                     .cache_size = o->feature_cache_size * 0x1p20,
                                     .watch = watch};
    char note[MFM_FEATURE_NOTE] = "";
    if (!t->features)
        return MFM_OK;
    if (copies)
        snprintf(note, sizeof note,
                 "each image is augmented %u %s and no more: an approximation of new images in "
                 "each step",
                 copies, mfm_plural(copies, "time", "times"));
    tell(events, note);
    const int status = keep_in_turn(t, list, sizeof list / sizeof list[0], &how, note);
    if (!status)
        tell(events, note);
    return status;
}
