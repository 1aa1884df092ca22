#include "core/train/methods/method.h"

#include <string.h>

#include "core/train/problem/split_network.h"
#include "core/train/training.h"

#define MFM_METHOD(name) extern const mfm_method mfm_method_##name;
#include "core/train/methods/methods.def"
#include "extra/methods.def"
#undef MFM_METHOD

#define MFM_METHOD(name) &mfm_method_##name,
const mfm_method *const mfm_methods[] = {
#include "core/train/methods/methods.def"
#include "extra/methods.def"
    NULL};
#undef MFM_METHOD

const mfm_method *mfm_method_find(const char *name)
{
    for (int i = 0; mfm_methods[i]; i++)
        if (strcmp(mfm_methods[i]->name, name) == 0)
            return mfm_methods[i];
    return NULL;
}

int mfm_method_build(mfm_ctx *ctx, mfm_network *network, const mfm_task *task,
                     const mfm_train_options *options, mfm_problem **problem)
{
    const mfm_method *method = options->method;
    const mfm_loss_spec spec = mfm_loss_spec_of(options, task);
    const int status = method->build ? method->build(ctx, network, task, options, problem)
                                     : mfm_problem_plain(ctx, network, &spec, problem);
    return status ? mfm_fail_in(ctx, status, "method %s", method->name) : MFM_OK;
}

int mfm_method_streams(const mfm_train_options *options, mfm_stream_use uses[MFM_MAX_STREAMS])
{
    int count = 0;
    for (const mfm_stream_spec *spec = options->method->streams; spec->name; spec++) {
        if (spec->wanted && !spec->wanted(options))
            continue;
        const uint32_t batch = spec->from == MFM_FROM_META ? options->meta_batch : options->batch;
        uses[count++] = (mfm_stream_use){spec, batch, mfm_options_share(options, batch)};
    }
    return count;
}

bool mfm_method_reads_meta(const mfm_train_options *options)
{
    mfm_stream_use uses[MFM_MAX_STREAMS];
    const int count = mfm_method_streams(options, uses);
    for (int i = 0; i < count; i++)
        if (uses[i].spec->from == MFM_FROM_META)
            return true;
    return false;
}

const char *mfm_no_meta_set(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return mfm_method_reads_meta(run->options) ? NULL : "the run reads no meta set";
}

mfm_loss_spec mfm_loss_spec_of(const mfm_train_options *options, const mfm_task *task)
{
    return (mfm_loss_spec){.loss = options->loss,
                           .chosen = options->chosen,
                           .task = task,
                           .soft_labels = options->mixing != NULL};
}

const void *mfm_chosen_values(const mfm_train_options *options, const mfm_settings *settings)
{
    return mfm_values_of(options->chosen, settings);
}
