/* --reproducible of train and bench: whether results may go by the number of threads. */
#ifndef MFM_REPRODUCIBLE_OPTION_H
#define MFM_REPRODUCIBLE_OPTION_H

#include "tools/options/options.h"

enum mfm_reproducible { MFM_REPRODUCIBLE_THREADS, MFM_REPRODUCIBLE_OFF };

extern const char *const mfm_reproducible_names[];

/* The field is an int: enum mfm_reproducible. */
#define MFM_REPRODUCIBLE_CHOICE(structure, field)                                                  \
    {                                                                                              \
        .name = "reproducible", .kind = MFM_OPTION_CHOICE, .value = "OVER",                        \
        .choices = mfm_reproducible_names, .offset = offsetof(structure, field),                   \
        .help = "threads: results are the same for any number of threads and processes; off: "     \
                "where oneDNN sums gradients of convolutions over images, its order goes by "      \
                "threads, which can be faster by some percent for a batch of one image"            \
    }

#endif
