/*
 * Counter-based randomness: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A draw is a pure function of (seed, stream, step, node, index), so the same
 * seed gives the same numbers whatever the number of threads, and a resumed run needs no state.
 */
#ifndef MFM_RANDOM_H
#define MFM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

/* What the draws are for: different streams of one seed are independent. */
enum mfm_stream {
    MFM_STREAM_INIT,    /* initial weights */
    MFM_STREAM_DROPOUT, /* masks over the training batch */
    MFM_STREAM_SHUFFLE, /* order of the training images */
    MFM_STREAM_META,    /* order of the meta images */
    MFM_STREAM_AUGMENT, /* crops and flips */
    MFM_STREAM_SPLIT,   /* which images a long-tailed split keeps */
    MFM_STREAM_TEST,
    MFM_STREAM_META_DROPOUT, /* masks over the meta batch */
    MFM_STREAM_SECOND,       /* order of the training images in a second batch of a step */
    MFM_STREAM_PRIOR,        /* which test images a label distribution keeps */
    MFM_STREAM_COPIES        /* augmented copies of images, and which of them a batch reads */
};

typedef struct mfm_key {
    uint64_t seed;
    uint32_t stream;
    uint32_t node; /* any small number that tells users of one stream apart */
    uint64_t step;
} mfm_key;

/* Four independent 32-bit words for index. step is used modulo 2^48, index modulo 2^64, stream
 * modulo 2^16. */
void mfm_random4(const mfm_key *key, uint64_t index, uint32_t words[4]);
uint32_t mfm_random_u32(const mfm_key *key, uint64_t index);
/* Uniform in [0, 1), 53 bits. */
double mfm_random_uniform(const mfm_key *key, uint64_t index);
/* u[i] = mfm_random_uniform(key, first + i), in vectors: for many. */
void mfm_random_uniforms(const mfm_key *key, uint64_t first, size_t n, double *u);
/* to[i] = mfm_random_uniform(key, first + i) < chance ? taken : other, in vectors. */
void mfm_random_choose(const mfm_key *key, uint64_t first, size_t n, double chance, real taken,
                       real other, real *to);
/* Standard normal (Box-Muller). */
double mfm_random_normal(const mfm_key *key, uint64_t index);
/* Uniform in 0 .. bound-1, without modulo bias beyond 2^-32; bound > 0. */
uint64_t mfm_random_below(const mfm_key *key, uint64_t index, uint64_t bound);
/* Fisher-Yates over count numbers. */
void mfm_random_shuffle(const mfm_key *key, uint32_t *numbers, uint64_t count);

MFM_C_END

#endif
