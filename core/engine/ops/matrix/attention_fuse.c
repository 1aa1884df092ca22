/* Chains of other operators that are an attention, and what it takes in before and behind it. */
#include <math.h>

#include "core/engine/ops/matrix/attention.h"
#include "core/engine/ops/matrix/einsum_equation.h"

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

/* Queries, keys and values of all heads, one behind the other for each token. */
#define PACKED "all = Transpose Q; q = Gather all i; t = Gather all j; v = Gather all k; "

/* The same where tokens come before samples, and heads are cut out of each, as PyTorch's
 * MultiheadAttention is exported. */
#define OF_HEADS(part, index)                                                                      \
    part " = Gather s " index "; " part "1 = Reshape " part "; " part "2 = Transpose " part        \
         "1; " part "3 = Reshape " part "2; "
#define BY_TOKENS                                                                                  \
    "u = Unsqueeze Q; all = Transpose u; s = Squeeze all; " OF_HEADS("q", "i") OF_HEADS("t", "j")  \
        OF_HEADS("v", "k")

/* First the scores up to the results, in all their forms; then, over and over, what stands before
 * the queries and keys. */
const char *const mfm_attention_fuses[] = {
    FORMS("s = MatMul Q K; ", BY_MATMUL),
    FORMS("s = Einsum Q K; ", BY_EINSUM),
    "q = Mul Q scale; *" AROUND "q K V ?bias ?mask",
    "q = Mul scale Q; *" AROUND "q K V ?bias ?mask",
    "q = Div Q scale; *" AROUND "q K V ?bias ?mask",
    "t = Mul K scale; *" AROUND "Q t V ?bias ?mask",
    "t = Mul scale K; *" AROUND "Q t V ?bias ?mask",
    "t = Div K scale; *" AROUND "Q t V ?bias ?mask",
    "t = Transpose K; *" AROUND "Q t V ?bias ?mask",
    PACKED "*" AROUND "q t v ?bias ?mask",
    BY_TOKENS "*" AROUND "q3 t3 v3 ?bias ?mask",
    "*y = mfm:Attention Q ?K ?V ?bias ?mask; Y = Transpose y",
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

static bool has_perm(const mfm_fusion *chain, const char *statement, int rank, const int *perm)
{
    const mfm_ints *own = mfm_fusion_ints(chain, statement, "perm");
    bool same = own->count == rank;
    for (int i = 0; i < rank && same; i++)
        same = own->v[i] == perm[i];
    return same;
}

/* Whether a statement takes part `part` along axis 0, and leaves that axis out. */
static bool takes_part(const mfm_fusion *chain, const char *statement, const char *index, int part,
                       int rank)
{
    double number;
    return mfm_fusion_number(chain, index, &number) && number == part &&
           mfm_fusion_attr_number(chain, statement, "axis") == 0 &&
           mfm_fusion_shape(chain, statement)->rank == rank;
}

/* All of [n, L, 3, H, D]. */
static bool fused_packed(const mfm_fusion *chain, mfm_attention_attr *to)
{
    static const int by_parts[] = {2, 0, 3, 1, 4};
    const mfm_shape *all = mfm_fusion_shape(chain, "Q");
    to->packed = 1;
    return !to->turned && all->rank == 5 && all->dim[2] == 3 &&
           has_perm(chain, "all", 5, by_parts) && takes_part(chain, "q", "i", 0, 4) &&
           takes_part(chain, "t", "j", 1, 4) && takes_part(chain, "v", "k", 2, 4);
}

static bool has_shape(const mfm_fusion *chain, const char *name, const mfm_shape *shape)
{
    return mfm_shape_equal(mfm_fusion_shape(chain, name), shape);
}

/* One part of [L, n, H D] becomes [L, n H, D], then [n H, L, D], then [n, H, L, D]. */
static bool cuts_heads(const mfm_fusion *chain, const char *cut, const char *turned,
                       const char *whole, const mfm_shape *heads)
{
    static const int exchanged[] = {1, 0, 2};
    const int64_t *d = heads->dim;
    const mfm_shape in_rows = {.rank = 3, .dim = {d[2], d[0] * d[1], d[3]}};
    return has_shape(chain, cut, &in_rows) && has_perm(chain, turned, 3, exchanged) &&
           has_shape(chain, whole, heads);
}

/* All of [L, n, 3, H D]. */
static bool fused_by_tokens(const mfm_fusion *chain, mfm_attention_attr *to)
{
    static const int by_parts[] = {3, 1, 2, 0, 4};
    const mfm_shape *q = mfm_fusion_shape(chain, "q3");
    if (to->turned || q->rank != 4)
        return false;
    const int64_t n = q->dim[0], tokens = q->dim[2], features = q->dim[1] * q->dim[3];
    const mfm_shape all = {.rank = 4, .dim = {tokens, n, 3, features}};
    const mfm_shape longer = {.rank = 5, .dim = {1, tokens, n, 3, features}};
    const mfm_shape parts = {.rank = 4, .dim = {3, tokens, n, features}};
    to->packed = 1;
    to->heads = q->dim[1];
    return has_shape(chain, "Q", &all) && has_shape(chain, "u", &longer) &&
           has_perm(chain, "all", 5, by_parts) && has_shape(chain, "s", &parts) &&
           takes_part(chain, "q", "i", 0, 3) && takes_part(chain, "t", "j", 1, 3) &&
           takes_part(chain, "v", "k", 2, 3) && cuts_heads(chain, "q1", "q2", "q3", q) &&
           cuts_heads(chain, "t1", "t2", "t3", q) && cuts_heads(chain, "v1", "v2", "v3", q);
}

/* What stands before an Attention, or behind. */
static bool fused_around(const mfm_fusion *chain, mfm_attention_attr *to)
{
    static const int by_tokens[] = {0, 2, 1, 3}, tokens_outermost[] = {2, 0, 1, 3};
    const bool behind = mfm_fusion_shape(chain, "y");
    *to = *(const mfm_attention_attr *)mfm_fusion_attr(chain, behind ? "y" : "Y");
    if (behind) {
        const bool first = to->tokens_first != 0,
                   outermost = has_perm(chain, "Y", 4, tokens_outermost);
        to->tokens_first = outermost ? 2 : 1;
        return !first && (outermost || has_perm(chain, "Y", 4, by_tokens));
    }
    if (to->packed)
        return false;
    if (mfm_fusion_shape(chain, "u"))
        return fused_by_tokens(chain, to);
    if (mfm_fusion_shape(chain, "all"))
        return fused_packed(chain, to);
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

bool mfm_attention_fused(const mfm_fusion *chain, void *attr)
{
    mfm_attention_attr *to = attr;
    if (!mfm_fusion_shape(chain, "p"))
        return fused_around(chain, to);
    const mfm_shape *scores = mfm_fusion_shape(chain, "s");
    const double axis = mfm_fusion_attr_number(chain, "p", "axis");
    return (axis == -1 || axis == scores->rank - 1) && takes_products(chain, &to->turned) &&
           mfm_attention_fit(mfm_fusion_shape(chain, "Q"), mfm_fusion_shape(chain, "K"),
                             mfm_fusion_shape(chain, "V"), to->turned != 0) &&
           put_scale(chain, "c", &to->scale) && takes_choice(chain, to) &&
           takes_summands(chain, scores);
}
