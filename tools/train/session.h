/*
 * A model and the images it works on, made ready together: what train and eval begin with.
 *
 * Messages name the file; what does not fit between model and images is told before any work.
 */
#ifndef MFM_SESSION_H
#define MFM_SESSION_H

#include <jansson.h>

#include "core/data/preprocess.h"
#include "core/train/training.h"
#include "onnx/info/class_info.h"
#include "onnx/import/import.h"
#include "onnx/proto/model.h"
#include "tools/options/groups/normalisation.h"
#include "tools/options/groups/view_options.h"

typedef struct mfm_session {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_view_arguments view; /* how the file is looked at; borrowed */
    mfm_role_choice choice;  /* what is fixed or trained by name; borrowed */
    mfm_network *network;
    mfm_task task; /* what a problem is built for; without one, of no images */
    mfm_problem *problem;
    mfm_dataset *dataset;
    mfm_preprocess preprocess;
    mfm_array_form array;     /* of arrays, which the preprocess points to */
    bool tells_normalisation; /* the model does */
    bool own_normalisation;   /* it is used */
    bool given_normalisation; /* the command line's is */
    mfm_class_info *classes;  /* what the model tells of its classes; NULL: nothing */
} mfm_session;

typedef struct mfm_images_wanted {
    const char *specification;
    mfm_dataset_options options;
    unsigned parts;
    enum mfm_fit_how fit;
    int normalise;                             /* enum mfm_normalise */
    mfm_normalisation_arguments normalisation; /* above all; zeros: none is given */
    bool training; /* classes that the model does not tell are those that the images show */
    mfm_augment augment;
} mfm_images_wanted;

/* Each fills its part of a session that is zeroed but for the view; mfm_session_clear frees what
 * there is, at any time. */
int mfm_session_load(mfm_session *session, const char *path);
/* The same for a model that is only read: its weights stay in the file until they are imported. */
int mfm_session_open(mfm_session *session, const char *path);
/* model -> network, without the parameters' numbers; tensors in several roles are untied in the
 * model first. */
int mfm_session_import(mfm_session *session);
/* network -> problem of a run with these options, for the task that is set; NULL: the plain path,
 * for evaluation. Instead of the problem that is there. values: with the numbers of the parameters,
 * which are in the problem's graphs only. */
int mfm_session_build(mfm_session *session, const mfm_train_options *options, bool values);
/* Labels that the model has no output for are MFM_EDATA. A normalisation that the model tells is
 * used, and a warning says where that of the images differs. */
int mfm_session_open_data(mfm_session *session, const mfm_images_wanted *wanted);
/* Where the images' classes are numbers and the model has names for them, which a new head was
 * given or a run on the same split, they are called so. */
int mfm_session_keep_names(mfm_session *session, uint64_t split);
/* Of a class of the model: the images' own name, or what the model tells where they have only
 * numbers. number serves where nobody has a name. */
const char *mfm_session_class_name(const mfm_session *session, int class_number, char number[16]);
/* Warns of --fit, --pad and --normalise where they were given in vain. */
void mfm_session_no_effect(const mfm_session *session, const mfm_option_table *table,
                           const mfm_arguments *given);
/* How the images are preprocessed, as the metadata of a model tells it; NULL without memory. */
json_t *mfm_session_preprocess_json(const mfm_session *session);
void mfm_session_clear(mfm_session *session);

#endif
