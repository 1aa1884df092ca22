/* What an application outside the project sees: makes a LeNet, and imports it as a network. */
#include <models/models.h>
#include <onnx/import/import.h>
#include <stdio.h>

static int build(mfm_ctx *ctx)
{
    mfm_model *model = NULL;
    mfm_network *network = NULL;
    int status = mfm_model_make(ctx, "lenet", NULL, &model);
    if (!status)
        status = mfm_model_import(ctx, model, &network);
    if (!status) {
        printf("classes %d\n", (int)network->classes);
        mfm_network_free(ctx, network);
    }
    mfm_model_free(model);
    return status;
}

int main(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return 1;
    const int status = build(ctx);
    if (status)
        fprintf(stderr, "%s\n", mfm_message(ctx));
    mfm_ctx_free(ctx);
    return status != MFM_OK;
}
