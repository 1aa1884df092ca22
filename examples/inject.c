/* inject MODEL.onnx OUT.onnx LAYER: puts a feature modulator into a classifier, writes that, and
 * takes it out again: what is left is the file before, byte for byte. */
#include <onnx/proto/model.h>
#include <onnx/surgery/inject.h>
#include <stdio.h>
#include <string.h>

static int inject(mfm_ctx *ctx, const char *path, const char *out, const char *layer)
{
    mfm_model *model = NULL;
    void *before = NULL, *after = NULL;
    size_t size = 0, size_after = 0;
    int status = mfm_model_load(ctx, path, &model);
    if (!status)
        status = mfm_model_pack(ctx, model, &before, &size);
    if (!status)
        status =
            mfm_model_inject(ctx, model, &(mfm_inject_options){.layers = &layer, .n_layers = 1});
    if (!status)
        status = mfm_model_save(ctx, model, out);
    if (!status)
        status = mfm_model_strip(ctx, model);
    if (!status)
        status = mfm_model_pack(ctx, model, &after, &size_after);
    if (!status)
        printf("wrote %s; without its modulator it is %s\n", out,
               size == size_after && memcmp(before, after, size) == 0 ? "the file before"
                                                                      : "another file");
    mfm_free(ctx, before);
    mfm_free(ctx, after);
    mfm_model_free(model);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: inject MODEL.onnx OUT.onnx LAYER\n");
        return 2;
    }
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return 1;
    const int status = inject(ctx, argv[1], argv[2], argv[3]);
    if (status)
        fprintf(stderr, "inject: %s\n", mfm_message(ctx));
    mfm_ctx_free(ctx);
    return status != MFM_OK;
}
