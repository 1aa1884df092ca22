/*
 * mfm.Attention: with queries Q [..., L, D], keys K [..., T, D], or turned, [..., D, T], and values
 * V [..., T, E], of the same axes in front,
 *     S = scale Q K^T + bias + mask,   P = softmax S over its last axis,   Y = P V
 * or, where the mask has truth values, S = low at the places that it forbids. Bias and mask
 * broadcast to S. A mask is constant. It may have one axis more than S, whose axis 0
 * then counts as two, [axis 0 / windows, windows], as a model with shifted windows masks them.
 */
#ifndef MFM_ATTENTION_H
#define MFM_ATTENTION_H

#include "core/engine/fusion.h"
#include "core/engine/impl.h"

enum {
    MFM_ATTENTION_Q,
    MFM_ATTENTION_K,
    MFM_ATTENTION_V,
    MFM_ATTENTION_BIAS,
    MFM_ATTENTION_MASK,
    MFM_ATTENTION_INPUTS
};

/* What a mask is: numbers that are added, or truth values that tell where S is `low` whatever it
 * was. */
enum mfm_attention_mask { MFM_ATTENTION_ADDS, MFM_ATTENTION_KEEPS, MFM_ATTENTION_FILLS };

typedef struct mfm_attention_attr {
    double scale, low;
    int64_t turned;
    int64_t packed;       /* input Q is [n, L, 3, H, D]: queries, keys and values of H heads */
    int64_t heads;        /* H, not 0: packed is [L, n, 3, H D] */
    int64_t tokens_first; /* the result is [n, L, H, E], or by 2 [L, n, H, E], not [n, H, L, E] */
    int mask;             /* mfm_attention_mask */
} mfm_attention_attr;

/* Where a tensor has the matrix of an index along axis 0 and those between it and the last two; its
 * rows and columns are those of queries, keys (tokens by features), values, scores, results. */
typedef struct mfm_attention_view {
    int64_t start, outer, inner[MFM_MAX_RANK], row, column;
    int64_t window; /* of a mask by windows: from one to the next, instead of outer; else 0 */
} mfm_attention_view;

typedef struct mfm_attention_sizes {
    int64_t outer, inner; /* axis 0; those between, together */
    int n_inner;          /* how many they are */
    int64_t inner_dim[MFM_MAX_RANK];
    int64_t queries, keys, width, values; /* L, T, D, E */
    int64_t windows;                      /* 1 unless a mask has an axis more */
    mfm_attention_view input[MFM_ATTENTION_INPUTS], output;
} mfm_attention_sizes;

/* The input that has Q, K, V, bias or mask. */
int mfm_attention_port(const mfm_node *node, int input);
/* [..., L, T]; the shapes have been checked. */
mfm_shape mfm_attention_scores(const mfm_node *node);
/* The shape that a mask must broadcast to: the scores', with axis 0 cut in two if need be; false
 * where that cannot be. */
bool mfm_attention_masked(const mfm_shape *scores, const mfm_shape *mask, mfm_shape *full);
/* Whether K, perhaps turned, and V fit Q, all of one rank. */
bool mfm_attention_fit(const mfm_shape *q, const mfm_shape *k, const mfm_shape *v, bool turned);
mfm_attention_sizes mfm_attention_measure(const mfm_node *node);
int64_t mfm_attention_offset(const mfm_attention_sizes *sizes, const mfm_attention_view *view,
                             int64_t outer, int64_t inner);

/* What the operator fuses (core/engine/op.h). */
extern const char *const mfm_attention_fuses[];
bool mfm_attention_fused(const mfm_fusion *chain, void *attr);

extern const mfm_rule mfm_rule_attention;
int mfm_attention_setup(mfm_ctx *ctx, mfm_node *node);
void mfm_attention_release(mfm_ctx *ctx, mfm_node *node);

#endif
