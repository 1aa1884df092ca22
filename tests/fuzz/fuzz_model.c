/*
 * Any bytes: they are refused, or what is read from them can be written, listed, injected into and
 * stripped again to the same bytes. Ends the program where that does not hold.
 *
 * libFuzzer's entry point; fuzz_main.c drives it without libFuzzer:
 *     clang -fsanitize=fuzzer,address ... fuzz_model.c
 */
#include "tests/fuzz/fuzz_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/inject.h"
#include "onnx/layers.h"
#include "onnx/validate.h"

static void need(bool holds, mfm_ctx *ctx, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, mfm_message(ctx));
    abort();
}

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
        need(mfm_validate(model) == MFM_OK, ctx, "an injected model is valid");
        need(mfm_model_strip(ctx, model) == MFM_OK, ctx, "it can be stripped");
        need(mfm_model_pack(ctx, model, &after, &m) == MFM_OK, ctx, "and written");
        need(n == m && memcmp(before, after, n) == 0, ctx, "to the bytes before");
        mfm_free(ctx, after);
    }
    mfm_free(ctx, before);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    mfm_layers *layers;
    if (!ctx)
        return 0;
    if (mfm_model_parse(ctx, bytes, size, "fuzz", &model)) {
        need(mfm_message(ctx)[0] != '\0', ctx, "a refusal has a reason");
        mfm_ctx_free(ctx);
        return 0;
    }
    if (mfm_layers_new(ctx, model, &layers) == MFM_OK)
        mfm_layers_free(layers);
    inject_and_strip(ctx, model, (mfm_position)(size % MFM_POSITIONS));
    /* A modulator that the file came with may be damaged: stripped or refused, and never worse. */
    if (mfm_model_strip(ctx, model) == MFM_OK)
        need(mfm_validate(model) == MFM_OK, ctx, "a stripped model is valid");
    mfm_model_free(model);
    mfm_ctx_free(ctx);
    return 0;
}
