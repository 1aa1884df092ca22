/*
 * MeanVarianceNormalization (ONNX 9, 13): of the numbers along `axes`, which share a mean,
 *     d = X - mean,   Y = d / sqrt(<d^2> + e^2),   e = 1e-9
 * The standard divides by sqrt(<d^2>) + e, its variance being a difference of squares: the same to
 * e / deviation, but where all numbers are alike its root has no derivative, and rounding may leave
 * it none at all.
 */
#include "onnx/expand/expand_parts.h"

static int mean(mfm_parts *p, int x)
{
    static const int64_t otherwise[] = {0, 2, 3};
    const Onnx__AttributeProto *axes = mfm_proto_attr(p->node, "axes");
    const int64_t *list = axes ? axes->ints : otherwise;
    const size_t count = axes ? axes->n_ints : sizeof otherwise / sizeof otherwise[0];
    if (count < 1 || count > MFM_MAX_RANK) {
        p->status = mfm_import_fail(p->im, p->node, MFM_EDATA,
                                    "axes: %zu: must be between 1 and %d", count, MFM_MAX_RANK);
        return MFM_NO_VALUE;
    }
    return mfm_parts_add_list(p, "ReduceMean axes=", list, (int)count, x, MFM_NO_VALUE);
}

static int add(mfm_parts *p, const char *what, int a, int b)
{
    return mfm_parts_add(p, what, a, b, MFM_NO_VALUE);
}

int mfm_expand_mean_variance(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    if (node->n_input != 1 || node->n_output != 1 || !node->input[0][0])
        return mfm_import_fail(im, node, MFM_EDATA, "must have one input and one output");
    const int x = mfm_parts_input(&p, 0, MFM_DATA);
    const int d = add(&p, "Sub", x, mean(&p, x));
    const int variance = mean(&p, add(&p, "Mul", d, d));
    const int raised = add(&p, "Add", variance, mfm_parts_number(&p, 1e-18));
    mfm_parts_output(&p, 0, add(&p, "Div", d, add(&p, "Sqrt", raised, MFM_NO_VALUE)));
    return p.status;
}
