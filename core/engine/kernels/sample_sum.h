/*
 * Sums of one number a sample, chunk by chunk and over all ranks (core/base/share.h): what means of
 * losses are made of.
 */
#ifndef MFM_SAMPLE_SUM_H
#define MFM_SAMPLE_SUM_H

#include "core/engine/op.h"

/* The number of sample i, 0 <= i < n. */
typedef double mfm_sample_fn(const mfm_node *node, int64_t i);

/* The sum over the samples of all ranks; n: those at hand. Ranks that have samples of the node's
 * share call it together. */
double mfm_sample_sum(const mfm_node *node, int64_t n, mfm_sample_fn *number);
/* How many they are. */
int64_t mfm_sample_count(const mfm_node *node, int64_t n);

#endif
