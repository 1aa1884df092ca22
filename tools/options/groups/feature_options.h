/* The options of train that say what is kept of frozen layers' features. */
#ifndef MFM_FEATURE_OPTIONS_H
#define MFM_FEATURE_OPTIONS_H

#include "tools/options/options.h"

typedef struct mfm_feature_arguments {
    double memory;     /* MiB */
    const char *cache; /* folder; NULL: none */
    double cache_size; /* MiB; 0: any number */
    uint64_t copies;   /* augmented ones of each image; 0: as many as are asked for */
} mfm_feature_arguments;

enum { MFM_FEATURE_OPTIONS = 4 };

/* What holds when no option is given. */
extern const mfm_feature_arguments mfm_feature_defaults;
/* The option table of a structure of that type. */
extern const mfm_option mfm_feature_table[MFM_FEATURE_OPTIONS];

/* Warns of each of these options that was given in vain, with the reason. */
void mfm_features_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                            const mfm_arguments *arguments, const char *reason);

#endif
