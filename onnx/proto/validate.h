/*
 * The rules of ONNX that every later stage relies on, checked once after parsing: single
 * assignment, nodes sorted so that every input is known, tensors whose data has the size that
 * their shape and type ask for. What an operator wants of its inputs is the importer's matter.
 */
#ifndef MFM_ONNX_VALIDATE_H
#define MFM_ONNX_VALIDATE_H

#include "onnx/proto/proto.h"

/* MFM_EDATA with the first rule that is broken. */
int mfm_validate(const mfm_model *model);
/* Every rule that is broken is told, and the check goes on. MFM_EDATA when any was, MFM_ENOMEM. */
typedef void mfm_tell_fn(void *self, const char *text);
int mfm_validate_all(const mfm_model *model, mfm_tell_fn *tell, void *self);
/* One tensor by itself: dimensions, and data of the right kind and amount. External data must have
 * been loaded. */
int mfm_validate_tensor(const mfm_model *model, const Onnx__TensorProto *tensor);
/* Bits of one element; 0 for strings and for types that are not known. */
unsigned mfm_element_bits(int32_t data_type);
/* The product of the dimensions; MFM_EDATA when one is negative or the product overflows. */
int mfm_tensor_count(const mfm_model *model, const Onnx__TensorProto *tensor, uint64_t *count);

#endif
