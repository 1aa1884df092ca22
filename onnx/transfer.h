/*
 * A modulator that was trained elsewhere as the start of another model's: what modulator.onnx
 * (onnx/modulator.h) tells of its form, and its numbers put into a modulator of the same form.
 */
#ifndef MFM_ONNX_TRANSFER_H
#define MFM_ONNX_TRANSFER_H

#include "onnx/surgery/inject_info.h"

typedef struct mfm_modulator_layer {
    char *layer; /* its name in the model that it was trained in */
    mfm_position position;
    int64_t channels;
} mfm_modulator_layer;

typedef struct mfm_modulator_info {
    mfm_modulation modulation;
    int64_t classes, hidden, hash_dim;
    bool has_scale, has_shift;
    mfm_modulator_layer *layers; /* [n_layers], in the order of its outputs */
    size_t n_layers;
} mfm_modulator_info;

/* MFM_EINVAL when the file is no modulator, MFM_EDATA when what it tells is damaged. The caller
 * frees *info. */
int mfm_modulator_info_read(mfm_ctx *ctx, const mfm_model *modulator, mfm_modulator_info **info);
void mfm_modulator_info_free(mfm_ctx *ctx, mfm_modulator_info *info);

/* The numbers of `modulator` into that of `injected`, whose layer k takes those of the modulator's
 * layer from[k]; NULL: those of its own number. MFM_EINVAL, and nothing is changed, when classes,
 * layers, channels or the form differ. */
int mfm_modulator_transfer(mfm_ctx *ctx, mfm_model *injected, const mfm_model *modulator,
                           const size_t *from);

#endif
