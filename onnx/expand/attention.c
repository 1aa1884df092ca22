/*
 * Attention (ONNX 23, 24, 25): with queries Q [n, H, L, D], keys K [n, G, T, D] and values
 * V [n, G, T, E], H a multiple of G,
 *     S = scale Q K^T,   C = softcap tanh(S / softcap),   A = C + mask,   P = softmax A,   Y = P V
 * Query head h looks at key head h G / H. Of three axes, Q is [n, L, H D], and so on, and Y
 * [n, L, H E]. A mask of truth values, is_causal and windows forbid pairs: those have P = 0, also
 * where a query is left with no key at all. A mask of numbers that are all -inf for a query, which
 * ONNX treats likewise, gives no number here, as in a Softmax.
 *
 * Past keys and values [n, G, P, .] are put in front of K and V, and a query is then P further on
 * for is_causal and windows. Lengths of the batch's own sequences (nonpad_kv_seqlen) are refused.
 * The softmax is always taken in the engine's numbers, whatever softmax_precision asks for.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx/expand/expand_parts.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, LENGTHS }; /* inputs */
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES };        /* outputs */
enum { TEXT = 128 };

/* What a forbidden pair gets before the softmax where its P is made 0 behind it: no number of
 * attention is as low, and a row of it alone is one of equal numbers. */
static const double LOWEST = -1e30;

typedef struct attention {
    mfm_parts p;
    int64_t n_heads, n_groups, length, keys, width, value_width; /* H, G, L, T, D, E */
    int64_t past;                                                /* P, counted in T */
    bool three;                                                  /* axes */
    int queries, turned_keys, values; /* [n,H,L,D], [n,G,D,T], [n,G,T,E] */
    int past_keys, past_values;       /* MFM_NO_VALUE: P is 0 */
    int mask, allowed;                /* numbers; truth values; MFM_NO_VALUE */
} attention;

static int refuse(attention *a, int code, const char *what)
{
    a->p.status = mfm_import_fail(a->p.im, a->p.node, code, "%s", what);
    return a->p.status;
}

static double number_attribute(const attention *a, const char *name, double fallback)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(a->p.node, name);
    return attr ? (double)attr->f : fallback;
}

/* ---- shapes --------------------------------------------------------------------------------- */

static void find_lengths(attention *a, const mfm_shape *q, const mfm_shape *k, const mfm_shape *v)
{
    if (a->three) {
        a->n_heads = mfm_proto_int(a->p.node, "q_num_heads", 0);
        a->n_groups = mfm_proto_int(a->p.node, "kv_num_heads", 0);
        if (a->n_heads < 1 || a->n_groups < 1)
            return;
        a->width = q->dim[2] / a->n_heads;
        a->value_width = v->dim[2] / a->n_groups;
        a->length = q->dim[1];
        a->keys = k->dim[1];
        return;
    }
    a->n_heads = q->dim[1];
    a->n_groups = k->dim[1];
    a->length = q->dim[2];
    a->keys = k->dim[2];
    a->width = q->dim[3];
    a->value_width = v->dim[3];
}

static bool fit(const attention *a, const mfm_shape *q, const mfm_shape *k, const mfm_shape *v)
{
    const int64_t n = q->dim[0];
    if (a->n_heads < 1 || a->n_groups < 1 || a->n_heads % a->n_groups || a->length < 1 ||
        a->keys < 1 || a->width < 1 || a->value_width < 1)
        return false;
    const mfm_shape shapes[2][3] = {{{4, {n, a->n_heads, a->length, a->width}, 0},
                                     {4, {n, a->n_groups, a->keys, a->width}, 0},
                                     {4, {n, a->n_groups, a->keys, a->value_width}, 0}},
                                    {{3, {n, a->length, a->n_heads * a->width}, 0},
                                     {3, {n, a->keys, a->n_groups * a->width}, 0},
                                     {3, {n, a->keys, a->n_groups * a->value_width}, 0}}};
    const mfm_shape *want = shapes[a->three];
    return mfm_shape_equal(q, &want[Q]) && mfm_shape_equal(k, &want[K]) &&
           mfm_shape_equal(v, &want[V]);
}

