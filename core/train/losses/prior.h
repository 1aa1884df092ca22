/*
 * Logit adjustment (Menon et al., ICLR 2021) rests on tau log pi_c, with pi_c the share of class c
 * among the training images: as a loss it is added to the logits, after training it is taken off
 * them. Both declare the same option by another name.
 */
#ifndef MFM_PRIOR_H
#define MFM_PRIOR_H

#include "core/base/option.h"
#include "core/train/task.h"

typedef struct mfm_prior_values {
    double tau;
} mfm_prior_values;

#define MFM_PRIOR_OPTION(option)                                                                   \
    {                                                                                              \
        .name = option, .kind = MFM_OPTION_REAL, .value = "X", .min = -100, .max = 100,            \
        .offset = offsetof(mfm_prior_values, tau),                                                 \
        .help = "factor of the logarithm of a class's share"                                       \
    }

/* tau log pi_c; a class that does not occur counts as one image. */
double mfm_prior(const mfm_task *task, double tau, int64_t class_number);

#endif
