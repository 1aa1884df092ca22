/* ConstantOfShape where the shape depends on the batch size, which folding cannot take: one number
 * that is expanded to the batch. */
#include "onnx/expand/expand_parts.h"

/* The number of a node, which it fills any shape with, or truth value. */
static int filling(mfm_importer *im, const Onnx__NodeProto *node, double *number, bool *truth)
{
    enum { OPSET = 13 };
    const mfm_folded none = {.type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
                             .shape = {.rank = 1}}; /* an empty list: the shape of a scalar */
    const mfm_folded *in = &none;
    mfm_folded *out = NULL;
    int status = mfm_fold_node(&im->folder, node, OPSET, &in, 1, &out);
    *truth = out && out->type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    if (!status && (!out || (!*truth && !mfm_folded_is_real(out))))
        status = mfm_import_fail(im, node, MFM_ENOTSUP,
                                 "fills a shape that depends on the batch size with whole numbers: "
                                 "real numbers and truth values are supported");
    if (!status)
        *number = *truth ? (double)out->v[0].i : out->v[0].r;
    mfm_folded_free(im->ctx, out);
    return status;
}

/* Expand's lengths: where k times the batch size stands, -k. */
static int read_lengths(mfm_importer *im, const Onnx__NodeProto *node, const mfm_folded *shape,
                        int64_t lengths[MFM_MAX_RANK])
{
    const int64_t count = shape ? mfm_shape_count(&shape->shape) : 0;
    if (!shape || mfm_folded_is_real(shape) || shape->shape.rank != 1 || count > MFM_MAX_RANK)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "input '%s': must be a list of at most %d lengths that are known "
                               "when importing",
                               node->input[0], MFM_MAX_RANK);
    for (int64_t i = 0; i < count; i++) {
        const mfm_number *length = &shape->v[i];
        if (length->n ? length->i != 0 || length->n < 0 : length->i < 0)
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "length %lld depends on the batch size in a way that is not "
                                   "supported",
                                   (long long)i);
        lengths[i] = length->n ? -length->n : length->i;
    }
    return MFM_OK;
}

int mfm_expand_fill(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    const mfm_folded *shape = NULL;
    double number = 0;
    bool truth = false;
    int64_t lengths[MFM_MAX_RANK];
    if (node->n_input != 1 || node->n_output != 1)
        return mfm_import_fail(im, node, MFM_EDATA, "must have one input and one output");
    if (!im->network || im->network->images < 0)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "depends on the batch size without images");
    p.status = mfm_import_folded(im, node->input[0], &shape);
    if (!p.status)
        p.status = read_lengths(im, node, shape, lengths);
    if (!p.status)
        p.status = filling(im, node, &number, &truth);
    const int one = mfm_parts_number(&p, number);
    const int rank = p.status ? 0 : (int)mfm_shape_count(&shape->shape);
    const int filled =
        mfm_parts_add_list(&p, "Expand shape=", lengths, rank, one, im->network->images);
    if (!p.status && truth)
        im->graph->values[filled].role = MFM_INDEX;
    mfm_parts_output(&p, 0, filled);
    return p.status;
}
