/*
 * What Softmax and LogSoftmax share: the axis they normalise along, and two ONNX meanings of it.
 *
 * From opset 13 on, the sum runs along one axis (default -1). Before, the input counts as a matrix,
 * flattened at the axis (default 1), and the sum runs along its rows: over that axis and all after
 * it. In this engine's storage the summed axes are neighbours in both cases, so that the tensor is
 * [outer, length, inner] with sums along the middle; only the set of elements in a sum matters, not
 * their order.
 */
#ifndef MFM_SOFTMAX_AXIS_H
#define MFM_SOFTMAX_AXIS_H

#include "core/engine/impl.h"
#include "core/engine/ops/reduce/runs.h"

typedef struct mfm_softmax_attr {
    int64_t axis;
} mfm_softmax_attr;

/* node->opset chooses the meaning of the axis; infer has checked it. */
mfm_runs mfm_softmax_runs(const mfm_node *node);
int mfm_softmax_infer(mfm_ctx *ctx, mfm_node *node);
/* Whether threads pay. */
bool mfm_softmax_is_large(const mfm_runs *v);

extern const mfm_rule mfm_rule_softmax, mfm_rule_log_softmax;
extern const mfm_port mfm_softmax_inputs[], mfm_softmax_outputs[];
/* Both meanings of the axis: from opset 13 on, and before. */
extern const mfm_attr_def mfm_softmax_attrs[], mfm_softmax_attrs_1[];
extern const char *const mfm_softmax_samples[], *const mfm_softmax_samples_1[];

/* gx' of a normalisation along the axis: pull gives to = [to +] J^T g, pull_tangent adds the
 * product with J's own tangent, which comes from the output's. */
void mfm_softmax_vjp_t(const mfm_node *node,
                       void (*pull)(const mfm_node *node, const real *g, real *to, bool add),
                       void (*pull_tangent)(const mfm_node *node, const real *tangent,
                                            const real *g, real *to, bool add));

#endif
