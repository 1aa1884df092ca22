/* Buffers with guard words, and the numbers that the checks run on. */
#ifndef MFM_OP_CHECK_VALUES_H
#define MFM_OP_CHECK_VALUES_H

#include "op_check_sample.h"

/* count reals, 64-byte aligned, all NaN, between guard words. NULL with MFM_ENOMEM recorded. */
real *mfm_guarded_new(mfm_ctx *ctx, size_t count);
void mfm_guarded_free(mfm_ctx *ctx, real *buffer);
/* The guard words on both sides are as they were. */
bool mfm_guarded_intact(const real *buffer, size_t count);

/* Inputs: magnitudes in (0.25, 4), distinct (so also distinct in sign and size), half of them
 * negative unless the sample says positive, in random order; whole numbers for "<n". Kinks at 0,
 * ties and poles are therefore far away in units of a difference step. */
int mfm_draw_values(mfm_ctx *ctx, const mfm_key *key, const mfm_sample_input *input, real *to,
                    size_t count);
/* Directions: magnitudes in [0.2, 1), random signs. */
void mfm_draw_directions(const mfm_key *key, real *to, size_t count);

#endif
