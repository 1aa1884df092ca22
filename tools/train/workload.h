/*
 * What bench times and inspect predicts the memory of: a step of a training method, or a forward
 * pass, of a model at a batch size.
 */
#ifndef MFM_WORKLOAD_H
#define MFM_WORKLOAD_H

#include "core/train/training.h"
#include "tools/options/groups/inject_arguments.h"
#include "tools/train/session.h"

typedef struct mfm_workload {
    mfm_ctx *ctx;
    const mfm_method *method; /* NULL: a forward pass, as eval runs it */
    const mfm_chosen *chosen; /* of the method's settings; NULL: the defaults */
    uint64_t batch, meta_batch;
    int ranks;              /* that share the batches: rank 0 of so many is planned; 0: one */
    bool form;              /* without the parameters' numbers: to be planned, not run */
    bool by_threads;        /* results may depend on the number of threads */
    bool injected;          /* set by mfm_workload_load: the modulator is a fresh one */
    bool branched;          /* likewise: so are the branches */
    mfm_role_choice choice; /* of tensors by name */
    mfm_session session;
    mfm_training *training; /* NULL for a forward pass */
    mfm_plan *plan;         /* of the forward pass */
} mfm_workload;

/* Bytes that the workload takes beside the imported model. */
typedef struct mfm_memory {
    size_t buffers;    /* arenas of the plans, and the method's vectors */
    size_t parameters; /* parameters and statistics in training, and the optimisers' state */
    size_t images;     /* the batches */
} mfm_memory;

/* Loads and imports; a modulator is injected as asked when the method needs one and the model has
 * none. ctx, method and the batches are set, the rest is zero. mfm_workload_clear frees what there
 * is, at any time. */
int mfm_workload_load(mfm_workload *workload, const char *path, const mfm_inject_arguments *inject);
/* The problem of the method that is set, for one that is loaded: after the method has changed. */
int mfm_workload_build(mfm_workload *workload);
/* Plans and buffers, at the batch sizes that are set. */
int mfm_workload_make(mfm_workload *workload);
void mfm_workload_unmake(mfm_workload *workload);
void mfm_workload_clear(mfm_workload *workload);

/* Of a workload with a method. */
mfm_train_options mfm_workload_options(const mfm_workload *workload);
/* Of one that is made. */
mfm_memory mfm_workload_memory(const mfm_workload *workload);
size_t mfm_memory_sum(mfm_memory memory);

#endif
