/*
 * What samplers share that draw a class first and then one of its images, uniformly and with
 * replacement. A slot of a batch is a draw of its own, keyed by (seed, stream, step, slot).
 */
#ifndef MFM_CLASS_DRAW_H
#define MFM_CLASS_DRAW_H

#include "core/data/samplers/sampler.h"

/* How likely each class is, up to a common factor: shares [classes] from counts [classes], of which
 * `largest` is the largest and `total` the sum. progress is the share of the training's epochs that
 * lies behind, 0 .. 1. A class without images gets no share, whatever is written. */
typedef struct mfm_class_counts {
    int classes;
    const uint32_t *count;
    double largest, total;
    int present; /* classes that have images */
} mfm_class_counts;
typedef void (*mfm_class_shares)(const mfm_class_counts *counts, double progress, double *shares);

/* A kind's begin, end and batch. changes: the shares depend on the progress. */
int mfm_class_draw_begin(mfm_ctx *ctx, const mfm_sampling *sampling, mfm_class_shares shares,
                         bool changes, void **state);
void mfm_class_draw_end(mfm_ctx *ctx, void *state);
void mfm_class_draw_batch(void *state, uint64_t step, uint32_t *indices);

#endif
