/*
 * Whole numbers computed by a graph about itself: the shape sub-graphs that exporters write
 * (Shape, Gather, Unsqueeze, Concat, ...). They are folded while importing. The batch size is not
 * known then: a number that is the batch is marked as such and may be moved, but not computed with.
 */
#ifndef MFM_ONNX_FOLD_H
#define MFM_ONNX_FOLD_H

#include "core/base/shape.h"
#include "onnx/proto/proto.h"

enum { MFM_FOLD_MAX = 32 };

typedef struct mfm_folded {
    int rank; /* 0: scalar, 1: list */
    int count;
    int64_t v[MFM_FOLD_MAX];
    bool batch[MFM_FOLD_MAX]; /* v[i] stands for the batch size */
} mfm_folded;

/* The numbers of an int tensor; false when it is not one, or too long or of rank above 1. */
bool mfm_fold_tensor(const Onnx__TensorProto *tensor, mfm_folded *result);
/* A Shape node over a value whose shape is known at batches of MFM_FOLD_BATCH and one more: a
 * length that differs must be the batch itself, else the result is false. Opset 15 has start and
 * end. */
enum { MFM_FOLD_BATCH = 2 };
bool mfm_fold_shape(const Onnx__NodeProto *node, const mfm_shape *shape, const mfm_shape *larger,
                    mfm_folded *result);
/* A node over folded inputs (NULL: absent). False when it cannot be folded. */
bool mfm_fold_node(const Onnx__NodeProto *node, const mfm_folded *const *inputs, size_t n_inputs,
                   mfm_folded *result);

#endif
