/*
 * Places buffers in one arena so that no two that are alive at the same time overlap. Times are the
 * positions of node calls in a schedule; a buffer may be alive in several ranges, because its
 * content is rewritten later.
 */
#ifndef MFM_MEMORY_PLAN_H
#define MFM_MEMORY_PLAN_H

#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_range {
    int first, last; /* both included */
} mfm_range;

typedef struct mfm_buffer {
    size_t size;   /* in reals */
    size_t offset; /* found by mfm_memory_plan; a multiple of 64 bytes */
    mfm_range *ranges;
    size_t n_ranges, ranges_capacity;
} mfm_buffer;

/* The content is written anew at `time`: a new range begins. */
int mfm_buffer_write(mfm_ctx *ctx, mfm_buffer *buffer, int time);
/* The content is read or added to at `time`: the last range reaches to it. */
int mfm_buffer_use(mfm_ctx *ctx, mfm_buffer *buffer, int time);

/* Largest first, each at the lowest offset that is free over all its ranges. *total is the size of
 * the arena in reals. Buffers without ranges or of size 0 get offset 0. */
int mfm_memory_plan(mfm_ctx *ctx, mfm_buffer *buffers, size_t count, size_t *total);

#endif
