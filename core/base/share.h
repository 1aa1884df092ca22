/*
 * Which samples of a batch are where, and in which order sums over samples are taken.
 *
 * A batch of N samples, of all processes together, is cut into MFM_CHUNKS chunks by N alone: chunk
 * i has the samples [i N / 16, (i + 1) N / 16), none perhaps. A sum over samples is the sum of its
 * chunks' partial sums along the perfect binary tree over the 16 chunks,
 *     (((c0 + c1) + (c2 + c3)) + ...) + (... + (c14 + c15));
 * where one side has no samples, the sum is the other side. Inside a chunk the order is a matter of
 * shapes alone. So the number of threads that work on a batch has no influence on the result, and
 * neither has the number of processes ("ranks"): each has the chunks below one node of the tree,
 * and what it adds up is that node's sum. Ranks then add along the rest of the tree.
 */
#ifndef MFM_SHARE_H
#define MFM_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

enum { MFM_CHUNKS = 16 }; /* also the largest number of ranks */

/* How ranks add up: each element of `values`, over the ranks along the tree. All ranks make the
 * same calls in the same order and get the same sums. A call cannot fail: a dead rank ends all. */
typedef struct mfm_exchange {
    void *self;
    int rank, ranks;
    void (*sum_doubles)(void *self, double *values, size_t n);
    void (*sum_reals)(void *self, real *values, size_t n);
} mfm_exchange;

/* The chunks [first, end) of a batch of `samples`. All zero: a batch by itself, of as many samples
 * as there are at hand. */
typedef struct mfm_share {
    int64_t samples; /* of all ranks together */
    int first, end;
    const mfm_exchange *exchange; /* NULL: nobody else */
    bool local_statistics;        /* BatchNormalization goes by the samples at hand alone */
    bool by_threads;              /* the order of sums may go by threads, where that is faster */
} mfm_share;

/* The first sample of a chunk; of chunk MFM_CHUNKS: the number of samples. */
static inline int64_t mfm_chunk_begin(int64_t samples, int chunk)
{
    return samples / MFM_CHUNKS * chunk + samples % MFM_CHUNKS * chunk / MFM_CHUNKS;
}

/* All of a batch. */
mfm_share mfm_share_whole(int64_t samples);
/* What rank `rank` of `ranks` <= MFM_CHUNKS has: of as many as a power of two, equally many chunks;
 * of others, the last of those with most chunks are cut in two: 16 chunks, 3 ranks: 8, 4, 4. */
mfm_share mfm_share_of(int64_t samples, int rank, int ranks, const mfm_exchange *exchange);
/* Whether every rank has a sample. */
bool mfm_share_reaches_all(int64_t samples, int ranks);

/* Whether sums over the samples go by chunks. Those over one sample are cut by shapes alone, so
 * that threads can share them. */
static inline bool mfm_share_has_chunks(const mfm_share *share)
{
    return share->samples > 1;
}

static inline int64_t mfm_share_first(const mfm_share *share)
{
    return mfm_chunk_begin(share->samples, share->first);
}

static inline int64_t mfm_share_count(const mfm_share *share)
{
    return mfm_chunk_begin(share->samples, share->end) - mfm_share_first(share);
}

/* Of so many rows, which belong to the share's samples equally many each, the first that belongs to
 * chunk first + i. */
static inline int64_t mfm_share_row(const mfm_share *share, int64_t rows, int i)
{
    const int64_t samples = mfm_share_count(share);
    return samples ? (mfm_chunk_begin(share->samples, share->first + i) - mfm_share_first(share)) *
                         (rows / samples)
                   : 0;
}
/* The share itself where rows belong to its samples equally many each; else a batch of as many
 * samples as there are rows. */
mfm_share mfm_share_for(const mfm_share *share, int64_t rows);

/* Adds partial sums along the share's part of the tree: parts[end - first][n], one row a chunk; the
 * sum is left in row 0. Rows of chunks without samples are not read; of a share without any, row 0
 * becomes zero. The other rows are lost. */
void mfm_share_add_doubles(const mfm_share *share, double *parts, size_t n);
void mfm_share_add_reals(const mfm_share *share, real *parts, size_t n);

MFM_C_END

#endif
