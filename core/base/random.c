#include "core/base/random.h"

#include <math.h>

/* One Philox round constant pair and the two Weyl increments of the key schedule. */
#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u

static uint64_t mix(uint64_t x) /* the finaliser of SplitMix64: spreads (node, step) over the key */
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

void mfm_random4(const mfm_key *key, uint64_t index, uint32_t words[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)key->step;
    uint32_t c3 = (uint32_t)((key->step >> 32) & 0xFFFF) | (key->stream << 16);
    const uint64_t spread = mix(key->seed + 0x9E3779B97F4A7C15u * (1 + (uint64_t)key->node));
    uint32_t k0 = (uint32_t)spread, k1 = (uint32_t)(spread >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)PHILOX_M0 * c0, p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

uint32_t mfm_random_u32(const mfm_key *key, uint64_t index)
{
    uint32_t words[4];
    mfm_random4(key, index, words);
    return words[0];
}

static double unit(uint32_t high, uint32_t low)
{
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

double mfm_random_uniform(const mfm_key *key, uint64_t index)
{
    uint32_t words[4];
    mfm_random4(key, index, words);
    return unit(words[0], words[1]);
}

double mfm_random_normal(const mfm_key *key, uint64_t index)
{
    uint32_t words[4];
    mfm_random4(key, index, words);
    const double radius = sqrt(-2 * log(1 - unit(words[0], words[1])));
    return radius * cos(2 * 3.14159265358979323846 * unit(words[2], words[3]));
}

uint64_t mfm_random_below(const mfm_key *key, uint64_t index, uint64_t bound)
{
    return (uint64_t)(mfm_random_uniform(key, index) * (double)bound);
}

void mfm_random_shuffle(const mfm_key *key, uint32_t *numbers, uint64_t count)
{
    for (uint64_t i = count; i > 1; i--) {
        const uint64_t j = mfm_random_below(key, i, i);
        const uint32_t held = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = held;
    }
}
