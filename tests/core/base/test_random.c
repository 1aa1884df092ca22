#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../suite.h"
#include "core/base/random.h"

enum { DRAWS = 100000 };

static const mfm_key key = {.seed = 11, .stream = MFM_STREAM_TEST, .node = 3, .step = 5};

static void test_determinism(void)
{
    const mfm_key copy = key;
    for (uint64_t i = 0; i < 100; i++) {
        uint32_t a[4], b[4];
        mfm_random4(&key, 99 - i, a);
        mfm_random4(&copy, 99 - i, b);
        CU_ASSERT_EQUAL(memcmp(a, b, sizeof a), 0);
        CU_ASSERT_EQUAL(mfm_random_u32(&key, 99 - i), a[0]);
    }
}

static bool same_words(const mfm_key *a, const mfm_key *b)
{
    for (uint64_t i = 0; i < 4; i++)
        if (mfm_random_u32(a, i) != mfm_random_u32(b, i))
            return false;
    return true;
}

static void test_parts_of_the_key(void)
{
    mfm_key other[] = {key, key, key, key, key, key};
    other[0].seed++;
    other[1].stream--;
    other[2].node++;
    other[3].step++;
    other[4].step += (uint64_t)1 << 47;
    other[5].seed += (uint64_t)1 << 63;
    for (int i = 0; i < 6; i++)
        CU_ASSERT_FALSE(same_words(&key, &other[i]));
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            CU_ASSERT_FALSE(same_words(&other[i], &other[j]));
    CU_ASSERT_NOT_EQUAL(mfm_random_u32(&key, 1), mfm_random_u32(&key, ((uint64_t)1 << 32) + 1));
}

/* Lengths that no vector divides, counters that reach beyond 32 bits, and not a number more. */
static void test_many_are_the_single_ones(void)
{
    const uint64_t firsts[] = {0, 5, ((uint64_t)1 << 32) - 20, UINT64_MAX - 7};
    for (size_t f = 0; f < 4; f++)
        for (size_t n = 0; n <= 70; n++) {
            double u[72];
            u[n] = -1;
            mfm_random_uniforms(&key, firsts[f], n, u);
            for (size_t i = 0; i < n; i++)
                CU_ASSERT_EQUAL(u[i], mfm_random_uniform(&key, firsts[f] + i));
            CU_ASSERT_EQUAL(u[n], -1);
        }
}

/* The same draws decide, at every chance that a draw can be compared with: none, all, a draw
 * itself, the numbers next to it. */
static void test_choices(void)
{
    const double drawn = mfm_random_uniform(&key, 9);
    const double chances[] = {
        0, 0x1p-53, 0.3, 0.5, nextafter(1, 0), 1, drawn, nextafter(drawn, 0), nextafter(drawn, 1)};
    for (size_t c = 0; c < sizeof chances / sizeof chances[0]; c++)
        for (size_t n = 0; n <= 40; n++) {
            real to[41];
            to[n] = -1;
            mfm_random_choose(&key, 5, n, chances[c], 2, 3, to);
            for (size_t i = 0; i < n; i++)
                CU_ASSERT_EQUAL(to[i], mfm_random_uniform(&key, 5 + i) < chances[c] ? 2 : 3);
            CU_ASSERT_EQUAL(to[n], -1);
        }
}

