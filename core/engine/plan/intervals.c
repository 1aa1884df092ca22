#include "core/engine/plan/intervals.h"

#include <assert.h>

void mfm_intervals_clear(mfm_interval_pool *pool)
{
    mfm_free(pool->ctx, pool->nodes);
    *pool = (mfm_interval_pool){.ctx = pool->ctx};
}

/* The same numbers every time: plans are deterministic. */
static uint32_t rank_of(size_t number)
{
    uint32_t x = (uint32_t)number * 2654435769u;
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    return x ^ x >> 13;
}

static int take_node(mfm_interval_pool *pool, uint32_t *number)
{
    if (pool->unused) {
        *number = pool->unused;
        pool->unused = pool->nodes[*number].left;
        return MFM_OK;
    }
    if (pool->count >= UINT32_MAX)
        return mfm_fail(pool->ctx, MFM_ENOMEM, "out of memory: more than %zu intervals",
                        pool->count);
    const int status =
        mfm_grow(pool->ctx, &pool->nodes, pool->count, &pool->capacity, sizeof *pool->nodes);
    if (status)
        return status;
    pool->count += !pool->count; /* number 0 stays unused */
    *number = (uint32_t)pool->count++;
    return MFM_OK;
}

static void give_back(mfm_interval_pool *pool, uint32_t root)
{
    if (!root)
        return;
    mfm_interval *node = &pool->nodes[root];
    give_back(pool, node->left);
    give_back(pool, node->right);
    node->left = pool->unused;
    pool->unused = root;
}

/* All of a lies below all of b. */
static uint32_t merge(mfm_interval_pool *pool, uint32_t a, uint32_t b)
{
    if (!a || !b)
        return a ? a : b;
    mfm_interval *x = &pool->nodes[a], *y = &pool->nodes[b];
    if (x->rank >= y->rank) {
        x->right = merge(pool, x->right, b);
        return a;
    }
    y->left = merge(pool, a, y->left);
    return b;
}

/* Below: what ends before `at`, or, with `touching`, begins at it or before. */
static void split(mfm_interval_pool *pool, uint32_t root, size_t at, bool touching, uint32_t *below,
                  uint32_t *beyond)
{
    *below = *beyond = 0;
    while (root) {
        mfm_interval *node = &pool->nodes[root];
        if (touching ? node->first <= at : node->end < at) {
            *below = root;
            below = &node->right;
            root = *below;
            *below = 0;
        } else {
            *beyond = root;
            beyond = &node->left;
            root = *beyond;
            *beyond = 0;
        }
    }
}

int mfm_intervals_add(mfm_interval_pool *pool, uint32_t *set, size_t first, size_t end)
{
    assert(first < end);
    uint32_t number = 0, below, rest, joined, beyond;
    const int status = take_node(pool, &number);
    if (status)
        return status;
    split(pool, *set, first, false, &below, &rest);
    split(pool, rest, end, true, &joined, &beyond);
    for (uint32_t i = joined; i; i = pool->nodes[i].left)
        first = pool->nodes[i].first < first ? pool->nodes[i].first : first;
    for (uint32_t i = joined; i; i = pool->nodes[i].right)
        end = pool->nodes[i].end > end ? pool->nodes[i].end : end;
    give_back(pool, joined);
    pool->nodes[number] = (mfm_interval){.first = first, .end = end, .rank = rank_of(number)};
    *set = merge(pool, merge(pool, below, number), beyond);
    return MFM_OK;
}

const mfm_interval *mfm_intervals_beyond(const mfm_interval_pool *pool, uint32_t set, size_t at)
{
    const mfm_interval *found = NULL;
    while (set) {
        const mfm_interval *node = &pool->nodes[set];
        if (node->end > at)
            found = node;
        set = node->end > at ? node->left : node->right;
    }
    return found;
}
