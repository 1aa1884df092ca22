/*
 * Lists of lengths where the batch size is in them: a Reshape's, and a Resize's. The engine's list
 * has numbers, -1 for what is left, and 0 for "as in the input at this place". What is written here
 * is right whenever the file is: import_batch.c checks that images stay apart.
 */
#include <string.h>

#include "onnx/import/import_parts.h"

/* The data that is reshaped, as a graph value made of the images; -1. */
static int images_behind(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *data = node->n_input ? mfm_import_find(im, node->input[0]) : NULL;
    return data && data->value >= 0 && im->on_images[data->value] ? data->value : -1;
}

static bool zero_copies(const Onnx__NodeProto *node)
{
    return mfm_proto_int(node, "allowzero", 0) == 0;
}

/* The list as lengths, for an input; false where it does not fit. */
static bool lengths_of(const mfm_ints *list, bool copies, const mfm_shape *input,
                       int64_t lengths[MFM_MAX_INTS])
{
    int64_t known = 1;
    int left = -1;
    for (int i = 0; i < list->count; i++) {
        lengths[i] = list->v[i];
        if (lengths[i] == 0 && copies)
            lengths[i] = i < input->rank ? input->dim[i] : 0;
        if (lengths[i] == -1 && left < 0)
            left = i;
        else if (lengths[i] < 1)
            return false;
        else
            known = mfm_count_times(known, lengths[i]);
    }
    const int64_t count = mfm_shape_count(input);
    if (left >= 0)
        lengths[left] = count / known;
    return left >= 0 ? count % known == 0 : count == known;
}

/* ---- numbers that depend on the batch -------------------------------------------------------- */

/* What a list that depends on the batch is at the batches at which shapes are known. */
typedef struct folded_list {
    int count;
    mfm_shape input[MFM_FOLD_BATCHES];
    int64_t lengths[MFM_FOLD_BATCHES][MFM_MAX_INTS];
} folded_list;

static int find_lengths(mfm_importer *im, const Onnx__NodeProto *node, const mfm_folded *numbers,
                        folded_list *l)
{
    const int data = images_behind(im, node);
    if (data < 0)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "shape: depends on the batch size, and the "
                               "data does not");
    for (int k = 0; k < MFM_FOLD_BATCHES; k++) {
        mfm_ints at = {.count = l->count};
        const int status = mfm_import_shape(im, data, mfm_fold_batches[k], &l->input[k]);
        if (status)
            return status;
        for (int i = 0; i < l->count; i++)
            at.v[i] = numbers->v[i].i + numbers->v[i].n * mfm_fold_batches[k];
        if (!lengths_of(&at, zero_copies(node), &l->input[k], l->lengths[k]))
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "shape: depends on the batch size, and does not fit the data "
                                   "at a batch of %lld",
                                   (long long)mfm_fold_batches[k]);
    }
    return MFM_OK;
}

static bool varies(const folded_list *l, int i)
{
    return l->lengths[0][i] != l->lengths[1][i] || l->lengths[0][i] != l->lengths[2][i];
}

static bool is_copied(const folded_list *l, int i)
{
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        if (i >= l->input[k].rank || l->input[k].dim[i] != l->lengths[k][i])
            return false;
    return true;
}

/* One number that depends on the batch is what is left. Of several, those that the input has at
 * their place are copied. */
int mfm_import_reshape_list(mfm_importer *im, const Onnx__NodeProto *node,
                            const mfm_folded *numbers, mfm_ints *list)
{
    folded_list l = {.count = (int)mfm_shape_count(&numbers->shape)};
    int left = -1, n_vary = 0;
    list->count = l.count;
    for (int i = 0; i < l.count; i++)
        list->v[i] = numbers->v[i].i;
    if (!mfm_folded_varies(numbers))
        return MFM_OK;
    const int status = find_lengths(im, node, numbers, &l);
    if (status)
        return status;
    for (int i = 0; i < l.count; i++)
        n_vary += varies(&l, i);
    for (int i = 0; i < l.count; i++) {
        list->v[i] = l.lengths[0][i];
        if (!varies(&l, i))
            continue;
        const bool copied = n_vary > 1 && zero_copies(node) && is_copied(&l, i);
        if (!copied && left >= 0)
            return mfm_import_fail(im, node, MFM_ENOTSUP,
                                   "shape: places %d and %d depend on the batch size: one may",
                                   left, i);
        list->v[i] = copied ? 0 : -1;
        left = copied ? left : i;
    }
    return MFM_OK;
}

/* ---- a batch that the file fixes ------------------------------------------------------------- */

