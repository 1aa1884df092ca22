#include "core/engine/ops/places/places.h"

#include "core/engine/kernels/strided.h"

/* ---- shapes --------------------------------------------------------------------------------- */

int mfm_places_elements_shape(mfm_ctx *ctx, const mfm_node *node, int64_t axis, mfm_shape *picked)
{
    const mfm_shape *data = &node->in[0]->shape, *at = &node->in[1]->shape;
    int along = 0;
    const int status = mfm_infer_axis(ctx, node, axis, data->rank, &along);
    if (status)
        return status;
    bool fits = at->rank == data->rank && (data->dim[along] > 0 || mfm_shape_count(at) == 0);
    for (int i = 0; i < data->rank && fits; i++)
        fits = i == along || at->dim[i] <= data->dim[i];
    *picked = *at;
    if (fits)
        return MFM_OK;
    char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
    return mfm_infer_fail(ctx, node, "indices %s of data %s: must have its rank and no longer axes",
                          mfm_shape_text(at, a), mfm_shape_text(data, b));
}

int mfm_places_lists_shape(mfm_ctx *ctx, const mfm_node *node, int64_t batch_dims,
                           mfm_shape *picked)
{
    char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
    const mfm_shape *data = &node->in[0]->shape, *at = &node->in[1]->shape;
    const int64_t k = at->rank ? at->dim[at->rank - 1] : 0;
    bool fits = batch_dims >= 0 && batch_dims < at->rank && k >= 1 && k <= data->rank - batch_dims;
    for (int i = 0; fits && i < batch_dims; i++)
        fits = at->dim[i] == data->dim[i];
    for (int i = (int)batch_dims; fits && i < batch_dims + k; i++)
        fits = data->dim[i] > 0 || mfm_shape_count(at) == 0;
    if (!fits)
        return mfm_infer_fail(ctx, node,
                              "indices %s of data %s, batch_dims %lld: the last axis must list "
                              "coordinates of the data, the first must be its own",
                              mfm_shape_text(at, a), mfm_shape_text(data, b),
                              (long long)batch_dims);
    const int behind = data->rank - (int)(batch_dims + k);
    if (at->rank - 1 + behind > MFM_MAX_RANK)
        return mfm_infer_fail(ctx, node, "%d axes of what is picked: at most %d are supported",
                              at->rank - 1 + behind, MFM_MAX_RANK);
    *picked = (mfm_shape){.rank = at->rank - 1};
    for (int i = 0; i < picked->rank; i++)
        picked->dim[i] = at->dim[i];
    for (int i = data->rank - behind; i < data->rank; i++)
        picked->dim[picked->rank++] = data->dim[i];
    return MFM_OK;
}

/* ---- one place after the other -------------------------------------------------------------- */

/* Where place number `next` lies; its coordinates among the indices' axes count up in order. */
typedef struct walk {
    const mfm_places *p;
    int axes;   /* of the indices that count places */
    int listed; /* coordinates in a list */
    int64_t count;
    int64_t at[MFM_MAX_RANK];
    int64_t index[MFM_MAX_RANK], data[MFM_MAX_RANK], picked[MFM_MAX_RANK]; /* strides */
    mfm_shape block;                                                       /* with these strides: */
    int64_t block_data[MFM_MAX_RANK], block_picked[MFM_MAX_RANK];
} walk;

static walk start(const mfm_places *p)
{
    const mfm_shape *indices = &p->indices->shape, *data = &p->data->shape;
    walk w = {.p = p, .axes = indices->rank, .count = mfm_shape_count(indices)};
    mfm_shape_strides(indices, w.index);
    mfm_shape_strides(data, w.data);
    mfm_shape_strides(&p->picked->shape, w.picked);
    if (p->elements)
        return w;
    w.axes--;
    w.listed = (int)indices->dim[w.axes];
    w.count /= w.listed;
    for (int i = p->batch_dims + w.listed; i < data->rank; i++) {
        const int b = w.block.rank++;
        w.block.dim[b] = data->dim[i];
        w.block_data[b] = w.data[i];
        w.block_picked[b] = w.picked[w.axes + b];
    }
    return w;
}

/* From the last place on. */
static void to_end(walk *w)
{
    for (int i = 0; i < w->axes; i++)
        w->at[i] = w->p->indices->shape.dim[i] - 1;
}

