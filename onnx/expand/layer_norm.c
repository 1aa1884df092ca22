/*
 * LayerNormalization whose second or third output is read: the mean m of the last axes, from `axis`
 * on, and 1 / deviation s,
 *     d = X - m,   s = 1 / sqrt(<d^2> + epsilon),   Y = Scale d s + B
 * Without them the operator is the engine's own.
 */
#include "onnx/expand/expand_parts.h"

enum { X, SCALE, BIAS };         /* inputs */
enum { Y, MEAN, INV_DEVIATION }; /* outputs */

bool mfm_layer_norm_shows(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_parts p = {.im = (mfm_importer *)im, .node = node};
    return mfm_parts_wants(&p, MEAN) || mfm_parts_wants(&p, INV_DEVIATION);
}

/* Over the last `count` axes. */
static int mean_of(mfm_parts *p, int count, int x)
{
    int64_t axes[MFM_MAX_RANK];
    for (int i = 0; i < count; i++)
        axes[i] = i - count;
    return mfm_parts_add_list(p, "ReduceMean axes=", axes, count, x, MFM_NO_VALUE);
}

static int add(mfm_parts *p, const char *what, int a, int b)
{
    return mfm_parts_add(p, what, a, b, MFM_NO_VALUE);
}

int mfm_expand_layer_norm(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    const Onnx__AttributeProto *epsilon = mfm_proto_attr(node, "epsilon");
    const int x = mfm_parts_input(&p, X, MFM_DATA);
    const int scale = mfm_parts_input(&p, SCALE, MFM_PARAM);
    const int bias = mfm_parts_input(&p, BIAS, MFM_PARAM);
    const mfm_shape shape = mfm_parts_shape(&p, x);
    const int64_t axis = mfm_proto_int(node, "axis", -1);
    if (p.status)
        return p.status;
    if (x == MFM_NO_VALUE || scale == MFM_NO_VALUE || axis < -shape.rank || axis >= shape.rank)
        return mfm_import_fail(im, node, MFM_EDATA, "must have X, Scale and an axis of X");
    const int count = (int)(axis < 0 ? -axis : shape.rank - axis);
    const int mean = mean_of(&p, count, x);
    const int centred = add(&p, "Sub", x, mean);
    const int variance = mean_of(&p, count, add(&p, "Mul", centred, centred));
    const int raised =
        add(&p, "Add", variance, mfm_parts_number(&p, epsilon ? (double)epsilon->f : 1e-5));
    const int inverse = add(&p, "Reciprocal", add(&p, "Sqrt", raised, MFM_NO_VALUE), MFM_NO_VALUE);
    int y = add(&p, "Mul", add(&p, "Mul", centred, inverse), scale);
    if (bias != MFM_NO_VALUE)
        y = add(&p, "Add", y, bias);
    const int results[] = {y, mean, inverse};
    for (size_t k = 0; k < 3; k++)
        if (mfm_parts_wants(&p, k))
            mfm_parts_output(&p, k, results[k]);
    return p.status;
}
