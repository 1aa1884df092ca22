/*
 * Tensors whose numbers are still in the model's file: raw_data has its length and no bytes. A
 * model that is opened has such tensors, one that is loaded has none.
 */
#ifndef MFM_ONNX_REMOTE_H
#define MFM_ONNX_REMOTE_H

#include "onnx/proto/proto.h"

/* Turns the notes of an outline (onnx/storage/outline.h) in the whole tree into remote tensors. */
int mfm_remote_collect(mfm_model *model);
bool mfm_tensor_is_remote(const Onnx__TensorProto *tensor);
/* `size` of a remote tensor's bytes, from its byte `offset` on; MFM_EIO when the file has become
 * shorter or cannot be read. */
int mfm_remote_read(const mfm_model *model, const Onnx__TensorProto *tensor, size_t offset,
                    void *bytes, size_t size);
/* Reads all of them into the model, which then needs its file no more. */
int mfm_remote_fetch(mfm_model *model);

#endif
