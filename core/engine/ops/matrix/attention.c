/* mfm.Attention, as attention.h has it: what it is. Its passes are in attention_rule.c. */
#include "core/engine/ops/matrix/attention.h"

#include <math.h>

#include "core/engine/kernels/broadcast.h"
#include "core/engine/kernels/gemm/gemm.h"

static bool is_turned(const mfm_node *node)
{
    return ((const mfm_attention_attr *)node->attr)->turned != 0;
}

static bool is_packed(const mfm_node *node)
{
    return ((const mfm_attention_attr *)node->attr)->packed != 0;
}

static int64_t heads_of(const mfm_node *node)
{
    return ((const mfm_attention_attr *)node->attr)->heads;
}

static int64_t tokens_first(const mfm_node *node)
{
    return ((const mfm_attention_attr *)node->attr)->tokens_first;
}

int mfm_attention_port(const mfm_node *node, int input)
{
    return is_packed(node) && input < MFM_ATTENTION_BIAS ? MFM_ATTENTION_Q : input;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static bool has_input(const mfm_node *node, int input)
{
    return input < node->n_in && node->in[input];
}

/* Of Q, K or V. */
static mfm_shape shape_of(const mfm_node *node, int input)
{
    const mfm_shape *shape = &node->in[mfm_attention_port(node, input)]->shape;
    const int64_t *d = shape->dim, heads = heads_of(node);
    if (!is_packed(node))
        return *shape;
    return heads ? (mfm_shape){.rank = 4, .dim = {d[1], heads, d[0], d[3] / heads}}
                 : (mfm_shape){.rank = 4, .dim = {d[0], d[3], d[1], d[4]}};
}

mfm_shape mfm_attention_scores(const mfm_node *node)
{
    mfm_shape s = shape_of(node, MFM_ATTENTION_Q);
    const mfm_shape k = shape_of(node, MFM_ATTENTION_K);
    s.dim[s.rank - 1] = k.dim[k.rank - (is_turned(node) ? 1 : 2)];
    return s;
}

bool mfm_attention_masked(const mfm_shape *scores, const mfm_shape *mask, mfm_shape *full)
{
    mfm_shape common;
    *full = *scores;
    if (mask->rank == scores->rank + 1) {
        const int64_t windows = mask->dim[1];
        if (mask->dim[0] != 1 || windows < 1 || scores->dim[0] % windows ||
            scores->rank == MFM_MAX_RANK)
            return false;
        *full = (mfm_shape){.rank = scores->rank + 1, .dim = {scores->dim[0] / windows, windows}};
        for (int i = 1; i < scores->rank; i++)
            full->dim[i + 1] = scores->dim[i];
    }
    return mfm_broadcast_shape(mask, full, &common) && mfm_shape_equal(&common, full);
}

bool mfm_attention_fit(const mfm_shape *q, const mfm_shape *k, const mfm_shape *v, bool turned)
{
    const int last = q->rank - 1, tokens = last - (turned ? 0 : 1), features = last - turned;
    if (q->rank < 3 || k->rank != q->rank || v->rank != q->rank)
        return false;
    for (int i = 0; i < q->rank; i++) {
        if (q->dim[i] < 1 || k->dim[i] < 1 || v->dim[i] < 1 || q->dim[i] > MFM_GEMM_MAX ||
            k->dim[i] > MFM_GEMM_MAX || v->dim[i] > MFM_GEMM_MAX)
            return false;
        if (i < last - 1 && (k->dim[i] != q->dim[i] || v->dim[i] != q->dim[i]))
            return false;
    }
    return k->dim[features] == q->dim[last] && k->dim[tokens] == v->dim[last - 1];
}

static int infer_summand(mfm_ctx *ctx, const mfm_node *node, int input)
{
    char text[MFM_SHAPE_TEXT], other[MFM_SHAPE_TEXT];
    if (!has_input(node, input))
        return MFM_OK;
    const mfm_shape scores = mfm_attention_scores(node), *own = &node->in[input]->shape;
    mfm_shape full = scores;
    const bool fits = input == MFM_ATTENTION_MASK || own->rank <= scores.rank
                          ? mfm_attention_masked(&scores, own, &full)
                          : false;
    return fits ? MFM_OK
                : mfm_infer_fail(ctx, node, "%s %s: must broadcast to the scores, %s",
                                 node->op->inputs[input].name, mfm_shape_text(own, text),
                                 mfm_shape_text(&scores, other));
}

/* Whether one input has queries, keys and values. */
static bool has_all(const mfm_node *node)
{
    const mfm_shape *q = &node->in[MFM_ATTENTION_Q]->shape;
    const int64_t heads = heads_of(node);
    if (heads)
        return q->rank == 4 && q->dim[2] == 3 && heads > 0 && q->dim[3] % heads == 0;
    return q->rank == 5 && q->dim[2] == 3;
}

/* Whether queries, keys and values are there: as three inputs, or in one. */
static int check_inputs(mfm_ctx *ctx, const mfm_node *node)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *q = &node->in[MFM_ATTENTION_Q]->shape;
    const bool both = has_input(node, MFM_ATTENTION_K) && has_input(node, MFM_ATTENTION_V);
    const bool none = !has_input(node, MFM_ATTENTION_K) && !has_input(node, MFM_ATTENTION_V);
    if (is_packed(node) && (!none || !has_all(node) || is_turned(node)))
        return mfm_infer_fail(
            ctx, node,
            "Q %s: must be [n, tokens, 3, heads, features] with packed, or "
            "[tokens, n, 3, heads x features] with heads, and no K or V beside it",
            mfm_shape_text(q, text));
    if (!is_packed(node) && (!both || heads_of(node)))
        return mfm_infer_fail(ctx, node, "K, V: must be there, and heads 0, without packed");
    if (tokens_first(node) < 0 || tokens_first(node) > 2)
        return mfm_infer_fail(ctx, node, "tokens_first %lld: must be 0, 1 or 2",
                              (long long)tokens_first(node));
    if (tokens_first(node) && !is_packed(node) && q->rank != 4)
        return mfm_infer_fail(ctx, node, "Q %s: must have four axes with tokens_first",
                              mfm_shape_text(q, text));
    return MFM_OK;
}

