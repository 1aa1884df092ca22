/*
 * What differs between two model files: structure, numbers, metadata. Values are matched by their
 * names, and nodes by what they write. Free of protobuf, as inspect.h is.
 */
#ifndef MFM_ONNX_DIFF_H
#define MFM_ONNX_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "onnx/proto/model.h"

typedef enum mfm_diff_part {
    MFM_DIFF_MODEL, /* version, operator sets, producer */
    MFM_DIFF_INPUT,
    MFM_DIFF_OUTPUT,
    MFM_DIFF_NODE,
    MFM_DIFF_TENSOR, /* an initialiser */
    MFM_DIFF_METADATA,
    MFM_DIFF_OTHER /* functions, value_info, training_info, what no field here shows */
} mfm_diff_part;
/* "model", "input", ... */
const char *mfm_diff_part_name(mfm_diff_part part);

typedef struct mfm_difference {
    mfm_diff_part part;
    char *name;           /* of the value, tensor, key or field; of a node, its first output */
    char *before, *after; /* in words; NULL where it is not there */
    /* Of two tensors of one shape and of floating-point types: */
    bool numeric;
    uint64_t numbers, n_apart;      /* in all, and of those that differ */
    double norm_before, norm_after; /* Euclidean */
    double norm_apart, most_apart;  /* of the difference; its largest number */
} mfm_difference;

typedef struct mfm_diff {
    mfm_ctx *ctx;
    mfm_difference *items;
    size_t count, capacity;
} mfm_diff;

/* Of models that were loaded whole. The caller frees *diff. MFM_EIO, MFM_ENOMEM. */
int mfm_model_diff(mfm_ctx *ctx, const mfm_model *a, const mfm_model *b, mfm_diff **diff);
void mfm_diff_free(mfm_diff *diff);

#endif
