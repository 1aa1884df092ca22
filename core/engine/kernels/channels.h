/*
 * Sums and linear combinations over channels-last data: streams of [rows, channels], each reduced
 * over the rows or combined row by row with one coefficient a channel, with the gate of a Relu that
 * follows in the same sweep.
 *
 * Rows are cut into parts by their number alone, or into the chunks of the samples that they belong
 * to, and partial sums are added up in order, or along the tree (core/base/share.h), in double:
 * results do not depend on the number of threads, and float stays accurate over millions of rows.
 */
#ifndef MFM_CHANNELS_H
#define MFM_CHANNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/real.h"
#include "core/base/share.h"

typedef struct mfm_channels {
    int64_t rows, channels;
    /* Whose rows these are, as many of each sample; NULL: nobody's. Sums are those of all ranks,
     * where it has an exchange. Not read by mfm_channels_combine. */
    const mfm_share *share;
} mfm_channels;

enum { MFM_MAX_STREAMS = 4 };

/* Reals of scratch that the sums below use, for up to `sums` results a channel. */
size_t mfm_channels_scratch(mfm_channels size, int sums);

/* Rows of all ranks together. */
int64_t mfm_channels_rows(mfm_channels size);

/* Channels up to which combinations take hooks. */
enum { MFM_MOST_HOOKED = 4096 };

/* What a sweep calls for each block of whole rows that it comes by: n elements from `at` on. `to`
 * is where the first of them is. run NULL: nothing is called. */
typedef struct mfm_channel_hook {
    void (*run)(const void *self, int64_t at, int64_t n, real *to);
    const void *self;
} mfm_channel_hook;

/* Reals in which the sums below make streams, of `streams` in all, x among them. */
size_t mfm_channels_room(mfm_channels size, int streams);

/* moments[0][c] = the mean of x, moments[1][c] = its variance (divided by rows). Two sums. */
void mfm_channels_moments(mfm_channels size, const real *x, double *moments, void *scratch);
/* The same of an x that is made, in `room` for one stream. */
void mfm_channels_made_moments(mfm_channels size, mfm_channel_hook x, real *room, double *moments,
                               void *scratch);

/* Where a Relu lets through: where y > 0, y its output; or, with y NULL, where
 * constant[c] + factor[c] x > 0, the terms that made y. In combinations x may be made. */
typedef struct mfm_channel_gate {
    const real *y;
    const real *x, *constant, *factor;
    mfm_channel_hook made;
} mfm_channel_gate;

/* For each of n streams u:  total[2j][c] = sum u,  total[2j + 1][c] = sum u (x - center[c]).
 * With `pair`, total[2n][c] = sum streams[0] pair. total is [2n (+ 1), channels]. The first n_gated
 * streams count where the gate lets through. A stream that is `made` is what that writes, x and the
 * gate's what made_x writes, a pair what the stream is that it is one with; `room` is needed where
 * one is made. One that is `kept` is left there as a whole, for the sweep that follows. */
typedef struct mfm_channel_sums {
    const real *x, *center;
    mfm_channel_hook made_x;
    const real *streams[MFM_MAX_STREAMS];
    const mfm_channel_hook *made; /* [n]; NULL: none is */
    real *room;
    real *kept[MFM_MAX_STREAMS]; /* of made streams; NULL: not kept */
    int n;
    const real *pair;             /* NULL: none */
    const mfm_channel_gate *gate; /* not read with n_gated 0 */
    int n_gated;
} mfm_channel_sums;
void mfm_channels_sums(mfm_channels size, const mfm_channel_sums *wanted, double *total,
                       void *scratch);

/* What becomes of a sum of terms: it stays; max(sum, 0); or it counts where the gate lets it. */
enum mfm_channel_finish { MFM_FINISH_NONE, MFM_FINISH_RELU, MFM_FINISH_GATE };

/* y = [y +] constant[c] + sum_j factor[j][c] streams[j], 0 <= n <= MFM_MAX_STREAMS; factor is
 * [n, channels]. Streams from number first_gated on count where the gate lets through. Without
 * `add`, `summand` is added and the sum finished. In the same sweep
 *     passed = [passed +] streams[n - 1] gated,
 * after y: the two may be one. Streams are made as for the sums; `finished` goes over y, which with
 * y NULL is a block by itself. */
typedef struct mfm_channel_combination {
    const real *constant, *factor;
    const real *streams[MFM_MAX_STREAMS];
    const mfm_channel_hook *made; /* [n]; NULL: none is */
    mfm_channel_hook finished;
    bool long_blocks; /* hooks want several rows at a time, also of many channels */
    int n, first_gated;
    const mfm_channel_gate *gate; /* not read when nothing is gated */
    const real *summand;          /* NULL: none */
    enum mfm_channel_finish finish;
    real *y; /* NULL: only `passed` is wanted, or `finished` takes it */
    bool add;
    real *passed; /* NULL: not wanted */
    bool add_passed;
} mfm_channel_combination;
void mfm_channels_combine(mfm_channels size, const mfm_channel_combination *terms);

#endif
