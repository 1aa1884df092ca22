#include "onnx/import/import_parts.h"

static int import_inputs(mfm_importer *im)
{
    int status = MFM_OK, value;
    for (size_t i = 0; i < im->proto->n_input && !status; i++)
        if (!mfm_proto_initializer(im->model, im->proto->input[i]->name))
            status = mfm_import_input(im, im->proto->input[i], false, &value);
    return status;
}

static int find_outputs(const mfm_importer *im, size_t n_outputs, int *outputs)
{
    for (size_t i = 0; i < n_outputs; i++) {
        const char *name = im->proto->output[i]->name;
        const mfm_binding *output = mfm_import_find(im, name);
        if (!output || output->value < 0)
            return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: output '%s': no operator computes it",
                            mfm_model_path(im->model), name);
        outputs[i] = output->value;
    }
    return MFM_OK;
}

int mfm_graph_import(mfm_ctx *ctx, const mfm_model *model, size_t n_outputs, mfm_graph **graph,
                     int *outputs)
{
    mfm_importer im;
    int status = mfm_import_begin(&im, ctx, model);
    if (!status && n_outputs > im.proto->n_output)
        status = mfm_fail(ctx, MFM_EINVAL, "%s: %zu outputs: the graph has %zu",
                          mfm_model_path(model), n_outputs, im.proto->n_output);
    if (!status)
        status = mfm_import_walk(&im, n_outputs, import_inputs);
    if (!status)
        status = find_outputs(&im, n_outputs, outputs);
    mfm_import_end(&im);
    if (!status)
        status = mfm_model_read_values(ctx, model, im.graph);
    *graph = im.graph;
    if (status) {
        mfm_graph_free(im.graph);
        *graph = NULL;
    }
    return status;
}
