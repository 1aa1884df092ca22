/*
 * Sets of addresses as disjoint intervals, what touches joined to one. Many sets share a pool; a
 * set is the number of its root, 0 for the empty one. Adding and finding take logarithmic time.
 */
#ifndef MFM_INTERVALS_H
#define MFM_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"

/* A node of a treap: in order by address, and a heap by rank, which is drawn. */
typedef struct mfm_interval {
    size_t first, end; /* end is not included */
    uint32_t rank, left, right;
} mfm_interval;

/* All zero but ctx: no sets yet. */
typedef struct mfm_interval_pool {
    mfm_ctx *ctx;
    mfm_interval *nodes; /* number 0 is none; unused ones are chained by left */
    size_t count, capacity;
    uint32_t unused;
} mfm_interval_pool;

void mfm_intervals_clear(mfm_interval_pool *pool);
/* Adds first < end to the set. On failure the set is as before. */
int mfm_intervals_add(mfm_interval_pool *pool, uint32_t *set, size_t first, size_t end);
/* The lowest interval of the set that ends beyond `at`; NULL: none does. Valid until one is added.
 */
const mfm_interval *mfm_intervals_beyond(const mfm_interval_pool *pool, uint32_t set, size_t at);

#endif