/* Moments within five standard errors: mean 1/2, variance 1/12 (whose own variance is 1/180). */
static void test_uniform(void)
{
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double u = mfm_random_uniform(&key, i);
        CU_ASSERT_TRUE_FATAL(u >= 0 && u < 1);
        sum += u;
        squares += (u - 0.5) * (u - 0.5);
    }
    CU_ASSERT_TRUE(fabs(sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    CU_ASSERT_TRUE(fabs(squares / DRAWS - 1.0 / 12) < 5 * sqrt(1.0 / 180 / DRAWS));
}

/* Mean 0, variance 1 (own variance 2), fourth moment 3 (own variance 96); no draw is infinite. */
static void test_normal(void)
{
    double sum = 0, squares = 0, fourths = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const double z = mfm_random_normal(&key, i);
        CU_ASSERT_TRUE_FATAL(isfinite(z));
        sum += z;
        squares += z * z;
        fourths += z * z * z * z;
    }
    CU_ASSERT_TRUE(fabs(sum / DRAWS) < 5 * sqrt(1.0 / DRAWS));
    CU_ASSERT_TRUE(fabs(squares / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    CU_ASSERT_TRUE(fabs(fourths / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
}

/* The correlation of independent draws has standard error 1 / sqrt(DRAWS). */
static double correlation(const mfm_key *a, const mfm_key *b, uint64_t shift)
{
    double sum = 0;
    for (uint64_t i = 0; i < DRAWS; i++)
        sum += (mfm_random_uniform(a, i) - 0.5) * (mfm_random_uniform(b, i + shift) - 0.5);
    return 12 * sum / DRAWS;
}

static void test_independence(void)
{
    mfm_key other[] = {key, key, key, key};
    other[0].seed++;
    other[1].stream = MFM_STREAM_DROPOUT;
    other[2].node++;
    other[3].step++;
    const double limit = 5 / sqrt(DRAWS);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_TRUE(fabs(correlation(&key, &other[i], 0)) < limit);
    CU_ASSERT_TRUE(fabs(correlation(&key, &key, 1)) < limit);
    CU_ASSERT_TRUE(correlation(&key, &key, 0) > 0.9);
}

/* Chi-square with 9 degrees of freedom: above 40 with probability below 1e-5. */
static void test_below(void)
{
    double count[10] = {0}, chi = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        const uint64_t k = mfm_random_below(&key, i, 10);
        CU_ASSERT_TRUE_FATAL(k < 10);
        count[k]++;
    }
    for (int k = 0; k < 10; k++)
        chi += (count[k] - DRAWS / 10.0) * (count[k] - DRAWS / 10.0) / (DRAWS / 10.0);
    CU_ASSERT_TRUE(chi < 40);
    for (uint64_t i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(mfm_random_below(&key, i, 1), 0);
}

static void test_shuffle(void)
{
    enum { COUNT = 1000 };
    uint32_t a[COUNT], b[COUNT];
    bool seen[COUNT] = {false};
    int moved = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        a[i] = b[i] = i;
    mfm_random_shuffle(&key, a, COUNT);
    mfm_random_shuffle(&key, b, COUNT);
    CU_ASSERT_EQUAL(memcmp(a, b, sizeof a), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE_FATAL(a[i] < COUNT && !seen[a[i]]);
        seen[a[i]] = true;
        moved += a[i] != i;
    }
    CU_ASSERT_TRUE(moved > COUNT - 20);
    mfm_random_shuffle(&key, a, 0);
    uint32_t one = 7;
    mfm_random_shuffle(&key, &one, 1);
    CU_ASSERT_EQUAL(one, 7);
}

/* Each of the 24 orders of four, equally often: chi-square with 23 degrees, above 70 below 1e-5. */
static void test_shuffle_is_uniform(void)
{
    enum { ROUNDS = 24000 };
    double count[256] = {0}, chi = 0;
    mfm_key k = key;
    for (k.step = 0; k.step < ROUNDS; k.step++) {
        uint32_t a[4] = {0, 1, 2, 3};
        mfm_random_shuffle(&k, a, 4);
        count[a[0] * 64 + a[1] * 16 + a[2] * 4 + a[3]]++;
    }
    int orders = 0;
    for (int i = 0; i < 256; i++)
        if (count[i] > 0) {
            orders++;
            chi += (count[i] - 1000) * (count[i] - 1000) / 1000;
        }
    CU_ASSERT_EQUAL(orders, 24);
    CU_ASSERT_TRUE(chi < 70);
}

static const mfm_case cases[] = {
    {"a draw depends on its key and index alone", test_determinism},
    {"every part of the key counts", test_parts_of_the_key},
    {"many draws at once are the single ones", test_many_are_the_single_ones},
    {"choices are those of the draws", test_choices},
    {"uniform draws have the mean and variance of [0, 1)", test_uniform},
    {"normal draws have the moments of the standard normal", test_normal},
    {"streams, steps, nodes and indices are uncorrelated", test_independence},
    {"bounded draws are uniform", test_below},
    {"a shuffle is a permutation, the same every time", test_shuffle},
    {"a shuffle gives every order equally often", test_shuffle_is_uniform},
};
MFM_SUITE("core/engine/random", cases)
