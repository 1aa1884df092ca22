/* Nodes that are carried out while importing, because their inputs are known. */
#include <string.h>

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

/* CastLike asks its second input for the type alone: numbers that the graph computes have the
 * engine's. */
static bool is_like_computed(const mfm_importer *im, const Onnx__NodeProto *node, size_t input)
{
    const mfm_binding *b = input == 1 && mfm_proto_is(node, "CastLike")
                               ? mfm_import_find(im, node->input[input])
                               : NULL;
    return b && b->value >= 0 && im->graph->values[b->value].role != MFM_INDEX;
}

/* By the look of it: all inputs are known, some at a few batch sizes alone (*batches). Where one
 * has too many numbers the folder tells. */
static bool all_known(mfm_importer *im, const Onnx__NodeProto *node, bool *batches)
{
    size_t count, most = 0;
    *batches = false;
    for (size_t i = 0; i < node->n_input; i++) {
        if (!node->input[i][0] || is_like_computed(im, node, i))
            continue;
        if (!mfm_import_known(im, node->input[i], &count))
            return false;
        most = count > most ? count : most;
        *batches |= mfm_import_find(im, node->input[i])->at[0] != NULL;
    }
    return node->n_input > 0 &&
           (most <= (size_t)MFM_FOLD_MOST || mfm_fold_has_room(&im->folder, (int64_t)most));
}

static int fold_node(mfm_importer *im, const Onnx__NodeProto *node, int opset,
                     const mfm_folded **in, mfm_folded **out)
{
    static const mfm_folded computed = {.type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT};
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_input && !status; i++) {
        if (!node->input[i][0])
            continue;
        if (is_like_computed(im, node, i)) {
            in[i] = &computed;
            continue;
        }
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

int mfm_import_not_known(mfm_importer *im, const Onnx__NodeProto *node)
{
    size_t count;
    for (size_t i = 0; i < node->n_input; i++)
        if (node->input[i][0] && !mfm_import_known(im, node->input[i], &count))
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "input %zu ('%s'): is not known when importing: it is computed "
                                   "from images or weights, and must follow from constants and "
                                   "shapes",
                                   i, node->input[i]);
    return mfm_import_fail(im, node, MFM_ENOTSUP,
                           "its inputs are known, its result is not: it depends on the batch size, "
                           "or on a type, in a way that is not supported");
}

/* At a few batch sizes, where a + b N does not do. */
static int fold_batches(mfm_importer *im, const Onnx__NodeProto *node, int opset, bool *done)
{
    mfm_folded *always, *at[MFM_FOLD_BATCHES];
    const mfm_folded **in = mfm_alloc(im->ctx, node->n_input, sizeof *in);
    mfm_folded *(*in_at)[MFM_FOLD_BATCHES] = mfm_alloc(im->ctx, node->n_input, sizeof *in_at);
    const mfm_fold_inputs inputs = {node->n_input, in,
                                    (mfm_folded *const(*)[MFM_FOLD_BATCHES])in_at};
    int status = in && in_at ? MFM_OK : MFM_ENOMEM;
    bool known = true, varies = false;
    for (size_t i = 0; i < node->n_input && !status && known; i++) {
        const mfm_binding *b = mfm_import_find(im, node->input[i]);
        known = b != NULL;
        if (known && b->at[0])
            memcpy(in_at[i], b->at, sizeof b->at);
        else if (known)
            status = mfm_import_folded(im, node->input[i], &in[i]);
        known &= in_at[i][0] || in[i];
        varies |= in_at[i][0] || (in[i] && mfm_folded_varies(in[i]));
    }
    if (!status && known && varies)
        status = mfm_fold_node_batches(&im->folder, node, opset, &inputs, &always, at);
    *done = !status && known && varies && (always || at[0]);
    if (*done && always)
        status = mfm_import_bind_folded(im, node->output[0], always);
    else if (*done)
        status = mfm_import_bind_batches(im, node->output[0], at);
    mfm_free(im->ctx, in);
    mfm_free(im->ctx, in_at);
    return status;
}

static int fold_always(mfm_importer *im, const Onnx__NodeProto *node, int opset, bool shape,
                       bool *done)
{
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

int mfm_import_fold(mfm_importer *im, const Onnx__NodeProto *node, int opset, bool *done)
{
    const bool shape =
        node->n_input == 1 && (mfm_proto_is(node, "Shape") || mfm_proto_is(node, "Size"));
    bool batches = false;
    *done = false;
    if (!mfm_fold_knows(node) || node->n_output == 0)
        return MFM_OK;
    const bool known = all_known(im, node, &batches);
    if (!known && !shape)
        return MFM_OK;
    const int status = batches ? MFM_OK : fold_always(im, node, opset, shape, done);
    return status || *done || !known || im->folder.limit ? status
                                                         : fold_batches(im, node, opset, done);
}
