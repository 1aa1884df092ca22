/* Everything that inspect tells of a model, gathered before anything is printed. */
#ifndef MFM_MODEL_REPORT_H
#define MFM_MODEL_REPORT_H

#include "core/train/problem/network.h"
#include "onnx/info/inspect.h"
#include "onnx/functions/flat.h"
#include "onnx/layers/layers.h"
#include "onnx/roles/roles.h"

enum { MFM_MOST_ALIASES = 12, MFM_ID_TEXT = 32 };

typedef struct mfm_layer_row {
    const mfm_layer *layer;
    char id[MFM_ID_TEXT]; /* "conv:3" */
    const char *op_type;
    uint64_t parameters;
    bool shaped;     /* shape and macs are known: the model can be imported */
    mfm_shape shape; /* of its output, for one image */
    uint64_t macs;
    char *aliases[MFM_MOST_ALIASES]; /* other names that --layer takes */
    size_t n_aliases;
} mfm_layer_row;

typedef struct mfm_model_report {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_model_facts *facts; /* of the file as it is */
    size_t copies;          /* of tensors in several roles, that training makes */
    mfm_flat *flat;         /* with them; the next two are of it */
    mfm_roles *roles;
    mfm_layers *layers;
    mfm_layer_row *rows;         /* one for each layer */
    mfm_inject_info *modulators; /* NULL: none */
    mfm_network *network;        /* NULL: cannot be trained, for the reason in obstacle */
    char *obstacle;
    uint64_t trainable, state; /* numbers that training changes: weights, running statistics */
    int64_t macs;              /* multiplications for one image; -1: not known */
    char **warnings;
    size_t n_warnings, warnings_capacity;
} mfm_model_report;

/* Takes over the context's warnings for good, and unties the model's tensors as training does.
 * MFM_OK also for a model that cannot be trained; MFM_EINVAL for a choice that cannot be. */
int mfm_model_report_new(mfm_ctx *ctx, mfm_model *model, const mfm_role_choice *choice,
                         mfm_model_report **report);
void mfm_model_report_free(mfm_model_report *report);

#endif
