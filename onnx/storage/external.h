/*
 * Weights that lie in files beside the model. They are read into the model, which is then whole in
 * itself: saving it writes one file.
 *
 * A location is followed only if it stays where the model is: a relative path without "..", no
 * symbolic link on the way, and a regular file with no second name.
 */
#ifndef MFM_ONNX_EXTERNAL_H
#define MFM_ONNX_EXTERNAL_H

#include "onnx/proto/proto.h"

/* Loads every tensor whose data is external. folder is where the model's file is, or NULL when the
 * model did not come from a file, and external data is then refused. MFM_EDATA for a location or
 * range that is not allowed, MFM_EIO, MFM_ENOTSUP beyond 2 GiB in all, MFM_ENOMEM. */
int mfm_external_load(mfm_model *model, const char *folder);

#endif
