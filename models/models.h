/*
 * Architectures by name: each is built as an ONNX model with fresh weights, ready to be trained or
 * saved. The graph input is "input" [batch, channels, height, width], the output "logits"
 * [batch, classes]; layers and parameters are named as PyTorch names them.
 *
 * The same name, options and version give the same bytes.
 */
#ifndef MFM_MODELS_H
#define MFM_MODELS_H

#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

/* 0 in any of the first four takes the architecture's own default. */
typedef struct mfm_model_options {
    int64_t classes, channels, height, width;
    uint64_t seed; /* of the weights */
} mfm_model_options;

typedef struct mfm_architecture {
    const char *name;
    const char *summary; /* one line for a help text */
    const void *layout;  /* what the family knows of this member */
} mfm_architecture;

/* The index-th architecture, in the order of listing; NULL after the last. */
const mfm_architecture *mfm_model_at(size_t index);
/* Builds one; options NULL takes every default. The caller frees *model. MFM_EINVAL for a name that
 * is not listed (the message has the nearest ones), for options out of range, and for images that
 * shrink to nothing before the last layer. */
int mfm_model_make(mfm_ctx *ctx, const char *name, const mfm_model_options *options,
                   mfm_model **model);

MFM_C_END

#endif
