/* Checkpoints: one that is taken up again gives a training that goes on, any other a reason. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "onnx/checkpoint.h"
#include "onnx/surgery/inject.h"
#include "tests/fuzz/fuzz.h"
#include "tests/onnx/hand.h"
#include "tests/onnx/session.h"
#include "tests/scratch.h"

enum { MEMORY = 64 << 20 };

static int prepare(session *s)
{
    const int status = mfm_model_untie(s->ctx, s->model, NULL);
    return status ? status : session_prepare(s, (mfm_train_options){0});
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_memory memory = {MEMORY};
    session s = {.ctx = fuzz_ctx(&memory)};
    char *options = NULL;
    if (!s.ctx)
        return 0;
    int status = mfm_model_parse(s.ctx, bytes, size, "fuzz", &s.model);
    if (!status)
        status = mfm_checkpoint_options(s.ctx, s.model, &options);
    mfm_free(s.ctx, options);
    if (!status)
        status = prepare(&s);
    if (!status)
        status = mfm_checkpoint_restore(s.ctx, s.model, s.training);
    fuzz_need_reason(status, s.ctx);
    if (!status)
        fuzz_need(mfm_training_check_finite(s.training) == MFM_OK, s.ctx,
                  "what is restored goes on");
    if (!status) {
        fuzz_need(mfm_checkpoint_strip(s.ctx, s.model) == MFM_OK, s.ctx, "and can be stripped");
        fuzz_whole++;
    }
    session_release(&s);
    mfm_ctx_free(s.ctx);
    return 0;
}

/* The checkpoint's bytes, by way of a file. */
static bool take_checkpoint(session *s, fuzz_take *take, void *self)
{
    static uint8_t bytes[1 << 18];
    char path[SCRATCH];
    if (!scratch_file(path, "fuzz-checkpoint"))
        return false;
    const bool saved =
        mfm_checkpoint_save(s->ctx, s->model, s->training, "{\"lr\": 0.5}", path, NULL) == 0;
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
        session s = {.ctx = mfm_ctx_new(NULL)};
        if (!s.ctx)
            return false;
        s.model = hand_residual(s.ctx, 8, 17);
        if (modulated)
            made = !mfm_model_inject(s.ctx, s.model, &(mfm_inject_options){.hidden = 2});
        made = made && !prepare(&s) && take_checkpoint(&s, take, self);
        session_release(&s);
        mfm_ctx_free(s.ctx);
    }
    return made;
}
