/*
 * Sums and linear combinations over channels-last data: streams of [rows, channels], each reduced
 * over the rows or combined row by row with one coefficient a channel.
 *
 * Rows are cut into parts by their number alone and partial sums are added up in order, in double:
 * results do not depend on the number of threads, and float stays accurate over millions of rows.
 */
#ifndef MFM_CHANNELS_H
#define MFM_CHANNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine/real.h"

typedef struct mfm_channels {
    int64_t rows, channels;
} mfm_channels;

enum { MFM_MAX_STREAMS = 4 };

/* Reals of scratch that the sums below use, for up to `sums` results a channel. */
size_t mfm_channels_scratch(mfm_channels size, int sums);

/* moments[0][c] = the mean of x, moments[1][c] = its variance (divided by rows). Two sums. */
void mfm_channels_moments(mfm_channels size, const real *x, double *moments, void *scratch);

/* For each of n streams u:  total[2j][c] = sum u,  total[2j + 1][c] = sum u (x - center[c]).
 * With `pair`, total[2n][c] = sum streams[0] pair. total is [2n (+ 1), channels]. */
typedef struct mfm_channel_sums {
    const real *x, *center;
    const real *streams[MFM_MAX_STREAMS];
    int n;
    const real *pair; /* NULL: none */
} mfm_channel_sums;
void mfm_channels_sums(mfm_channels size, const mfm_channel_sums *wanted, double *total,
                       void *scratch);

/* y = [y +] constant[c] + sum_j factor[j][c] streams[j], 0 <= n <= MFM_MAX_STREAMS; factor is
 * [n, channels]. */
void mfm_channels_combine(mfm_channels size, const real *constant, const real *factor,
                          const real *const *streams, int n, real *y, bool add);

#endif
