#include "onnx/functions/fields.h"

#include <string.h>

#include "onnx/proto/varint.h"
#include "onnx/proto/wire.h"

enum { NODE_OVERLOAD = 8, FUNCTION_OVERLOAD = 13, FUNCTION_DEFAULTS = 11 };

/* The at-th unknown field of that number that has a length, without it; false when there are
 * fewer. */
static bool unknown_field(const ProtobufCMessage *message, uint32_t number, size_t at,
                          const uint8_t **bytes, size_t *size)
{
    for (size_t i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *f = &message->unknown_fields[i];
        uint64_t length;
        if (f->tag != number || f->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || at-- > 0)
            continue;
        const size_t used = mfm_varint_read(f->data, f->data + f->len, &length);
        *bytes = f->data + used;
        *size = f->len - used;
        return used > 0 && length == *size;
    }
    return false;
}

static mfm_field_text text_field(const ProtobufCMessage *message, unsigned number)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(message->descriptor, number);
    const uint8_t *bytes;
    size_t size;
    if (known) {
        const char *text;
        memcpy(&text, (const char *)message + known->offset, sizeof text);
        return (mfm_field_text){mfm_proto_text(text), strlen(mfm_proto_text(text))};
    }
    if (!unknown_field(message, number, 0, &bytes, &size))
        return (mfm_field_text){"", 0};
    return (mfm_field_text){(const char *)bytes, size};
}

mfm_field_text mfm_node_overload(const Onnx__NodeProto *node)
{
    return text_field(&node->base, NODE_OVERLOAD);
}

mfm_field_text mfm_function_overload(const Onnx__FunctionProto *function)
{
    return text_field(&function->base, FUNCTION_OVERLOAD);
}

int mfm_function_default(const mfm_model *model, const Onnx__FunctionProto *function, size_t at,
                         const Onnx__AttributeProto **attribute, Onnx__AttributeProto **owned)
{
    const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(
        function->base.descriptor, (unsigned)FUNCTION_DEFAULTS);
    const uint8_t *bytes;
    size_t size;
    *attribute = *owned = NULL;
    if (known) {
        size_t count;
        Onnx__AttributeProto **list;
        memcpy(&count, (const char *)function + known->quantifier_offset, sizeof count);
        memcpy(&list, (const char *)function + known->offset, sizeof list);
        *attribute = at < count ? list[at] : NULL;
        return MFM_OK;
    }
    if (!unknown_field(&function->base, FUNCTION_DEFAULTS, at, &bytes, &size))
        return MFM_OK;
    const int status = mfm_wire_scan_attribute(model->ctx, bytes, size, mfm_model_path(model));
    if (status)
        return status;
    ProtobufCAllocator allocator = model->allocator;
    *attribute = *owned = onnx__attribute_proto__unpack(&allocator, size, bytes);
    return *owned ? MFM_OK : MFM_ENOMEM;
}