static int find_shapes(attention *a)
{
    char text[3][MFM_SHAPE_TEXT];
    const mfm_shape q = mfm_parts_shape(&a->p, a->queries);
    const mfm_shape k = mfm_parts_shape(&a->p, a->turned_keys);
    const mfm_shape v = mfm_parts_shape(&a->p, a->values);
    if (a->p.status)
        return a->p.status;
    a->three = q.rank == 3;
    if ((q.rank == 3 || q.rank == 4) && k.rank == q.rank && v.rank == q.rank)
        find_lengths(a, &q, &k, &v);
    if (fit(a, &q, &k, &v))
        return MFM_OK;
    a->p.status =
        mfm_import_fail(a->p.im, a->p.node, MFM_EDATA,
                        "Q %s, K %s, V %s with q_num_heads %lld and kv_num_heads %lld: do not fit",
                        mfm_shape_text(&q, text[Q]), mfm_shape_text(&k, text[K]),
                        mfm_shape_text(&v, text[V]), (long long)a->n_heads, (long long)a->n_groups);
    return a->p.status;
}

/* [n, G, P, width] of an input, which is absent where P is 0. */
static int read_past(attention *a, size_t input, int64_t width, int64_t *length)
{
    char text[MFM_SHAPE_TEXT];
    const int value = mfm_parts_input(&a->p, input, MFM_DATA);
    const mfm_shape q = mfm_parts_shape(&a->p, a->queries);
    const mfm_shape past = mfm_parts_shape(&a->p, value);
    *length = value == MFM_NO_VALUE || past.rank != 4 ? 0 : past.dim[2];
    const mfm_shape want = {4, {q.dim[0], a->n_groups, *length, width}, 0};
    if (!a->p.status && value != MFM_NO_VALUE && !mfm_shape_equal(&past, &want))
        a->p.status = mfm_import_fail(a->p.im, a->p.node, MFM_EDATA,
                                      "past_key, past_value: %s: does not fit K and V",
                                      mfm_shape_text(&past, text));
    return value;
}

static int find_past(attention *a)
{
    int64_t values;
    a->past_keys = read_past(a, PAST_KEY, a->width, &a->past);
    a->past_values = read_past(a, PAST_VALUE, a->value_width, &values);
    if (!a->p.status &&
        (values != a->past || (a->past_keys == MFM_NO_VALUE) != (a->past_values == MFM_NO_VALUE)))
        return refuse(a, MFM_EDATA, "past_key, past_value: must be given both, for as many keys");
    a->keys += a->past;
    return a->p.status;
}

/* ---- heads ---------------------------------------------------------------------------------- */

/* [n, length, heads x width] as [n, heads, length, width]. */
static int by_heads(attention *a, int value, int64_t heads)
{
    char text[TEXT];
    snprintf(text, sizeof text, "Reshape shape=0,0,%lld,-1", (long long)heads);
    const int split = mfm_parts_add(&a->p, text, value, MFM_NO_VALUE, MFM_NO_VALUE);
    return mfm_parts_add(&a->p, "Transpose perm=0,2,1,3", split, MFM_NO_VALUE, MFM_NO_VALUE);
}

static void split_heads(attention *a)
{
    if (a->three) {
        a->queries = by_heads(a, a->queries, a->n_heads);
        a->turned_keys = by_heads(a, a->turned_keys, a->n_groups);
        a->values = by_heads(a, a->values, a->n_groups);
    }
    if (a->past_keys != MFM_NO_VALUE) {
        a->turned_keys =
            mfm_parts_add(&a->p, "Concat axis=2", a->past_keys, a->turned_keys, MFM_NO_VALUE);
        a->values = mfm_parts_add(&a->p, "Concat axis=2", a->past_values, a->values, MFM_NO_VALUE);
    }
    if (mfm_parts_wants(&a->p, PRESENT_KEY))
        mfm_parts_output(&a->p, PRESENT_KEY, a->turned_keys);
    if (mfm_parts_wants(&a->p, PRESENT_VALUE))
        mfm_parts_output(&a->p, PRESENT_VALUE, a->values);
    a->turned_keys =
        mfm_parts_add(&a->p, "Transpose perm=0,1,3,2", a->turned_keys, MFM_NO_VALUE, MFM_NO_VALUE);
}

