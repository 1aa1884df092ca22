/*
 * LayerNormalization whose second or third output is read: the mean m of the last axes, from `axis`
 * on, and 1 / deviation s,
 *     d = X - m,   s = 1 / sqrt(<d^2> + epsilon),   Y = Scale d s + B
 * Without them the operator is the engine's own.
 */
#include <stdio.h>

#include "onnx/expand/expand_parts.h"

enum { X, SCALE, BIAS };         /* inputs */
enum { Y, MEAN, INV_DEVIATION }; /* outputs */

bool mfm_layer_norm_shows(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_parts p = {.im = (mfm_importer *)im, .node = node};
    return mfm_parts_wants(&p, MEAN) || mfm_parts_wants(&p, INV_DEVIATION);
}

/* "ReduceMean axes=-2,-1" of the axes from `axis` on; false where there are none. */
static bool describe_mean(int64_t axis, int rank, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "ReduceMean axes=");
    if (axis < -rank || axis >= rank)
        return false;
    for (int i = (int)(axis < 0 ? axis : axis - rank); i < 0; i++)
        used += (size_t)snprintf(text + used, size - used, "%d%s", i, i < -1 ? "," : "");
    return true;
}

static int add(mfm_parts *p, const char *what, int a, int b)
{
    return mfm_parts_add(p, what, a, b, MFM_NO_VALUE);
}

int mfm_expand_layer_norm(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    char mean_of[128];
    const Onnx__AttributeProto *epsilon = mfm_proto_attr(node, "epsilon");
    const int x = mfm_parts_input(&p, X, MFM_DATA);
    const int scale = mfm_parts_input(&p, SCALE, MFM_PARAM);
    const int bias = mfm_parts_input(&p, BIAS, MFM_PARAM);
    const mfm_shape shape = mfm_parts_shape(&p, x);
    if (p.status)
        return p.status;
    if (x == MFM_NO_VALUE || scale == MFM_NO_VALUE ||
        !describe_mean(mfm_proto_int(node, "axis", -1), shape.rank, mean_of, sizeof mean_of))
        return mfm_import_fail(im, node, MFM_EDATA, "must have X, Scale and an axis of X");
    const int mean = add(&p, mean_of, x, MFM_NO_VALUE);
    const int centred = add(&p, "Sub", x, mean);
    const int variance = add(&p, mean_of, add(&p, "Mul", centred, centred), MFM_NO_VALUE);
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
