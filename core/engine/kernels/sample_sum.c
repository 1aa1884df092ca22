#include "core/engine/kernels/sample_sum.h"

/* What is not one number for each of the share's samples is not shared with anybody. */
static mfm_share share_of(const mfm_node *node, int64_t n)
{
    return mfm_share_count(&node->share) == n ? node->share : mfm_share_whole(n);
}

double mfm_sample_sum(const mfm_node *node, int64_t n, mfm_sample_fn *number)
{
    const mfm_share share = share_of(node, n);
    double parts[MFM_CHUNKS] = {0};
    for (int c = 0; c < share.end - share.first; c++)
        for (int64_t i = mfm_share_row(&share, n, c); i < mfm_share_row(&share, n, c + 1); i++)
            parts[c] += number(node, i);
    mfm_share_add_doubles(&share, parts, 1);
    if (share.exchange)
        share.exchange->sum_doubles(share.exchange->self, parts, 1);
    return parts[0];
}

int64_t mfm_sample_count(const mfm_node *node, int64_t n)
{
    return share_of(node, n).samples;
}