static void step(walk *w, bool back)
{
    const int64_t *dim = w->p->indices->shape.dim;
    for (int i = w->axes - 1; i >= 0; i--) {
        w->at[i] += back ? -1 : 1;
        if (w->at[i] >= 0 && w->at[i] < dim[i])
            return;
        w->at[i] = back ? dim[i] - 1 : 0;
    }
}

static int64_t nearest(real value, int64_t length)
{
    int64_t place = (int64_t)value;
    place += place < 0 ? length : 0;
    return place < 0 ? 0 : place >= length ? length - 1 : place;
}

static void offsets(const walk *w, int64_t *in_data, int64_t *in_picked)
{
    const mfm_places *p = w->p;
    const mfm_shape *data = &p->data->shape;
    int64_t at = 0;
    *in_data = *in_picked = 0;
    for (int i = 0; i < w->axes; i++) {
        at += w->at[i] * w->index[i];
        *in_picked += w->at[i] * w->picked[i];
        if (p->elements ? i != p->axis : i < p->batch_dims)
            *in_data += w->at[i] * w->data[i];
    }
    const real *index = p->indices->lane[MFM_X] + at;
    if (p->elements)
        *in_data += nearest(*index, data->dim[p->axis]) * w->data[p->axis];
    for (int k = 0; k < w->listed; k++) {
        const int axis = p->batch_dims + k;
        *in_data += nearest(index[k * w->index[w->axes]], data->dim[axis]) * w->data[axis];
    }
}

int mfm_places_check(mfm_ctx *ctx, const mfm_node *node, const mfm_places *p)
{
    const mfm_shape *indices = &p->indices->shape;
    const real *at = p->indices->lane[MFM_X];
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(indices, stride);
    for (int64_t i = 0; at && i < mfm_shape_count(indices); i++) {
        /* Of lists, which coordinate it is. */
        const int last = indices->rank - 1;
        const int axis =
            p->elements ? p->axis : p->batch_dims + (int)(i / stride[last] % indices->dim[last]);
        const int64_t length = p->data->shape.dim[axis];
        if (!(at[i] >= (real)-length && at[i] < (real)length))
            return mfm_infer_fail(ctx, node, "index %g: must be in [-%lld, %lld)", (double)at[i],
                                  (long long)length, (long long)length);
    }
    return MFM_OK;
}

/* ---- blocks between data and picked --------------------------------------------------------- */

/* to = [to +] from, a block; from NULL is zero. */
static void move(const walk *w, const real *from, const int64_t *from_stride, real *to,
                 const int64_t *to_stride, bool add)
{
    if (w->block.rank)
        mfm_strided_copy(&w->block, from, from_stride, 1, to, to_stride, add);
    else
        *to = (add ? *to : 0) + (from ? *from : 0);
}

void mfm_places_read(const mfm_places *p, const real *data, real *picked, bool add)
{
    walk w = start(p);
    for (int64_t i = 0; i < w.count; i++, step(&w, false)) {
        int64_t from, to;
        offsets(&w, &from, &to);
        move(&w, data ? data + from : NULL, w.block_data, picked + to, w.block_picked, add);
    }
}

static void put(const mfm_places *p, const real *picked, real *data, bool add)
{
    walk w = start(p);
    for (int64_t i = 0; i < w.count; i++, step(&w, false)) {
        int64_t to, from;
        offsets(&w, &to, &from);
        move(&w, picked ? picked + from : NULL, w.block_picked, data + to, w.block_data, add);
    }
}

void mfm_places_add(const mfm_places *p, const real *picked, real *data)
{
    put(p, picked, data, true);
}

void mfm_places_write(const mfm_places *p, const real *picked, real *data)
{
    put(p, picked, data, false);
}

void mfm_places_take(const mfm_places *p, real *data, real *picked, bool add)
{
    walk w = start(p);
    to_end(&w);
    for (int64_t i = 0; i < w.count; i++, step(&w, true)) {
        int64_t from, to;
        offsets(&w, &from, &to);
        if (picked)
            move(&w, data + from, w.block_data, picked + to, w.block_picked, add);
        move(&w, NULL, w.block_data, data + from, w.block_data, false);
    }
}

/* All numbers that are picked, one by one in the order of their places. */
typedef struct numbers {
    walk w;
    int64_t place, k, length; /* number k of the block at a place */
    int64_t data, picked;     /* where the block begins */
} numbers;

