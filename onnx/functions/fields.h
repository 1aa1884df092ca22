/*
 * Fields of functions and their calls that older definitions of ONNX do not have (overload, the
 * defaults of attributes). Built with such a definition, protobuf-c keeps them as unknown fields;
 * built with a newer one, in its structures. Both are read here.
 */
#ifndef MFM_ONNX_FUNCTION_FIELDS_H
#define MFM_ONNX_FUNCTION_FIELDS_H

#include "onnx/proto/proto.h"

/* NodeProto.overload and FunctionProto.overload, not ended by NUL; "" where there is none. */
typedef struct mfm_field_text {
    const char *text;
    size_t length;
} mfm_field_text;
mfm_field_text mfm_node_overload(const Onnx__NodeProto *node);
mfm_field_text mfm_function_overload(const Onnx__FunctionProto *function);

/* FunctionProto.attribute_proto: attributes with their defaults. Number `at` becomes *attribute,
 * NULL beyond the last. *owned is released with onnx__attribute_proto__free_unpacked(..., model's
 * allocator). MFM_EDATA for bytes that are no attribute, MFM_ENOMEM. */
int mfm_function_default(const mfm_model *model, const Onnx__FunctionProto *function, size_t at,
                         const Onnx__AttributeProto **attribute, Onnx__AttributeProto **owned);

#endif
