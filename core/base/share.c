#include "core/base/share.h"

#include <assert.h>
#include <string.h>

mfm_share mfm_share_whole(int64_t samples)
{
    return (mfm_share){.samples = samples, .first = 0, .end = MFM_CHUNKS};
}

/* With 2^k <= ranks < 2^(k + 1), cutting the last of the largest 2^k parts in two, again and again,
 * leaves whole the first 2^(k + 1) - ranks of them. */
mfm_share mfm_share_of(int64_t samples, int rank, int ranks, const mfm_exchange *exchange)
{
    assert(0 <= rank && rank < ranks && ranks <= MFM_CHUNKS);
    int power = 1;
    while (2 * power <= ranks)
        power *= 2;
    const int large = MFM_CHUNKS / power, whole = 2 * power - ranks;
    const int size = rank < whole ? large : large / 2;
    const int first = rank < whole ? rank * large : whole * large + (rank - whole) * size;
    return (mfm_share){
        .samples = samples, .first = first, .end = first + size, .exchange = exchange};
}

bool mfm_share_reaches_all(int64_t samples, int ranks)
{
    for (int rank = 0; rank < ranks; rank++) {
        const mfm_share share = mfm_share_of(samples, rank, ranks, NULL);
        if (mfm_share_count(&share) == 0)
            return false;
    }
    return true;
}

mfm_share mfm_share_for(const mfm_share *share, int64_t rows)
{
    const int64_t samples = mfm_share_count(share);
    return samples && rows && rows % samples == 0 ? *share : mfm_share_whole(rows);
}

static bool has_samples(const mfm_share *share, int first, int end)
{
    return mfm_chunk_begin(share->samples, share->first + first) <
           mfm_chunk_begin(share->samples, share->first + end);
}

/* Row `left` becomes the sum of two neighbours that have `width` chunks each. */
enum joining { NOTHING, TAKE_RIGHT, ADD_RIGHT };

static enum joining joining_of(const mfm_share *share, int left, int width)
{
    if (!has_samples(share, left + width, left + 2 * width))
        return NOTHING;
    return has_samples(share, left, left + width) ? ADD_RIGHT : TAKE_RIGHT;
}

#define DEFINE_ADD(name, type)                                                                     \
    void name(const mfm_share *share, type *parts, size_t n)                                       \
    {                                                                                              \
        const int count = share->end - share->first;                                               \
        for (int width = 1; width < count; width *= 2)                                             \
            for (int left = 0; left < count; left += 2 * width) {                                  \
                type *restrict to = parts + (size_t)left * n;                                      \
                const type *restrict from = to + (size_t)width * n;                                \
                const enum joining joining = joining_of(share, left, width);                       \
                if (joining == TAKE_RIGHT)                                                         \
                    memcpy(to, from, n * sizeof *to);                                              \
                for (size_t i = 0; i < n && joining == ADD_RIGHT; i++)                             \
                    to[i] += from[i];                                                              \
            }                                                                                      \
        if (!has_samples(share, 0, count))                                                         \
            memset(parts, 0, n * sizeof *parts);                                                   \
    }

DEFINE_ADD(mfm_share_add_doubles, double)
DEFINE_ADD(mfm_share_add_reals, real)
