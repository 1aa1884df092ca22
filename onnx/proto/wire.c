#include "onnx/proto/wire.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "onnx.pb-c.h"
#include "onnx/proto/varint.h"

enum {
    FIELD_COST =
        48,         /* protobuf-c's record of a field while it unpacks, and a pointer to the rest */
    BLOCK_COST = 16 /* what an allocator adds to a block */
};

typedef struct scan {
    mfm_ctx *ctx;
    const char *name;
    const uint8_t *start;
    uint64_t memory, limit; /* bytes that unpacking will ask for, and may ask for */
} scan;

/* One field: its number, how it is written, and the bytes of its value without a length prefix. */
typedef struct field {
    uint32_t number;
    unsigned wire;
    const uint8_t *at;
    size_t length;
} field;

static int refuse(const scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *at,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static int refuse(const scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *at,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mfm_vfail(s->ctx, MFM_EDATA, format, args);
    va_end(args);
    return mfm_fail_in(s->ctx, MFM_EDATA, "cannot read %s: byte %zu, in %s", s->name,
                       (size_t)(at - s->start), type->short_name);
}

/* The extent of the value that follows a tag, into f->at and f->length. */
static int read_extent(const scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *at,
                       const uint8_t *end, field *f)
{
    uint64_t value;
    size_t used = 0;
    f->at = at;
    switch (f->wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        f->length = mfm_varint_read(at, end, &value);
        if (f->length == 0)
            return refuse(s, type, at, "field %u: a number that does not end", f->number);
        return MFM_OK;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        f->length = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        f->length = 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        used = mfm_varint_read(at, end, &value);
        if (used == 0 || used > 5)
            return refuse(s, type, at, "field %u: a length that does not end", f->number);
        if (value > INT_MAX)
            return refuse(s, type, at, "field %u: %llu bytes: a field ends at 2 GiB", f->number,
                          (unsigned long long)value);
        f->length = value;
        break;
    default:
        return refuse(s, type, at, "field %u: wire type %u: groups are not part of ONNX", f->number,
                      f->wire);
    }
    f->at += used;
    if (f->length > (size_t)(end - f->at))
        return refuse(s, type, at, "field %u: %zu bytes: %zu are left, so the file was cut short",
                      f->number, f->length, (size_t)(end - f->at));
    return MFM_OK;
}

static int read_field(const scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *at,
                      const uint8_t *end, field *f)
{
    uint64_t tag;
    const size_t used = mfm_varint_read(at, end, &tag);
    if (used == 0 || used > 5 || tag > UINT32_MAX || tag >> 3 == 0)
        return refuse(s, type, at, "not a field's number");
    f->number = (uint32_t)(tag >> 3);
    f->wire = tag & 7;
    return read_extent(s, type, at + used, end, f);
}

static size_t number_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    default:
        return 4;
    }
}

