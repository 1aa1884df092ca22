/* What can be asked of `onnx-mfm train`. */
#ifndef MFM_TRAIN_OPTIONS_H
#define MFM_TRAIN_OPTIONS_H

#include <jansson.h>

#include "core/data/preprocess.h"
#include "core/train/comm/comm.h"
#include "core/train/training.h"
#include "tools/options/groups/data_options.h"
#include "tools/options/groups/inject_arguments.h"
#include "tools/options/groups/feature_options.h"
#include "tools/options/groups/normalisation.h"
#include "tools/options/groups/rank_options.h"
#include "tools/options/groups/reproducible_option.h"
#include "tools/options/groups/role_options.h"
#include "tools/options/groups/view_options.h"
#include "tools/options/settings.h"

typedef struct mfm_train_arguments {
    mfm_comm *comm; /* who trains together: not asked for, but found; NULL: one process */
    const char *output, *run, *seeds;
    bool resume;
    uint64_t threads;
    int reproducible;          /* enum mfm_reproducible */
    double checkpoint_minutes; /* between checkpoints within an epoch; 0: none */

    const char *data;
    mfm_dataset_options parts;
    mfm_split_arguments split;
    const char *augment; /* NULL until it is settled: the dataset's */
    int border;
    mfm_normalisation_arguments normalisation;
    bool fit, pad;

    mfm_view_arguments view;
    mfm_role_arguments roles;
    mfm_feature_arguments features;
    mfm_rank_arguments ranks;

    const char *recipe; /* NULL: none */
    const char *method, *loss, *sampler, *mixing, *optimizer, *schedule, *finishing;
    uint64_t epochs, batch, meta_batch, seed, defer_resample, warmup;
    double lr, weight_decay, sharpness;
    int decay, meta_sampler;

    mfm_inject_arguments inject;
    const char *modulator;
    mfm_strings map;
    mfm_settings_room room; /* of what the parts of training declare */
} mfm_train_arguments;

/* The options with their defaults, what holds when none is given. Both stay where they are. */
void mfm_train_form_init(mfm_form *form, mfm_train_arguments *arguments);

/* Options of a run that goes on, instead of those not given now. */
int mfm_train_adopt(mfm_ctx *ctx, mfm_form *form, const json_t *run, const char *folder,
                    mfm_train_arguments *arguments, mfm_arguments *given);
/* What the recipe says, where it is not given; MFM_EUSAGE when there is no such recipe. Before
 * settling, for a fresh run: one that goes on has all of its options. */
int mfm_train_take_recipe(mfm_ctx *ctx, const mfm_form *form, mfm_train_arguments *arguments,
                          mfm_arguments *given);
/* What the command line alone tells to be wrong; chooses the settings of what was named, and
 * decides what was left open. */
int mfm_train_arguments_settle(mfm_ctx *ctx, mfm_form *form, mfm_train_arguments *arguments,
                               const mfm_arguments *given);
/* MFM_EUSAGE for options of a modulator, or of a file that one starts from, with a method that has
 * no use for them. */
int mfm_train_check_modulator(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                              const mfm_arguments *given);
/* MFM_EUSAGE for what is done to pictures alone, where the rows of arrays are none. */
int mfm_train_check_arrays(mfm_ctx *ctx, const mfm_train_options *options,
                           const mfm_preprocess *preprocess);
/* Parts that favour rare classes are meant to be alone: warns of two, of which one is a method, a
 * sampler or a finishing. */
void mfm_train_warn_twice(mfm_ctx *ctx, const mfm_train_options *options);
/* Warns of a method whose meta steps would begin behind the last epoch that may have any. */
void mfm_train_warn_of_no_meta_step(mfm_ctx *ctx, const mfm_run_facts *run);
/* Says of choices about layers that have no effect: where the method trains the last layer alone,
 * and that as it would without them. */
void mfm_train_warn_of_roles(mfm_ctx *ctx, const mfm_form *form, const mfm_method *method,
                             const mfm_problem *problem, const mfm_arguments *given);
int mfm_train_augment(mfm_ctx *ctx, const mfm_train_arguments *arguments, mfm_augment *augment);
/* After settling; points into form and arguments. */
mfm_train_options mfm_train_options_of(const mfm_form *form, const mfm_train_arguments *arguments);

#endif
