/*
 * What scikit-learn's converters write of preparing columns, in ONNX's domain ai.onnx.ml. Their
 * numbers are attributes, and stay as they are.
 *
 *     Scaler                 y = (x - offset) scale, a number each or one for each column
 *     Normalizer             y = x / |x| of each row, the norm L1 or L2; 0 where it is 0
 *     ArrayFeatureExtractor  the columns that a list names
 */
#include <string.h>

#include "onnx/expand/expand_parts.h"

static int add(mfm_parts *p, const char *what, int a, int b)
{
    return mfm_parts_add(p, what, a, b, MFM_NO_VALUE);
}

/* X, which must have a row for each image; their length in *columns. */
static int rows(mfm_parts *p, int64_t *columns)
{
    const int x = mfm_parts_input(p, 0, MFM_DATA);
    const mfm_shape shape = mfm_parts_shape(p, x);
    if (!p->status && (shape.rank != 2 || p->node->n_output != 1))
        p->status = mfm_import_fail(p->im, p->node, MFM_ENOTSUP,
                                    "X of rank %d, %zu outputs: rows of columns, and one output, "
                                    "are supported",
                                    shape.rank, p->node->n_output);
    *columns = shape.dim[1];
    return x;
}

/* The list of an attribute as a constant that broadcasts to rows; `columns` numbers or one. */
static int list_of(mfm_parts *p, const char *name, int64_t columns)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(p->node, name);
    const size_t count = attr ? attr->n_floats : 0;
    const mfm_shape shape = {.rank = 1, .dim = {(int64_t)count}};
    if (!p->status && count != 1 && (int64_t)count != columns)
        p->status = mfm_import_fail(p->im, p->node, MFM_EDATA,
                                    "%s: %zu numbers: one, or one for each of %lld columns", name,
                                    count, (long long)columns);
    real *numbers = p->status ? NULL : mfm_alloc_aligned(p->im->ctx, count, sizeof *numbers);
    if (!numbers) {
        p->status = p->status ? p->status : MFM_ENOMEM;
        return MFM_NO_VALUE;
    }
    for (size_t i = 0; i < count; i++)
        numbers[i] = (real)attr->floats[i];
    const int made = mfm_parts_const(p, &shape, numbers);
    mfm_free_aligned(p->im->ctx, numbers);
    return made;
}

int mfm_expand_scaler(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    int64_t columns;
    const int x = rows(&p, &columns);
    const int offset = list_of(&p, "offset", columns), scale = list_of(&p, "scale", columns);
    mfm_parts_output(&p, 0, add(&p, "Mul", add(&p, "Sub", x, offset), scale));
    return p.status;
}

int mfm_expand_normalizer(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    const Onnx__AttributeProto *norm = mfm_proto_attr(node, "norm");
    const char *text = norm && norm->s.data ? (const char *)norm->s.data : "MAX";
    const size_t length = norm && norm->s.data ? norm->s.len : 3;
    int64_t columns;
    const int x = rows(&p, &columns);
    const bool one = length == 2 && memcmp(text, "L1", 2) == 0;
    if (!p.status && !one && (length != 2 || memcmp(text, "L2", 2) != 0))
        return mfm_import_fail(im, node, MFM_ENOTSUP, "norm '%.*s': L1 and L2 are supported",
                               (int)(length < 80 ? length : 80), text);
    const char *what = one ? "LpNormalization axis=1 p=1" : "LpNormalization axis=1 p=2";
    mfm_parts_output(&p, 0, add(&p, what, x, MFM_NO_VALUE));
    return p.status;
}

int mfm_expand_columns(mfm_importer *im, const Onnx__NodeProto *node)
{
    mfm_parts p = {.im = im, .node = node};
    int64_t columns;
    const int x = rows(&p, &columns);
    const int list = mfm_parts_input(&p, 1, MFM_INDEX);
    mfm_parts_output(&p, 0, add(&p, "Gather axis=1", x, list));
    return p.status;
}