static mfm_shape result_of(const mfm_node *node)
{
    mfm_shape y = shape_of(node, MFM_ATTENTION_Q);
    const mfm_shape v = shape_of(node, MFM_ATTENTION_V);
    y.dim[y.rank - 1] = v.dim[v.rank - 1];
    y.layout = MFM_CHANNELS_LAST;
    const int64_t n = y.dim[0], heads = y.dim[1], tokens = y.dim[2];
    if (tokens_first(node)) {
        y.dim[0] = tokens_first(node) == 2 ? tokens : n;
        y.dim[1] = tokens_first(node) == 2 ? n : tokens;
        y.dim[2] = heads;
    }
    return y;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_attention_attr *attr = node->attr;
    int status = check_inputs(ctx, node);
    if (status)
        return status;
    const mfm_shape q = shape_of(node, MFM_ATTENTION_Q), k = shape_of(node, MFM_ATTENTION_K);
    const mfm_shape v = shape_of(node, MFM_ATTENTION_V);
    char text[3][MFM_SHAPE_TEXT];
    if (!isfinite(attr->scale))
        return mfm_infer_fail(ctx, node, "scale %g: must be finite", attr->scale);
    if (isnan(attr->low))
        return mfm_infer_fail(ctx, node, "low: must be a number");
    if (!mfm_attention_fit(&q, &k, &v, is_turned(node)))
        return mfm_infer_fail(ctx, node, "Q %s, K %s, V %s: do not fit",
                              mfm_shape_text(&q, text[0]), mfm_shape_text(&k, text[1]),
                              mfm_shape_text(&v, text[2]));
    status = infer_summand(ctx, node, MFM_ATTENTION_BIAS);
    if (!status)
        status = infer_summand(ctx, node, MFM_ATTENTION_MASK);
    if (status)
        return status;
    const mfm_shape y = result_of(node);
    node->out[0]->shape = y;
    const mfm_shape scores = mfm_attention_scores(node);
    status = mfm_shape_check(ctx, &scores, "Attention scores");
    return status ? status : mfm_shape_check(ctx, &y, "Attention result");
}

/* ---- views ----------------------------------------------------------------------------------- */

static mfm_attention_view view_of(const int64_t *stride, int rank)
{
    mfm_attention_view v = {
        .outer = stride[0], .row = stride[rank - 2], .column = stride[rank - 1]};
    for (int i = 1; i < rank - 2; i++)
        v.inner[i - 1] = stride[i];
    return v;
}

