/*
 * A part of a model between named values, as a model of its own: the inputs are given from now on,
 * the outputs are what the model gives, and what neither needs goes. What stays keeps its names,
 * its order and its numbers.
 */
#ifndef MFM_ONNX_EXTRACT_H
#define MFM_ONNX_EXTRACT_H

#include "onnx/proto/model.h"

/* names of values: inputs[n_inputs] of those that are given (0: the model's own stay), and
 * outputs[n_outputs]. Shapes of new inputs and outputs are those that the file tells, else, for a
 * model that can be imported, those that it has. MFM_EINVAL: a value that is not there (with the
 * nearest), or an output that does not depend on any input, and an input on which no output
 * depends; MFM_ENOTSUP: an input of unknown shape, a value inside a graph attribute. After a
 * failure the model is fit only to be freed. */
int mfm_model_extract(mfm_ctx *ctx, mfm_model *model, const char *const *inputs, size_t n_inputs,
                      const char *const *outputs, size_t n_outputs);

#endif
