/* Checkpoints: one that is taken up again gives a training that goes on, any other a reason. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/train/training.h"
#include "onnx/checkpoint.h"
#include "onnx/import/import.h"
#include "onnx/surgery/inject.h"
#include "tests/fuzz/fuzz.h"
#include "tests/onnx/hand.h"
#include "tests/scratch.h"

enum { BATCH = 2, MEMORY = 64 << 20 };

/* A training run over the model, and what it stands on. */
typedef struct run {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_network *network;
    mfm_problem *problem;
    mfm_training *training;
} run;

static int prepare(run *r)
{
    int status = mfm_model_untie(r->ctx, r->model, NULL);
    if (!status)
        status = mfm_model_import(r->ctx, r->model, &r->network);
    if (status)
        return status;
    const mfm_train_options options = {
        .method = mfm_method_find(r->network->soft_label >= 0 ? "mfm" : "base"),
        .epochs = 1,
        .batch = BATCH,
        .meta_batch = BATCH,
        .schedule = {.base = 0.01}};
    status = mfm_method_build(r->ctx, r->network, NULL, &options, &r->problem);
    return status ? status : mfm_training_new(r->ctx, r->problem, &options, &r->training);
}

static void clear(run *r)
{
    mfm_training_free(r->training);
    mfm_problem_free(r->problem);
    mfm_network_free(r->ctx, r->network);
    mfm_model_free(r->model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    run r = {.ctx = fuzz_ctx(&memory)};
    char *options = NULL;
    if (!r.ctx)
        return 0;
    int status = mfm_model_parse(r.ctx, bytes, size, "fuzz", &r.model);
    if (!status)
        status = mfm_checkpoint_options(r.ctx, r.model, &options);
    mfm_free(r.ctx, options);
    if (!status)
        status = prepare(&r);
    if (!status)
        status = mfm_checkpoint_restore(r.ctx, r.model, r.training);
    fuzz_need_reason(status, r.ctx);
    if (!status)
        fuzz_need(mfm_training_check_finite(r.training) == MFM_OK, r.ctx,
                  "what is restored goes on");
    if (!status) {
        fuzz_need(mfm_checkpoint_strip(r.ctx, r.model) == MFM_OK, r.ctx, "and can be stripped");
        fuzz_whole++;
    }
    clear(&r);
    mfm_ctx_free(r.ctx);
    return 0;
}

/* The checkpoint's bytes, by way of a file. */
static bool take_checkpoint(run *r, fuzz_take *take, void *self)
{
    static uint8_t bytes[1 << 18];
    char path[SCRATCH];
    if (!scratch_file(path, "fuzz-checkpoint"))
        return false;
    const bool saved =
        mfm_checkpoint_save(r->ctx, r->model, r->training, "{\"lr\": 0.5}", path, NULL) == 0;
    FILE *written = saved ? fopen(path, "rb") : NULL;
    const size_t size = written ? fread(bytes, 1, sizeof bytes, written) : 0;
    if (written)
        fclose(written);
    unlink(path);
    if (size == 0 || size == sizeof bytes)
        return false;
    take(self, bytes, size);
    return true;
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    bool made = true;
    for (int modulated = 0; modulated < 2 && made; modulated++) {
        run r = {.ctx = mfm_ctx_new(NULL)};
        if (!r.ctx)
            return false;
        r.model = hand_residual(r.ctx, 8, 17);
        if (modulated)
            made = !mfm_model_inject(r.ctx, r.model, &(mfm_inject_options){.hidden = 2});
        made = made && !prepare(&r) && take_checkpoint(&r, take, self);
        clear(&r);
        mfm_ctx_free(r.ctx);
    }
    return made;
}