static mfm_attention_view plain_view(const mfm_tensor *tensor)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(&tensor->shape, stride);
    return view_of(stride, tensor->shape.rank);
}

/* Of part 0, 1 or 2 of [n, L, 3, H, D], or of [L, n, 3, H D]. */
static mfm_attention_view packed_view(const mfm_tensor *tensor, int part, int64_t heads)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(&tensor->shape, stride);
    if (heads)
        return (mfm_attention_view){.start = part * stride[2],
                                    .outer = stride[1],
                                    .inner = {tensor->shape.dim[3] / heads * stride[3]},
                                    .row = stride[0],
                                    .column = stride[3]};
    return (mfm_attention_view){.start = part * stride[2],
                                .outer = stride[0],
                                .inner = {stride[3]},
                                .row = stride[1],
                                .column = stride[4]};
}

/* Of [n, L, H, E], or of [L, n, H, E]. */
static mfm_attention_view tokens_view(const mfm_tensor *tensor, bool tokens_outermost)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(&tensor->shape, stride);
    return (mfm_attention_view){.outer = stride[tokens_outermost],
                                .inner = {stride[2]},
                                .row = stride[!tokens_outermost],
                                .column = stride[3]};
}

static mfm_attention_view summand_view(const mfm_tensor *tensor, const mfm_shape *scores)
{
    int64_t stride[MFM_MAX_RANK];
    mfm_shape full;
    mfm_attention_masked(scores, &tensor->shape, &full);
    mfm_broadcast_strides(&tensor->shape, &full, stride);
    if (full.rank == scores->rank)
        return view_of(stride, full.rank);
    mfm_attention_view v = view_of(stride + 1, scores->rank);
    v.window = v.outer;
    v.outer = 0;
    return v;
}

mfm_attention_sizes mfm_attention_measure(const mfm_node *node)
{
    const mfm_shape scores = mfm_attention_scores(node), q = shape_of(node, MFM_ATTENTION_Q);
    const mfm_shape v = shape_of(node, MFM_ATTENTION_V);
    const int rank = scores.rank;
    mfm_attention_sizes s = {.outer = scores.dim[0],
                             .inner = 1,
                             .n_inner = rank - 3,
                             .queries = scores.dim[rank - 2],
                             .keys = scores.dim[rank - 1],
                             .width = q.dim[rank - 1],
                             .values = v.dim[rank - 1],
                             .windows = 1};
    for (int i = 0; i < s.n_inner; i++) {
        s.inner_dim[i] = scores.dim[i + 1];
        s.inner *= scores.dim[i + 1];
    }
    for (int i = 0; i < MFM_ATTENTION_INPUTS; i++) {
        if (!has_input(node, mfm_attention_port(node, i)))
            continue;
        const mfm_tensor *tensor = node->in[mfm_attention_port(node, i)];
        s.input[i] = i >= MFM_ATTENTION_BIAS ? summand_view(tensor, &scores)
                     : is_packed(node)       ? packed_view(tensor, i, heads_of(node))
                                             : plain_view(tensor);
        if (i == MFM_ATTENTION_MASK && tensor->shape.rank > rank)
            s.windows = tensor->shape.dim[1];
    }
    if (is_turned(node)) {
        mfm_attention_view *k = &s.input[MFM_ATTENTION_K];
        const int64_t row = k->row;
        k->row = k->column;
        k->column = row;
    }
    s.output = tokens_first(node) ? tokens_view(node->out[0], tokens_first(node) == 2)
                                  : plain_view(node->out[0]);
    return s;
}

int64_t mfm_attention_offset(const mfm_attention_sizes *s, const mfm_attention_view *view,
                             int64_t outer, int64_t inner)
{
    int64_t at = view->start;
    at += view->window ? outer % s->windows * view->window : outer * view->outer;
    for (int i = s->n_inner - 1; i >= 0; i--) {
        at += inner % s->inner_dim[i] * view->inner[i];
        inner /= s->inner_dim[i];
    }
    return at;
}

/* ---- the operator ---------------------------------------------------------------------------- */

static int64_t macs(const mfm_node *node)
{
    const mfm_shape scores = mfm_attention_scores(node);
    const mfm_shape q = shape_of(node, MFM_ATTENTION_Q), v = shape_of(node, MFM_ATTENTION_V);
    return mfm_count_times(mfm_shape_count(&scores), q.dim[q.rank - 1] + v.dim[v.rank - 1]);
}