/* left [n, H, L, k] by right [n, G, k, m], whose heads serve H / G each: [n, H, L, m]. */
static int multiply_heads(attention *a, int left, int64_t k, int right, int64_t m)
{
    const long long groups = a->n_groups, each = a->n_heads / a->n_groups, rows = a->length;
    char split[TEXT], joined[TEXT];
    if (each == 1)
        return mfm_parts_add(&a->p, "MatMul", left, right, MFM_NO_VALUE);
    snprintf(split, sizeof split, "Reshape shape=0,%lld,%lld,%lld,%lld", groups, each, rows,
             (long long)k);
    snprintf(joined, sizeof joined, "Reshape shape=0,%lld,%lld,%lld", groups * each, rows,
             (long long)m);
    const int grouped = mfm_parts_add(&a->p, split, left, MFM_NO_VALUE, MFM_NO_VALUE);
    const int shared = mfm_parts_add(&a->p, "Unsqueeze axes=2", right, MFM_NO_VALUE, MFM_NO_VALUE);
    const int product = mfm_parts_add(&a->p, "MatMul", grouped, shared, MFM_NO_VALUE);
    return mfm_parts_add(&a->p, joined, product, MFM_NO_VALUE, MFM_NO_VALUE);
}

/* ---- masks ---------------------------------------------------------------------------------- */

static bool is_truth(const attention *a)
{
    const mfm_binding *b = mfm_import_find(a->p.im, a->p.node->input[MASK]);
    if (!b)
        return false;
    if (b->value >= 0)
        return a->p.im->graph->values[b->value].role == MFM_INDEX;
    const int32_t type = b->tensor ? b->tensor->data_type : b->folded ? b->folded->type : 0;
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
}

static int read_mask(attention *a)
{
    a->mask = a->allowed = MFM_NO_VALUE;
    if (a->p.node->n_input <= MASK || !a->p.node->input[MASK][0])
        return MFM_OK;
    const bool truth = is_truth(a);
    const int value = mfm_parts_input(&a->p, MASK, truth ? MFM_INDEX : MFM_DATA);
    const mfm_shape shape = mfm_parts_shape(&a->p, value);
    if (!a->p.status && (shape.rank < 1 || shape.dim[shape.rank - 1] != a->keys))
        return refuse(a, MFM_ENOTSUP, "attn_mask: its last axis must have the length of the keys");
    *(truth ? &a->allowed : &a->mask) = value;
    return a->p.status;
}

/* Whether query i may look at key j, by is_causal and the windows. */
static bool is_near(const attention *a, int64_t i, int64_t j)
{
    const int64_t left = mfm_proto_int(a->p.node, "left_window_size", -1);
    const int64_t right = mfm_proto_int(a->p.node, "right_window_size", -1);
    i += a->past;
    return !(mfm_proto_int(a->p.node, "is_causal", 0) && j > i) && !(left >= 0 && i - j > left) &&
           !(right >= 0 && j - i > right);
}

/* As truth values [L, T]; MFM_NO_VALUE where all are near. *alone: some query has no key. */
static int near_pairs(attention *a, bool *alone)
{
    const mfm_shape shape = {.rank = 2, .dim = {a->length, a->keys}};
    real *pairs = mfm_alloc_aligned(a->p.im->ctx, (size_t)(a->length * a->keys), sizeof *pairs);
    bool all = true;
    *alone = false;
    if (!pairs) {
        a->p.status = MFM_ENOMEM;
        return MFM_NO_VALUE;
    }
    for (int64_t i = 0; i < a->length; i++) {
        bool any = false;
        for (int64_t j = 0; j < a->keys; j++) {
            const bool is = is_near(a, i, j);
            pairs[i * a->keys + j] = is;
            all &= is;
            any |= is;
        }
        *alone |= !any;
    }
    const int value = all ? MFM_NO_VALUE : mfm_parts_const(&a->p, &shape, pairs);
    mfm_free_aligned(a->p.im->ctx, pairs);
    return value;
}

/* ---- from scores to probabilities ----------------------------------------------------------- */

static int add(attention *a, const char *what, int x, int y)
{
    return mfm_parts_add(&a->p, what, x, y, MFM_NO_VALUE);
}

/* The scores as the file wants to see them, if at this stage. */
static void show(attention *a, int stage, int value)
{
    if (mfm_parts_wants(&a->p, SCORES) &&
        mfm_proto_int(a->p.node, "qk_matmul_output_mode", 0) == stage)
        mfm_parts_output(&a->p, SCORES, value);
}

