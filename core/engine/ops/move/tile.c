/*
 * Tile (ONNX 6, 13): the input repeats[i] times along each axis i. Version 1 had one axis as an
 * input. Import writes k times the batch size into the repeats as -k; the batch size is the length
 * of axis 0 of `like`, whose numbers do not matter.
 *
 * Axes of length 1 are stretched; along the others, one copy of the input lies beside the other.
 */
#include "core/engine/kernels/reduce.h"
#include "core/engine/kernels/strided.h"
#include "core/engine/rules.h"

typedef struct tile_attr {
    mfm_ints repeats;
} tile_attr;

/* How often along axis i; -1 where that is no number. */
static int64_t repeats_along(const mfm_node *node, int i)
{
    const mfm_ints *repeats = &((const tile_attr *)node->attr)->repeats;
    int64_t count = repeats->v[i];
    if (count >= 0)
        return count;
    if (node->n_in < 2 || !node->in[1] || node->in[1]->shape.rank < 1 || count == INT64_MIN ||
        __builtin_mul_overflow(-count, node->in[1]->shape.dim[0], &count))
        return -1;
    return count;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_ints *repeats = &((const tile_attr *)node->attr)->repeats;
    mfm_shape y = node->in[0]->shape;
    if (repeats->count != y.rank)
        return mfm_infer_fail(ctx, node, "repeats: %d entries: the input has %d axes",
                              repeats->count, y.rank);
    for (int i = 0; i < y.rank; i++)
        if (repeats_along(node, i) < 1 ||
            __builtin_mul_overflow(y.dim[i], repeats_along(node, i), &y.dim[i]))
            return mfm_infer_fail(ctx, node, "repeats: %lld: must be a count of at least 1",
                                  (long long)repeats->v[i]);
    node->out[0]->shape = y;
    return MFM_OK;
}

/* One copy: a shape in which the stretched axes have their new length, the strides of the input (0
 * along these) and of the result; and how many copies lie along each axis. */
typedef struct tiles {
    mfm_shape shape;
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    int64_t copies[MFM_MAX_RANK], count;
} tiles;

static tiles tiles_of(const mfm_node *node)
{
    tiles t = {.shape = node->in[0]->shape, .count = 1};
    mfm_shape_strides(&node->in[0]->shape, t.x);
    mfm_shape_strides(&node->out[0]->shape, t.y);
    for (int i = 0; i < t.shape.rank; i++) {
        const bool stretched = t.shape.dim[i] == 1;
        t.copies[i] = stretched ? 1 : repeats_along(node, i);
        t.count *= t.copies[i];
        t.shape.dim[i] = stretched ? repeats_along(node, i) : t.shape.dim[i];
        t.x[i] = stretched ? 0 : t.x[i];
    }
    return t;
}

/* Where a copy begins in the result. */
static int64_t start(const tiles *t, int64_t copy)
{
    int64_t at = 0;
    for (int i = t->shape.rank - 1; i >= 0; i--) {
        at += copy % t->copies[i] * t->shape.dim[i] * t->y[i];
        copy /= t->copies[i];
    }
    return at;
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const tiles t = tiles_of(node);
    for (int64_t k = 0; k < t.count; k++)
        mfm_strided_copy(&t.shape, mfm_in(node, 0, lane), t.x, 1,
                         mfm_out(node, 0, lane) + start(&t, k), t.y, false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const real *from = mfm_out(node, 0, lane);
    real *to = mfm_in(node, 0, lane);
    const tiles t = tiles_of(node);
    for (int64_t k = 0; k < t.count && to; k++)
        mfm_reduce(&node->share, &t.shape, from ? from + start(&t, k) : NULL, t.y, NULL, NULL, 1,
                   to, t.x, k > 0 || mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {
    {"input", MFM_DATA, false, false}, {"like", MFM_INDEX, true, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {{.name = "repeats",
                                      .type = MFM_INTS,
                                      .offset = offsetof(tile_attr, repeats),
                                      .required = true,
                                      .from_input = 1,
                                      .since = 6,
                                      .batch = true},
                                     {0}};

static const char *const samples[] = {"[2,3] repeats=2,3",         "[2,3,4,5] repeats=1,2,1,3",
                                      "[2,1,1,3] repeats=1,2,4,1", "[1,1,5] repeats=3,4,1",
                                      "[1,2,3] repeats=3,2,1",     "[3] repeats=1",
                                      "[2,3] repeats=2,2 opset=6", "[1,3] [4,2]<2 repeats=-1,2",
                                      "[2,3] [3]<2 repeats=-2,1",  NULL};

const mfm_op mfm_op_tile = {
    .name = "Tile",
    .domain = "",
    .since = 6,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(tile_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "the input several times along each axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_tile = {
    .op = &mfm_op_tile,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