static const mfm_port inputs[] = {{"Q", MFM_DATA, false, false},    {"K", MFM_DATA, true, false},
                                  {"V", MFM_DATA, true, false},     {"bias", MFM_DATA, true, false},
                                  {"mask", MFM_INDEX, true, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const mfm_attr_def attrs[] = {
    {.name = "scale",
     .type = MFM_FLOAT,
     .offset = offsetof(mfm_attention_attr, scale),
     .fallback = 1},
    {.name = "turned", .type = MFM_INT, .offset = offsetof(mfm_attention_attr, turned)},
    {.name = "packed", .type = MFM_INT, .offset = offsetof(mfm_attention_attr, packed)},
    {.name = "heads", .type = MFM_INT, .offset = offsetof(mfm_attention_attr, heads)},
    {.name = "tokens_first", .type = MFM_INT, .offset = offsetof(mfm_attention_attr, tokens_first)},
    {.name = "mask",
     .type = MFM_CHOICE,
     .offset = offsetof(mfm_attention_attr, mask),
     .choices = "Adds|Keeps|Fills"},
    {.name = "low",
     .type = MFM_FLOAT,
     .offset = offsetof(mfm_attention_attr, low),
     .fallback = -INFINITY},
    {0}};
static const char *const samples[] = {"[2,3,4] [2,5,4] [2,5,3]",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] scale=0.5",
                                      "[2,2,3,4] [2,2,4,5] [2,2,5,3] turned=1",
                                      "[2,3,4,4] [2,3,4,4] [2,3,4,4] scale=0.3",
                                      "[2,4,4] [2,4,4] [2,4,4] [2,4,4]",
                                      "[4,2,3,4] [4,2,5,4] [4,2,5,3] [1,2,3,5]",
                                      "[4,2,3,4] [4,2,5,4] [4,2,5,3] [2,3,5]",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] [2,1,1,5]",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] [3,1]",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] [2,2,3,5]",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] - [3,5]<3",
                                      "[4,2,3,4] [4,2,5,4] [4,2,5,3] [1,2,3,5] [1,2,1,3,5]<3",
                                      "[4,3,4] [4,5,4] [4,5,3] - [1,2,3,5]<2 scale=-0.5",
                                      "[2,1,2,3,4] [2,1,2,4,5] [2,1,2,5,3] turned=1",
                                      "[1,67,5] [1,70,5] [1,70,19] scale=0.2",
                                      "[2,2,20,1] [2,2,20,1] [2,2,20,2] [1,2,1,20] [20]<3",
                                      "[2,1,3] [2,1,3] [2,1,1]",
                                      "[2,5,3,2,4] packed=1",
                                      "[4,5,3,2,4] - - [1,2,5,5] [1,2,1,5,5]<3 packed=1 "
                                      "tokens_first=1 scale=0.4",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] tokens_first=1",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] tokens_first=2",
                                      "[5,2,3,8] packed=1 heads=2",
                                      "[5,2,3,6] - - [3,1,5] [5]<3 packed=1 heads=3 "
                                      "tokens_first=2 scale=0.4",
                                      "[2,2,3,4] [2,2,5,4] [2,2,5,3] - [3,5]<2 mask=Keeps low=-1",
                                      "[2,3,4] [2,5,4] [2,5,3] [3,5] [1,5]<2 mask=Fills low=-0.5",
                                      "[4,3,4] [4,5,4] [4,5,3] - [1,2,3,5]<2 mask=Fills low=0",
                                      NULL};

const mfm_op mfm_op_attention = {
    .name = "Attention",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_attention_attr),
    .shape = infer_shape,
    .layout = MFM_LAYOUT_ROWS,
    .batch = MFM_BATCH_STACK,
    .macs = macs,
    .fuses = mfm_attention_fuses,
    .fused = mfm_attention_fused,
    .summary = "values weighted by the softmax of the products of queries and keys",
    .samples = samples,
};

const mfm_impl mfm_cpu_attention = {
    .op = &mfm_op_attention,
    .backend = MFM_CPU,
    .setup = mfm_attention_setup,
    .release = mfm_attention_release,
    .rule = &mfm_rule_attention,
    .reads = MFM_READS_IN,
};
