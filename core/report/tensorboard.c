#include "core/report/tensorboard.h"

#include <string.h>

enum { MOST_TAG = 200, MOST_EVENT = 256, HEADER = 12, CHECKSUM = 4 };
/* Fields of tensorflow.Event, of Summary and of Summary.Value, with their wire types. */
enum {
    EVENT_TIME = 1 << 3 | 1,
    EVENT_STEP = 2 << 3 | 0,
    EVENT_VERSION = 3 << 3 | 2,
    EVENT_SUMMARY = 5 << 3 | 2,
    SUMMARY_VALUE = 1 << 3 | 2,
    VALUE_TAG = 1 << 3 | 2,
    VALUE_NUMBER = 2 << 3 | 5
};

uint32_t mfm_crc32c(const uint8_t *bytes, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return ~crc;
}

static uint8_t *put_bytes(uint8_t *to, uint64_t number, int count)
{
    for (int i = 0; i < count; i++)
        *to++ = (uint8_t)(number >> 8 * i);
    return to;
}

static uint8_t *put_varint(uint8_t *to, uint64_t number)
{
    for (; number > 127; number >>= 7)
        *to++ = (uint8_t)(number | 128);
    *to++ = (uint8_t)number;
    return to;
}

static uint8_t *put_double(uint8_t *to, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return put_bytes(to, bits, 8);
}

static uint8_t *put_float(uint8_t *to, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return put_bytes(to, bits, 4);
}

static uint8_t *put_text(uint8_t *to, int field, const void *text, size_t length)
{
    *to++ = (uint8_t)field;
    to = put_varint(to, length);
    memcpy(to, text, length);
    return to + length;
}

static uint8_t *put_checksum(uint8_t *to, const uint8_t *bytes, size_t size)
{
    const uint32_t crc = mfm_crc32c(bytes, size);
    return put_bytes(to, (crc >> 15 | crc << 17) + 0xa282ead8u, CHECKSUM);
}

static void add_record(mfm_events *e, const uint8_t *event, size_t size)
{
    const size_t more = HEADER + size + CHECKSUM;
    if (e->status)
        return;
    if (e->size + more > e->capacity) {
        const size_t capacity = 2 * (e->size + more) + 1024;
        uint8_t *bytes = mfm_alloc(e->ctx, capacity, 1);
        if (!bytes) {
            e->status = MFM_ENOMEM;
            return;
        }
        if (e->size)
            memcpy(bytes, e->bytes, e->size);
        mfm_free(e->ctx, e->bytes);
        e->bytes = bytes;
        e->capacity = capacity;
    }
    uint8_t *at = e->bytes + e->size;
    put_checksum(put_bytes(at, size, 8), at, 8);
    memcpy(at + HEADER, event, size);
    put_checksum(at + HEADER + size, event, size);
    e->size += more;
}

void mfm_events_init(mfm_events *events, mfm_ctx *ctx, double time)
{
    static const char version[] = "brain.Event:2";
    uint8_t event[MOST_EVENT], *at = event;
    *events = (mfm_events){.ctx = ctx};
    *at++ = EVENT_TIME;
    at = put_double(at, time);
    at = put_text(at, EVENT_VERSION, version, sizeof version - 1);
    add_record(events, event, (size_t)(at - event));
}

void mfm_events_clear(mfm_events *events)
{
    mfm_free(events->ctx, events->bytes);
    *events = (mfm_events){.ctx = events->ctx};
}

/* As many bytes of a tag as there is room for: whole characters of UTF-8, or no reader takes it. */
static size_t shown_of(const char *tag)
{
    size_t length = strlen(tag);
    if (length > MOST_TAG)
        for (length = MOST_TAG; length && ((unsigned char)tag[length] & 0xC0) == 0x80;)
            length--;
    return length;
}

void mfm_events_scalar(mfm_events *events, const char *tag, int64_t step, double value, double time)
{
    uint8_t number[MOST_EVENT], summary[MOST_EVENT], event[2 * MOST_EVENT];
    const size_t length = shown_of(tag);
    uint8_t *at = put_text(number, VALUE_TAG, tag, length);
    *at++ = VALUE_NUMBER;
    at = put_float(at, (float)value);
    at = put_text(summary, SUMMARY_VALUE, number, (size_t)(at - number));
    const size_t size = (size_t)(at - summary);
    at = event;
    *at++ = EVENT_TIME;
    at = put_double(at, time);
    *at++ = EVENT_STEP;
    at = put_varint(at, (uint64_t)step);
    at = put_text(at, EVENT_SUMMARY, summary, size);
    add_record(events, event, (size_t)(at - event));
}
