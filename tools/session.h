/*
 * A model and the images it works on, made ready together: what train and eval begin with.
 *
 * Messages name the file; what does not fit between model and images is told before any work.
 */
#ifndef MFM_SESSION_H
#define MFM_SESSION_H

#include "core/data/preprocess.h"
#include "core/train/split_graph.h"
#include "onnx/import.h"
#include "onnx/model.h"

typedef struct mfm_session {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_role_choice choice; /* what is fixed or trained by name; borrowed */
    mfm_network *network;
    mfm_split_graph *graphs;
    mfm_dataset *dataset;
    mfm_preprocess preprocess;
} mfm_session;

/* Each fills its part of a zeroed session; mfm_session_clear frees what there is, at any time. */
int mfm_session_load(mfm_session *session, const char *path);
/* The same for a model that is only read: its weights stay in the file until they are imported. */
int mfm_session_open(mfm_session *session, const char *path);
/* model -> network and graphs; tensors in several roles are untied in the model first. The
 * parameters' numbers are in the graphs only. */
int mfm_session_import(mfm_session *session);
/* The same without any numbers of parameters: enough to plan with. */
int mfm_session_import_form(mfm_session *session);
/* fit: the images may be padded and grey be copied to colour. Labels that the model has no output
 * for are MFM_EDATA. */
int mfm_session_open_data(mfm_session *session, const char *specification, unsigned parts, bool fit,
                          const mfm_augment *augment);
void mfm_session_clear(mfm_session *session);

/* 0 leaves the number as the system has it; returns the number that is used. */
int mfm_use_threads(unsigned threads);

#endif