/* Numbers before the one axis that grows with the batch; -1 when there is none, or several. */
static int64_t before_batch(const mfm_shape *small, const mfm_shape *large)
{
    int64_t before = -1, product = 1;
    for (int i = 0; i < small->rank; i++) {
        if (small->dim[i] != large->dim[i]) {
            if (before >= 0)
                return -1;
            before = product;
        }
        product *= small->dim[i];
    }
    return before;
}

/* The place of the list that the batch comes to lie in: as many numbers are before it as in the
 * input. Of several, the one that is the batch itself. */
static int place_of_batch(const int64_t *lengths, int count, int64_t before, int64_t batch)
{
    int64_t product = 1;
    int found = -1;
    for (int i = 0; i < count && product <= before; product *= lengths[i], i++)
        if (product == before && lengths[i] % batch == 0 &&
            (found < 0 || (lengths[i] == batch && lengths[found] != batch)))
            found = i;
    return found;
}

/* A file whose batch is fixed at B writes B, or a multiple, into its Reshapes: that is the batch
 * where the input's batch comes to lie, and is written as what is left. */
int mfm_import_free_batch(mfm_importer *im, const Onnx__NodeProto *node, mfm_ints *list)
{
    const int data = images_behind(im, node);
    const int64_t batch = im->frozen_batch;
    mfm_shape own, larger;
    int64_t lengths[MFM_MAX_INTS];
    if (batch < 1 || data < 0 || list->count < 1 || list->count > MFM_MAX_RANK)
        return MFM_OK;
    int status = mfm_import_shape(im, data, batch, &own);
    if (!status)
        status = mfm_import_shape(im, data, batch + 1, &larger);
    if (status)
        return status;
    const int64_t before = before_batch(&own, &larger);
    if (before < 0 || !lengths_of(list, zero_copies(node), &own, lengths))
        return MFM_OK;
    const int place = place_of_batch(lengths, list->count, before, batch);
    if (place < 0 || list->v[place] == -1 || (list->v[place] == 0 && zero_copies(node)))
        return MFM_OK;
    for (int i = 0; i < list->count; i++)
        list->v[i] = list->v[i] == -1 ? lengths[i] : list->v[i];
    list->v[place] = -1;
    return MFM_OK;
}

/* ---- lengths by axis ------------------------------------------------------------------------- */

/* The axis that entry i of the list is for; -1 when there is none. */
static int axis_of(const Onnx__NodeProto *node, int i, int rank)
{
    const Onnx__AttributeProto *axes = mfm_proto_attr(node, "axes");
    if (!axes)
        return i < rank ? i : -1;
    const int64_t axis = (size_t)i < axes->n_ints ? axes->ints[i] : -1;
    return axis < -rank || axis >= rank ? -1 : (int)(axis < 0 ? axis + rank : axis);
}

/* Whether entry i is the input's length at two batches. */
static bool is_kept(const Onnx__NodeProto *node, const mfm_shape shapes[2],
                    const int64_t batches[2], const mfm_folded *numbers, int i)
{
    const int axis = axis_of(node, i, shapes[0].rank);
    for (int k = 0; k < 2 && axis >= 0; k++)
        if (numbers->v[i].i + numbers->v[i].n * batches[k] != shapes[k].dim[axis])
            return false;
    return axis >= 0;
}

int mfm_import_axis_list(mfm_importer *im, const Onnx__NodeProto *node, const mfm_folded *numbers,
                         mfm_ints *list)
{
    const int data = images_behind(im, node), count = (int)mfm_shape_count(&numbers->shape);
    const int64_t batch = im->frozen_batch > 0 ? im->frozen_batch : 2;
    const int64_t batches[2] = {batch, im->frozen_batch > 0 ? batch : 3};
    mfm_shape shapes[2] = {{0}, {0}}, larger = {0};
    int status = MFM_OK;
    for (int k = 0; k < 2 && data >= 0 && !status; k++)
        status = mfm_import_shape(im, data, batches[k], &shapes[k]);
    if (data >= 0 && !status)
        status = mfm_import_shape(im, data, batch + 1, &larger);
    list->count = count;
    for (int i = 0; i < count && !status; i++) {
        const int axis = axis_of(node, i, larger.rank);
        const bool grows = axis >= 0 && larger.dim[axis] != shapes[0].dim[axis];
        list->v[i] = numbers->v[i].i;
        if (grows && is_kept(node, shapes, batches, numbers, i))
            list->v[i] = 0;
        else if (numbers->v[i].n)
            status = mfm_import_fail(im, node, MFM_ENOTSUP,
                                     "place %d of its lengths depends on the batch size, and is "
                                     "not the batch",
                                     i);
    }
    return status;
}
