#include "onnx/functions/flat.h"
#include "onnx/import/import_parts.h"

static int import_inputs(mfm_importer *im)
{
    int status = MFM_OK, value;
    for (size_t i = 0; i < im->proto->n_input && !status; i++)
        if (!mfm_proto_initializer(im->model, im->proto->input[i]->name))
            status = mfm_import_input(im, im->proto->input[i], false, &value);
    return status;
}

static int find_outputs(mfm_importer *im, size_t n_outputs, int *outputs)
{
    int status = MFM_OK;
    for (size_t i = 0; i < n_outputs && !status; i++) {
        const char *name = im->proto->output[i]->name;
        status = mfm_import_result(im, name, &outputs[i]);
        if (!status && outputs[i] < 0)
            status = mfm_fail(im->ctx, MFM_ENOTSUP, "%s: output '%s': no operator computes it",
                              mfm_model_path(im->model), name);
    }
    return status;
}

/* Without the numbers of its parameters. */
static int import_flat(mfm_ctx *ctx, const mfm_model *model, size_t n_outputs, mfm_graph **graph,
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
    *graph = im.graph;
    return status;
}

static int import_form(mfm_ctx *ctx, const mfm_model *model, size_t n_outputs, mfm_graph **graph,
                       int *outputs)
{
    mfm_flat *flat;
    int status = mfm_flat_new(ctx, model, &flat);
    *graph = NULL;
    if (!status)
        status = import_flat(ctx, mfm_flat_model(flat), n_outputs, graph, outputs);
    mfm_flat_free(flat);
    return status;
}

int mfm_graph_import(mfm_ctx *ctx, const mfm_model *model, size_t n_outputs, mfm_graph **graph,
                     int *outputs)
{
    int status = import_form(ctx, model, n_outputs, graph, outputs);
    if (!status)
        status = mfm_model_read_values(ctx, model, *graph);
    if (status) {
        mfm_graph_free(*graph);
        *graph = NULL;
    }
    return status;
}

int mfm_output_shape(mfm_ctx *ctx, const mfm_model *model, mfm_shape *shape)
{
    mfm_graph *graph;
    mfm_shape *shapes = NULL;
    int output, status = import_form(ctx, model, 1, &graph, &output);
    if (!status)
        shapes = mfm_alloc(ctx, graph->n_values, sizeof *shapes);
    if (!status)
        status = shapes ? mfm_graph_shapes(graph, 1, false, shapes) : MFM_ENOMEM;
    if (!status)
        *shape = shapes[output];
    mfm_free(ctx, shapes);
    mfm_graph_free(graph);
    return status;
}