static numbers each_number(const mfm_places *p)
{
    numbers n = {.w = start(p)};
    n.length = n.w.block.rank ? mfm_shape_count(&n.w.block) : 1;
    return n;
}

/* Where the next one is, in the data and in what is picked; false: that was the last. */
static bool next_number(numbers *n, int64_t *in_data, int64_t *in_picked)
{
    const walk *w = &n->w;
    if (n->k == n->length) {
        n->k = 0;
        n->place++;
        step(&n->w, false);
    }
    if (n->length == 0 || n->place == w->count)
        return false;
    if (n->k == 0)
        offsets(w, &n->data, &n->picked);
    *in_data = n->data;
    *in_picked = n->picked;
    int64_t rest = n->k++;
    for (int i = w->block.rank - 1; i >= 0; rest /= w->block.dim[i--]) {
        *in_data += rest % w->block.dim[i] * w->block_data[i];
        *in_picked += rest % w->block.dim[i] * w->block_picked[i];
    }
    return true;
}

void mfm_places_choose(const mfm_places *p, int sign, const real *updates, const real *picked,
                       real *best, real *to)
{
    int64_t a, b;
    for (numbers n = each_number(p); next_number(&n, &a, &b);) {
        if (!((real)sign * updates[b] > (real)sign * best[a]))
            continue;
        best[a] = updates[b];
        to[a] = picked ? picked[b] : 0;
    }
}

void mfm_places_share(const mfm_places *p, const real *updates, const real *best, real *data,
                      real *picked, bool add)
{
    int64_t a, b;
    for (numbers n = each_number(p); next_number(&n, &a, &b);) {
        const bool is_best = updates[b] == best[a];
        picked[b] = (add ? picked[b] : 0) + (is_best ? data[a] : 0);
        data[a] = is_best ? 0 : data[a];
    }
}

/* ---- gathering ------------------------------------------------------------------------------ */

void mfm_gather_apply(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of)
{
    const mfm_places p = of(node);
    mfm_places_read(&p, mfm_in(node, 0, lane), mfm_out(node, 0, lane), false);
}

void mfm_gather_adjoint(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of)
{
    const mfm_places p = of(node);
    real *to = mfm_in(node, 0, lane);
    if (!to)
        return;
    if (!mfm_accumulates(node, 0, lane))
        for (int64_t i = 0; i < mfm_shape_count(&node->in[0]->shape); i++)
            to[i] = 0;
    if (mfm_out(node, 0, lane))
        mfm_places_add(&p, mfm_out(node, 0, lane), to);
}

/* ---- scattering ----------------------------------------------------------------------------- */

enum { DATA, INDICES, UPDATES };

const mfm_port mfm_scatter_inputs[] = {{"data", MFM_DATA, false, false},
                                       {"indices", MFM_INDEX, false, false},
                                       {"updates", MFM_DATA, false, false},
                                       {0}};
const mfm_port mfm_scatter_outputs[] = {{"output", MFM_DATA, false, false}, {0}};

int mfm_scatter_check(mfm_ctx *ctx, const mfm_node *node, int reduction, const mfm_shape *picked)
{
    char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
    if (reduction == MFM_SCATTER_MUL)
        return mfm_infer_fail(ctx, node,
                              "reduction: mul is not supported: none, add, max and min are");
    if (!mfm_shape_equal(picked, &node->in[UPDATES]->shape))
        return mfm_infer_fail(ctx, node, "updates %s: must be %s as the indices tell",
                              mfm_shape_text(&node->in[UPDATES]->shape, a),
                              mfm_shape_text(picked, b));
    node->out[0]->shape = node->in[DATA]->shape;
    return MFM_OK;
}

/* Room for an adjoint from which is taken, and for the best values. */
int mfm_scatter_setup(mfm_ctx *ctx, mfm_node *node, mfm_places_of *of)
{
    const mfm_places p = of(node);
    node->scratch_size = 2 * (size_t)mfm_shape_count(&node->out[0]->shape);
    return mfm_places_check(ctx, node, &p);
}

/* Between tensors of one shape that may lie differently. */
static void copy(const mfm_tensor *source, const real *from, const mfm_tensor *result, real *to,
                 bool add)
{
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(&source->shape, x);
    mfm_shape_strides(&result->shape, y);
    mfm_strided_copy(&source->shape, from, x, 1, to, y, add);
}

