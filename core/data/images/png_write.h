/* A picture as the bytes of a PNG file (ISO/IEC 15948), for showing it. */
#ifndef MFM_PNG_WRITE_H
#define MFM_PNG_WRITE_H

#include <stdint.h>

#include "core/base/context.h"

/* pixels [height, width, channels], of 1 channel (grey) or 3 (red, green, blue). The caller frees
 * *png by mfm_free. MFM_EINVAL for other channels or an empty picture. */
int mfm_png_write(mfm_ctx *ctx, const uint8_t *pixels, int height, int width, int channels,
                  uint8_t **png, size_t *size);

#endif
