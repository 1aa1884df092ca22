/* Protobuf's variable-length numbers: seven bits a byte, the lowest first. */
#ifndef MFM_ONNX_VARINT_H
#define MFM_ONNX_VARINT_H

#include <stddef.h>
#include <stdint.h>

enum { MFM_VARINT_MOST = 10 /* bytes */ };

/* The number of bytes of the varint at `at`, or 0 when it does not end in time. */
static inline size_t mfm_varint_read(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < MFM_VARINT_MOST && at + i < end; i++) {
        *value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

/* Writes value in exactly `width` bytes, which must be enough: longer than need be is allowed. */
static inline void mfm_varint_write(uint8_t *at, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++, value >>= 7)
        at[i] = (uint8_t)((value & 0x7f) | (i + 1 < width ? 0x80 : 0));
}

#endif
