/* What the files of diff share. */
#ifndef MFM_ONNX_DIFF_PARTS_H
#define MFM_ONNX_DIFF_PARTS_H

#include "onnx/info/diff/diff.h"
#include "onnx/proto/proto.h"

enum { MFM_DIFF_TEXT = 512 };

/* A new difference with copies of the texts; NULL without memory. */
mfm_difference *mfm_diff_add(mfm_diff *d, mfm_diff_part part, const char *name, const char *before,
                             const char *after);
/* One where the texts differ; NULL: it is not there. */
int mfm_diff_texts(mfm_diff *d, mfm_diff_part part, const char *name, const char *before,
                   const char *after);
/* Whether two messages have the same bytes. *status is set where that could not be told. */
bool mfm_diff_same(mfm_ctx *ctx, const ProtobufCMessage *a, const ProtobufCMessage *b, int *status);
/* "float32"; "type 99". The text is constant. */
const char *mfm_diff_type(int32_t data_type);

/* diff_nodes.c, diff_tensors.c */
int mfm_diff_nodes(mfm_diff *d, const mfm_model *a, const mfm_model *b);
int mfm_diff_tensors(mfm_diff *d, const mfm_model *a, const mfm_model *b);

#endif
