/* Nodes that are carried out while importing, because their inputs are known. */
#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

/* Shape or Size of a value. */
static int fold_shape(mfm_importer *im, const Onnx__NodeProto *node, mfm_folded **folded)
{
    const mfm_binding *from = mfm_import_find(im, node->input[0]);
    mfm_shape shapes[MFM_FOLD_BATCHES];
    int status = MFM_OK;
    if (!from || (from->value < 0 && !from->tensor))
        return MFM_OK;
    for (int i = 0; i < MFM_FOLD_BATCHES && !status; i++)
        status = from->tensor ? mfm_tensor_shape(im->ctx, from->tensor, &shapes[i])
                              : mfm_import_shape(im, from->value, mfm_fold_batches[i], &shapes[i]);
    return status ? status : mfm_fold_shape(&im->folder, node, shapes, folded);
}

static bool all_foldable(const mfm_importer *im, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++)
        if (node->input[i][0] && !mfm_import_foldable(im, node->input[i]))
            return false;
    return node->n_input > 0;
}

static int fold_node(mfm_importer *im, const Onnx__NodeProto *node, int opset,
                     const mfm_folded **in, mfm_folded **out)
{
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_input && !status; i++) {
        if (!node->input[i][0])
            continue;
        status = mfm_import_folded(im, node->input[i], &in[i]);
        if (!in[i])
            return status; /* of a type that is not folded */
    }
    return status ? status : mfm_fold_node(&im->folder, node, opset, in, node->n_input, out);
}

/* Each output is bound, or freed. */
static int bind_outputs(mfm_importer *im, const Onnx__NodeProto *node, mfm_folded **out)
{
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_output; i++) {
        if (!status && out[i] && node->output[i][0])
            status = mfm_import_bind_folded(im, node->output[i], out[i]);
        else
            mfm_folded_free(im->ctx, out[i]);
    }
    return status;
}

int mfm_import_fold(mfm_importer *im, const Onnx__NodeProto *node, int opset, bool *done)
{
    const bool shape =
        node->n_input == 1 && (mfm_proto_is(node, "Shape") || mfm_proto_is(node, "Size"));
    *done = false;
    if (!mfm_fold_knows(node) || node->n_output == 0 || (!shape && !all_foldable(im, node)))
        return MFM_OK;
    const mfm_folded **in = mfm_alloc(im->ctx, node->n_input, sizeof *in);
    mfm_folded **out = mfm_alloc(im->ctx, node->n_output, sizeof *out);
    int status = in && out ? MFM_OK : MFM_ENOMEM;
    if (!status && shape && !mfm_import_foldable(im, node->input[0]))
        status = fold_shape(im, node, out);
    else if (!status)
        status = fold_node(im, node, opset, in, out);
    if (!status && out[0]) {
        *done = true;
        status = bind_outputs(im, node, out);
    }
    mfm_free(im->ctx, in);
    mfm_free(im->ctx, out);
    return status;
}
