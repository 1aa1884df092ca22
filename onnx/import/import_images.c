/*
 * Where the images lie in what a node makes, as its operator's description has it: nothing is
 * carried out.
 *
 * In row-major order the numbers of a value lie in runs of one image each, the images in turn:
 * number i is image (i / run) mod N's. In order is one run for each. A Reshape leaves runs as they
 * are. What works along axes asks that the images lie along one, and not along those: that the
 * image of a number follows from its index there, (index / each) mod N. With s numbers from one
 * index to the next, this is so where run = each s and the length of the axis is a multiple of
 * each N. In [197,N,768] the images lie along axis 1; in [197 N,768] along axis 0, 197 times in
 * turn.
 *
 * All of this must hold at the batch at hand and at MFM_BATCH_MANY alike. Since lengths are a + b N
 * it then holds at any batch: no group of numbers has the batch's size by chance. And the axis
 * grows with the batch, so that no constant reaches along it with a number for each image.
 */
#include "onnx/import/import_batch.h"

/* The images along an axis of a value. */
typedef struct images {
    int axis;
    int64_t each;         /* indices of an image, one after the other */
    int64_t length, many; /* of the axis, at the batch and at MFM_BATCH_MANY */
} images;

static int64_t stride_of(const mfm_shape *shape, int axis)
{
    int64_t stride = 1;
    for (int i = shape->rank - 1; i > axis; i--)
        stride *= shape->dim[i];
    return stride;
}

/* How often all images come in turn along the axis; 0 where they do not lie along it. */
static int64_t turns(const mfm_shape *shape, int axis, int64_t run, int64_t batch)
{
    const int64_t stride = stride_of(shape, axis);
    if (stride == 0 || run % stride != 0 || shape->dim[axis] % (run / stride * batch) != 0)
        return 0;
    return shape->dim[axis] / (run / stride * batch);
}

static bool find_images(const mfm_batch_checker *c, int value, images *found)
{
    const mfm_shape *shape = &c->shapes[value], *many = &c->many[value];
    const int64_t run = c->owners[value].run;
    for (int axis = 0; axis < shape->rank && run; axis++) {
        const int64_t times = turns(shape, axis, run, c->batch), stride = stride_of(shape, axis);
        if (times && stride == stride_of(many, axis) &&
            times == turns(many, axis, run, MFM_BATCH_MANY)) {
            *found = (images){axis, run / stride, shape->dim[axis], many->dim[axis]};
            return true;
        }
    }
    return false;
}

/* The run of a value that has the images along an axis as another has them; 0 if it cannot. */
static int64_t run_along(const mfm_batch_checker *c, int value, const images *from, int axis)
{
    const mfm_shape *shape = &c->shapes[value], *many = &c->many[value];
    if (axis < 0 || axis >= shape->rank || shape->dim[axis] != from->length ||
        many->dim[axis] != from->many || stride_of(shape, axis) != stride_of(many, axis))
        return 0;
    return from->each * stride_of(shape, axis);
}

int64_t mfm_batch_copies(const mfm_batch_checker *c, int value)
{
    const mfm_shape *shape = &c->shapes[value], *many = &c->many[value];
    int64_t run = 0;
    for (int axis = 0; axis < shape->rank; axis++) {
        const int64_t each = shape->dim[axis] / c->batch, stride = stride_of(shape, axis);
        if (shape->dim[axis] == many->dim[axis])
            continue;
        if (run || shape->dim[axis] != each * c->batch ||
            many->dim[axis] != each * MFM_BATCH_MANY || stride != stride_of(many, axis))
            return 0;
        run = each * stride;
    }
    return run;
}

/* Where the inputs that have images have them, on axes counted from the front or the back of an
 * output; false where they differ. */
static bool find_all(const mfm_batch_checker *c, const mfm_graph_node *node, int rank, images *all)
{
    bool any = false;
    for (int i = 0; i < node->n_in; i++) {
        images one;
        if (!mfm_batch_has_owner(c, node->in[i]))
            continue;
        if (!find_images(c, node->in[i], &one))
            return false;
        if (rank >= 0)
            one.axis += rank - c->shapes[node->in[i]].rank;
        if (any && (one.axis != all->axis || one.each != all->each))
            return false;
        *all = one;
        any = true;
    }
    return any;
}

/* ---- by what the operator says -------------------------------------------------------------- */

static bool is_set(const mfm_graph_node *node, const char *attr)
{
    return mfm_attr_number(node->op, node->attr, attr, 0) != 0;
}

static const mfm_ints *list_of(const mfm_graph_node *node, const char *name)
{
    const mfm_attr_def *def = mfm_attr_find(node->op, name);
    return def ? (const mfm_ints *)(const void *)((const char *)node->attr + def->offset) : NULL;
}

/* Whether inputs from number `first` on have images. */
static bool has_owner_from(const mfm_batch_checker *c, const mfm_graph_node *node, int first)
{
    bool any = false;
    for (int i = first; i < node->n_in; i++)
        any |= mfm_batch_has_owner(c, node->in[i]);
    return any;
}

