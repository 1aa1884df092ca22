/*
 * Weights that lie in files beside the model.
 *
 * A location is followed only if it stays where the model is: a relative path without "..", no
 * symbolic link on the way, and a regular file with no second name. Large tensors stay in their
 * files until they are wanted (onnx/storage/remote.h), so that all weights together may be of any
 * size; each of them is at most 2 GiB.
 *
 * Saving a model to a path puts what lay outside into a file beside it again, and so it does with
 * all large tensors of a graph that one file does not hold. That file's name ends in a hash of its
 * content: model and weights that are there together belong together, whenever the writer was
 * killed. A file of weights that an older model of that name had is left where it is.
 */
#ifndef MFM_ONNX_EXTERNAL_H
#define MFM_ONNX_EXTERNAL_H

#include "onnx/proto/proto.h"

/* Finds every tensor whose data is external. folder is where the model's file is, or NULL when the
 * model did not come from a file, and external data is then refused. MFM_EDATA for a location or
 * range that is not allowed, or ranges that overlap; MFM_EIO, MFM_ENOTSUP for a tensor beyond 2
 * GiB, MFM_ENOMEM. */
int mfm_external_load(mfm_model *model, const char *folder);

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

/* Whether a model is to be written with a file beside it: it had one, or its graph is larger than
 * `most` bytes. */
bool mfm_external_wanted(const mfm_model *model, uint64_t most);
/* Writes the file beside `path` and turns the tensors to it, until end turns them back. end is
 * called in any case; keep: the model was written, else a file that was not there before is taken
 * away again. MFM_EIO, MFM_ENOMEM. */
int mfm_external_save_begin(mfm_ctx *ctx, const mfm_model *model, const char *path,
                            mfm_external_save *save);
void mfm_external_save_end(mfm_external_save *save, bool keep);

#endif
