/*
 * What an edit of a model has changed: a table before and after, and with --verify what the model
 * computes before and after. A command begins before its edit and ends between the edit and saving:
 * what does not verify is not written.
 */
#ifndef MFM_EDIT_H
#define MFM_EDIT_H

#include "core/base/option.h"
#include "onnx/info/inspect.h"

/* The option --verify N of commands that edit; its field is a uint64_t. */
#define MFM_VERIFY_OPTION(structure, field)                                                        \
    {                                                                                              \
        .name = "verify", .kind = MFM_OPTION_UINT, .value = "N", .max = 4096,                      \
        .offset = offsetof(structure, field),                                                      \
        .help = "compute N random images before and after, and write nothing if they differ"       \
    }

typedef struct mfm_edit {
    mfm_ctx *ctx;
    size_t verify; /* images; 0: none */
    mfm_model_facts *before, *after;
    mfm_model *original; /* for verifying: a copy of the model before */
    char *path;
    double apart; /* found by verifying */
} mfm_edit;

/* Ended with mfm_edit_clear, also after a failure. */
int mfm_edit_begin(mfm_ctx *ctx, const mfm_model *model, uint64_t verify, mfm_edit *edit);
/* Verifies the value of that name (NULL: the logits); MFM_ECHECK where it differs. */
int mfm_edit_end(mfm_edit *edit, const mfm_model *model, const char *value);
/* For commands that compute themselves how far apart (edit->apart) what is. */
int mfm_edit_judge(mfm_edit *edit, const mfm_model *model, const char *what);
/* The table, and what verifying found; to be called once the file is written. */
int mfm_edit_print(const mfm_edit *edit);
void mfm_edit_clear(mfm_edit *edit);

#endif
