/*
 * Where a value's numbers are in a file: what import reads and export writes.
 */
#ifndef MFM_ONNX_HOLDER_H
#define MFM_ONNX_HOLDER_H

#include "core/engine/graph.h"
#include "onnx/proto/proto.h"
#include "onnx/proto/strmap.h"

/* An initialiser or a Constant node's value, directly or only by way of an Identity (the first,
 * when there are several). */
typedef struct mfm_holder {
    Onnx__TensorProto *tensor; /* NULL: there is none */
    Onnx__NodeProto *identity; /* NULL: directly */
} mfm_holder;

typedef struct mfm_holders {
    mfm_ctx *ctx;
    const mfm_model *model;
    mfm_strmap nodes;        /* first output -> node */
    mfm_strmap initializers; /* name -> initialiser */
} mfm_holders;

/* Indexes the model as it is; whatever moves nodes or initialisers needs a new index. The caller
 * clears *holders, also after a failure. */
int mfm_holders_init(mfm_ctx *ctx, const mfm_model *model, mfm_holders *holders);
void mfm_holders_clear(mfm_holders *holders);
/* The holder of a parameter or running statistic; MFM_EINVAL when the model has no float tensor of
 * its size. */
int mfm_holders_find(const mfm_holders *holders, const mfm_value *value, mfm_holder *holder);

#endif
