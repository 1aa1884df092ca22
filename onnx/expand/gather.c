/*
 * Gather along axis 0 with places that depend on the batch size, as exporters write the view of a
 * batch by strides: the data have M rows for each of N images, and the places, [N, ...], are
 *     place[s, r] = s M + base[r],      0 <= base[r] < M.
 * So each image is laid out anew by itself: the data as [N, M, ...], from which axis 1 is taken at
 * `base`. Where that only moves axes it is a Reshape, and a Transpose behind it.
 */
#include <string.h>

#include "onnx/expand/expand_parts.h"

enum { DATA, PLACES };

typedef struct view {
    mfm_parts p;
    int data;
    int64_t rows;           /* M */
    mfm_shape row;          /* of the data: the axes behind the first */
    mfm_shape taken;        /* of the places: the axes behind the first */
    int64_t count;          /* numbers of base */
    const mfm_number *base; /* those of image 0 */
} view;

static const mfm_binding *places_of(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *b = node->n_input == 2 ? mfm_import_find(im, node->input[PLACES]) : NULL;
    return b && b->at[0] ? b : NULL;
}

bool mfm_gather_is_by_batch(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *data = node->n_input == 2 ? mfm_import_find(im, node->input[DATA]) : NULL;
    return data && data->value >= 0 && places_of(im, node);
}

static mfm_shape behind_first(const mfm_shape *shape)
{
    mfm_shape behind = {.rank = shape->rank - 1};
    for (int i = 0; i < behind.rank; i++)
        behind.dim[i] = shape->dim[i + 1];
    return behind;
}

/* ---- whether it is image by image -------------------------------------------------------------
 */

/* M and the rows' shape, the same at each batch. */
static bool find_rows(view *v, bool *rows)
{
    *rows = true;
    for (int k = 0; k < MFM_FOLD_BATCHES; k++) {
        const int64_t batch = mfm_fold_batches[k];
        mfm_shape shape;
        v->p.status = mfm_import_shape(v->p.im, v->data, batch, &shape);
        if (v->p.status)
            return false;
        const mfm_shape row = behind_first(&shape);
        const int64_t each = shape.rank ? shape.dim[0] / batch : 0;
        *rows &= each > 0 && each * batch == shape.dim[0] && each < (int64_t)1 << 24 &&
                 (k == 0 || (each == v->rows && mfm_shape_equal(&row, &v->row)));
        v->rows = each;
        v->row = row;
    }
    return *rows;
}

static bool is_by_image(const view *v, const mfm_folded *at, int64_t batch)
{
    const mfm_shape taken = at->shape.rank ? behind_first(&at->shape) : at->shape;
    if (mfm_folded_is_real(at) || at->shape.rank < 1 || at->shape.dim[0] != batch ||
        !mfm_shape_equal(&taken, &v->taken))
        return false;
    for (int64_t s = 0; s < batch; s++)
        for (int64_t r = 0; r < v->count; r++) {
            const int64_t base = at->v[s * v->count + r].i - s * v->rows;
            if (base != v->base[r].i || base < 0 || base >= v->rows)
                return false;
        }
    return true;
}

static int find_view(view *v)
{
    const Onnx__NodeProto *node = v->p.node;
    const mfm_binding *places = places_of(v->p.im, node);
    const int64_t axis = mfm_proto_int(node, "axis", 0);
    bool by_image;
    v->data = mfm_parts_input(&v->p, DATA, MFM_DATA);
    if (v->p.status || (!find_rows(v, &by_image) && v->p.status))
        return v->p.status;
    by_image &= axis == 0 || axis == -(int64_t)v->row.rank - 1;
    v->taken = places->at[0]->shape.rank ? behind_first(&places->at[0]->shape) : v->taken;
    v->count = mfm_shape_count(&v->taken);
    v->base = places->at[0]->v;
    for (int k = 0; k < MFM_FOLD_BATCHES && by_image; k++)
        by_image = is_by_image(v, places->at[k], mfm_fold_batches[k]);
    const int listed = v->taken.rank ? v->taken.rank : 1; /* axes, at least that of a list */
    if (by_image && listed + v->row.rank < MFM_MAX_RANK)
        return MFM_OK;
    v->p.status =
        mfm_import_fail(v->p.im, node, MFM_ENOTSUP,
                        "input %d ('%s'): places that depend on the batch size must be those of "
                        "each image among its own, in the order of the images",
                        PLACES, node->input[PLACES]);
    return v->p.status;
}

