/* The options that say which tensors of a model are trained, and how fast, shared by train, inspect
 * and bench. */
#ifndef MFM_ROLE_OPTIONS_H
#define MFM_ROLE_OPTIONS_H

#include "onnx/import/import.h"
#include "tools/options/options.h"

typedef struct mfm_role_arguments {
    const char *freeze_before;
    mfm_strings freeze, train_only, free, rates;
} mfm_role_arguments;

enum { MFM_ROLE_OPTIONS = 5 };

/* The option table of a structure of that type. */
extern const mfm_option mfm_role_table[MFM_ROLE_OPTIONS];

/* Borrows from the arguments. */
mfm_role_choice mfm_role_choice_of(const mfm_role_arguments *arguments);

#endif
