/* The option --test-prior: which label distribution the test images are drawn to have. */
#ifndef MFM_PRIOR_OPTION_H
#define MFM_PRIOR_OPTION_H

#include "core/data/test_prior.h"

/* text: uniform, test1, test2, forward:F, backward:F, or a file of one number a class, separated by
 * blanks or new lines; what follows a # in a line is a comment. MFM_EUSAGE: none of these;
 * MFM_EDATA, MFM_EIO of a file. The caller frees *prior. */
int mfm_prior_option_draw(mfm_ctx *ctx, const char *text, uint64_t seed, const mfm_dataset *dataset,
                          mfm_test_prior **prior);

#endif
