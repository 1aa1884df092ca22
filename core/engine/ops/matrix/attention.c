/* mfm.Attention, as attention.h has it: what it is. Its passes are in attention_rule.c. */
#include "core/engine/ops/matrix/attention.h"

#include <math.h>

#include "core/engine/fusion.h"
#include "core/engine/kernels/broadcast.h"
#include "core/engine/kernels/gemm/gemm.h"
#include "core/engine/ops/matrix/einsum_equation.h"

static bool is_turned(const mfm_node *node)
{
    return ((const mfm_attention_attr *)node->attr)->turned != 0;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static bool has_input(const mfm_node *node, int input)
{
    return input < node->n_in && node->in[input];
}

mfm_shape mfm_attention_scores(const mfm_node *node)
{
    mfm_shape s = node->in[MFM_ATTENTION_Q]->shape;
    const mfm_shape *k = &node->in[MFM_ATTENTION_K]->shape;
    s.dim[s.rank - 1] = k->dim[k->rank - (is_turned(node) ? 1 : 2)];
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

/* Whether K, V fit Q, all of one rank. */
static bool fit(const mfm_shape *q, const mfm_shape *k, const mfm_shape *v, bool turned)
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

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_attention_attr *attr = node->attr;
    const mfm_shape *q = &node->in[MFM_ATTENTION_Q]->shape, *k = &node->in[MFM_ATTENTION_K]->shape;
    const mfm_shape *v = &node->in[MFM_ATTENTION_V]->shape;
    char text[3][MFM_SHAPE_TEXT];
    if (!isfinite(attr->scale))
        return mfm_infer_fail(ctx, node, "scale %g: must be finite", attr->scale);
    if (isnan(attr->low))
        return mfm_infer_fail(ctx, node, "low: must be a number");
    if (!fit(q, k, v, is_turned(node)))
        return mfm_infer_fail(ctx, node, "Q %s, K %s, V %s: do not fit", mfm_shape_text(q, text[0]),
                              mfm_shape_text(k, text[1]), mfm_shape_text(v, text[2]));
    int status = infer_summand(ctx, node, MFM_ATTENTION_BIAS);
    if (!status)
        status = infer_summand(ctx, node, MFM_ATTENTION_MASK);
    if (status)
        return status;
    mfm_shape y = *q;
    y.dim[y.rank - 1] = v->dim[v->rank - 1];
    y.layout = MFM_CHANNELS_LAST;
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
    const mfm_shape scores = mfm_attention_scores(node), *q = &node->in[MFM_ATTENTION_Q]->shape;
    const mfm_shape *v = &node->in[MFM_ATTENTION_V]->shape;
    const int rank = scores.rank;
    mfm_attention_sizes s = {.outer = scores.dim[0],
                             .inner = 1,
                             .n_inner = rank - 3,
                             .queries = scores.dim[rank - 2],
                             .keys = scores.dim[rank - 1],
                             .width = q->dim[rank - 1],
                             .values = v->dim[rank - 1],
                             .windows = 1};
    for (int i = 0; i < s.n_inner; i++) {
        s.inner_dim[i] = scores.dim[i + 1];
        s.inner *= scores.dim[i + 1];
    }
    for (int i = 0; i < MFM_ATTENTION_INPUTS; i++) {
        if (!has_input(node, i))
            continue;
        const mfm_tensor *tensor = node->in[i];
        s.input[i] = i < MFM_ATTENTION_BIAS ? plain_view(tensor) : summand_view(tensor, &scores);
        if (i == MFM_ATTENTION_MASK && tensor->shape.rank > rank)
            s.windows = tensor->shape.dim[1];
    }
    if (is_turned(node)) {
        mfm_attention_view *k = &s.input[MFM_ATTENTION_K];
        const int64_t row = k->row;
        k->row = k->column;
        k->column = row;
    }
    s.output = plain_view(node->out[0]);
    return s;
}

int64_t mfm_attention_offset(const mfm_attention_sizes *s, const mfm_attention_view *view,
                             int64_t outer, int64_t inner)
{
    int64_t at = view->window ? outer % s->windows * view->window : outer * view->outer;
    for (int i = s->n_inner - 1; i >= 0; i--) {
        at += inner % s->inner_dim[i] * view->inner[i];
        inner /= s->inner_dim[i];
    }
    return at;
}

/* ---- fusion ---------------------------------------------------------------------------------- */

#define BIAS(scores)   "a = Add " scores " bias; "
#define MASK(scores)   "a = Add " scores " mask; "
#define KEPT(scores)   "k = Where mask " scores " low; "
#define FILLED(scores) "f = Where mask low " scores "; "
#define BY_WINDOWS     "w = Reshape a; m = Add w mask; b = Reshape m; "
#define AROUND         "Y = mfm:Attention "

/* The scores as they are, times a number, or divided by one; then the rest, which reads them. */
#define SCALED(first, rest, last)                                                                  \
    first rest("s") last, first "c = Mul s scale; " rest("c") last,                                \
        first "c = Div s scale; " rest("c") last
#define FORMS(first, last)                                                                         \
    SCALED(first, last, ""), SCALED(first, BIAS, last("a")), SCALED(first, MASK, last("a")),       \
        SCALED(first, BIAS, MASK_BEHIND last("b")), SCALED(first, MASK, BIAS_BEHIND last("b")),    \
        SCALED(first, BIAS, BY_WINDOWS last("b")), SCALED(first, KEPT, last("k")),                 \
        SCALED(first, FILLED, last("f")), SCALED(first, BIAS, KEPT("a") last("k")),                \
        SCALED(first, BIAS, FILLED("a") last("f"))
#define MASK_BEHIND          "b = Add a mask; "
#define BIAS_BEHIND          "b = Add a bias; "
#define BY_MATMUL(exponents) "p = Softmax " exponents "; Y = MatMul p V"
#define BY_EINSUM(exponents) "p = Softmax " exponents "; Y = Einsum p V"

/* First the scores up to the results, in all their forms; then, over and over, what stands before
 * the queries and keys. */
static const char *const fuses[] = {FORMS("s = MatMul Q K; ", BY_MATMUL),
                                    FORMS("s = Einsum Q K; ", BY_EINSUM),
                                    "q = Mul Q scale; *" AROUND "q K V ?bias ?mask",
                                    "q = Mul scale Q; *" AROUND "q K V ?bias ?mask",
                                    "q = Div Q scale; *" AROUND "q K V ?bias ?mask",
                                    "t = Mul K scale; *" AROUND "Q t V ?bias ?mask",
                                    "t = Mul scale K; *" AROUND "Q t V ?bias ?mask",
                                    "t = Div K scale; *" AROUND "Q t V ?bias ?mask",
                                    "t = Transpose K; *" AROUND "Q t V ?bias ?mask",
                                    NULL};

/* The factor that a statement puts to the scores; false where it is no number. */
static bool put_scale(const mfm_fusion *chain, const char *statement, double *scale)
{
    double number;
    if (!mfm_fusion_shape(chain, statement))
        return true;
    if (!mfm_fusion_number(chain, "scale", &number))
        return false;
    *scale = mfm_fusion_is(chain, statement, "Div") ? *scale / number : *scale * number;
    return isfinite(*scale);
}

/* Whether the transpose exchanges the last two axes alone. */
static bool turns_matrices(const mfm_fusion *chain, const char *statement)
{
    const mfm_ints *perm = mfm_fusion_ints(chain, statement, "perm");
    const int rank = mfm_fusion_shape(chain, statement)->rank;
    for (int i = 0; i < rank - 2; i++)
        if (perm->count != rank || perm->v[i] != i)
            return false;
    return perm->count == rank && perm->v[rank - 2] == rank - 1 && perm->v[rank - 1] == rank - 2;
}

/* What stands before an Attention. */
static bool fused_around(const mfm_fusion *chain, mfm_attention_attr *to)
{
    *to = *(const mfm_attention_attr *)mfm_fusion_attr(chain, "Y");
    if (mfm_fusion_shape(chain, "q"))
        return put_scale(chain, "q", &to->scale);
    if (!mfm_fusion_is(chain, "t", "Transpose"))
        return put_scale(chain, "t", &to->scale);
    to->turned = !to->turned;
    return turns_matrices(chain, "t");
}

/* Axis 0 of the scores is cut in two, for a mask with windows, and made whole again. */
static bool is_by_windows(const mfm_fusion *chain, const mfm_shape *scores)
{
    const mfm_shape *cut = mfm_fusion_shape(chain, "w"), *whole = mfm_fusion_shape(chain, "b");
    const mfm_shape *mask = mfm_fusion_shape(chain, "mask");
    mfm_shape full;
    return mask->rank == scores->rank + 1 && mask->dim[1] > 1 &&
           mfm_attention_masked(scores, mask, &full) && mfm_shape_equal(cut, &full) &&
           mfm_shape_equal(mfm_fusion_shape(chain, "m"), cut) && mfm_shape_equal(whole, scores);
}

static bool takes_summands(const mfm_fusion *chain, const mfm_shape *scores)
{
    const mfm_shape *bias = mfm_fusion_shape(chain, "bias"),
                    *mask = mfm_fusion_shape(chain, "mask");
    mfm_shape full;
    if (bias && (bias->rank > scores->rank || !mfm_attention_masked(scores, bias, &full) ||
                 mfm_fusion_is_constant(chain, "bias")))
        return false;
    if (!mask)
        return true;
    if (!mfm_fusion_is_constant(chain, "mask"))
        return false;
    return mfm_fusion_shape(chain, "w")
               ? is_by_windows(chain, scores)
               : mask->rank <= scores->rank && mfm_attention_masked(scores, mask, &full);
}

/* The products of a chain, as matrix products or written as sums: which way the keys lie; that the
 * values have a row for each key. */
static bool takes_products(const mfm_fusion *chain, int64_t *turned)
{
    bool by_rows = false, values_by_rows = false;
    *turned = 1;
    if (!mfm_fusion_is(chain, "s", "Einsum"))
        return true;
    const mfm_einsum_attr *scores = mfm_fusion_attr(chain, "s"), *y = mfm_fusion_attr(chain, "Y");
    const bool products = mfm_einsum_is_product(scores->equation, &by_rows) &&
                          mfm_einsum_is_product(y->equation, &values_by_rows);
    *turned = !by_rows;
    return products && !values_by_rows;
}

/* Truth values of a mask, and what stands where they forbid. */
static bool takes_choice(const mfm_fusion *chain, mfm_attention_attr *to)
{
    const bool kept = mfm_fusion_shape(chain, "k"), filled = mfm_fusion_shape(chain, "f");
    if (!kept && !filled)
        return true;
    to->mask = kept ? MFM_ATTENTION_KEEPS : MFM_ATTENTION_FILLS;
    return mfm_fusion_number(chain, "low", &to->low) && !isnan(to->low);
}

static bool fused(const mfm_fusion *chain, void *attr)
{
    mfm_attention_attr *to = attr;
    if (!mfm_fusion_shape(chain, "p"))
        return fused_around(chain, to);
    const mfm_shape *scores = mfm_fusion_shape(chain, "s");
    const double axis = mfm_fusion_attr_number(chain, "p", "axis");
    return (axis == -1 || axis == scores->rank - 1) && takes_products(chain, &to->turned) &&
           fit(mfm_fusion_shape(chain, "Q"), mfm_fusion_shape(chain, "K"),
               mfm_fusion_shape(chain, "V"), to->turned != 0) &&
           put_scale(chain, "c", &to->scale) && takes_choice(chain, to) &&
           takes_summands(chain, scores);
}

/* ---- the operator ---------------------------------------------------------------------------- */

static int64_t macs(const mfm_node *node)
{
    const mfm_shape scores = mfm_attention_scores(node);
    const mfm_shape *q = &node->in[MFM_ATTENTION_Q]->shape, *v = &node->in[MFM_ATTENTION_V]->shape;
    return mfm_count_times(mfm_shape_count(&scores), q->dim[q->rank - 1] + v->dim[v->rank - 1]);
}

static const mfm_port inputs[] = {{"Q", MFM_DATA, false, false},    {"K", MFM_DATA, false, false},
                                  {"V", MFM_DATA, false, false},    {"bias", MFM_DATA, true, false},
                                  {"mask", MFM_INDEX, true, false}, {0}};
static const mfm_port outputs[] = {{"Y", MFM_DATA, false, false}, {0}};
static const mfm_attr_def attrs[] = {
    {.name = "scale",
     .type = MFM_FLOAT,
     .offset = offsetof(mfm_attention_attr, scale),
     .fallback = 1},
    {.name = "turned", .type = MFM_INT, .offset = offsetof(mfm_attention_attr, turned)},
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
    .fuses = fuses,
    .fused = fused,
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