/* scratch gets X of the result. */
static void choose(const mfm_node *node, const mfm_places *p, int reduction, const real *picked,
                   real *to)
{
    copy(node->in[DATA], mfm_in(node, DATA, MFM_X), node->out[0], node->scratch, false);
    mfm_places_choose(p, reduction == MFM_SCATTER_MAX ? 1 : -1, mfm_in(node, UPDATES, MFM_X),
                      picked, node->scratch, to);
}

void mfm_scatter_apply(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of, int reduction)
{
    const mfm_places p = of(node);
    const real *updates = mfm_in(node, UPDATES, lane);
    real *to = mfm_out(node, 0, lane);
    copy(node->in[DATA], mfm_in(node, DATA, lane), node->out[0], to, false);
    if (reduction == MFM_SCATTER_MAX || reduction == MFM_SCATTER_MIN)
        choose(node, &p, reduction, updates, to);
    else if (reduction == MFM_SCATTER_NONE)
        mfm_places_write(&p, updates, to);
    else if (updates)
        mfm_places_add(&p, updates, to);
}

/* Adding: the data get g, each update what lies at its place. */
static void adjoint_of_add(const mfm_node *node, enum mfm_lane lane, const mfm_places *p)
{
    const real *g = mfm_out(node, 0, lane);
    real *data = mfm_in(node, DATA, lane), *updates = mfm_in(node, UPDATES, lane);
    if (data)
        copy(node->out[0], g, node->in[DATA], data, mfm_accumulates(node, DATA, lane));
    if (updates)
        mfm_places_read(p, g, updates, mfm_accumulates(node, UPDATES, lane));
}

/* Writing: the last update at a place gets what lies there, and the data nothing. */
static void adjoint_of_write(const mfm_node *node, enum mfm_lane lane, const mfm_places *p)
{
    const mfm_tensor *y = node->out[0];
    real *data = mfm_in(node, DATA, lane), *updates = mfm_in(node, UPDATES, lane);
    copy(y, mfm_out(node, 0, lane), y, node->scratch, false);
    mfm_places_take(p, node->scratch, updates, mfm_accumulates(node, UPDATES, lane));
    if (data)
        copy(y, node->scratch, node->in[DATA], data, mfm_accumulates(node, DATA, lane));
}

/* The largest or smallest: whose number it is gets what lies there. */
static void adjoint_of_choice(const mfm_node *node, enum mfm_lane lane, const mfm_places *p,
                              int reduction)
{
    const mfm_tensor *y = node->out[0];
    const int64_t count = mfm_shape_count(&y->shape);
    real *data = mfm_in(node, DATA, lane), *updates = mfm_in(node, UPDATES, lane);
    real *best = node->scratch, *left = node->scratch + count;
    choose(node, p, reduction, NULL, left);
    copy(y, mfm_out(node, 0, lane), y, left, false);
    /* The data come first: theirs goes to them, and away from what is left. */
    const real *x = mfm_in(node, DATA, MFM_X);
    const bool add = mfm_accumulates(node, DATA, lane);
    int64_t in[MFM_MAX_RANK], out[MFM_MAX_RANK];
    mfm_shape_strides(&node->in[DATA]->shape, in);
    mfm_shape_strides(&y->shape, out);
    for (int64_t i = 0; i < count; i++) {
        int64_t a = 0, b = 0, rest = i;
        for (int k = y->shape.rank - 1; k >= 0; rest /= y->shape.dim[k--]) {
            a += rest % y->shape.dim[k] * in[k];
            b += rest % y->shape.dim[k] * out[k];
        }
        const bool own = x[a] == best[b];
        if (data)
            data[a] = (add ? data[a] : 0) + (own ? left[b] : 0);
        left[b] = own ? 0 : left[b];
    }
    if (updates)
        mfm_places_share(p, mfm_in(node, UPDATES, MFM_X), best, left, updates,
                         mfm_accumulates(node, UPDATES, lane));
}

void mfm_scatter_adjoint(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of, int reduction)
{
    const mfm_places p = of(node);
    if (reduction == MFM_SCATTER_MAX || reduction == MFM_SCATTER_MIN)
        adjoint_of_choice(node, lane, &p, reduction);
    else if (reduction == MFM_SCATTER_NONE)
        adjoint_of_write(node, lane, &p);
    else
        adjoint_of_add(node, lane, &p);
}
