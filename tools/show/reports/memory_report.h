/* The memory that training and inference will take, predicted without running: buffers are planned
 * and not taken, only vectors of parameters are made. */
#ifndef MFM_MEMORY_REPORT_H
#define MFM_MEMORY_REPORT_H

#include <jansson.h>

#include "tools/train/workload.h"

typedef struct mfm_memory_row {
    const char *step; /* "forward", or a method's name */
    char *obstacle;   /* why it cannot be done; NULL: it can */
    mfm_memory memory;
} mfm_memory_row;

typedef struct mfm_memory_report {
    mfm_ctx *ctx;
    uint64_t batch;
    int ranks; /* that share it */
    mfm_memory_row *rows;
    size_t n_rows;
    /* Of image files, which no step knows of. */
    bool decodes;             /* it is told of */
    uint64_t decoding_memory; /* MiB, as --data-memory; 0: no budget */
} mfm_memory_report;

/* A forward pass and a step of each method, at a batch size (and as large a meta batch). A method
 * that needs a modulator gets one as asked where the model has none; a layer that was asked for and
 * cannot be modulated is the failure that inject tells. ranks: processes that share the batches, of
 * which rank 0, that has most images, is predicted; MFM_EINVAL where one would have none. */
int mfm_memory_report_new(mfm_ctx *ctx, const char *path, const mfm_inject_arguments *inject,
                          const mfm_role_choice *choice, uint64_t batch, int ranks,
                          mfm_memory_report **report);
void mfm_memory_report_free(mfm_memory_report *report);

int mfm_memory_report_print(const mfm_memory_report *report);
/* NULL only when memory ran out. */
json_t *mfm_memory_report_json(const mfm_memory_report *report);

#endif
