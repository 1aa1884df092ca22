/* Forward passes on given numbers, both ends in ONNX's row-major order. */
#ifndef MFM_OP_FORWARD_H
#define MFM_OP_FORWARD_H

#include "../op_check/op_check_sample.h"

enum { MFM_FORWARD_MOST = 300 }; /* elements of one tensor */

typedef struct mfm_forward_result {
    mfm_shape shape[MFM_SAMPLE_PORTS];
    double y[MFM_SAMPLE_PORTS][MFM_FORWARD_MOST]; /* row-major */
} mfm_forward_result;

/* Infers and runs the node that the sample text describes; input i holds in[i], row-major, or 1, 2,
 * 3, ... where in or in[i] is NULL. A status and a message in ctx on refusal. */
int mfm_op_forward(mfm_ctx *ctx, const char *op, const char *text, const double *const *in,
                   mfm_forward_result *result);

#endif
