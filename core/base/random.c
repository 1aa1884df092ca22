#include "core/base/random.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

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

/* The key schedule begins with these words; the counter's upper half is (step, stream). */
static uint64_t key_words(const mfm_key *key)
{
    return mix(key->seed + 0x9E3779B97F4A7C15u * (1 + (uint64_t)key->node));
}

static uint32_t upper_word(const mfm_key *key)
{
    return (uint32_t)((key->step >> 32) & 0xFFFF) | (key->stream << 16);
}

void mfm_random4(const mfm_key *key, uint64_t index, uint32_t words[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)key->step;
    uint32_t c3 = upper_word(key);
    const uint64_t spread = key_words(key);
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

/* The rounds of mfm_random4 over vectors of counters. Words lie in 64 bits each, which is what the
 * products need, and what the compiler makes vectors of; so many that chains of operations need not
 * wait for each other. (Of 16 GCC 12 makes no vectors, but single steps.) */
enum { LANES = 32 };

/* What all counters of a key begin with. */
typedef struct start {
    uint64_t k0, k1, c2, c3;
} start;

static start start_of(const mfm_key *key)
{
    const uint64_t spread = key_words(key);
    return (start){.k0 = (uint32_t)spread,
                   .k1 = spread >> 32,
                   .c2 = (uint32_t)key->step,
                   .c3 = upper_word(key)};
}

/* The first two words of each, one behind the other. */
static __attribute__((noinline)) void draw_many(const start *from, uint64_t first,
                                                uint64_t bits[LANES])
{
    const uint64_t low = 0xFFFFFFFFu;
    uint64_t k0 = from->k0, k1 = from->k1;
    uint64_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    for (int i = 0; i < LANES; i++) {
        c0[i] = first + (uint64_t)i;
        c1[i] = (first + (uint64_t)i) >> 32;
        c2[i] = from->c2;
        c3[i] = from->c3;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < LANES; i++) { /* upper halves are cut off where it matters */
            const uint64_t p0 = PHILOX_M0 * (c0[i] & low), p1 = PHILOX_M1 * (c2[i] & low);
            c0[i] = (p1 >> 32) ^ c1[i] ^ k0;
            c2[i] = (p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = p1;
            c3[i] = p0;
        }
        k0 = (k0 + PHILOX_W0) & low;
        k1 = (k1 + PHILOX_W1) & low;
    }
    for (int i = 0; i < LANES; i++)
        bits[i] = c0[i] << 32 | (c1[i] & low);
}

void mfm_random_uniforms(const mfm_key *key, uint64_t first, size_t n, double *u)
{
    const start from = start_of(key);
    uint64_t bits[LANES];
    for (size_t done = 0; done < n; done += LANES) {
        const size_t count = n - done < LANES ? n - done : LANES;
        draw_many(&from, first + done, bits);
        for (size_t i = 0; i < count; i++)
            u[done + i] = (double)(bits[i] >> 11) * 0x1p-53;
    }
}

/* u is the upper 53 bits in units of 2^-53, and so is below `chance` as they are below a number. */
void mfm_random_choose(const mfm_key *key, uint64_t first, size_t n, double chance, real taken,
                       real other, real *to)
{
    const start from = start_of(key);
    const bool never = !(chance > 0);
    const uint64_t below = never ? 1 : chance < 1 ? (uint64_t)ceil(chance * 0x1p53) : 1ull << 53;
    const uint64_t last = (below << 11) - 1;
    uint64_t bits[LANES];
    for (size_t done = 0; done < n; done += LANES) {
        const size_t count = n - done < LANES ? n - done : LANES;
        draw_many(&from, first + done, bits);
        for (size_t i = 0; i < count; i++)
            to[done + i] = bits[i] <= last && !never ? taken : other;
    }
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
