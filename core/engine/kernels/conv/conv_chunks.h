/*
 * The gradient of a convolution's weights as the sum over the chunks of a batch (share.h): each
 * chunk's is a convolution of its own, by one thread, whose kernel is made for the number of
 * samples in a chunk. Threads have parts of the tree, whose sums are added in the end. Where a
 * share allows sums by threads, an implementation that dispatches takes the batch at once.
 */
#ifndef MFM_CONV_CHUNKS_H
#define MFM_CONV_CHUNKS_H

#include "core/engine/kernels/conv/conv_impl.h"

typedef struct mfm_conv_chunks mfm_conv_chunks;

/* impl fits the shape; by the number of threads in force. On failure *chunks is NULL. */
int mfm_conv_chunks_new(mfm_ctx *ctx, const mfm_conv_impl *impl, const mfm_conv_shape *shape,
                        mfm_conv_chunks **chunks);
void mfm_conv_chunks_free(mfm_ctx *ctx, mfm_conv_chunks *chunks);
size_t mfm_conv_chunks_scratch(const mfm_conv_chunks *chunks);

/* gw = [gw +] the sum over chunks of gy against x */
void mfm_conv_chunks_weights(const mfm_conv_chunks *chunks, const real *gy, const real *x, real *gw,
                             bool add, real *scratch);

#endif
