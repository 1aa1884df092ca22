/*
 * mfm.JoinedBatchNormalizationRelu: y = max(BatchNormalization(Concat(x, others...)), 0), of inputs
 * [n, *, h, w] with their channels one behind the other. The plans' graphs have it where a model
 * has the three in a row, as every layer of DenseNet does: what all layers before have made is
 * brought together in blocks that stay in a cache, and never lies in memory as a whole.
 */
#include <string.h>

#include "core/engine/kernels/vec.h"
#include "core/engine/ops/batch_norm/batch_norm_pass.h"

/* Parts of the input, and the slot of one. */
static int count_parts(const mfm_node *node)
{
    return node->n_in - MFM_BN_VARIANCE;
}

static int slot_of(int part)
{
    return part ? MFM_BN_VARIANCE + part : MFM_BN_INPUT;
}

real *mfm_bn_input(const mfm_node *node, enum mfm_lane lane)
{
    const mfm_batch_norm_tail *tail = node->impl->parts;
    real *values = mfm_in(node, MFM_BN_INPUT, lane);
    for (int i = 1; tail->joined && i < count_parts(node) && !values; i++)
        values = mfm_in(node, slot_of(i), lane);
    return values;
}

/* `width` columns of some rows, `from_row` and `to_row` reals from one row to the next; meanwhile
 * the rows behind those of the part, which the next block has, are fetched. */
static inline void copy_rows(int64_t rows, int64_t width, const real *restrict from,
                             int64_t from_row, real *restrict to, int64_t to_row, bool add,
                             const real *next)
{
    for (; rows > 0; rows--, from += from_row, to += to_row, next += width) {
        int64_t i = 0;
        for (; i + MFM_VEC_LANES <= width; i += MFM_VEC_LANES) {
            const mfm_vec v = mfm_vec_load(from + i);
            __builtin_prefetch(next + i, 0, 2);
            mfm_vec_store(to + i, add ? mfm_vec_load(to + i) + v : v);
        }
        for (; i < width; i++)
            to[i] = add ? to[i] + from[i] : from[i];
    }
}

void mfm_bn_join(const void *joined, int64_t at, int64_t n, real *to)
{
    const mfm_bn_joined *of = joined;
    const int64_t channels = mfm_batch_norm_size(of->node).channels;
    const int64_t first = at / channels, rows = n / channels;
    for (int i = 0; i < count_parts(of->node); i++) {
        const int64_t width = of->node->in[slot_of(i)]->shape.dim[1];
        const real *from = mfm_in(of->node, slot_of(i), of->lane);
        if (from)
            copy_rows(rows, width, from + first * width, width, to, channels, false,
                      from + (first + rows) * width);
        for (int64_t r = 0; !from && r < rows; r++)
            memset(to + r * channels, 0, (size_t)width * sizeof *to);
        to += width;
    }
}

void mfm_bn_part(const void *joined, int64_t at, int64_t n, real *from)
{
    const mfm_bn_joined *of = joined;
    const int64_t channels = mfm_batch_norm_size(of->node).channels;
    const int64_t first = at / channels, rows = n / channels;
    for (int i = 0; i < count_parts(of->node); i++) {
        const int64_t width = of->node->in[slot_of(i)]->shape.dim[1];
        real *to = mfm_in(of->node, slot_of(i), of->lane);
        if (to)
            copy_rows(rows, width, from, channels, to + first * width, width,
                      mfm_accumulates(of->node, slot_of(i), of->lane), to + (first + rows) * width);
        from += width;
    }
}

/* ---- the operator ---------------------------------------------------------------------------- */

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    mfm_shape y = node->in[MFM_BN_INPUT]->shape;
    char a[MFM_SHAPE_TEXT], b[MFM_SHAPE_TEXT];
    if ((y.rank != 2 && y.rank != 4) || mfm_shape_count(&y) < 1)
        return mfm_infer_fail(ctx, node, "input %s: must be [n, c] or [n, c, h, w] with elements",
                              mfm_shape_text(&y, a));
    for (int i = 1; i < count_parts(node); i++) {
        mfm_shape part = node->in[slot_of(i)]->shape;
        const int64_t more = part.rank == y.rank ? part.dim[1] : 0;
        part.dim[1] = y.dim[1];
        if (!mfm_shape_equal(&part, &y) || more < 1 ||
            __builtin_add_overflow(y.dim[1], more, &y.dim[1]))
            return mfm_infer_fail(ctx, node, "input %s beside %s: only the channels may differ",
                                  mfm_shape_text(&node->in[slot_of(i)]->shape, a),
                                  mfm_shape_text(&node->in[MFM_BN_INPUT]->shape, b));
    }
    if (y.dim[1] > MFM_MOST_HOOKED)
        return mfm_infer_fail(ctx, node, "%lld channels: at most %d", (long long)y.dim[1],
                              MFM_MOST_HOOKED);
    int status = mfm_batch_norm_check_attributes(ctx, node);
    if (!status)
        status = mfm_batch_norm_check_channels(ctx, node, y.dim[1]);
    node->out[0]->shape = y;
    return status;
}

static const mfm_batch_norm_tail tail = {.relu = true, .joined = true};

static const mfm_port inputs[] = {MFM_BATCH_NORM_INPUTS, {"others", MFM_DATA, false, true}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {
    "[4,3,2,3] [5] [5] [5] [5]+ [4,2,2,3] @train",
    "[4,3,2,3] [5] [5] [5] [5]+ [4,2,2,3]",
    "[3,16,5,2] [38] [38] [38] [38]+ [3,17,5,2] [3,5,5,2] @train",
    "[3,2] [7] [7] [7] [7]+ [3,4] [3,1] epsilon=0.3 momentum=0.5 @train",
    "[2,130,1,2] [150] [150] [150] [150]+ [2,20,1,2] @train",
    NULL};

static const char *const fuses[] = {
    "c = Concat X others...; n = BatchNormalization c scale B mean var; Y = Relu n", NULL};

static bool fused(const mfm_fusion *chain, void *attr)
{
    const mfm_shape *shape = mfm_fusion_shape(chain, "c");
    const double axis = mfm_fusion_attr_number(chain, "c", "axis");
    return (axis == 1 || axis == 1 - shape->rank) && shape->dim[1] <= MFM_MOST_HOOKED &&
           mfm_batch_norm_fused(chain, attr);
}

const mfm_op mfm_op_joined_batch_normalization_relu = {
    .name = "JoinedBatchNormalizationRelu",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = mfm_batch_norm_attrs,
    .attr_size = sizeof(mfm_batch_norm_attr),
    .shape = infer_shape,
    .fuses = fuses,
    .fused = fused,
    .summary = "Concat, BatchNormalization and Relu in one sweep",
    .samples = samples,
};

const mfm_impl mfm_cpu_joined_batch_normalization_relu = {
    .op = &mfm_op_joined_batch_normalization_relu,
    .backend = MFM_CPU,
    .setup = mfm_batch_norm_setup,
    .rule = &mfm_rule_batch_norm,
    .parts = &tail,
    .reads = MFM_READS_IN,
    .update = mfm_batch_norm_update,
    .restore = mfm_batch_norm_restore,
};
