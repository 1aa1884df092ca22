/* The options of train that are for several processes. */
#ifndef MFM_RANK_OPTIONS_H
#define MFM_RANK_OPTIONS_H

#include "tools/options/options.h"

enum mfm_statistics_over { MFM_STATISTICS_GLOBAL, MFM_STATISTICS_LOCAL };

typedef struct mfm_rank_arguments {
    int batch_norm; /* enum mfm_statistics_over */
    double timeout; /* seconds */
} mfm_rank_arguments;

enum { MFM_RANK_OPTIONS = 2 };

/* What holds when no option is given. */
extern const mfm_rank_arguments mfm_rank_defaults;
/* The option table of a structure of that type. */
extern const mfm_option mfm_rank_table[MFM_RANK_OPTIONS];

#endif
