#include <string.h>

#include "../../suite.h"
#include "core/base/share.h"

static void test_chunks(void)
{
    /* i N / 16, rounded down, by hand */
    const int64_t of_16[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const int64_t of_10[] = {0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 6, 7, 8, 8, 9, 10};
    const int64_t of_100[] = {0, 6, 12, 18, 25, 31, 37, 43, 50, 56, 62, 68, 75, 81, 87, 93, 100};
    for (int i = 0; i <= MFM_CHUNKS; i++) {
        CU_ASSERT_EQUAL(mfm_chunk_begin(16, i), of_16[i]);
        CU_ASSERT_EQUAL(mfm_chunk_begin(10, i), of_10[i]);
        CU_ASSERT_EQUAL(mfm_chunk_begin(100, i), of_100[i]);
        CU_ASSERT_EQUAL(mfm_chunk_begin(INT64_MAX / 16 * 16, i), INT64_MAX / 16 * i);
    }
}

static void test_ranks_of_three(void)
{
    const int first[] = {0, 8, 12}, end[] = {8, 12, 16};
    for (int rank = 0; rank < 3; rank++) {
        const mfm_share share = mfm_share_of(100, rank, 3, NULL);
        CU_ASSERT_EQUAL(share.first, first[rank]);
        CU_ASSERT_EQUAL(share.end, end[rank]);
    }
    const mfm_share middle = mfm_share_of(100, 1, 3, NULL);
    CU_ASSERT_EQUAL(mfm_share_first(&middle), 50);
    CU_ASSERT_EQUAL(mfm_share_count(&middle), 25);
}

/* Each has the chunks below one node, and together they have all. */
static void test_subtrees(void)
{
    for (int ranks = 1; ranks <= MFM_CHUNKS; ranks++) {
        int next = 0;
        for (int rank = 0; rank < ranks; rank++) {
            const mfm_share share = mfm_share_of(100, rank, ranks, NULL);
            const int size = share.end - share.first;
            CU_ASSERT_EQUAL(share.first, next);
            CU_ASSERT_TRUE(size > 0 && (size & (size - 1)) == 0 && share.first % size == 0);
            next = share.end;
        }
        CU_ASSERT_EQUAL(next, MFM_CHUNKS);
    }
}

static void test_too_few_samples(void)
{
    CU_ASSERT_TRUE(mfm_share_reaches_all(3, 3));
    CU_ASSERT_FALSE(mfm_share_reaches_all(2, 3));
    CU_ASSERT_FALSE(mfm_share_reaches_all(6, 6)); /* chunks 8 and 9 begin and end at sample 3 */
    CU_ASSERT_TRUE(mfm_share_reaches_all(8, 6));
}

/* 2^53 + 1 is 2^53 in double: only the order of the tree gives these sums. */
static void test_order(void)
{
    const double large = 9007199254740992;
    double parts[MFM_CHUNKS][2] = {{0}};
    parts[0][0] = large, parts[1][0] = 1, parts[2][0] = 1, parts[3][0] = 1;
    parts[0][1] = large, parts[2][1] = 1, parts[4][1] = 1;
    const mfm_share share = mfm_share_whole(16);
    mfm_share_add_doubles(&share, parts[0], 2);
    CU_ASSERT_EQUAL(parts[0][0], large + 2); /* (2^53 + 1) + (1 + 1) */
    CU_ASSERT_EQUAL(parts[0][1], large);     /* (2^53 + 1) + 1 */
}

/* Of 2 samples, chunks 7 and 15 have one each; the rest is never read. */
static void test_empty_chunks(void)
{
    real parts[MFM_CHUNKS];
    memset(parts, 0xff, sizeof parts); /* NaN */
    parts[7] = 3, parts[15] = 4;
    const mfm_share share = mfm_share_whole(2);
    mfm_share_add_reals(&share, parts, 1);
    CU_ASSERT_EQUAL(parts[0], 7);
    const mfm_share none = mfm_share_of(2, 0, 4, NULL);
    memset(parts, 0xff, sizeof parts);
    mfm_share_add_reals(&none, parts, 1);
    CU_ASSERT_EQUAL(parts[0], 0);
}

static double noise(int i)
{
    return (double)(i * 7919 % 1009) / 1009 * (i % 3 ? 1 : 1e9);
}

/* What ranks have added up, added along the rest of the tree, is what one alone adds up. */
static void test_ranks_continue(void)
{
    for (int ranks = 1; ranks <= MFM_CHUNKS; ranks *= 2) {
        double whole[MFM_CHUNKS], sums[MFM_CHUNKS];
        for (int i = 0; i < MFM_CHUNKS; i++)
            whole[i] = noise(i);
        for (int rank = 0; rank < ranks; rank++) {
            const mfm_share share = mfm_share_of(100, rank, ranks, NULL);
            double parts[MFM_CHUNKS];
            memcpy(parts, whole + share.first, sizeof parts - (size_t)share.first * sizeof *whole);
            mfm_share_add_doubles(&share, parts, 1);
            sums[rank] = parts[0];
        }
        for (int width = 1; width < ranks; width *= 2)
            for (int left = 0; left < ranks; left += 2 * width)
                sums[left] += sums[left + width];
        const mfm_share all = mfm_share_whole(100);
        mfm_share_add_doubles(&all, whole, 1);
        CU_ASSERT_EQUAL(memcmp(&sums[0], &whole[0], sizeof(double)), 0);
    }
}

static const mfm_case cases[] = {
    {"chunks are cut by the number of samples", test_chunks},
    {"three ranks have 8, 4 and 4 chunks", test_ranks_of_three},
    {"ranks have whole parts of the tree, and all of it", test_subtrees},
    {"a batch may be too small for its ranks", test_too_few_samples},
    {"sums are taken along the tree", test_order},
    {"chunks without samples take no part", test_empty_chunks},
    {"ranks continue the tree", test_ranks_continue},
};
MFM_SUITE("core/base/share", cases)
