/*
 * A checkpoint is one ONNX file: the model as it is trained (with its modulators), the optimisers'
 * vectors as initialisers of a training_info algorithm graph with update bindings, and the counters
 * in metadata_props["mfm.checkpoint"] as JSON with exact (hexadecimal) floating-point numbers.
 * Resuming from it continues bit for bit; for a model whose weights are not float32, up to the
 * rounding of its own element type, in which they are kept. The file is sealed
 * (onnx/storage/seal.h). Where weights or vectors exceed what one file holds, the large ones lie in
 * a file beside it, whose name is sealed and tells a hash of them (onnx/storage/external.h).
 */
#ifndef MFM_ONNX_CHECKPOINT_H
#define MFM_ONNX_CHECKPOINT_H

#include "core/base/linkage.h"
#include "core/train/training.h"
#include "onnx/proto/model.h"

MFM_C_BEGIN

/* Writes atomically; the checkpoint that path held is kept under the name previous in the same
 * folder (NULL: it is not). model is the one being trained; its values are brought up to date on
 * the way. run_options is a JSON object or list (MFM_EINVAL otherwise) that resuming compares and
 * hands back. After any failure model is no checkpoint, and may be trained on. */
int mfm_checkpoint_save(mfm_ctx *ctx, mfm_model *model, const mfm_training *training,
                        const char *run_options, const char *path, const char *previous);

/* mfm_model_load for a checkpoint: MFM_EDATA unless it is, byte for byte, what was written. */
int mfm_checkpoint_load(mfm_ctx *ctx, const char *path, mfm_model **model);
/* Only that check. */
int mfm_checkpoint_check(mfm_ctx *ctx, const char *path);

/* What a checkpoint says of its run: *options is the options' JSON (compact), NULL when the model
 * is no checkpoint. The caller releases it with mfm_free. */
int mfm_checkpoint_options(mfm_ctx *ctx, const mfm_model *model, char **options);

/* Restores vectors and counters into a training that was made from this model with the same options
 * (parameters and running statistics came in with the import). MFM_EDATA when something is missing
 * or damaged, MFM_ENOTSUP for a later version; training is then fit only to be freed. */
int mfm_checkpoint_restore(mfm_ctx *ctx, const mfm_model *model, mfm_training *training);

/* Removes training_info and the checkpoint's metadata: leaves the model alone. */
int mfm_checkpoint_strip(mfm_ctx *ctx, mfm_model *model);

MFM_C_END

#endif
