#include "core/engine/ops/matrix/einsum_equation.h"

#include <string.h>

/* One term as it is written: its letters, and before how many of them "..." stands. */
typedef struct written {
    int letters, dots; /* dots -1: none */
    char letter[MFM_MAX_RANK];
} written;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Reads a term up to ',' or "->" or the end; returns what follows it. NULL: it is none. */
static const char *read_term(const char *text, written *w)
{
    *w = (written){.dots = -1};
    for (; *text && *text != ',' && *text != '-'; text++) {
        if (*text == ' ')
            continue;
        if (strncmp(text, "...", 3) == 0 && w->dots < 0) {
            w->dots = w->letters;
            text += 2;
        } else if (is_letter(*text) && w->letters < MFM_MAX_RANK) {
            w->letter[w->letters++] = *text;
        } else {
            return NULL;
        }
    }
    return text;
}

/* Two operands and a result, and nothing else. */
static bool read_three(const char *text, written w[3])
{
    static const char *const behind[3] = {",", "->", ""};
    for (int i = 0; i < 3; i++) {
        const size_t length = strlen(behind[i]);
        text = read_term(text, &w[i]);
        if (!text || strncmp(text, behind[i], length) != 0)
            return false;
        text += length;
    }
    return *text == 0;
}

bool mfm_einsum_is_product(const char *equation, bool *turned)
{
    written w[3];
    if (!read_three(equation, w))
        return false;
    const int n = w[0].letters;
    for (int i = 0; i < 3; i++)
        if (n < 2 || w[i].letters != n || w[i].dots != w[0].dots || w[i].dots > n - 2 ||
            memcmp(w[i].letter, w[0].letter, (size_t)(n - 2)) != 0)
            return false;
    /* The axes in front, then m, k, n: no letter twice. */
    char all[MFM_MAX_RANK + 1];
    memcpy(all, w[0].letter, (size_t)n);
    all[n] = w[2].letter[n - 1];
    for (int i = 0; i <= n; i++)
        if (memchr(all, all[i], (size_t)i))
            return false;
    const char m = all[n - 2], k = all[n - 1], last = all[n];
    const char *b = w[1].letter + n - 2;
    *turned = b[0] == last && b[1] == k;
    return w[2].letter[n - 2] == m && (*turned || (b[0] == k && b[1] == last));
}

/* The label with a key, made where it is new; -1: there are too many. */
static int label_of(mfm_einsum *e, int key)
{
    for (int i = 0; i < e->labels; i++)
        if (e->key[i] == key)
            return i;
    if (e->labels == MFM_CONTRACT_LABELS)
        return -1;
    e->key[e->labels] = key;
    e->dim[e->labels] = 1;
    return e->labels++;
}

/* Each axis gets its label, those of "..." from the right. */
static bool set_axes(mfm_einsum *e, const written *w, int rank, mfm_einsum_axes *axes)
{
    const int hidden = rank - w->letters;
    *axes = (mfm_einsum_axes){.rank = rank};
    for (int i = 0, at = 0; at < rank; at++) {
        const bool dots = i == w->dots && at < i + hidden;
        const int key = dots ? at - i - hidden : w->letter[i];
        axes->label[at] = label_of(e, key);
        if (axes->label[at] < 0)
            return false;
        i += !dots;
    }
    return true;
}

static int too_many(mfm_ctx *ctx, const mfm_node *node, const char *equation)
{
    mfm_infer_fail(ctx, node, "equation '%s': more than %d different axes are not supported",
                   equation, MFM_CONTRACT_LABELS);
    return mfm_code(ctx);
}

static int read_operand(mfm_ctx *ctx, const mfm_node *node, const char *equation, int input,
                        const written *w, mfm_einsum *e)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *shape = &node->in[input]->shape;
    mfm_einsum_axes *axes = &e->axes[input];
    if (w->dots < 0 ? shape->rank != w->letters : shape->rank < w->letters)
        return mfm_infer_fail(ctx, node, "equation '%s': operand %d is %s: has another rank",
                              equation, input, mfm_shape_text(shape, text));
    if (!set_axes(e, w, shape->rank, axes))
        return too_many(ctx, node, equation);
    for (int i = 0; i < axes->rank; i++) {
        int64_t *dim = &e->dim[axes->label[i]];
        bool again = false;
        for (int j = 0; j < i; j++)
            again |= axes->label[j] == axes->label[i] && shape->dim[j] != shape->dim[i];
        if (shape->dim[i] < 1 || again || (*dim > 1 && shape->dim[i] > 1 && *dim != shape->dim[i]))
            return mfm_infer_fail(ctx, node,
                                  "equation '%s': operand %d is %s: axis %d does not fit", equation,
                                  input, mfm_shape_text(shape, text), i);
        *dim = shape->dim[i] > *dim ? shape->dim[i] : *dim;
    }
    return MFM_OK;
}

