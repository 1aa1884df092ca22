/*
 * Test sets with a label distribution of their own, as indices into a dataset's test part: each is
 * the largest set of that distribution that the images allow, drawn without replacement by one
 * shuffle of each class.
 *
 * With n(k) = floor(N * F^(-k / (C - 1))), the rule of long-tailed training sets (split.h), and N
 * the largest that no class has too few images for, class i of C gets
 *     uniform   N
 *     forward   n(i)
 *     backward  n(C - 1 - i)
 *     test1     n(C - 1 - i) with F = 10, but each of the first C / 2 classes (five of ten) only as
 *               many as the rarest of them
 *     test2     n(p(i)) with F = 10, p a permutation drawn by the seed
 *     weights   round(N * w(i) / max w)
 * test1 and test2 are those of Wang et al., arXiv 2008.03428, appendix C.1: an imbalance of 10, for
 * Test-1 "reversing the frequency of the labels and truncate the first five class have the same
 * number of samples", for Test-2 "permuting randomly the frequency of the labels". Classes that the
 * test part has no images of get none, and do not count for N.
 */
#ifndef MFM_TEST_PRIOR_H
#define MFM_TEST_PRIOR_H

#include <stdint.h>

#include "core/data/sources/dataset.h"
#include "core/base/context.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

enum mfm_prior_kind {
    MFM_PRIOR_UNIFORM,
    MFM_PRIOR_TEST1,
    MFM_PRIOR_TEST2,
    MFM_PRIOR_FORWARD,
    MFM_PRIOR_BACKWARD,
    MFM_PRIOR_WEIGHTS
};

typedef struct mfm_prior_options {
    enum mfm_prior_kind kind;
    double imbalance;      /* F of forward and backward, at least 1 */
    const double *weights; /* [classes] of the dataset, >= 0, not all 0 */
    uint64_t seed;
} mfm_prior_options;

typedef struct mfm_test_prior {
    int classes;
    uint32_t *indices; /* [count] of the test part, ascending */
    uint32_t count;
    uint32_t *per_class; /* [classes] */
} mfm_test_prior;

/* MFM_EINVAL: a class with images (and, of weights, one above 0) would keep none, or there are no
 * images. The caller frees *prior. */
int mfm_test_prior_new(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_prior_options *options,
                       mfm_test_prior **prior);
void mfm_test_prior_free(mfm_ctx *ctx, mfm_test_prior *prior);

MFM_C_END

#endif
