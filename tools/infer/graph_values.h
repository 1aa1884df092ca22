/* The outputs of a model by itself, no classifier, for given inputs. */
#ifndef MFM_GRAPH_VALUES_H
#define MFM_GRAPH_VALUES_H

#include "tools/infer/model_values.h"

/* inputs[n_inputs] are called names[n_inputs]; outputs[n_outputs] are the model's first ones. The
 * batch is that of the first input. The caller frees outputs with mfm_model_values_free, also after
 * a failure. */
int mfm_graph_values(mfm_ctx *ctx, const mfm_model *model, const char *const *names,
                     const mfm_model_value *inputs, size_t n_inputs, mfm_model_value *outputs,
                     size_t n_outputs);

#endif
