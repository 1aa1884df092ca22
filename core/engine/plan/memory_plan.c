#include "core/engine/plan/memory_plan.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/engine/plan/intervals.h"
#include "core/base/shape.h"

enum { ALIGNMENT = 64 / sizeof(real) };

int mfm_buffer_write(mfm_ctx *ctx, mfm_buffer *buffer, int time)
{
    int status = mfm_grow(ctx, &buffer->ranges, buffer->n_ranges, &buffer->ranges_capacity,
                          sizeof *buffer->ranges);
    if (!status)
        buffer->ranges[buffer->n_ranges++] = (mfm_range){time, time};
    return status;
}

int mfm_buffer_use(mfm_ctx *ctx, mfm_buffer *buffer, int time)
{
    if (!buffer->n_ranges)
        return mfm_buffer_write(ctx, buffer, time);
    assert(buffer->ranges[buffer->n_ranges - 1].last <= time);
    buffer->ranges[buffer->n_ranges - 1].last = time;
    return MFM_OK;
}

/* ---- what is taken, by time ---- */

/* A part of the times: both halves of it are parts too, down to single moments. */
typedef struct part {
    uint32_t whole; /* addresses that are taken in all of it by a buffer alive in all of it... */
    uint32_t some;  /* ... and those taken by buffers that are booked here or in a part of it */
} part;

/* In each of so many equal spans of the schedule, the moment at which most is alive. */
enum { MOMENTS = 64 };

/* Every range of times is cut into few parts, two of each size at most, and booked there. The parts
 * of a heap: number 1 is all times, 2 i and 2 i + 1 are the halves of i.
 *
 * That is enough to tell what is taken. But where much is alive at once, as between forward and
 * backward, neighbours lie in the sets of different parts, and a search would hop from one to the
 * next. So what is taken at some such moments is booked in one set each, where neighbours join. */
typedef struct ledger {
    mfm_interval_pool pool;
    part *parts;
    int64_t times; /* a power of two */
    int64_t moment[MOMENTS];
    uint32_t taken[MOMENTS]; /* at that moment */
    uint32_t *sets;          /* of those that a buffer must keep clear of */
    size_t n_sets;
} ledger;

/* Takes [first, end) in the part that covers [from, from + length) of the times. */
static int book(ledger *l, size_t number, int64_t from, int64_t length, const mfm_range *range,
                size_t first, size_t end)
{
    const int64_t last = from + length - 1, half = length / 2;
    if (range->last < from || range->first > last)
        return MFM_OK;
    int status = mfm_intervals_add(&l->pool, &l->parts[number].some, first, end);
    if (status)
        return status;
    if (range->first <= from && last <= range->last)
        return mfm_intervals_add(&l->pool, &l->parts[number].whole, first, end);
    status = book(l, 2 * number, from, half, range, first, end);
    return status ? status : book(l, 2 * number + 1, from + half, half, range, first, end);
}

static bool covers(const mfm_range *range, int64_t time)
{
    return range->first <= time && time <= range->last;
}

static int book_range(ledger *l, const mfm_range *range, size_t first, size_t end)
{
    int status = book(l, 1, 0, l->times, range, first, end);
    for (int i = 0; i < MOMENTS && !status; i++)
        if (covers(range, l->moment[i]))
            status = mfm_intervals_add(&l->pool, &l->taken[i], first, end);
    return status;
}

static void collect(ledger *l, uint32_t set)
{
    if (set)
        l->sets[l->n_sets++] = set;
}

/* Collects the sets of addresses that are taken at some time of the range. */
static void consult(ledger *l, size_t number, int64_t from, int64_t length, const mfm_range *range)
{
    const int64_t last = from + length - 1, half = length / 2;
    if (range->last < from || range->first > last || !l->parts[number].some)
        return;
    if (range->first <= from && last <= range->last) {
        collect(l, l->parts[number].some);
        return;
    }
    collect(l, l->parts[number].whole);
    consult(l, 2 * number, from, half, range);
    consult(l, 2 * number + 1, from + half, half, range);
}

/* Those of the moments come first. */
static void consult_all(ledger *l, const mfm_buffer *buffer)
{
    l->n_sets = 0;
    for (size_t i = 0; i < buffer->n_ranges; i++)
        for (int k = 0; k < MOMENTS; k++)
            if (covers(&buffer->ranges[i], l->moment[k]))
                collect(l, l->taken[k]);
    for (size_t i = 0; i < buffer->n_ranges; i++)
        consult(l, 1, 0, l->times, &buffer->ranges[i]);
}

