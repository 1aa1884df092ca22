/* BatchNormalization: what its operators (batch_normalization*.c: alone, and with what follows it
 * in the same sweep) and their rule (batch_norm_rule.c) share. */
#ifndef MFM_BATCH_NORM_H
#define MFM_BATCH_NORM_H

#include "core/engine/kernels/channels.h"
#include "core/engine/fusion.h"
#include "core/engine/impl.h"

enum {
    MFM_BN_INPUT,
    MFM_BN_SCALE,
    MFM_BN_BIAS,
    MFM_BN_MEAN,
    MFM_BN_VARIANCE,
    MFM_BN_SUMMAND,
    MFM_BN_OTHERS = MFM_BN_SUMMAND /* where the input is joined: its parts behind the first */
};

/* node->saved is [3, c]: the statistics that forward used, and 1 / sqrt(variance + epsilon). */
enum { MFM_BN_SAVED_MEAN, MFM_BN_SAVED_INVSTD, MFM_BN_SAVED_VARIANCE, MFM_BN_SAVED };

typedef struct mfm_batch_norm_attr {
    double epsilon, momentum;
    int64_t training_mode, spatial;
    int activation; /* of BatchNormalizationActivation alone */
} mfm_batch_norm_attr;

/* The attributes of BatchNormalization, for an operator's table. */
#define MFM_BATCH_NORM_ATTRS                                                                       \
    {.name = "epsilon",                                                                            \
     .type = MFM_FLOAT,                                                                            \
     .offset = offsetof(mfm_batch_norm_attr, epsilon),                                             \
     .fallback = 1e-5},                                                                            \
        {.name = "momentum",                                                                       \
         .type = MFM_FLOAT,                                                                        \
         .offset = offsetof(mfm_batch_norm_attr, momentum),                                        \
         .fallback = 0.9},                                                                         \
        {.name = "training_mode",                                                                  \
         .type = MFM_INT,                                                                          \
         .offset = offsetof(mfm_batch_norm_attr, training_mode)},                                  \
    {                                                                                              \
        .name = "spatial", .type = MFM_INT, .offset = offsetof(mfm_batch_norm_attr, spatial),      \
        .fallback = 1                                                                              \
    }

/* The inputs up to MFM_BN_VARIANCE, for an operator's table. */
#define MFM_BATCH_NORM_INPUTS                                                                      \
    {"X", MFM_DATA, false, false}, {"scale", MFM_PARAM, false, false},                             \
        {"B", MFM_PARAM, false, false}, {"mean", MFM_STATE, false, false},                         \
    {                                                                                              \
        "var", MFM_STATE, false, false                                                             \
    }

/* An implementation's parts: what follows the normalisation. */
typedef struct mfm_batch_norm_tail {
    bool summand;  /* input MFM_BN_SUMMAND, of the output's shape, is added */
    bool relu;     /* then the sum is cut at 0; given with every summand */
    bool function; /* the kernel, an mfm_batch_norm_function, is applied; instead of the others */
    bool joined;   /* x is several inputs, [n, *, h, w], one behind the other; without a summand */
} mfm_batch_norm_tail;

/* The choices of mfm_batch_norm_attr.activation. */
enum { MFM_BN_SWISH, MFM_BN_HARD_SWISH, MFM_BN_RELU6, MFM_BN_ACTIVATIONS };

struct mfm_pointwise;

/* A pointwise function with its attributes. */
typedef struct mfm_batch_norm_function {
    const struct mfm_pointwise *f;
    void *attr;
    bool by_output, linear; /* as core/engine/kernels/channels_function.h has them */
} mfm_batch_norm_function;

extern const mfm_rule mfm_rule_batch_norm;
extern const mfm_attr_def mfm_batch_norm_attrs[];
int mfm_batch_norm_infer(mfm_ctx *ctx, mfm_node *node);
int mfm_batch_norm_check_attributes(mfm_ctx *ctx, const mfm_node *node);
/* Scale, bias and statistics: one number a channel. */
int mfm_batch_norm_check_channels(mfm_ctx *ctx, const mfm_node *node, int64_t channels);
int mfm_batch_norm_setup(mfm_ctx *ctx, mfm_node *node);
/* Of a chain whose statement n is the normalisation. */
bool mfm_batch_norm_fused(const mfm_fusion *chain, void *attr);
/* y from x and the statistics that forward found. */
void mfm_batch_norm_restore(const mfm_node *node);
/* Writes the running statistics. */
void mfm_batch_norm_update(const mfm_node *node);

/* Rows (n h w) and channels of the input. */
mfm_channels mfm_batch_norm_size(const mfm_node *node);
/* Reals of scratch that a pass of the rule uses. */
size_t mfm_batch_norm_scratch(const mfm_node *node);

#endif
