/* The options that say what modulator is put where, shared by inject and train. */
#ifndef MFM_INJECT_ARGUMENTS_H
#define MFM_INJECT_ARGUMENTS_H

#include "onnx/proto/model.h"
#include "tools/options/options.h"

typedef struct mfm_inject_arguments {
    mfm_strings layers;
    int position, modulation; /* mfm_position, mfm_modulation */
    uint64_t hidden, hash_dim;
    bool no_scale, no_shift;
} mfm_inject_arguments;

enum { MFM_INJECT_OPTIONS = 7 };

/* What holds when no option is given. */
extern const mfm_inject_arguments mfm_inject_defaults;
/* The option table of a structure of that type. */
extern const mfm_option mfm_inject_table[MFM_INJECT_OPTIONS];

/* classes 0: from the model. Injects in memory. */
int mfm_inject_as_asked(mfm_ctx *ctx, mfm_model *model, const mfm_inject_arguments *arguments,
                        uint64_t classes, uint64_t seed);
/* Warns of each of these options that was given in vain, with the reason. */
void mfm_inject_no_effect(mfm_ctx *ctx, const mfm_option_table *table,
                          const mfm_arguments *arguments, const char *reason);
/* Whether the model has a modulator; MFM_EDATA when what it says of it is damaged. */
int mfm_has_modulator(mfm_ctx *ctx, const mfm_model *model, bool *has);

#endif