/* ---- as movements of axes ----------------------------------------------------------------------
 */

/* Whether base[r] runs over all rows as over the axes of `taken` in another order: order[k] is the
 * axis that is number k among the rows. */
static bool moves_axes(const view *v, int order[MFM_MAX_RANK])
{
    int64_t stride[MFM_MAX_RANK], at = v->count, left = v->rows;
    bool used[MFM_MAX_RANK] = {false};
    if (v->count != v->rows)
        return false;
    for (int i = 0; i < v->taken.rank; i++) {
        at /= v->taken.dim[i];
        stride[i] = v->taken.dim[i] > 1 ? v->base[at].i : 0;
    }
    for (int k = 0; k < v->taken.rank; k++) {
        int next = -1; /* axes of length 1 first, then those that step furthest */
        for (int i = 0; i < v->taken.rank; i++)
            if (!used[i] && (next < 0 || (v->taken.dim[i] == 1 && v->taken.dim[next] != 1) ||
                             (v->taken.dim[next] != 1 && stride[i] > stride[next])))
                next = i;
        used[next] = true;
        order[k] = next;
        left /= v->taken.dim[next];
        if (v->taken.dim[next] > 1 && stride[next] != left)
            return false;
    }
    for (int64_t r = 0; r < v->count; r++) {
        int64_t place = 0, rest = r;
        for (int i = v->taken.rank - 1; i >= 0; rest /= v->taken.dim[i--])
            place += rest % v->taken.dim[i] * stride[i];
        if (place != v->base[r].i)
            return false;
    }
    return true;
}

static bool is_in_order(const view *v)
{
    for (int64_t r = 0; r < v->count; r++)
        if (v->base[r].i != r)
            return false;
    return v->count == v->rows;
}

/* To the batch, these lengths, and the row's. */
static int reshape(view *v, int value, const int64_t *lengths, int count)
{
    int64_t shape[MFM_MAX_RANK] = {-1};
    memcpy(shape + 1, lengths, (size_t)count * sizeof *shape);
    memcpy(shape + 1 + count, v->row.dim, (size_t)v->row.rank * sizeof *shape);
    return mfm_parts_add_list(&v->p, "Reshape shape=", shape, 1 + count + v->row.rank, value,
                              MFM_NO_VALUE);
}

/* From the order of the rows into that of the axes. */
static int transpose(view *v, const int *order)
{
    int64_t lengths[MFM_MAX_RANK], perm[MFM_MAX_RANK] = {0};
    const int rank = 1 + v->taken.rank + v->row.rank;
    for (int k = 0; k < v->taken.rank; k++) {
        lengths[k] = v->taken.dim[order[k]];
        perm[1 + order[k]] = 1 + k;
    }
    for (int i = 1 + v->taken.rank; i < rank; i++)
        perm[i] = i;
    return mfm_parts_add_list(&v->p, "Transpose perm=", perm, rank,
                              reshape(v, v->data, lengths, v->taken.rank), MFM_NO_VALUE);
}

/* At any places: as a list, whose axes come behind. */
static int take(view *v)
{
    const mfm_shape list = {.rank = 1, .dim = {v->count}};
    real *numbers = mfm_alloc_aligned(v->p.im->ctx, (size_t)v->count, sizeof *numbers);
    if (!numbers) {
        v->p.status = MFM_ENOMEM;
        return MFM_NO_VALUE;
    }
    for (int64_t r = 0; r < v->count; r++)
        numbers[r] = (real)v->base[r].i;
    const int places = mfm_parts_const(&v->p, &list, numbers);
    mfm_free_aligned(v->p.im->ctx, numbers);
    const int rows = reshape(v, v->data, &v->rows, 1);
    const int taken = mfm_parts_add(&v->p, "Gather axis=1", rows, places, MFM_NO_VALUE);
    return reshape(v, taken, v->taken.dim, v->taken.rank);
}

int mfm_expand_gather(mfm_importer *im, const Onnx__NodeProto *node)
{
    view v = {.p = {.im = im, .node = node}};
    int order[MFM_MAX_RANK];
    if (find_view(&v))
        return v.p.status;
    const int result = is_in_order(&v)         ? reshape(&v, v.data, v.taken.dim, v.taken.rank)
                       : moves_axes(&v, order) ? transpose(&v, order)
                                               : take(&v);
    mfm_parts_output(&v.p, 0, result);
    return v.p.status;
}
