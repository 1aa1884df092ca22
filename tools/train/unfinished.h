/* Checkpoints whose weights are not yet those of the plain classifier that their run writes. */
#ifndef MFM_UNFINISHED_H
#define MFM_UNFINISHED_H

#include "onnx/proto/model.h"

/* MFM_EINVAL for a checkpoint of a run with finishing, or with a loss that has a classifier of its
 * own: its weights give other logits than the model beside it. Other models pass. */
int mfm_refuse_unfinished(mfm_ctx *ctx, const mfm_model *model);

#endif
