/* A training of a model as checkpoints see it: what it stands on, and no step made. */
#ifndef MFM_TESTS_SESSION_H
#define MFM_TESTS_SESSION_H

#include <CUnit/Basic.h>
#include <stdio.h>

#include "core/train/training.h"
#include "onnx/import/import.h"

typedef struct session {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_network *network;
    mfm_problem *problem;
    mfm_training *training;
} session;

/* The rest of a session with a model: by MFM where that is modulated. Of options, optimisers are
 * the caller's. What was made stays when it fails. */
static inline int session_prepare(session *s, mfm_train_options options)
{
    int status = mfm_model_import(s->ctx, s->model, &s->network);
    if (status)
        return status;
    options.method = mfm_method_find(s->network->soft_label >= 0 ? "mfm" : "base");
    options.epochs = 1;
    options.batch = options.meta_batch = 2;
    options.schedule.base = 0.1;
    status = mfm_method_build(s->ctx, s->network, NULL, &options, &s->problem);
    return status ? status : mfm_training_new(s->ctx, s->problem, &options, &s->training);
}

/* All but the context, which another session may follow in. */
static inline void session_release(session *s)
{
    mfm_training_free(s->training);
    mfm_problem_free(s->problem);
    mfm_network_free(s->ctx, s->network);
    mfm_model_free(s->model);
    *s = (session){.ctx = s->ctx};
}

static inline void must(session *s, int status)
{
    if (status)
        printf("\n    %s\n", mfm_message(s->ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
}

#endif
