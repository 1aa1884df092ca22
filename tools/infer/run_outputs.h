/* What `run` writes: values of a network by name, each into a file of its own, batch by batch. */
#ifndef MFM_RUN_OUTPUTS_H
#define MFM_RUN_OUTPUTS_H

#include "core/engine/plan/plan.h"
#include "onnx/proto/model.h"
#include "tools/options/options.h"
#include "tools/infer/tensor_file.h"

typedef struct mfm_run_output {
    char *name; /* in the model; NULL: the logits */
    char *path;
    int value;     /* of the graph, once it is imported */
    int64_t rows;  /* for each image */
    size_t length; /* numbers for each image */
    mfm_row_file file;
} mfm_run_output;

typedef struct mfm_run_outputs {
    mfm_run_output *item;
    size_t count, capacity;
    real *row_major; /* one batch of the largest */
    float *numbers;
} mfm_run_outputs;

/* The logits, wherever `logits` leads (NULL: nowhere); of each text "NAME=FILE" a value; and every
 * output of the model as FOLDER/NAME.npy, unless folder is NULL. Checks that all can be written and
 * that no two are one file. MFM_EUSAGE for a text without "=". */
int mfm_run_outputs_collect(mfm_ctx *ctx, const mfm_model *model, const char *logits,
                            const mfm_strings *values, const char *folder,
                            mfm_run_outputs *outputs);
void mfm_run_outputs_clear(mfm_ctx *ctx, mfm_run_outputs *outputs);

/* Opens the files for so many images; the plan keeps the values. */
int mfm_run_outputs_open(mfm_ctx *ctx, const mfm_plan *plan, int64_t batch, size_t images,
                         mfm_run_outputs *outputs);
/* Puts the first `images` of what the plan computed last. */
void mfm_run_outputs_put(mfm_run_outputs *outputs, const mfm_plan *plan, size_t images);
int mfm_run_outputs_commit(mfm_run_outputs *outputs);
/* "wrote FILE: NAME [n,...]", a line for each. */
void mfm_run_outputs_tell(const mfm_run_outputs *outputs);

#endif
