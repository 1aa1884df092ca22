/* Modulation of features: what its operators (modulate*.c: alone, and with what follows it in the
 * same sweep) and their rule (modulate_rule.c) share. */
#ifndef MFM_MODULATE_H
#define MFM_MODULATE_H

#include "core/engine/fusion.h"
#include "core/engine/impl.h"

/* In the order in which a pass writes their adjoints. */
enum { MFM_MOD_SCALE, MFM_MOD_SHIFT, MFM_MOD_INPUT, MFM_MOD_SUMMAND };

/* An implementation's parts: what follows the modulation. */
typedef struct mfm_modulate_tail {
    bool summand; /* input MFM_MOD_SUMMAND, of the output's shape, is added */
    bool relu;    /* then the sum is cut at 0; given with every summand */
} mfm_modulate_tail;

extern const mfm_rule mfm_rule_modulate;
/* x [n, c, h, w]; scale and shift [n, c, 1, 1]. */
int mfm_modulate_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_modulate_setup(mfm_ctx *ctx, mfm_node *node);
bool mfm_modulate_fused(const mfm_fusion *chain, void *attr);

#endif