static int hidden_axes(const mfm_einsum *e)
{
    int most = 0;
    for (int i = 0; i < e->labels; i++)
        most = -e->key[i] > most ? -e->key[i] : most;
    return most;
}

static int times(const mfm_einsum *e, int label)
{
    int count = 0;
    for (int k = 0; k < e->operands; k++)
        for (int i = 0; i < e->axes[k].rank; i++)
            count += e->axes[k].label[i] == label;
    return count;
}

/* Without "->": "..." and the letters that occur once, in alphabetical order. */
static bool implied_result(const mfm_einsum *e, written *w)
{
    *w = (written){.dots = hidden_axes(e) ? 0 : -1};
    for (int c = 'A'; c <= 'z'; c++)
        for (int i = 0; i < e->labels; i++) {
            if (e->key[i] != c || times(e, i) != 1)
                continue;
            if (w->letters == MFM_MAX_RANK)
                return false;
            w->letter[w->letters++] = (char)c;
        }
    return true;
}

/* Every label of the result stands in an operand, and once in the result. */
static bool is_result(const mfm_einsum *e)
{
    const mfm_einsum_axes *y = &e->axes[e->operands];
    for (int i = 0; i < y->rank; i++) {
        if (times(e, y->label[i]) == 0)
            return false;
        for (int j = 0; j < i; j++)
            if (y->label[j] == y->label[i])
                return false;
    }
    return true;
}

static int read_result(mfm_ctx *ctx, const mfm_node *node, const char *equation, const char *rest,
                       mfm_einsum *e)
{
    written w;
    const int hidden = hidden_axes(e);
    bool few = true, good = true;
    if (!*rest) {
        few = implied_result(e, &w);
    } else {
        rest = strncmp(rest, "->", 2) == 0 ? read_term(rest + 2, &w) : NULL;
        good = rest && !*rest && (w.dots >= 0 || hidden == 0);
    }
    if (good && (!few || w.letters + hidden > MFM_MAX_RANK))
        return mfm_infer_fail(ctx, node, "equation '%s': a result with more than %d axes", equation,
                              MFM_MAX_RANK);
    if (good && set_axes(e, &w, w.letters + hidden, &e->axes[e->operands]) && is_result(e))
        return MFM_OK;
    return mfm_infer_fail(ctx, node,
                          "equation '%s': the result must have labels of the operands, each once, "
                          "and '...' where they have it",
                          equation);
}

int mfm_einsum_read(mfm_ctx *ctx, const mfm_node *node, const char *equation, mfm_einsum *e)
{
    *e = (mfm_einsum){.operands = node->n_in};
    const char *at = equation;
    if (node->n_in > MFM_EINSUM_OPERANDS)
        return mfm_infer_fail(ctx, node, "%d operands: at most %d are supported", node->n_in,
                              MFM_EINSUM_OPERANDS);
    for (int input = 0; input < node->n_in; input++) {
        written w;
        at = read_term(at, &w);
        if (!at || (input + 1 < node->n_in) != (*at == ','))
            return mfm_infer_fail(ctx, node, "equation '%s': is none for %d operands", equation,
                                  node->n_in);
        const int status = read_operand(ctx, node, equation, input, &w, e);
        if (status)
            return status;
        at += *at == ',';
    }
    return read_result(ctx, node, equation, at, e);
}

mfm_shape mfm_einsum_result(const mfm_einsum *e)
{
    const mfm_einsum_axes *y = &e->axes[e->operands];
    mfm_shape shape = {.rank = y->rank};
    for (int i = 0; i < y->rank; i++)
        shape.dim[i] = e->dim[y->label[i]];
    return shape;
}

mfm_einsum_term mfm_einsum_term_of(const mfm_einsum *e, int term, const mfm_shape *shape)
{
    mfm_einsum_term t = {.count = mfm_shape_count(shape)};
    const mfm_einsum_axes *axes = &e->axes[term];
    int64_t stride[MFM_MAX_RANK];
    mfm_shape_strides(shape, stride);
    for (int i = 0; i < axes->rank; i++)
        t.stride[axes->label[i]] += shape->dim[i] > 1 ? stride[i] : 0;
    return t;
}
