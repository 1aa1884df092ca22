/* What the files of the new head share: head_features.c finds the features, head.c edits. */
#ifndef MFM_ONNX_HEAD_PARTS_H
#define MFM_ONNX_HEAD_PARTS_H

#include "onnx/surgery/head/head.h"
#include "onnx/proto/proto.h"

/* Where the head begins. Names are the model's. */
typedef struct mfm_head_place {
    const char *features;
    bool map;      /* [n, channels, height, width], else [n, width] */
    bool pool;     /* the map is averaged */
    int64_t width; /* of what the classifier reads; 0: only the graph up to there tells */
} mfm_head_place;

int mfm_head_find(mfm_ctx *ctx, const mfm_model *model, const mfm_head_options *options,
                  mfm_head_place *place);

#endif
