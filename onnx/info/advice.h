/* What to do about a node that cannot be trained. */
#ifndef MFM_ONNX_ADVICE_H
#define MFM_ONNX_ADVICE_H

#include "onnx/proto/proto.h"

/* ": what it is, and what to do"; "" where nothing is known beyond that it is not supported. */
const char *mfm_advice(const Onnx__NodeProto *node);
/* Whether it is a tree, a machine of support vectors or the like: no form of it can be trained. */
bool mfm_is_no_network(const Onnx__NodeProto *node);

#endif
