/*
 * The modulator of an injected model as a model of its own: soft label in, gamma and beta of every
 * site out, by the very nodes and numbers that modulate (onnx/surgery/inject.h).
 */
#ifndef MFM_ONNX_MODULATOR_H
#define MFM_ONNX_MODULATOR_H

#include "onnx/surgery/inject_info.h"

#define MFM_MODULATOR_KEY "mfm.modulator"

/* The input has the soft label's name and shape [n, classes], without a default value. For each
 * site there are the outputs gamma.LAYER (the scale plus 1) and beta.LAYER, [n, channels, 1, ...]
 * of the feature's rank; one that the site does not have is left out. IR version and operator sets
 * are the injected model's. metadata_props[MFM_MODULATOR_KEY] is JSON: modulation, classes, hidden,
 * hash_dim, and per site its layer, position, channels and the outputs' names.
 *
 * MFM_EINVAL when there is no modulator; MFM_EDATA when its metadata does not fit the graph, or
 * gamma and beta follow from more than the soft label. The caller frees *modulator. */
int mfm_model_modulator(mfm_ctx *ctx, const mfm_model *injected, mfm_model **modulator);

/* What it was trained to read, in the words of the training method (mfm_method.modulator_input),
 * kept in metadata_props["mfm.modulator_input"]; a file that does not tell reads "softmax". */
int mfm_modulator_set_input(mfm_model *modulator, const char *words);
const char *mfm_modulator_input(const mfm_model *modulator);

#endif
