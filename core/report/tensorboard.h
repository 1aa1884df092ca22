/*
 * Event files that TensorBoard reads: records (TFRecord) of tensorflow.Event messages with scalars.
 *
 * A record is its length (8 bytes, the lowest first), the masked CRC-32C of these, the message, and
 * the masked CRC-32C of that; mask(c) = rotate right by 15, plus 0xa282ead8.
 */
#ifndef MFM_TENSORBOARD_H
#define MFM_TENSORBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"

typedef struct mfm_events {
    mfm_ctx *ctx;
    uint8_t *bytes; /* [size] of the file */
    size_t size, capacity;
    int status; /* of the first failure; what is added later is dropped */
} mfm_events;

/* Begins with the version's event; time is in seconds since 1970. */
void mfm_events_init(mfm_events *events, mfm_ctx *ctx, double time);
void mfm_events_clear(mfm_events *events);
/* A number of a step under a tag of at most 200 bytes, of which no more is kept. */
void mfm_events_scalar(mfm_events *events, const char *tag, int64_t step, double value,
                       double time);

/* Castagnoli's. */
uint32_t mfm_crc32c(const uint8_t *bytes, size_t size);

#endif
