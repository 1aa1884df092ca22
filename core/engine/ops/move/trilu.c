/* Trilu (ONNX 14): of the matrices in the last two axes, what lies on and above diagonal k (upper),
 * or on and below it; 0 elsewhere. */
#include "core/engine/kernels/nest.h"
#include "core/engine/rules.h"

typedef struct trilu_attr {
    int64_t upper, k;
} trilu_attr;

enum { FROM, TO };

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    if (node->in[0]->shape.rank < 2)
        return mfm_infer_fail(ctx, node, "input with %d axes: must have at least two",
                              node->in[0]->shape.rank);
    return mfm_infer_same(ctx, node);
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* to = [to +] the triangle of from; both of the same shape, each in its own storage order. */
static void triangle(const mfm_node *node, const mfm_tensor *source, const real *from,
                     const mfm_tensor *result, real *to, bool add)
{
    const trilu_attr *attr = node->attr;
    const mfm_shape *shape = &source->shape;
    const int last = shape->rank - 1;
    const int64_t rows = shape->dim[last - 1], columns = shape->dim[last];
    const int64_t k = clamp(attr->k, -rows, columns);
    int64_t x[MFM_MAX_RANK], y[MFM_MAX_RANK];
    mfm_shape_strides(shape, x);
    mfm_shape_strides(&result->shape, y);
    mfm_nest lines = {0};
    for (int i = 0; i < last; i++)
        mfm_nest_push(&lines, shape->dim[i], x[i], y[i], 0);
    const int64_t count = mfm_nest_count(&lines);
#pragma omp parallel for if (count * columns > MFM_PARALLEL_FROM)
    for (int64_t r = 0; r < count; r++) {
        int64_t at[MFM_NEST_OPERANDS] = {0};
        mfm_nest_seek(&lines, lines.rank, r, at);
        const int64_t edge = r % rows + k;
        const int64_t first = attr->upper ? clamp(edge, 0, columns) : 0;
        const int64_t end = attr->upper ? columns : clamp(edge + 1, 0, columns);
        for (int64_t j = 0; j < columns; j++) {
            const bool kept = from && j >= first && j < end;
            real *place = to + at[TO] + j * y[last];
            *place = (add ? *place : 0) + (kept ? from[at[FROM] + j * x[last]] : 0);
        }
    }
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    triangle(node, node->in[0], mfm_in(node, 0, lane), node->out[0], mfm_out(node, 0, lane), false);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    if (mfm_in(node, 0, lane))
        triangle(node, node->out[0], mfm_out(node, 0, lane), node->in[0], mfm_in(node, 0, lane),
                 mfm_accumulates(node, 0, lane));
}

static const mfm_linear parts = {apply, adjoint};

static const mfm_port inputs[] = {{"input", MFM_DATA, false, false}, {0}};
static const mfm_port outputs[] = {{"output", MFM_DATA, false, false}, {0}};

static const mfm_attr_def attrs[] = {
    {.name = "upper", .type = MFM_INT, .offset = offsetof(trilu_attr, upper), .fallback = 1},
    {.name = "k", .type = MFM_INT, .offset = offsetof(trilu_attr, k), .from_input = 1, .since = 14},
    {0}};

static const char *const samples[] = {
    "[4,5]",        "[4,5] upper=0", "[2,3,4,5] k=1",     "[2,3,4,5] k=-2 upper=0",
    "[3,5,2] k=-1", "[3,3] k=7",     "[3,3] k=7 upper=0", NULL};

const mfm_op mfm_op_trilu = {
    .name = "Trilu",
    .domain = "",
    .since = 14,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(trilu_attr),
    .shape = infer_shape,
    .linear = true,
    .layout = MFM_LAYOUT_NEAR,
    .summary = "upper or lower triangle of the last two axes",
    .samples = samples,
};

const mfm_impl mfm_cpu_trilu = {
    .op = &mfm_op_trilu,
    .backend = MFM_CPU,
    .rule = &mfm_rule_linear,
    .parts = &parts,
    .reads = MFM_READS_NONE,
};
