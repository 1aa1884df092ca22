/* Cast of numbers that the graph computes to truth values: those that are not 0. */
#include "onnx/expand/expand_parts.h"

int mfm_expand_cast(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    const mfm_binding *from = node->n_input == 1 ? mfm_import_find(im, node->input[0]) : NULL;
    if (node->n_output != 1 || !from || from->value < 0 || !to ||
        to->i != ONNX__TENSOR_PROTO__DATA_TYPE__BOOL)
        return mfm_import_not_known(im, node);
    const int zero = mfm_parts_add(&p, "Equal", from->value, mfm_parts_number(&p, 0), MFM_NO_VALUE);
    mfm_parts_output(&p, 0, mfm_parts_add(&p, "Not", zero, MFM_NO_VALUE, MFM_NO_VALUE));
    return p.status;
}
