/* Numbers of a graph back into the model that it came from, in place. */
#ifndef MFM_ONNX_EXPORT_H
#define MFM_ONNX_EXPORT_H

#include "core/engine/graph.h"
#include "core/base/linkage.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

/* Writes every parameter and running statistic of graph, from vectors with its layout, into the
 * tensor of its name: in the tensor's own element type and encoding. An independent parameter that
 * the file only has as Identity(initialiser) becomes an initialiser of its own once its numbers
 * are not those of that initialiser any more. state may be NULL. MFM_EINVAL when the graph is not
 * of this model, MFM_ENOMEM: some values are then written and some are not. */
int mfm_model_write_values(mfm_ctx *ctx, mfm_model *model, const mfm_graph *graph,
                           const real *params, const real *state);

/* Turns nodes in training form (BatchNormalization with batch outputs or training_mode, Dropout
 * with training_mode) into inference form, so that any runtime serves the file. */
int mfm_model_set_inference(mfm_ctx *ctx, mfm_model *model);

MFM_C_END

#endif