static unsigned number_wire(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* A run of numbers in one field. */
static int scan_packed(scan *s, const ProtobufCMessageDescriptor *type,
                       const ProtobufCFieldDescriptor *known, const field *f)
{
    const size_t size = number_size(known->type);
    if (number_wire(known->type) != PROTOBUF_C_WIRE_TYPE_VARINT) {
        if (f->length % size)
            return refuse(s, type, f->at, "%s: %zu bytes: not a multiple of %zu", known->name,
                          f->length, size);
        s->memory += f->length;
        return MFM_OK;
    }
    const uint8_t *end = f->at + f->length;
    uint64_t value;
    for (const uint8_t *at = f->at; at < end;) {
        const size_t used = mfm_varint_read(at, end, &value);
        if (used == 0)
            return refuse(s, type, at, "%s: a number that does not end", known->name);
        at += used;
        s->memory += size;
    }
    return MFM_OK;
}

static int scan_message(scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *at,
                        const uint8_t *end, int depth);

static int scan_prefixed(scan *s, const ProtobufCMessageDescriptor *type,
                         const ProtobufCFieldDescriptor *known, const field *f, int depth)
{
    switch (known->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return scan_message(s, known->descriptor, f->at, f->at + f->length, depth + 1);
    case PROTOBUF_C_TYPE_STRING: {
        const uint8_t *nul = f->length ? memchr(f->at, 0, f->length) : NULL;
        if (nul)
            return refuse(s, type, nul, "%s: a NUL byte inside a string", known->name);
    } /* fall through */
    case PROTOBUF_C_TYPE_BYTES:
        s->memory += f->length + 1 + BLOCK_COST;
        return MFM_OK;
    default:
        if (known->label != PROTOBUF_C_LABEL_REPEATED)
            return refuse(s, type, f->at, "%s: %zu bytes: one number was expected", known->name,
                          f->length);
        return scan_packed(s, type, known, f);
    }
}

static int scan_field(scan *s, const ProtobufCMessageDescriptor *type, const field *f, int depth)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(type, f->number);
    s->memory += FIELD_COST;
    if (!known) {
        s->memory += f->length + BLOCK_COST;
        return MFM_OK;
    }
    if (f->wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return scan_prefixed(s, type, known, f, depth);
    const bool number = known->type != PROTOBUF_C_TYPE_MESSAGE &&
                        known->type != PROTOBUF_C_TYPE_STRING &&
                        known->type != PROTOBUF_C_TYPE_BYTES;
    if (!number || f->wire != number_wire(known->type))
        return refuse(s, type, f->at, "%s: wire type %u: this field has another", known->name,
                      f->wire);
    return MFM_OK;
}

static int scan_message(scan *s, const ProtobufCMessageDescriptor *type, const uint8_t *at,
                        const uint8_t *end, int depth)
{
    if (depth > MFM_WIRE_DEPTH)
        return refuse(s, type, at, "messages nest deeper than %d", MFM_WIRE_DEPTH);
    s->memory += type->sizeof_message + BLOCK_COST;
    while (at < end) {
        field f;
        int status = read_field(s, type, at, end, &f);
        if (!status)
            status = scan_field(s, type, &f, depth);
        if (status)
            return status;
        if (s->memory > s->limit)
            return refuse(s, type, at,
                          "too many small parts: more memory than %d MiB and %d times the file",
                          MFM_WIRE_FREE_MIB, MFM_WIRE_AMPLIFICATION);
        at = f.at + f.length;
    }
    return MFM_OK;
}

/* What the bytes seem to be instead of ONNX; NULL when nothing comes to mind. */
static const char *other_kind(const uint8_t *bytes, size_t size)
{
    static const struct {
        const char *start;
        size_t offset, length;
        const char *kind;
    } kinds[] = {
        {"PK\3\4", 0, 4, "a zip archive (PyTorch's own format is one)"},
        {"\x80\2", 0, 2, "a Python pickle"},
        {"\x89HDF", 0, 4, "an HDF5 file"},
        {"\x89PNG", 0, 4, "a PNG image"},
        {"\xff\xd8\xff", 0, 3, "a JPEG image"},
        {"\x1f\x8b", 0, 2, "compressed by gzip"},
        {"TFL3", 4, 4, "a TensorFlow Lite model"},
        {"GGUF", 0, 4, "a GGUF model"},
        {"version https://git-lfs", 0, 23, "a Git LFS pointer, not the file it stands for"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (size >= kinds[i].offset + kinds[i].length &&
            memcmp(bytes + kinds[i].offset, kinds[i].start, kinds[i].length) == 0)
            return kinds[i].kind;
    size_t printable = 0;
    while (printable < size && printable < 32 &&
           (isprint(bytes[printable]) || isspace(bytes[printable])))
        printable++;
    return printable == size || printable == 32 ? "text" : NULL;
}

/* Whether the first field is one that a ModelProto has, written as it should be. */
static bool starts_like_model(const uint8_t *bytes, size_t size)
{
    uint64_t tag;
    if (mfm_varint_read(bytes, bytes + size, &tag) == 0 || tag > UINT32_MAX)
        return false;
    const ProtobufCFieldDescriptor *known = protobuf_c_message_descriptor_get_field(
        &onnx__model_proto__descriptor, (unsigned)(tag >> 3));
    if (!known)
        return false;
    return (tag & 7) == (known->type == PROTOBUF_C_TYPE_INT64
                             ? PROTOBUF_C_WIRE_TYPE_VARINT
                             : PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
}

static bool has_graph(const scan *s, const uint8_t *bytes, size_t size)
{
    field f;
    for (const uint8_t *at = bytes; at < bytes + size; at = f.at + f.length) {
        if (read_field(s, &onnx__model_proto__descriptor, at, bytes + size, &f))
            return false;
        if (f.number == 7)
            return true;
    }
    return false;
}

static uint64_t limit_of(size_t size)
{
    return ((uint64_t)MFM_WIRE_FREE_MIB << 20) + (uint64_t)MFM_WIRE_AMPLIFICATION * size;
}

int mfm_wire_scan_attribute(mfm_ctx *ctx, const void *bytes, size_t size, const char *name)
{
    const uint8_t *start = bytes;
    scan s = {.ctx = ctx, .name = name, .start = start, .limit = limit_of(size)};
    return scan_message(&s, &onnx__attribute_proto__descriptor, start, start + size, 0);
}

int mfm_wire_scan(mfm_ctx *ctx, const void *bytes, size_t size, const char *name)
{
    const uint8_t *start = bytes;
    if (size == 0)
        return mfm_fail(ctx, MFM_EDATA, "cannot read %s: it is empty: not an ONNX file", name);
    scan s = {.ctx = ctx, .name = name, .start = start, .limit = limit_of(size)};
    int status = MFM_EDATA;
    const bool plausible = starts_like_model(start, size);
    if (plausible)
        status = scan_message(&s, &onnx__model_proto__descriptor, start, start + size, 0);
    if (status == MFM_OK && has_graph(&s, start, size))
        return MFM_OK;
    const char *kind = other_kind(start, size);
    if (kind)
        return mfm_fail(ctx, MFM_EDATA, "cannot read %s: it looks like %s: not an ONNX file", name,
                        kind);
    if (!plausible)
        return mfm_fail(ctx, MFM_EDATA, "cannot read %s: it starts with 0x%02x: not an ONNX file",
                        name, start[0]);
    if (status == MFM_OK)
        return mfm_fail(ctx, MFM_EDATA, "cannot read %s: it has no graph: not an ONNX file", name);
    return status;
}
