/* How many images go through a plan at once. */
#ifndef MFM_BATCH_SIZE_H
#define MFM_BATCH_SIZE_H

#include "core/engine/plan/plan.h"

/* Of `images`, up to 100 of them, as many as a second is more than enough for on an ordinary
 * processor, so that whoever interrupts the work does not wait longer. one: a plan for one image.
 */
static inline int64_t mfm_batch_size(const mfm_plan *one, size_t images)
{
    enum { MOST = 100 };
    static const int64_t most_products = 20000000000;
    const int64_t products = mfm_plan_macs(one);
    const int64_t by_time = most_products / (products > 0 ? products : 1);
    const int64_t most = by_time < 1 ? 1 : by_time < MOST ? by_time : MOST;
    return (int64_t)images < most ? (int64_t)images : most;
}

#endif
