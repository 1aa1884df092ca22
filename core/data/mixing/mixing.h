/*
 * Images of a batch mixed with each other, and their labels likewise. Adding a form: a file in
 * mixing/ that defines `const mfm_mixing mfm_mixing_NAME`, and a line in mixing/mixing.def.
 *
 * Image i of a batch is mixed with image p(i), p a random permutation, in one proportion lambda for
 * the whole batch. Both are pure functions of (seed, stream, step).
 */
#ifndef MFM_MIXING_H
#define MFM_MIXING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/option.h"
#include "core/base/random.h"
#include "core/base/real.h"

MFM_C_BEGIN

/* A batch that is being mixed. */
typedef struct mfm_mix {
    int64_t n, classes;
    int height, width, channels;
    const real *before;     /* n or more images as they were: [.., height, width, channels] */
    const real *labels;     /* class numbers of those */
    const uint32_t *other;  /* [n] p(i), a number among those */
    const uint32_t *counts; /* [classes] training images of each class */
    mfm_key key;            /* draws of the form itself: node and step are set, any index */
    real *images;           /* holds a copy of `before`; receives what is mixed */
    real *soft_labels;      /* [n, classes], zeros; receives the labels' shares */
} mfm_mix;

typedef struct mfm_mixing {
    const char *name;
    const char *summary;
    const mfm_settings *settings[2]; /* ended by NULL */
    bool pastes;                     /* areas of images, of which other rows have none */
    void (*mix)(const mfm_mix *mix, const void *values);
} mfm_mixing;

/* Ended by NULL. */
extern const mfm_mixing *const mfm_mixings[];
const mfm_mixing *mfm_mixing_find(const char *name);

/* Beta(alpha, alpha), alpha > 0, from draws `index` and on; takes at most 2^20 of them. */
double mfm_random_beta(const mfm_key *key, uint64_t index, double alpha);
/* images = lambda before + (1 - lambda) before[other], over the whole batch. */
void mfm_mix_images(const mfm_mix *mix, double lambda);
/* Row i of the soft labels: `share` for its own class, the rest for the other's. */
void mfm_mix_label(const mfm_mix *mix, int64_t i, double share);

MFM_C_END

#endif
