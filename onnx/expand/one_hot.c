/*
 * OneHot (ONNX 9, 11) where folding does not take it: of places that the graph computes, or with
 * values that are trained. Along a new axis of length `depth`,
 *     y[.., r, ..] = on where p = r or p = r - depth, off elsewhere,   p: the place, made whole
 * so that places beyond [-depth, depth) give off everywhere. Version 9 knows no negative places;
 * ONNX Runtime counts them from the end there, too.
 */
#include <stdio.h>

#include "onnx/expand/expand_parts.h"

enum { PLACES, DEPTH, VALUES };

typedef struct one_hot {
    mfm_parts p;
    int64_t depth;
    int axis;
    int rank; /* of the result */
} one_hot;

/* An input that may be whole numbers of the file, or real. */
static int any_input(mfm_parts *p, size_t input)
{
    const mfm_folded *folded = NULL;
    if (!p->status)
        p->status = mfm_import_folded(p->im, p->node->input[input], &folded);
    return mfm_parts_input(p, input, folded && !mfm_folded_is_real(folded) ? MFM_INDEX : MFM_DATA);
}

static int find_depth(one_hot *h)
{
    mfm_parts *p = &h->p;
    const mfm_folded *depth;
    mfm_folded *own;
    p->status = mfm_import_numbers(p->im, p->node->input[DEPTH], &own, &depth);
    if (!p->status && !mfm_fold_depth(depth, &h->depth))
        p->status = mfm_import_fail(p->im, p->node, MFM_ENOTSUP,
                                    "input %d (depth) '%s': must be one number from 1 to %d that "
                                    "is known when importing",
                                    DEPTH, p->node->input[DEPTH], MFM_FOLD_MOST);
    mfm_folded_free(p->im->ctx, own);
    return p->status;
}

static int find_axis(one_hot *h, int places)
{
    mfm_parts *p = &h->p;
    const int64_t axis = mfm_proto_int(p->node, "axis", -1);
    h->rank = mfm_parts_shape(p, places).rank + 1;
    h->axis = (int)(axis < 0 ? axis + h->rank : axis);
    if (!p->status && h->rank > MFM_MAX_RANK)
        p->status =
            mfm_import_fail(p->im, p->node, MFM_ENOTSUP, "gives %d axes: at most %d are supported",
                            h->rank, MFM_MAX_RANK);
    if (!p->status && (axis < -h->rank || axis >= h->rank))
        p->status = mfm_import_fail(p->im, p->node, MFM_EDATA,
                                    "axis %lld: must be in [%d, %d] for places with %d axes",
                                    (long long)axis, -h->rank, h->rank - 1, h->rank - 1);
    return p->status;
}

/* first, first + 1, .. along the new axis. */
static int row(one_hot *h, int64_t first)
{
    mfm_shape shape = {.rank = h->rank - h->axis};
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i ? 1 : h->depth;
    real *numbers = mfm_alloc_aligned(h->p.im->ctx, (size_t)h->depth, sizeof *numbers);
    if (!numbers) {
        h->p.status = MFM_ENOMEM;
        return MFM_NO_VALUE;
    }
    for (int64_t i = 0; i < h->depth; i++)
        numbers[i] = (real)(first + i);
    const int made = mfm_parts_const(&h->p, &shape, numbers);
    mfm_free_aligned(h->p.im->ctx, numbers);
    return made;
}

/* Towards zero, as a cast makes them. */
static int whole(mfm_parts *p, int x)
{
    const int sign = mfm_parts_add(p, "Sign", x, MFM_NO_VALUE, MFM_NO_VALUE);
    const int size = mfm_parts_add(p, "Abs", x, MFM_NO_VALUE, MFM_NO_VALUE);
    const int floor = mfm_parts_add(p, "Floor", size, MFM_NO_VALUE, MFM_NO_VALUE);
    return mfm_parts_add(p, "Mul", sign, floor, MFM_NO_VALUE);
}

static int is_hot(one_hot *h, int places)
{
    char text[64];
    mfm_parts *p = &h->p;
    snprintf(text, sizeof text, "Unsqueeze axes=%d", h->axis);
    const int at = mfm_parts_add(p, text, whole(p, places), MFM_NO_VALUE, MFM_NO_VALUE);
    const int here = mfm_parts_add(p, "Equal", at, row(h, 0), MFM_NO_VALUE);
    const int behind = mfm_parts_add(p, "Equal", at, row(h, -h->depth), MFM_NO_VALUE);
    return mfm_parts_add(p, "Or", here, behind, MFM_NO_VALUE);
}

/* Of [off, on]. */
static int value_at(mfm_parts *p, int values, double place)
{
    return mfm_parts_add(p, "Gather axis=0", values, mfm_parts_number(p, place), MFM_NO_VALUE);
}

int mfm_expand_one_hot(mfm_importer *im, const Onnx__NodeProto *node)
{
    one_hot h = {.p = {.im = im, .node = node}};
    if (node->n_input != 3 || node->n_output != 1)
        return mfm_import_fail(im, node, MFM_EDATA, "must have three inputs and one output");
    if (find_depth(&h))
        return h.p.status;
    const int places = any_input(&h.p, PLACES);
    const int values = any_input(&h.p, VALUES);
    const mfm_shape two = mfm_parts_shape(&h.p, values);
    if (!h.p.status && (two.rank != 1 || two.dim[0] != 2))
        return mfm_import_fail(im, node, MFM_EDATA,
                               "input %d (values) '%s': must be a list of two numbers", VALUES,
                               node->input[VALUES]);
    if (h.p.status || find_axis(&h, places))
        return h.p.status;
    const int hot = is_hot(&h, places);
    const int result =
        mfm_parts_add(&h.p, "Where", hot, value_at(&h.p, values, 1), value_at(&h.p, values, 0));
    mfm_parts_output(&h.p, 0, result);
    return h.p.status;
}
