/*
 * Two operands before opset 7: B is stretched to A's shape where `broadcast` says so, its axes
 * being A's from `axis` on, or the last ones; shapes are equal elsewhere. With axes of length 1
 * behind B's own that is numpy's broadcasting, which came with opset 7.
 */
#include "onnx/expand/expand_parts.h"

/* B with its axes at A's; 0 axes are added where B's are the last ones. */
static int place(mfm_parts *p, const Onnx__AttributeProto *axis, const mfm_shape *a, int b,
                 const mfm_shape *shape)
{
    int64_t axes[MFM_MAX_RANK];
    const int64_t first = axis->i < 0 ? axis->i + a->rank : axis->i;
    const int64_t behind = a->rank - first - shape->rank;
    if (first < 0 || behind < 0) {
        p->status = mfm_import_fail(p->im, p->node, MFM_EDATA,
                                    "axis %lld: the %d axes of B must be among the %d of A",
                                    (long long)axis->i, shape->rank, a->rank);
        return MFM_NO_VALUE;
    }
    for (int i = 0; i < behind; i++)
        axes[i] = shape->rank + i;
    return behind ? mfm_parts_add_list(p, "Unsqueeze axes=", axes, (int)behind, b, MFM_NO_VALUE)
                  : b;
}

/* Whether B's axes, from `first` of A's on, are A's or of length 1. */
static bool fits(const mfm_shape *a, const mfm_shape *b, bool stretched)
{
    if (!stretched)
        return mfm_shape_equal(a, b);
    for (int i = 1; i <= b->rank; i++)
        if (i > a->rank || (b->dim[b->rank - i] != 1 && b->dim[b->rank - i] != a->dim[a->rank - i]))
            return false;
    return true;
}

int mfm_expand_broadcast(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    const Onnx__AttributeProto *axis = mfm_proto_attr(node, "axis");
    const bool stretched = mfm_proto_int(node, "broadcast", 0) != 0;
    const int a = mfm_parts_input(&p, 0, MFM_DATA);
    int b = mfm_parts_input(&p, 1, MFM_DATA);
    const mfm_shape to = mfm_parts_shape(&p, a);
    mfm_shape from = mfm_parts_shape(&p, b);
    if (p.status)
        return p.status;
    if (node->n_input != 2 || node->n_output != 1 || a == MFM_NO_VALUE || b == MFM_NO_VALUE)
        return mfm_import_fail(im, node, MFM_EDATA, "must have two inputs and one output");
    if (stretched && axis)
        b = place(&p, axis, &to, b, &from);
    from = mfm_parts_shape(&p, b);
    if (!p.status && !fits(&to, &from, stretched))
        return mfm_import_fail(im, node, MFM_EDATA,
                               "B must have the shape of A, or with broadcast = 1 a part of it");
    mfm_parts_output(&p, 0, mfm_parts_add(&p, node->op_type, a, b, MFM_NO_VALUE));
    return p.status;
}
