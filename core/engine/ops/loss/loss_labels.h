/*
 * The labels that the losses' operators read, for n samples of C classes:
 *     [n]       class numbers: all of the sample belongs to that class
 *     [n, C]    how much of the sample belongs to each class
 * and an optional table [C, C], whose row c tells what a sample of class c counts as. With all of
 * them the shares of sample i are t_i = row of its class, or sum_c label_ic row_c. Shares need not
 * sum to 1: class weights are a table with the weights on its diagonal. A loss is linear in them.
 */
#ifndef MFM_LOSS_LABELS_H
#define MFM_LOSS_LABELS_H

#include "core/engine/impl.h"

/* Checks the logits, [n, C], and against them labels and table (its slot beyond the node's inputs:
 * there is none). */
int mfm_loss_labels_infer(mfm_ctx *ctx, const mfm_node *node, int labels, int table,
                          const mfm_shape *logits);
/* Whether there are shares to be read, not class numbers alone. */
bool mfm_loss_labels_soft(const mfm_node *node, int labels, int table);
/* The class of sample i where labels are class numbers, -1 when its label is none. */
int64_t mfm_loss_class(const mfm_node *node, int labels, int64_t i, int64_t classes);
/* t_i; returns its sum. A label that is no class number gives NaN. */
real mfm_loss_shares(const mfm_node *node, int labels, int table, int64_t i, int64_t classes,
                     real *shares);

#endif
