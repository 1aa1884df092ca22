/* What training does with each tensor of a model, as inspect tells it. */
#ifndef MFM_TENSOR_REPORT_H
#define MFM_TENSOR_REPORT_H

#include <jansson.h>

#include "onnx/roles/roles.h"

/* A line for each kind that is not trained, with what it is made of. */
void mfm_tensor_report_print_counts(const mfm_roles *roles);
int mfm_tensor_report_print(const mfm_roles *roles);
json_t *mfm_tensor_report_json(const mfm_roles *roles);

#endif
