/* Equations of Einsum: which label each axis of the operands and of the result has. */
#ifndef MFM_EINSUM_EQUATION_H
#define MFM_EINSUM_EQUATION_H

#include "core/engine/kernels/contract.h"
#include "core/engine/op.h"

/* Operands, and the result behind them. */
enum { MFM_EINSUM_OPERANDS = 8, MFM_EINSUM_TERMS = MFM_EINSUM_OPERANDS + 1 };

typedef struct mfm_einsum_axes {
    int rank;
    int label[MFM_MAX_RANK];
} mfm_einsum_axes;

typedef struct mfm_einsum {
    int labels;
    int key[MFM_CONTRACT_LABELS]; /* the letter; -k: axis k from the right of "..." */
    int64_t dim[MFM_CONTRACT_LABELS];
    int operands;
    mfm_einsum_axes axes[MFM_EINSUM_TERMS]; /* the result's at `operands` */
} mfm_einsum;

typedef struct mfm_einsum_attr {
    char equation[MFM_MAX_TEXT];
} mfm_einsum_attr;

/* Whether it is that of a stack of matrix products, [.., m, k] by [.., k, n], or, *turned, by
 * [.., n, k]. */
bool mfm_einsum_is_product(const char *equation, bool *turned);

/* Reads the equation over the node's input shapes. MFM_EDATA: it is none, or they do not fit;
 * MFM_ENOTSUP: too many labels. */
int mfm_einsum_read(mfm_ctx *ctx, const mfm_node *node, const char *equation, mfm_einsum *e);
mfm_shape mfm_einsum_result(const mfm_einsum *e);

/* Strides by label; 0 where a term lacks it, or has length 1 there. */
typedef struct mfm_einsum_term {
    int64_t stride[MFM_CONTRACT_LABELS];
    int64_t count; /* numbers in all */
} mfm_einsum_term;
mfm_einsum_term mfm_einsum_term_of(const mfm_einsum *e, int term, const mfm_shape *shape);

#endif
