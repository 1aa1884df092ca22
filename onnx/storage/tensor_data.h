/*
 * The numbers in a TensorProto: raw or typed, float32, float64, float16 or bfloat16. The tensor has
 * been validated: its data has the size that its shape asks for.
 */
#ifndef MFM_ONNX_TENSOR_DATA_H
#define MFM_ONNX_TENSOR_DATA_H

#include "core/base/shape.h"
#include "onnx/proto/proto.h"

bool mfm_type_is_float(int32_t data_type);
/* Whether numbers of that type are rounded when training writes them: float16, bfloat16. */
bool mfm_type_is_narrow(int32_t data_type);
bool mfm_tensor_is_float(const Onnx__TensorProto *tensor);
/* Whole numbers of 8 to 64 bits, or bool. */
bool mfm_tensor_is_int(const Onnx__TensorProto *tensor);
int mfm_tensor_shape(mfm_ctx *ctx, const Onnx__TensorProto *tensor, mfm_shape *shape);
/* Number of elements of a validated tensor. */
size_t mfm_tensor_size(const Onnx__TensorProto *tensor);

/* Row-major, as ONNX has them, of a float tensor that is in memory (onnx/storage/remote.h). */
void mfm_tensor_get_reals(const Onnx__TensorProto *tensor, real *values);
/* The same with all their digits; raw are raw_data's bytes, NULL where the numbers are in a typed
 * field. */
void mfm_tensor_get_doubles(const Onnx__TensorProto *tensor, const uint8_t *raw, double *values);
/* The same, and those of an int tensor (of uint64, those that int64 holds; a
 * larger one is below 0), also of tensors that are still in the file. MFM_EIO, MFM_ENOMEM. */
int mfm_tensor_read_doubles(const mfm_model *model, const Onnx__TensorProto *tensor,
                            double *values);
int mfm_tensor_read_ints(const mfm_model *model, const Onnx__TensorProto *tensor, int64_t *values);
/* The number of a float type that is nearest; infinite beyond its range. */
double mfm_tensor_round(int32_t data_type, double value);
/* `count` numbers of a float tensor's type, from raw_data's bytes. */
void mfm_raw_get_reals(const uint8_t *raw, int32_t data_type, size_t count, real *values);
/* All numbers of a float tensor in the engine's storage order, stored[mfm_shape_count(shape)];
 * shape is the tensor's own. Reads what is still in the file. MFM_EIO, MFM_ENOMEM. */
int mfm_tensor_read(const mfm_model *model, const Onnx__TensorProto *tensor, const mfm_shape *shape,
                    real *stored);
/* Writes in the tensor's own type and encoding (a float tensor). A number that reads back as the
 * one to be written is left alone, so that what is wider than `real`, or a NaN, survives. */
void mfm_tensor_set_reals(Onnx__TensorProto *tensor, const real *values);

/* A tensor called `name` with the shape, the type and the numbers of a float tensor, in raw_data;
 * not yet hung anywhere. NULL with MFM_ENOMEM recorded. */
Onnx__TensorProto *mfm_tensor_like(mfm_model *model, const Onnx__TensorProto *tensor,
                                   const char *name);

#endif
