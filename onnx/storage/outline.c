#include "onnx/storage/outline.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "onnx.pb-c.h"
#include "onnx/storage/file_read.h"
#include "onnx/proto/varint.h"
#include "onnx/proto/wire.h"

enum {
    WINDOW = 1 << 14,                 /* bytes read at once where small fields lie */
    MOST_HEADER = 2 * MFM_VARINT_MOST /* a tag, and a length or a number */
};

/* What has been written is never longer than what has been read: used <= at. */
typedef struct cutter {
    mfm_ctx *ctx;
    const char *name;
    int fd;
    uint64_t at, size; /* in the file */
    uint8_t *out;      /* [size] */
    size_t used;
    uint64_t window_at;
    size_t window_size;
    uint8_t window[WINDOW];
} cutter;

/* A field: its tag, in as many bytes, then for a prefixed one its length, then its value. */
typedef struct header {
    const ProtobufCFieldDescriptor *known;
    bool prefixed;
    size_t tag_width, length_width;
    uint64_t length; /* of the value */
} header;

static int irregular(const cutter *c)
{
    return mfm_fail(c->ctx, MFM_EDATA, "cannot read %s: byte %llu: lengths that do not nest",
                    c->name, (unsigned long long)c->at);
}

static int read_bytes(const cutter *c, uint8_t *bytes, size_t size, uint64_t offset)
{
    const ssize_t got = mfm_read_at(c->fd, bytes, size, offset);
    if (got < 0)
        return mfm_fail(c->ctx, MFM_EIO, "cannot read %s: %s", c->name, strerror(errno));
    return (size_t)got == size ? MFM_OK : irregular(c);
}

/* Brings the next `count` bytes, which the file has, into the window. */
static int fill_window(cutter *c, size_t count)
{
    if (c->at >= c->window_at && c->at + count <= c->window_at + c->window_size)
        return MFM_OK;
    const uint64_t left = c->size - c->at;
    c->window_at = c->at;
    c->window_size = 0;
    const size_t wanted = left < WINDOW ? (size_t)left : WINDOW;
    const int status = read_bytes(c, c->window, wanted, c->at);
    if (!status)
        c->window_size = wanted;
    return status;
}

/* Copies the next `count` bytes, which the file has. */
static int copy(cutter *c, uint64_t count)
{
    int status = MFM_OK;
    if (count <= WINDOW) {
        status = fill_window(c, (size_t)count);
        if (!status)
            memcpy(c->out + c->used, c->window + (c->at - c->window_at), (size_t)count);
    } else {
        status = read_bytes(c, c->out + c->used, (size_t)count, c->at);
    }
    c->at += count;
    c->used += (size_t)count;
    return status;
}

/* The header of the next field of a message that ends at `end`. */
static int read_header(cutter *c, const ProtobufCMessageDescriptor *type, uint64_t end, header *h)
{
    const uint64_t left = end - c->at;
    const size_t most = left < MOST_HEADER ? (size_t)left : MOST_HEADER;
    const int status = fill_window(c, most);
    if (status)
        return status;
    const uint8_t *at = c->window + (c->at - c->window_at), *stop = at + most;
    uint64_t tag, number;
    h->tag_width = mfm_varint_read(at, stop, &tag);
    if (h->tag_width == 0 || tag > UINT32_MAX)
        return irregular(c);
    const ProtobufCWireType wire = (ProtobufCWireType)(tag & 7);
    const size_t width = mfm_varint_read(at + h->tag_width, stop, &number);
    h->known = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
    h->prefixed = wire == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    h->length_width = h->prefixed ? width : 0;
    h->length = h->prefixed                           ? number
                : wire == PROTOBUF_C_WIRE_TYPE_VARINT ? width
                : wire == PROTOBUF_C_WIRE_TYPE_64BIT  ? 8u
                : wire == PROTOBUF_C_WIRE_TYPE_32BIT  ? 4u
                                                      : 0u;
    const bool sized = h->length > 0 || (h->prefixed && width > 0);
    if (!sized || h->length > left - h->tag_width - h->length_width)
        return irregular(c);
    return MFM_OK;
}

static bool is_large_raw_data(const ProtobufCMessageDescriptor *type, const header *h)
{
    return type == &onnx__tensor_proto__descriptor && h->prefixed && h->known &&
           h->known->offset == offsetof(Onnx__TensorProto, raw_data) &&
           h->length >= MFM_OUTLINE_LEAST;
}

static int cut_raw_data(cutter *c, const header *h)
{
    const int status = copy(c, h->tag_width + h->length_width);
    if (status)
        return status;
    const mfm_outline_note note = {.offset = c->at, .length = h->length};
    mfm_varint_write(c->out + c->used - h->length_width, h->length_width, MFM_OUTLINE_LEAST);
    memset(c->out + c->used, 0, MFM_OUTLINE_LEAST);
    memcpy(c->out + c->used, &note, sizeof note);
    c->used += MFM_OUTLINE_LEAST;
    c->at += h->length;
    return MFM_OK;
}

static int cut_message(cutter *c, const ProtobufCMessageDescriptor *type, uint64_t end, int depth);

static int cut_nested(cutter *c, const header *h, int depth)
{
    int status = copy(c, h->tag_width + h->length_width);
    const size_t start = c->used;
    if (!status)
        status = cut_message(c, h->known->descriptor, c->at + h->length, depth + 1);
    if (!status)
        mfm_varint_write(c->out + start - h->length_width, h->length_width, c->used - start);
    return status;
}

static int cut_message(cutter *c, const ProtobufCMessageDescriptor *type, uint64_t end, int depth)
{
    int status = depth > MFM_WIRE_DEPTH ? irregular(c) : MFM_OK;
    while (c->at < end && !status) {
        header h = {0};
        status = read_header(c, type, end, &h);
        if (status)
            break;
        if (is_large_raw_data(type, &h))
            status = cut_raw_data(c, &h);
        else if (h.prefixed && h.known && h.known->type == PROTOBUF_C_TYPE_MESSAGE)
            status = cut_nested(c, &h, depth);
        else
            status = copy(c, h.tag_width + h.length_width + h.length);
    }
    return status;
}

int mfm_outline_read(mfm_ctx *ctx, int fd, size_t file_size, const char *name, uint8_t **bytes,
                     size_t *size)
{
    *bytes = NULL;
    cutter *c = mfm_alloc(ctx, 1, sizeof *c);
    if (!c)
        return MFM_ENOMEM;
    c->ctx = ctx;
    c->name = name;
    c->fd = fd;
    c->size = file_size;
    c->out = mfm_alloc_aligned(ctx, file_size, 1);
    int status = c->out ? cut_message(c, &onnx__model_proto__descriptor, file_size, 0) : MFM_ENOMEM;
    *size = c->used;
    if (status)
        mfm_free_aligned(ctx, c->out);
    else
        *bytes = c->out;
    mfm_free(ctx, c);
    return status;
}