static int masked_softmax(attention *a, int scores)
{
    enum { MASKED = 2 };
    bool alone;
    const int near = near_pairs(a, &alone);
    if (a->mask != MFM_NO_VALUE)
        scores = add(a, "Add", scores, a->mask);
    if (alone && a->mask != MFM_NO_VALUE)
        return refuse(a, MFM_ENOTSUP, "windows that leave queries without keys, and attn_mask");
    /* Rows that may be forbidden whole. */
    const bool empty = a->allowed != MFM_NO_VALUE || alone;
    if (a->allowed != MFM_NO_VALUE && near != MFM_NO_VALUE)
        a->allowed = add(a, "And", a->allowed, near);
    else if (near != MFM_NO_VALUE)
        a->allowed = near;
    if (a->allowed == MFM_NO_VALUE) {
        show(a, MASKED, scores);
        return add(a, "Softmax axis=-1", scores, MFM_NO_VALUE);
    }
    if (mfm_parts_wants(&a->p, SCORES))
        show(a, MASKED,
             mfm_parts_add(&a->p, "Where", a->allowed, scores, mfm_parts_number(&a->p, -INFINITY)));
    const int low = mfm_parts_number(&a->p, empty ? LOWEST : -INFINITY);
    const int softmax = add(a, "Softmax axis=-1",
                            mfm_parts_add(&a->p, "Where", a->allowed, scores, low), MFM_NO_VALUE);
    return empty ? mfm_parts_add(&a->p, "Where", a->allowed, softmax, mfm_parts_number(&a->p, 0))
                 : softmax;
}

static void attend(attention *a)
{
    enum { PLAIN, CAPPED, PROBABILITIES = 3 };
    const double scale = number_attribute(a, "scale", 1 / sqrt((double)a->width));
    const double cap = number_attribute(a, "softcap", 0);
    const int scaled = add(a, "Mul", a->queries, mfm_parts_number(&a->p, scale));
    int scores = multiply_heads(a, scaled, a->width, a->turned_keys, a->keys);
    show(a, PLAIN, scores);
    if (cap > 0) {
        const int limit = mfm_parts_number(&a->p, cap);
        const int bent = add(a, "Tanh", add(a, "Div", scores, limit), MFM_NO_VALUE);
        scores = add(a, "Mul", bent, limit);
    }
    show(a, CAPPED, scores);
    const int p = masked_softmax(a, scores);
    if (a->p.status)
        return;
    show(a, PROBABILITIES, p);
    int y = multiply_heads(a, p, a->keys, a->values, a->value_width);
    if (a->three)
        y = add(a, "Reshape shape=0,0,-1", add(a, "Transpose perm=0,2,1,3", y, MFM_NO_VALUE),
                MFM_NO_VALUE);
    if (mfm_parts_wants(&a->p, Y))
        mfm_parts_output(&a->p, Y, y);
}

static int check_attributes(attention *a)
{
    static const char *const known[] = {
        "is_causal", "kv_num_heads",      "q_num_heads",      "qk_matmul_output_mode", "scale",
        "softcap",   "softmax_precision", "left_window_size", "right_window_size",     NULL};
    for (size_t i = 0; i < a->p.node->n_attribute; i++) {
        const char *name = mfm_proto_text(a->p.node->attribute[i]->name);
        size_t k = 0;
        while (known[k] && strcmp(known[k], name) != 0)
            k++;
        if (!known[k]) {
            a->p.status = mfm_import_fail(a->p.im, a->p.node, MFM_ENOTSUP,
                                          "attribute '%s': not supported", name);
            return a->p.status;
        }
    }
    const int64_t mode = mfm_proto_int(a->p.node, "qk_matmul_output_mode", 0);
    if (mode < 0 || mode > 3)
        return refuse(a, MFM_EDATA, "qk_matmul_output_mode: must be 0 to 3");
    return MFM_OK;
}

int mfm_expand_attention(mfm_importer *im, const Onnx__NodeProto *node)
{
    attention a = {.p = {.im = im, .node = node}};
    if (node->n_input > LENGTHS && node->input[LENGTHS][0])
        return refuse(&a, MFM_ENOTSUP,
                      "nonpad_kv_seqlen: a length for each sequence of a batch is not supported: "
                      "images have one");
    if (node->n_input <= V || check_attributes(&a))
        return a.p.status ? a.p.status : refuse(&a, MFM_EDATA, "must have inputs Q, K and V");
    a.queries = mfm_parts_input(&a.p, Q, MFM_DATA);
    a.turned_keys = mfm_parts_input(&a.p, K, MFM_DATA);
    a.values = mfm_parts_input(&a.p, V, MFM_DATA);
    if (find_shapes(&a) || find_past(&a) || read_mask(&a))
        return a.p.status;
    split_heads(&a);
    attend(&a);
    return a.p.status;
}
