/*
 * Any bytes: they are refused, or what is read from them can be written, listed, injected into and
 * stripped again to the same bytes.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "onnx/import/import.h"
#include "onnx/surgery/inject.h"
#include "onnx/layers/layers.h"
#include "onnx/proto/validate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seed_models.h"

/* Files break rules that only the modulator's nodes would meet, so injecting may be refused; what
 * it accepts must be whole. */
static void inject_and_strip(mfm_ctx *ctx, mfm_model *model, mfm_position position)
{
    static const char *const layers[] = {"first_conv", "last_conv"};
    const mfm_inject_options options = {
        .layers = layers, .n_layers = 2, .position = position, .hidden = 2, .classes = 0};
    void *before, *after;
    size_t n, m;
    if (mfm_model_pack(ctx, model, &before, &n))
        return;
    if (mfm_model_inject(ctx, model, &options) == MFM_OK) {
        fuzz_need(mfm_validate(model) == MFM_OK, ctx, "an injected model is valid");
        fuzz_need(mfm_model_strip(ctx, model) == MFM_OK, ctx, "it can be stripped");
        fuzz_need(mfm_model_pack(ctx, model, &after, &m) == MFM_OK, ctx, "and written");
        fuzz_need(n == m && memcmp(before, after, n) == 0, ctx, "to the bytes before");
        mfm_free(ctx, after);
    }
    mfm_free(ctx, before);
}

/* Imports an opened model, if it can be. */
static void import_opened(mfm_ctx *ctx, const char *path)
{
    mfm_model *model;
    mfm_network *network;
    fuzz_need(mfm_model_open(ctx, path, &model) == MFM_OK, ctx, "what loads can be opened");
    if (mfm_model_untie(ctx, model, NULL) == MFM_OK &&
        mfm_model_import(ctx, model, &network) == MFM_OK)
        mfm_network_free(ctx, network);
    mfm_model_free(model);
}

/* A file of the bytes is taken or refused as the bytes are, and holds the same. */
static void load_file(mfm_ctx *ctx, const uint8_t *bytes, size_t size, const mfm_model *parsed)
{
    mfm_model *loaded;
    void *before, *after;
    size_t n, m;
    char path[64];
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fuzz_need(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, ctx, "a file in memory is made");
    const int status = mfm_model_load(ctx, path, &loaded);
    fuzz_need((status == MFM_OK) == (parsed != NULL), ctx, "a file is read as bytes are");
    if (!status && mfm_model_pack(ctx, parsed, &before, &n) == MFM_OK) {
        fuzz_need(mfm_model_pack(ctx, loaded, &after, &m) == MFM_OK, ctx,
                  "a loaded model is whole");
        fuzz_need(n == m && memcmp(before, after, n) == 0, ctx, "and the same");
        mfm_free(ctx, after);
        mfm_free(ctx, before);
    }
    if (!status)
        import_opened(ctx, path);
    mfm_model_free(loaded);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    mfm_layers *layers;
    if (!ctx)
        return 0;
    const int status = mfm_model_parse(ctx, bytes, size, "fuzz", &model);
    fuzz_need_reason(status, ctx);
    load_file(ctx, bytes, size, model);
    if (status) {
        mfm_ctx_free(ctx);
        return 0;
    }
    if (mfm_layers_new(ctx, model, &layers) == MFM_OK)
        mfm_layers_free(layers);
    inject_and_strip(ctx, model, (mfm_position)(size % MFM_POSITIONS));
    /* A modulator that the file came with may be damaged: stripped or refused, and never worse. */
    if (mfm_model_strip(ctx, model) == MFM_OK)
        fuzz_need(mfm_validate(model) == MFM_OK, ctx, "a stripped model is valid");
    fuzz_whole++;
    mfm_model_free(model);
    mfm_ctx_free(ctx);
    return 0;
}

bool fuzz_seeds(fuzz_take *take, void *self)
{
    return fuzz_seed_residuals(take, self);
}
