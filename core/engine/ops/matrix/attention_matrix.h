/* One matrix of scores of mfm.Attention: its four passes. attention_rule.c goes over all of them.
 */
#ifndef MFM_ATTENTION_MATRIX_H
#define MFM_ATTENTION_MATRIX_H

#include "core/engine/ops/matrix/attention.h"

enum mfm_attention_pass {
    MFM_ATTENTION_FORWARD,
    MFM_ATTENTION_JVP,
    MFM_ATTENTION_VJP,
    MFM_ATTENTION_VJP_T
};

typedef struct mfm_attention {
    mfm_attention_sizes s;
    real scale, low;
    enum mfm_attention_mask mask;
    int64_t rows; /* of a block of queries */
    bool keeps;   /* P, from forward on */
    mfm_share share;
    int threads;
    size_t of_thread;   /* reals that a thread works with */
    int64_t bias_count; /* 0: there is none */
} mfm_attention;

/* Lanes where a matrix has them; NULL: not there. */
typedef struct mfm_attention_lanes {
    const real *x[MFM_ATTENTION_INPUTS], *dx[MFM_ATTENTION_INPUTS], *g, *dg;
    real *to[MFM_ATTENTION_INPUTS], *y; /* adjoints, or the result */
    bool add[MFM_ATTENTION_INPUTS];     /* to[]; the bias's is always added to */
    real *kept;                         /* P, [queries, padded keys]; NULL: made in every pass */
    real *top, *share;                  /* of each query: largest score, 1 / sum of exp(S - top) */
} mfm_attention_lanes;

/* What a thread works with, in reals; sizes and rows are known. */
size_t mfm_attention_room(const mfm_attention *a);
void mfm_attention_run_matrix(const mfm_attention *a, enum mfm_attention_pass pass,
                              const mfm_attention_lanes *lanes, real *room);

#endif
