/*
 * Tensors whose numbers are still in the model's file, or one beside it: raw_data has its length
 * and no bytes. A model that is opened has such tensors, one that is loaded has none.
 */
#ifndef MFM_ONNX_REMOTE_H
#define MFM_ONNX_REMOTE_H

#include "onnx/proto/proto.h"

/* Turns the notes of an outline (onnx/storage/outline.h) in the whole tree into remote tensors. */
int mfm_remote_collect(mfm_model *model);
bool mfm_tensor_is_remote(const Onnx__TensorProto *tensor);
/* Makes a tensor of `length` bytes at `offset` of an open file remote; all are sorted afterwards,
 * before any is read. MFM_ENOMEM. */
int mfm_remote_add(mfm_model *model, Onnx__TensorProto *tensor, size_t length, uint64_t offset,
                   int fd);
void mfm_remote_sort(mfm_model *model);
/* `size` of a remote tensor's bytes, from its byte `offset` on; MFM_EIO when the file has become
 * shorter or cannot be read. */
int mfm_remote_read(const mfm_model *model, const Onnx__TensorProto *tensor, size_t offset,
                    void *bytes, size_t size);
/* Reads all of them into the model, which then needs no file any more. */
int mfm_remote_fetch(mfm_model *model);

#endif
