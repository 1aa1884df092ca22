/* How the numbers of a normalisation are given on a command line. */
#ifndef MFM_NORMALISATION_OPTION_H
#define MFM_NORMALISATION_OPTION_H

#include "core/data/preprocess.h"
#include "tools/options/options.h"

/* As they are given; NULL: not. */
typedef struct mfm_normalisation_arguments {
    const char *mean, *std;
    int whose; /* enum mfm_normalise, where neither is given */
} mfm_normalisation_arguments;

enum { MFM_NORMALISATION_OPTIONS = 3, MFM_NORMALISATION_NUMBERS = 2 };
/* The option table of a structure of that type; the first two are mean and std. */
extern const mfm_option mfm_normalisation_table[MFM_NORMALISATION_OPTIONS];

/* Whether they ask for those of the images (--mean data), and whether they give numbers. */
bool mfm_normalisation_of_data(const mfm_normalisation_arguments *arguments);
bool mfm_normalisation_given(const mfm_normalisation_arguments *arguments);
/* Numbers by comma in units where a byte of 255 is 1, one for each channel or one for all; means
 * "imagenet", "0.5" and "bytes" stand for both. MFM_EUSAGE for anything else, and for one without
 * the other. */
int mfm_normalisation_parse(mfm_ctx *ctx, const mfm_normalisation_arguments *arguments,
                            int channels, mfm_normalisation *normalisation);
/* Of arrays, in the units of their numbers: mean [count], deviation [count]. */
int mfm_normalisation_numbers(mfm_ctx *ctx, const mfm_normalisation_arguments *arguments,
                              size_t count, double *mean, double *deviation);

#endif
