/* Sets of intervals against a plain map of single addresses. */
#include <string.h>

#include "core/engine/plan/intervals.h"
#include "core/base/random.h"
#include "tests/suite.h"

enum { ADDRESSES = 300, SETS = 3, ROUNDS = 20, ADDS = 60 };

/* The lowest run of taken addresses that ends beyond `at`. */
static bool slow_beyond(const bool *taken, size_t at, size_t *first, size_t *end)
{
    for (size_t i = 0; i < ADDRESSES; i = *end + 1) {
        for (*first = i; *first < ADDRESSES && !taken[*first];)
            ++*first;
        for (*end = *first; *end < ADDRESSES && taken[*end];)
            ++*end;
        if (*first<*end && * end> at)
            return true;
    }
    return false;
}

static void check(const mfm_interval_pool *pool, uint32_t set, const bool *taken)
{
    for (size_t at = 0; at < ADDRESSES; at++) {
        size_t first, end;
        const mfm_interval *found = mfm_intervals_beyond(pool, set, at);
        const bool wanted = slow_beyond(taken, at, &first, &end);
        CU_ASSERT_EQUAL_FATAL(found != NULL, wanted);
        if (found)
            CU_ASSERT_TRUE(found->first == first && found->end == end);
    }
}

static void test_against_map(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        mfm_interval_pool pool = {.ctx = ctx};
        bool taken[SETS][ADDRESSES] = {{false}};
        uint32_t sets[SETS] = {0};
        for (uint32_t k = 0; k < ADDS; k++) {
            const mfm_key key = {.seed = round, .stream = MFM_STREAM_TEST, .node = k};
            const size_t set = mfm_random_below(&key, 0, SETS);
            const size_t first = mfm_random_below(&key, 1, ADDRESSES - 12);
            const size_t end = first + 1 + mfm_random_below(&key, 2, 10);
            CU_ASSERT_EQUAL_FATAL(mfm_intervals_add(&pool, &sets[set], first, end), MFM_OK);
            memset(&taken[set][first], true, end - first);
            check(&pool, sets[set], taken[set]);
        }
        mfm_intervals_clear(&pool);
    }
    mfm_ctx_free(ctx);
}

/* What is joined is given back: a set that stays one interval needs no more room. */
static void test_joined(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_interval_pool pool = {.ctx = ctx};
    uint32_t set = 0;
    for (size_t i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL_FATAL(mfm_intervals_add(&pool, &set, 10 * i, 10 * (i + 1)), MFM_OK);
    const mfm_interval *all = mfm_intervals_beyond(&pool, set, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    CU_ASSERT_TRUE(all->first == 0 && all->end == 10000);
    CU_ASSERT_TRUE(pool.count <= 3);
    mfm_intervals_clear(&pool);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"sets hold what a map of addresses holds", test_against_map},
    {"what touches is one interval", test_joined},
};
MFM_SUITE("core/engine/intervals", cases)