/* The lowest place of that size that is free in all collected sets. */
static size_t lowest_gap(const ledger *l, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < l->n_sets;) {
        const mfm_interval *taken = mfm_intervals_beyond(&l->pool, l->sets[i], at);
        if (taken && taken->first < at + size) {
            at = taken->end;
            i = 0; /* `at` has moved: all sets are asked again */
        } else {
            i++;
        }
    }
    return at;
}

/* ---- the plan ---- */

static int larger_first(const void *left, const void *right)
{
    const mfm_buffer *a = *(mfm_buffer *const *)left, *b = *(mfm_buffer *const *)right;
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return a < b ? -1 : a > b; /* equal sizes keep their order: the plan is deterministic */
}

static size_t padded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int too_large(mfm_ctx *ctx)
{
    return mfm_fail(ctx, MFM_ENOMEM, "out of memory: buffers of more than %lld numbers together",
                    (long long)MFM_MOST_REALS);
}

static int place(ledger *l, mfm_buffer *buffer, size_t *total)
{
    if (buffer->size > MFM_MOST_REALS)
        return too_large(l->pool.ctx);
    consult_all(l, buffer);
    buffer->offset = lowest_gap(l, buffer->size);
    const size_t end = buffer->offset + padded(buffer->size);
    if (end > MFM_MOST_REALS)
        return too_large(l->pool.ctx);
    *total = end > *total ? end : *total;
    int status = MFM_OK;
    for (size_t i = 0; i < buffer->n_ranges && !status; i++)
        status = book_range(l, &buffer->ranges[i], buffer->offset, end);
    return status;
}

static int find_moments(mfm_ctx *ctx, mfm_buffer *const *buffers, size_t count, ledger *l)
{
    double *change = mfm_alloc(ctx, (size_t)l->times + 1, sizeof *change);
    if (!change)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < buffers[i]->n_ranges; k++) {
            change[buffers[i]->ranges[k].first] += (double)buffers[i]->size;
            change[buffers[i]->ranges[k].last + 1] -= (double)buffers[i]->size;
        }
    for (int i = 0; i < MOMENTS; i++)
        l->moment[i] = -1; /* none where nothing is alive */
    double alive = 0, most[MOMENTS] = {0};
    for (int64_t time = 0; time < l->times; time++) {
        const int64_t span = time * MOMENTS / l->times;
        alive += change[time];
        if (alive > most[span]) {
            most[span] = alive;
            l->moment[span] = time;
        }
    }
    mfm_free(ctx, change);
    return MFM_OK;
}

/* A range meets at most four parts of each size, and every moment. */
static int open_ledger(mfm_ctx *ctx, mfm_buffer *const *buffers, size_t count, ledger *l)
{
    size_t ranges = 0, sizes = 1;
    int end = 0;
    for (size_t i = 0; i < count; i++) {
        const mfm_buffer *b = buffers[i];
        ranges = b->n_ranges > ranges ? b->n_ranges : ranges;
        for (size_t k = 0; k < b->n_ranges; k++) {
            assert(0 <= b->ranges[k].first && b->ranges[k].first <= b->ranges[k].last);
            end = b->ranges[k].last > end ? b->ranges[k].last : end;
        }
    }
    for (l->times = 1; l->times <= end; l->times *= 2)
        sizes++;
    l->parts = mfm_alloc(ctx, 2 * (size_t)l->times, sizeof *l->parts);
    l->sets = mfm_alloc(ctx, (4 * sizes + MOMENTS) * ranges, sizeof *l->sets);
    return l->parts && l->sets ? find_moments(ctx, buffers, count, l) : MFM_ENOMEM;
}

static int place_all(mfm_ctx *ctx, mfm_buffer *const *order, size_t count, size_t *total)
{
    ledger l = {.pool = {.ctx = ctx}};
    int status = open_ledger(ctx, order, count, &l);
    for (size_t i = 0; i < count && !status; i++)
        status = place(&l, order[i], total);
    mfm_intervals_clear(&l.pool);
    mfm_free(ctx, l.parts);
    mfm_free(ctx, l.sets);
    return status;
}

int mfm_memory_plan(mfm_ctx *ctx, mfm_buffer *buffers, size_t count, size_t *total)
{
    *total = 0;
    mfm_buffer **order = mfm_alloc(ctx, count, sizeof *order);
    if (!order)
        return MFM_ENOMEM;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        buffers[i].offset = 0;
        if (buffers[i].size && buffers[i].n_ranges)
            order[used++] = &buffers[i];
    }
    qsort(order, used, sizeof *order, larger_first);
    const int status = place_all(ctx, order, used, total);
    mfm_free(ctx, order);
    return status;
}
