#include "core/data/images/png_write.h"

#include <string.h>
#include <zlib.h>

enum { SIGNATURE = 8, AROUND_CHUNK = 12, HEADER = 13, GREY = 0, COLOUR = 2 };

static uint8_t *put_word(uint8_t *to, uint32_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (uint8_t)(word >> shift);
    return to;
}

/* Length and type before the data, which lie at to + 8 already, and the checksum behind them;
 * returns the end. */
static uint8_t *end_chunk(uint8_t *to, const char type[5], size_t size)
{
    uint8_t *start = put_word(to, (uint32_t)size);
    memcpy(start, type, 4);
    return put_word(start + 4 + size, (uint32_t)crc32(0, start, (uInt)(size + 4)));
}

/* Each row behind a byte 0: none of the filters. */
static void put_rows(uint8_t *to, const uint8_t *pixels, int height, size_t row)
{
    for (int y = 0; y < height; y++) {
        to[(size_t)y * (row + 1)] = 0;
        memcpy(to + (size_t)y * (row + 1) + 1, pixels + (size_t)y * row, row);
    }
}

static int compress_rows(mfm_ctx *ctx, const uint8_t *rows, size_t raw, uint8_t *to, uLong *packed)
{
    return compress2(to, packed, rows, (uLong)raw, 6) == Z_OK
               ? MFM_OK
               : mfm_fail(ctx, MFM_ENOMEM, "png: out of memory");
}

int mfm_png_write(mfm_ctx *ctx, const uint8_t *pixels, int height, int width, int channels,
                  uint8_t **png, size_t *size)
{
    static const uint8_t signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    *png = NULL;
    if (height < 1 || width < 1 || height > 65535 || width > 65535 ||
        (channels != 1 && channels != 3))
        return mfm_fail(ctx, MFM_EINVAL, "png: %d x %d pixels of %d channels: 1 or 3 are known",
                        height, width, channels);
    const size_t row = (size_t)width * (size_t)channels, raw = (row + 1) * (size_t)height;
    uLong packed = compressBound((uLong)raw);
    uint8_t *rows = mfm_alloc(ctx, raw, 1);
    uint8_t *file = mfm_alloc(ctx, SIGNATURE + 3 * AROUND_CHUNK + HEADER + packed, 1);
    int status = rows && file ? MFM_OK : MFM_ENOMEM;
    if (!status) {
        memcpy(file, signature, SIGNATURE);
        uint8_t *at = file + SIGNATURE;
        uint8_t *header = put_word(put_word(at + 8, (uint32_t)width), (uint32_t)height);
        header[0] = 8; /* bits */
        header[1] = channels == 1 ? GREY : COLOUR;
        at = end_chunk(at, "IHDR", HEADER);
        put_rows(rows, pixels, height, row);
        status = compress_rows(ctx, rows, raw, at + 8, &packed);
        at = end_chunk(at, "IDAT", packed);
        *size = (size_t)(end_chunk(at, "IEND", 0) - file);
    }
    mfm_free(ctx, rows);
    if (status)
        mfm_free(ctx, file);
    else
        *png = file;
    return status;
}
