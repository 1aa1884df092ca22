/* The matrix product over the last two axes, for the operators that have one in them. */
#ifndef MFM_MATMUL_H
#define MFM_MATMUL_H

#include "core/engine/rules.h"

/* Ingredients of mfm_rule_bilinear: inputs 0 and 1, output 0. */
int mfm_matmul_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_matmul_setup(mfm_ctx *ctx, mfm_node *node);
void mfm_matmul_product(const mfm_node *node, const real *a, const real *b, real *y, bool add);
void mfm_matmul_adjoint_a(const mfm_node *node, const real *gy, const real *b, real *ga, bool add);
void mfm_matmul_adjoint_b(const mfm_node *node, const real *gy, const real *a, real *gb, bool add);
int64_t mfm_matmul_macs(const mfm_node *node);

/* What is done to the results of a product while they are at hand. */
typedef struct mfm_matmul_end {
    const real *bias; /* input 2, [n], added to every row; NULL: none */
    void (*finish)(const void *attr, size_t n, const real *x, real *y); /* of each; NULL: none */
    const void *attr;
} mfm_matmul_end;

/* y = f(a b + bias): in one sweep where that is one product over all rows, and else one after the
 * other, to the same bits. */
void mfm_matmul_product_ended(const mfm_node *node, const real *a, const real *b,
                              const mfm_matmul_end *end, real *y);

/* The shapes of FullyConnected: B a matrix, input 2, if any, [n]. */
int mfm_fully_connected_infer(mfm_ctx *ctx, mfm_node *node);
/* Of FullyConnected and Gemm: Y of A, B and perhaps C. */
extern const mfm_port mfm_fully_connected_inputs[], mfm_fully_connected_outputs[];

#endif
