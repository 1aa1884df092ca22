/*
 * What was injected into a model, as its metadata tells: enough to take it out again, and to find
 * the modulator for training. It is JSON under metadata_props["mfm.inject"].
 *
 * At a site the nodes compute  output = value + switch * (scale * value + shift),  with
 * scale = gamma - 1 and shift = beta, each [n, channels, 1, ...] of the rank of value, n being the
 * soft label's batch.
 */
#ifndef MFM_ONNX_INJECT_INFO_H
#define MFM_ONNX_INJECT_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/linkage.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

#define MFM_INJECT_KEY "mfm.inject"

/* Where in its surroundings a layer is modulated. */
typedef enum mfm_position {
    MFM_AT_NORM,  /* after the layer's own normalisation when it has one, else after the layer */
    MFM_AT_CONV,  /* directly after the layer */
    MFM_AT_ACT,   /* after the layer's activation */
    MFM_AT_BLOCK, /* after the residual sum the layer's branch ends in, and its activation */
    MFM_POSITIONS
} mfm_position;

/* How gamma and beta come from the modulator network's output z, which starts at 0. */
typedef enum mfm_modulation {
    MFM_SCALED_SOFTMAX, /* gamma = channels * softmax(z), beta free */
    MFM_SCALED_SIGMOID, /* gamma = 2 sigmoid(z), beta free */
    MFM_FILM,           /* gamma = 1 + z, beta free */
    MFM_ATTENTION,      /* gamma = sigmoid(z), no beta: 1/2 at the start, not the identity */
    MFM_GATED,          /* gamma = softmax(z), no beta: 1 / channels at the start */
    MFM_MODULATIONS
} mfm_modulation;

/* "norm", "conv", "act", "block"; "scaled-softmax", "scaled-sigmoid", "film", "attention",
 * "gated". */
const char *mfm_position_name(mfm_position position);
const char *mfm_modulation_name(mfm_modulation modulation);
/* Whether the form has a beta; whether gamma starts at 1, so that the first step is a plain one. */
bool mfm_modulation_shifts(mfm_modulation modulation);
bool mfm_modulation_starts_at_one(mfm_modulation modulation);
/* MFM_EINVAL, with the valid names, when text is none of them. */
int mfm_position_parse(mfm_ctx *ctx, const char *text, mfm_position *position);
int mfm_modulation_parse(mfm_ctx *ctx, const char *text, mfm_modulation *modulation);

typedef struct mfm_inject_site {
    char *layer;  /* what the layer is called in listings: its node's name, else its output's */
    char *value;  /* the feature that is modulated, X */
    char *output; /* the modulated feature */
    char *scale;  /* gamma - 1; "" when gamma is 1 */
    char *shift;  /* beta; "" when beta is 0 */
    mfm_position position;
    int64_t channels;
    int rank;     /* of the feature */
    int axis;     /* of its channels: 1, or the last of [n, ..., channels] */
    bool renamed; /* X was a graph output: output has its name, and value is the inserted one */
} mfm_inject_site;

typedef struct mfm_inject_info {
    int version;
    mfm_modulation modulation;
    int64_t classes, hidden, hash_dim; /* hash_dim 0: no hashing layer */
    int64_t ir_version;                /* of the file before the injection */
    char *soft_label;                  /* graph input [n, classes], rows that sum to 1 */
    char *gate;                        /* graph input [1]: the switch s */
    mfm_inject_site *sites;
    size_t n_sites;
    /* All that was inserted. Inputs are also among the initializers: their default values. */
    char **nodes, **initializers, **inputs;
    size_t n_nodes, n_initializers, n_inputs;
    /* The initializers that training changes. */
    char **parameters;
    size_t n_parameters;
} mfm_inject_info;

/* *info is NULL when the model has no modulator. MFM_EDATA when the metadata is damaged,
 * MFM_ENOTSUP when it is of a later version. The caller frees *info. */
int mfm_inject_info_read(mfm_ctx *ctx, const mfm_model *model, mfm_inject_info **info);
void mfm_inject_info_free(mfm_ctx *ctx, mfm_inject_info *info);
/* Writes it into the model's metadata. MFM_EDATA when a name is not UTF-8. */
int mfm_inject_info_write(mfm_ctx *ctx, mfm_model *model, const mfm_inject_info *info);

MFM_C_END

#endif
