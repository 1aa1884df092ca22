/* CumSum (ONNX 11, 14): sums along an axis, of all numbers up to and with each one, or (exclusive)
 * without it; from the other end when reverse. The adjoint sums from the opposite end. */
#include "core/engine/kernels/nest.h"
#include "core/engine/rules.h"

typedef struct cum_sum_attr {
    int64_t axis, exclusive, reverse;
} cum_sum_attr;

enum { FROM, TO };

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    int axis;
    const int64_t given = ((const cum_sum_attr *)node->attr)->axis;
    const int status = mfm_infer_axis(ctx, node, given, node->in[0]->shape.rank, &axis);
    return status ? status : mfm_infer_same(ctx, node);
}

/* A line of n numbers; steps are negative from the other end. */
static void sum_line(int64_t n, const real *from, int64_t from_step, real *to, int64_t to_step,
                     bool exclusive, bool add)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double value = (double)from[i * from_step];
        const double here = exclusive ? sum : sum + value;
        to[i * to_step] = (add ? to[i * to_step] : 0) + (real)here;
        sum += value;
    }
}

/* to = [to +] the sums of from, NULL being zero. */
static void sums(const mfm_node *node, const mfm_tensor *source, const real *from,
                 const mfm_tensor *result, real *to, bool reverse, bool add)
{
    const cum_sum_attr *attr = node->attr;
    const mfm_shape *shape = &source->shape;
    const int axis = (int)(attr->axis < 0 ? attr->axis + shape->rank : attr->axis);
    const int64_t n = shape->dim[axis];
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(shape, x);
    mfm_shape_strides(&result->shape, y);
    mfm_nest lines = {0};
    for (int i = 0; i < shape->rank; i++)
        if (i != axis)
            mfm_nest_push(&lines, shape->dim[i], x[i], y[i], 0);
    const int64_t count = n ? mfm_nest_count(&lines) : 0, way = reverse ? -1 : 1;
    const real zero = 0;
#pragma omp parallel for if (count * n > MFM_PARALLEL_FROM)
    for (int64_t r = 0; r < count; r++) {
        int64_t at[MFM_NEST_OPERANDS] = {0};
        mfm_nest_seek(&lines, lines.rank, r, at);
        const int64_t first = reverse ? n - 1 : 0;
        const real *source_line = from ? from + at[FROM] + first * x[axis] : &zero;
        sum_line(n, source_line, from ? way * x[axis] : 0, to + at[TO] + first * y[axis],
                 way * y[axis], attr->exclusive != 0, add);
    }
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    sums(node, node->in[0], mfm_in(node, 0, lane), node->out[0], mfm_out(node, 0, lane),
         ((const cum_sum_attr *)node->attr)->reverse != 0, false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    if (mfm_in(node, 0, lane))
        sums(node, node->out[0], mfm_out(node, 0, lane), node->in[0], mfm_in(node, 0, lane),
             ((const cum_sum_attr *)node->attr)->reverse == 0, mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"x", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"y", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "axis",
     .type = MFM_INT,
     .offset = offsetof(cum_sum_attr, axis),
     .required = true,
     .from_input = 1,
     .since = 11},
    {.name = "exclusive", .type = MFM_INT, .offset = offsetof(cum_sum_attr, exclusive)},
    {.name = "reverse", .type = MFM_INT, .offset = offsetof(cum_sum_attr, reverse)},
    {0}};

static const char *const samples[] = {"[7] axis=0",
                                      "[2,3,4,5] axis=1",
                                      "[2,3,4,5] axis=-1 exclusive=1",
                                      "[2,3,4] axis=1 reverse=1",
                                      "[3,5] axis=0 exclusive=1 reverse=1",
                                      "[2,3,4] axis=-3 opset=11",
                                      NULL};

const mfm_op mfm_op_cum_sum = {
    .name = "CumSum",
    .domain = "",
    .since = 11,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(cum_sum_attr),
    .shape = infer_shape,
    .linear = true,
    .traits = MFM_ALONG_AXES,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "sums of the numbers up to each one along an axis",
    .samples = samples,
};

const mfm_impl mfm_cpu_cum_sum = {
    .op = &mfm_op_cum_sum,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
