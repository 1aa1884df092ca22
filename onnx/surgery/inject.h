/*
 * Puts a feature modulator into a model (Wang et al., "Meta Feature Modulator for Long-tailed
 * Recognition", 2020, section 3.2 and appendix A.2), as nodes of standard operators in the file's
 * own operator set.
 *
 * The modulator network reads a soft label y [n, classes]:
 *     z = relu(y W1' + b1) W2' + b2        [n, 2 sum C_k], the first half for gamma, then for beta
 * cut into one [n, C_k] for gamma and one for beta of every site k. The feature X of a site becomes
 *     X + s ((gamma - 1) X + beta)
 * with gamma and beta broadcast over the image. The graph gets two inputs with default values: the
 * soft label (uniform) and the switch s (0), so that the file computes what it computed before
 * until it is fed otherwise.
 *
 * W1 [hidden, classes] starts Xavier-normal, everything else zero. Then gamma is exactly 1 and beta
 * exactly 0 for scaled-softmax, scaled-sigmoid and film: gamma = softmax(z) / u with u the float
 * nearest to 1 / C, which is what softmax(0) gives, and gamma = sigmoid(z) / 0.5. The paper's
 * attention and gated forms (appendix A.2) do not start as the identity: gamma is sigmoid(0) = 1/2,
 * or softmax(0) = 1 / C, and injecting one warns. Scaled to start at 1 they are scaled-sigmoid and
 * scaled-softmax without a shift.
 *
 * With hash_dim d > 0 the network makes [n, 2 d], and a fixed matrix [d, sum C_k] with a single
 * random +1 or -1 in each column spreads each half over the channels (weight hashing, A.2).
 */
#ifndef MFM_ONNX_INJECT_H
#define MFM_ONNX_INJECT_H

#include "core/base/linkage.h"
#include "onnx/surgery/inject_info.h"

MFM_C_BEGIN

enum {
    MFM_INJECT_OPSET = 7, /* the first with numpy's broadcasting */
    MFM_INJECT_IR = 4     /* the first whose inputs can have defaults: an older file is made one */
};

typedef struct mfm_inject_options {
    const char *const *layers; /* selectors, as mfm_layers_select takes them; none: last_conv */
    size_t n_layers;
    mfm_position position;
    mfm_modulation modulation;
    int hidden;              /* neurons of the hidden layer; 0: 100 */
    int classes;             /* 0: from the shape of the logits, or the last layer */
    int hash_dim;            /* 0: no hashing layer */
    bool no_scale, no_shift; /* gamma = 1; beta = 0 */
    uint64_t seed;
} mfm_inject_options;

/* Edits the model. MFM_EINVAL: it has a modulator already, a layer does not exist or has no such
 * position, or the options contradict each other (neither scale nor shift; no shift asked of a form
 * that has none). MFM_ENOTSUP: an operator set below 7, weights that are no floating-point numbers,
 * a layer whose number of channels the file does not tell. After a failure the model is fit only to
 * be freed. */
int mfm_model_inject(mfm_ctx *ctx, mfm_model *model, const mfm_inject_options *options);

/* Takes out exactly what was put in: the bytes are those before mfm_model_inject, apart from what
 * was changed in between. MFM_EINVAL when there is no modulator, MFM_EDATA when what its metadata
 * lists does not fit the graph. After a failure the model is fit only to be freed. */
int mfm_model_strip(mfm_ctx *ctx, mfm_model *model);

/* Whether the model has a modulator that leaves every image's features alone, as a fresh one does
 * of the forms that start at gamma = 1 and beta = 0: its output layer's numbers are all 0. */
int mfm_model_modulates_nothing(mfm_ctx *ctx, const mfm_model *model, bool *nothing);

MFM_C_END

#endif