static int64_t element_by_element(const mfm_batch_checker *c, const mfm_graph_node *node, int out)
{
    images all;
    return find_all(c, node, c->shapes[out].rank, &all) ? run_along(c, out, &all, all.axis) : 0;
}

static int64_t transposed(const mfm_batch_checker *c, const mfm_graph_node *node, int out)
{
    const mfm_ints *perm = list_of(node, "perm");
    images all;
    if (!find_all(c, node, -1, &all))
        return 0;
    for (int i = 0; i < perm->count; i++)
        if (perm->v[i] == all.axis)
            return run_along(c, out, &all, i);
    return 0;
}

/* Rows of the one matrix, columns of the other, or axes before them. */
static int64_t product(const mfm_batch_checker *c, const mfm_graph_node *node, int out)
{
    const int rank = c->shapes[out].rank;
    const bool left = mfm_batch_has_owner(c, node->in[0]), right = has_owner_from(c, node, 1);
    images all;
    if (is_set(node, "transA") || (right && is_set(node, "transB")) || has_owner_from(c, node, 2))
        return 0;
    for (int i = 0; i < 2; i++)
        if (c->shapes[node->in[i]].rank != rank && mfm_batch_has_owner(c, node->in[i]))
            return 0;
    if (rank < 2 || !find_all(c, node, -1, &all) || (left && all.axis == rank - 1) ||
        (right && all.axis == rank - 2))
        return 0;
    return run_along(c, out, &all, all.axis);
}

/* Samples along axis 0. */
static int64_t by_sample(const mfm_batch_checker *c, const mfm_graph_node *node, int out)
{
    const int rank = c->shapes[out].rank;
    images all;
    if (is_set(node, "transA") || is_set(node, "heads") || !find_all(c, node, -1, &all) ||
        all.axis != 0 ||
        (has_owner_from(c, node, 1) && (node->op->batch == MFM_BATCH_FIRST || rank < 3)))
        return 0;
    for (int i = 0; i < node->n_in; i++)
        if (mfm_batch_has_owner(c, node->in[i]) && c->shapes[node->in[i]].rank != rank)
            return 0;
    return run_along(c, out, &all, 0);
}

static void mark(bool marked[MFM_MAX_RANK], int64_t axis, int rank)
{
    marked[axis < 0 ? axis + rank : axis] = true;
}

/* The axes that it works along; false where it does not tell. */
static bool mark_axes(const mfm_graph_node *node, int rank, bool marked[MFM_MAX_RANK])
{
    const mfm_ints *axes = list_of(node, "axes"), *pads = list_of(node, "pads");
    const int64_t one = (int64_t)mfm_attr_number(node->op, node->attr, "axis", 0);
    const int64_t end = mfm_has_trait(node->op, MFM_ALONG_LAST) ? (one < 0 ? 0 : rank) : one + 1;
    const int named = pads ? pads->count / 2 : axes ? axes->count : 0;
    for (int i = 0; i < named; i++)
        if (!pads || pads->v[i] || pads->v[named + i])
            mark(marked, axes && axes->count >= 0 ? axes->v[i] : i, rank);
    for (int64_t axis = one; axis < end && !axes && !pads; axis++)
        mark(marked, axis, rank);
    return pads || !axes || named > 0;
}

/* Axes before that of the images may be lost, or become several. */
static int64_t along_others(const mfm_batch_checker *c, const mfm_graph_node *node, int out)
{
    const int rank = c->shapes[node->in[0]].rank, more = c->shapes[out].rank - rank;
    bool marked[MFM_MAX_RANK] = {0};
    int count = 0, before = 0;
    images all;
    if ((has_owner_from(c, node, 1) && !mfm_has_trait(node->op, MFM_JOINS)) ||
        !find_all(c, node, -1, &all) || !mark_axes(node, rank, marked) || marked[all.axis])
        return 0;
    for (int axis = 0; axis < rank; axis++) {
        count += marked[axis];
        before += marked[axis] && axis < all.axis;
    }
    if (count ? more % count != 0 : more != 0)
        return 0;
    return run_along(c, out, &all, all.axis + (count ? more / count * before : 0));
}

int64_t mfm_batch_run(const mfm_batch_checker *c, const mfm_graph_node *node, int output)
{
    const mfm_op *op = node->op;
    const int out = node->out[output];
    if (mfm_has_trait(op, MFM_SAME_ORDER) && !has_owner_from(c, node, 1) &&
        mfm_shape_count(&c->shapes[out]) == mfm_shape_count(&c->shapes[node->in[0]]))
        return c->owners[node->in[0]].run;
    if (mfm_has_trait(op, MFM_OTHER_ORDER) && mfm_attr_find(op, "perm"))
        return transposed(c, node, out);
    if (mfm_has_trait(op, MFM_MATRIX))
        return product(c, node, out);
    if (mfm_has_trait(op, MFM_ALONG_AXES | MFM_ALONG_LAST))
        return along_others(c, node, out);
    if (op->batch == MFM_BATCH_ALL)
        return element_by_element(c, node, out);
    return op->batch == MFM_BATCH_UNKNOWN ? 0 : by_sample(c, node, out);
}
