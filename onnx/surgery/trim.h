/* A model cut back to what some of its values need. */
#ifndef MFM_ONNX_TRIM_H
#define MFM_ONNX_TRIM_H

#include "onnx/proto/proto.h"

typedef struct mfm_trimmed {
    size_t nodes, initializers; /* that were removed */
} mfm_trimmed;

/* Removes every node that none of the values needs, graphs inside attributes included; and what
 * only removed nodes have read: initialisers, inputs, and what is told of them (value_info,
 * quantisation). What nothing has read before stays, and so do the graph's outputs, which are the
 * caller's. The rest keeps its names and its order. MFM_ENOMEM leaves the model as it is. */
int mfm_model_trim(mfm_model *model, const char *const *values, size_t n_values,
                   mfm_trimmed *trimmed);

#endif
