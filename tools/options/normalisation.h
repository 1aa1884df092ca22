/* How the numbers of a normalisation are given on a command line. */
#ifndef MFM_NORMALISATION_OPTION_H
#define MFM_NORMALISATION_OPTION_H

#include "core/data/preprocess.h"
#include "tools/commands/command.h"

/* mean, std: numbers by comma in units where a byte of 255 is 1, one for each channel or one for
 * all; mean "imagenet" stands for both. MFM_EUSAGE for anything else, and for one without the
 * other.
 */
int mfm_normalisation_parse(mfm_ctx *ctx, const char *mean, const char *std, int channels,
                            mfm_normalisation *normalisation);

#endif
