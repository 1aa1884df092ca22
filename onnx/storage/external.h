/*
 * Weights that lie in files beside the model.
 *
 * A location is followed only if it stays where the model is: a relative path without "..", no
 * symbolic link on the way, and a regular file with no second name. Large tensors stay in their
 * files until they are wanted (onnx/storage/remote.h), so that all weights together may be of any
 * size; each of them is at most 2 GiB.
 *
 * Saving a model to a path puts what lay outside into a file beside it again, and so it does with
 * all large tensors of a model that one file does not hold. That file's name ends in a hash of its
 * content, and it is there as a whole before the model that names it: model and weights that are
 * there together belong together, whenever the writer was killed. A file of weights that an older
 * model of that name had is left where it is, until somebody sweeps.
 */
#ifndef MFM_ONNX_EXTERNAL_H
#define MFM_ONNX_EXTERNAL_H

#include "onnx/proto/proto.h"

/* Finds every tensor whose data is external. folder is where the model's file is, or NULL when the
 * model did not come from a file, and external data is then refused. MFM_EDATA for a location or
 * range that is not allowed, or ranges that overlap; MFM_EIO, MFM_ENOTSUP for a tensor beyond 2
 * GiB, MFM_ENOMEM. */
int mfm_external_load(mfm_model *model, const char *folder);

/* Bytes that a message of one file may have: protobuf's 2 GiB, but in tests. */
extern const uint64_t mfm_one_file_most;

/* The bytes of the largest of a model's messages that hold weights: its graph, and what training
 * keeps. */
uint64_t mfm_external_largest(const mfm_model *model);

/* Of a save to that path: what is written beside it. */
typedef struct mfm_external_part {
    Onnx__TensorProto *tensor;
    Onnx__TensorProto inside; /* as it is in memory */
    uint64_t offset;
    char offset_text[24], length_text[24];
    Onnx__StringStringEntryProto entries[3], *list[3];
} mfm_external_part;
typedef struct mfm_external_save {
    mfm_ctx *ctx;
    mfm_external_part *parts;
    size_t n_parts;
    char *name, *path; /* of the file beside; NULL: there is none */
    bool before;       /* a file of that content was there */
} mfm_external_save;

/* Writes the file beside `path` and turns the tensors to it, until end turns them back: with
 * as_read those that were outside when the model was read, and all large ones where the rest is too
 * much for one file; else all large ones, also what training keeps. end is called in any case;
 * keep: the model was written, else a file that was not there before is taken away again. MFM_EIO,
 * MFM_ENOMEM. */
int mfm_external_save_begin(mfm_ctx *ctx, const mfm_model *model, const char *path, bool as_read,
                            mfm_external_save *save);
void mfm_external_save_end(mfm_external_save *save, bool keep);

/* Whether the large weights beside a model that was opened (mfm_model_open) are, byte for byte,
 * those that the names of their files tell: MFM_EDATA where not, as of files of another's making,
 * MFM_EIO, MFM_ENOMEM. A model that has nothing beside it passes. */
int mfm_external_check(const mfm_model *model);

#endif
