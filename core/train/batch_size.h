/* How many images go through a plan at once. */
#ifndef MFM_BATCH_SIZE_H
#define MFM_BATCH_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* Multiplications that a second is more than enough for on an ordinary processor: whoever
 * interrupts the work waits no longer. */
static const int64_t mfm_products_at_once = 20000000000;

/* Of `images` with so many multiplications each, up to 100. */
static inline int64_t mfm_batch_size(int64_t products, size_t images)
{
    enum { MOST = 100 };
    const int64_t by_time = mfm_products_at_once / (products > 0 ? products : 1);
    const int64_t most = by_time < 1 ? 1 : by_time < MOST ? by_time : MOST;
    return (int64_t)images < most ? (int64_t)images : most;
}

#endif
