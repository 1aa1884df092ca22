/*
 * Where the biases of the last layer start, as a setting of losses over sigmoid probabilities (Cui
 * et al., CVPR 2019, section 5.1): at -log(C - 1) each of C classes has probability 1 / C, and the
 * C - 1 that a sample does not belong to do not drown it in the first steps. These biases then do
 * not decay.
 */
#ifndef MFM_LAST_BIAS_H
#define MFM_LAST_BIAS_H

#include "core/base/option.h"

extern const mfm_settings mfm_last_bias_settings;

/* Whether the start was asked for. */
bool mfm_last_bias_chosen(const mfm_chosen *chosen);

#endif
