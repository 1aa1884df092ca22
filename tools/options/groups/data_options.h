/* The options that say which images a command works on, shared by data, train and eval. */
#ifndef MFM_DATA_OPTIONS_H
#define MFM_DATA_OPTIONS_H

#include "core/data/preprocess.h"
#include "core/data/split.h"
#include "tools/options/options.h"

typedef struct mfm_split_arguments {
    double imbalance;
    uint64_t max_per_class, meta_per_class;
    int meta_from;          /* enum mfm_meta_from */
    int meta_cap;           /* enum mfm_meta_cap */
    const char *validation; /* "none", "disjoint:K" or a share */
    uint64_t split_seed;
    bool meta_unread; /* no option: the run reads no meta set */
} mfm_split_arguments;

enum { MFM_SPLIT_OPTIONS = 7 };

/* What holds when no option is given. */
extern const mfm_split_arguments mfm_split_defaults;
/* The option table of a structure of that type. */
extern const mfm_option mfm_split_table[MFM_SPLIT_OPTIONS];

/* Of image files: options of mfm_dataset_options. */
enum { MFM_PART_OPTIONS = 5 };
extern const mfm_option mfm_part_table[MFM_PART_OPTIONS];

/* What decides between the normalisation that a model tells and that of the images. */
enum mfm_normalise { MFM_NORMALISE_MODEL, MFM_NORMALISE_DATA };
extern const char *const mfm_normalise_names[];

/* Of --fit and --pad; MFM_EUSAGE for both. */
int mfm_fit_of(mfm_ctx *ctx, bool fit, bool pad, enum mfm_fit_how *how);
/* The augmentations, with their arguments, for the help. */
void mfm_print_augmentations(void);
/* MFM_EUSAGE for a validation part that is none. */
int mfm_split_options_of(mfm_ctx *ctx, const mfm_split_arguments *arguments,
                         mfm_split_options *options);
/* Opens the dataset; a specification that nobody can read is wrong usage. */
int mfm_open_data(mfm_ctx *ctx, const char *specification, const mfm_dataset_options *options,
                  unsigned parts, mfm_dataset **dataset);
int mfm_make_split(mfm_ctx *ctx, const mfm_dataset *dataset, const mfm_split_arguments *arguments,
                   mfm_split **split);

#endif
