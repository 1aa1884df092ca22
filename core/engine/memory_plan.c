#include "core/engine/memory_plan.h"

#include <stdbool.h>
#include <stdlib.h>

#include "core/engine/real.h"

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
    buffer->ranges[buffer->n_ranges - 1].last = time;
    return MFM_OK;
}

static bool alive_together(const mfm_buffer *a, const mfm_buffer *b)
{
    for (size_t i = 0; i < a->n_ranges; i++)
        for (size_t j = 0; j < b->n_ranges; j++)
            if (a->ranges[i].first <= b->ranges[j].last && b->ranges[j].first <= a->ranges[i].last)
                return true;
    return false;
}

static int larger_first(const void *left, const void *right)
{
    const mfm_buffer *a = *(mfm_buffer *const *)left, *b = *(mfm_buffer *const *)right;
    if (a->size != b->size)
        return a->size < b->size ? 1 : -1;
    return a < b ? -1 : a > b; /* equal sizes keep their order: the plan is deterministic */
}

static int lower_first(const void *left, const void *right)
{
    const mfm_buffer *a = *(mfm_buffer *const *)left, *b = *(mfm_buffer *const *)right;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static size_t padded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The lowest gap among the placed buffers that are alive together with this one. */
static void place(mfm_buffer *buffer, mfm_buffer *const *placed, size_t n_placed,
                  mfm_buffer **neighbours)
{
    size_t count = 0;
    for (size_t i = 0; i < n_placed; i++)
        if (alive_together(buffer, placed[i]))
            neighbours[count++] = placed[i];
    qsort(neighbours, count, sizeof *neighbours, lower_first);
    size_t end = 0;
    for (size_t i = 0; i < count && end + buffer->size > neighbours[i]->offset; i++) {
        const size_t after = neighbours[i]->offset + padded(neighbours[i]->size);
        end = after > end ? after : end;
    }
    buffer->offset = end;
}

int mfm_memory_plan(mfm_ctx *ctx, mfm_buffer *buffers, size_t count, size_t *total)
{
    *total = 0;
    mfm_buffer **order = mfm_alloc(ctx, 2 * count, sizeof *order);
    if (!order)
        return MFM_ENOMEM;
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (buffers[i].size && buffers[i].n_ranges)
            order[used++] = &buffers[i];
    qsort(order, used, sizeof *order, larger_first);
    for (size_t i = 0; i < used; i++) {
        place(order[i], order, i, order + count);
        const size_t end = order[i]->offset + padded(order[i]->size);
        *total = end > *total ? end : *total;
    }
    mfm_free(ctx, order);
    return MFM_OK;
}
