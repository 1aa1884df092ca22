/* LayerNormalization and RMSNormalization: normalisation of each sample's last axes, scaled and
 * shifted place by place. Their rule (layer_norm_rule.c) has the four passes. */
#ifndef MFM_LAYER_NORM_H
#define MFM_LAYER_NORM_H

#include "core/engine/fusion.h"
#include "core/engine/impl.h"

enum { MFM_LN_INPUT, MFM_LN_SCALE, MFM_LN_BIAS };

typedef struct mfm_layer_norm_attr {
    int64_t axis, stash_type;
    double epsilon;
} mfm_layer_norm_attr;

/* An implementation's parts. */
typedef struct mfm_layer_norm_form {
    bool centred; /* the mean is taken off first */
} mfm_layer_norm_form;

extern const mfm_rule mfm_rule_layer_norm;
extern const mfm_attr_def mfm_layer_norm_attrs[];
/* Whether scale or bias of that shape broadcasts to what is normalised of x. */
bool mfm_layer_norm_takes(const mfm_shape *x, int axis, const mfm_shape *param);
int mfm_layer_norm_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_layer_norm_setup(mfm_ctx *ctx, mfm_node *node);
void mfm_layer_norm_release(mfm_ctx *ctx, mfm_node *node);

#endif
