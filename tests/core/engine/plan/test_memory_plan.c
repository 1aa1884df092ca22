#include <stdbool.h>

#include "../../../suite.h"
#include "core/engine/plan/memory_plan.h"
#include "core/base/random.h"
#include "core/base/real.h"
#include "core/base/shape.h"
#include "tests/refusals.h"

enum { BUFFERS = 40, TIMES = 30, ROUNDS = 200, ALIGNMENT = 64 / sizeof(real) };

static mfm_ctx *fresh(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    return ctx;
}

static bool alive_at(const mfm_buffer *b, int time)
{
    for (size_t i = 0; i < b->n_ranges; i++)
        if (b->ranges[i].first <= time && time <= b->ranges[i].last)
            return true;
    return false;
}

static void clear(mfm_ctx *ctx, mfm_buffer *buffers, int count)
{
    for (int i = 0; i < count; i++)
        mfm_free(ctx, buffers[i].ranges);
}

/* Each buffer is written, and read some time later, up to three times in a row. */
static int draw(mfm_ctx *ctx, uint64_t round, mfm_buffer *buffers)
{
    mfm_key key = {.seed = round, .stream = MFM_STREAM_TEST};
    int status = MFM_OK;
    for (int i = 0; i < BUFFERS && !status; i++, key.node++) {
        buffers[i] = (mfm_buffer){.size = mfm_random_below(&key, 0, 100)};
        int time = 0;
        const uint64_t lives = mfm_random_below(&key, 1, 4);
        for (uint64_t k = 0; k < lives && !status; k++) {
            time += (int)mfm_random_below(&key, 2 + 2 * k, TIMES / 3);
            status = mfm_buffer_write(ctx, &buffers[i], time);
            time += (int)mfm_random_below(&key, 3 + 2 * k, TIMES / 3);
            if (!status)
                status = mfm_buffer_use(ctx, &buffers[i], time++);
        }
    }
    return status;
}

static bool apart(const mfm_buffer *a, const mfm_buffer *b)
{
    return a->offset + a->size <= b->offset || b->offset + b->size <= a->offset;
}

/* Every moment by itself: what is alive lies in the arena, aligned, and apart. The most that is
 * alive at once, whole cache lines, is a lower bound of the arena. */
static void check_moment(const mfm_buffer *buffers, int time, size_t total, size_t *most)
{
    size_t sum = 0;
    for (int i = 0; i < BUFFERS; i++) {
        const mfm_buffer *b = &buffers[i];
        if (!b->size || !alive_at(b, time))
            continue;
        sum += (b->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        CU_ASSERT_EQUAL(b->offset % ALIGNMENT, 0);
        CU_ASSERT_TRUE(b->offset + b->size <= total);
        for (int j = 0; j < i; j++)
            CU_ASSERT_TRUE(!buffers[j].size || !alive_at(&buffers[j], time) ||
                           apart(b, &buffers[j]));
    }
    *most = sum > *most ? sum : *most;
}

static void test_random_lives(void)
{
    mfm_ctx *ctx = fresh();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        mfm_buffer buffers[BUFFERS];
        size_t total, most = 0;
        CU_ASSERT_EQUAL_FATAL(draw(ctx, round, buffers), MFM_OK);
        CU_ASSERT_EQUAL_FATAL(mfm_memory_plan(ctx, buffers, BUFFERS, &total), MFM_OK);
        for (int time = 0; time < 3 * TIMES; time++)
            check_moment(buffers, time, total, &most);
        CU_ASSERT_TRUE(most <= total);
        CU_ASSERT_TRUE(2 * total <= 3 * most); /* first fit wastes little */
        clear(ctx, buffers, BUFFERS);
    }
    mfm_ctx_free(ctx);
}

/* A chain: each buffer lives until the next is made. Two places do for all of them. */
static void test_chain(void)
{
    mfm_ctx *ctx = fresh();
    mfm_buffer buffers[10] = {{0}};
    for (int i = 0; i < 10; i++) {
        buffers[i].size = ALIGNMENT;
        CU_ASSERT_EQUAL(mfm_buffer_write(ctx, &buffers[i], i), MFM_OK);
        CU_ASSERT_EQUAL(mfm_buffer_use(ctx, &buffers[i], i + 1), MFM_OK);
    }
    size_t total;
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, buffers, 10, &total), MFM_OK);
    CU_ASSERT_EQUAL(total, 2 * ALIGNMENT);
    clear(ctx, buffers, 10);
    mfm_ctx_free(ctx);
}

/* A lives at 0..1 and 4..5: B, at 2..3, takes its place; C, at 1..2, cannot. */
static void test_gap(void)
{
    mfm_ctx *ctx = fresh();
    mfm_buffer b[3] = {{.size = 3 * ALIGNMENT}, {.size = 2 * ALIGNMENT}, {.size = ALIGNMENT}};
    mfm_buffer_write(ctx, &b[0], 0);
    mfm_buffer_use(ctx, &b[0], 1);
    mfm_buffer_write(ctx, &b[0], 4);
    mfm_buffer_use(ctx, &b[0], 5);
    mfm_buffer_write(ctx, &b[1], 2);
    mfm_buffer_use(ctx, &b[1], 3);
    mfm_buffer_use(ctx, &b[2], 1); /* a use without a write begins a range */
    mfm_buffer_use(ctx, &b[2], 2);
    size_t total;
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, b, 3, &total), MFM_OK);
    CU_ASSERT_EQUAL(b[0].offset, 0);
    CU_ASSERT_EQUAL(b[1].offset, 0);
    CU_ASSERT_EQUAL(b[2].offset, 3 * ALIGNMENT);
    CU_ASSERT_EQUAL(total, 4 * ALIGNMENT);
    clear(ctx, b, 3);
    mfm_ctx_free(ctx);
}

static void test_nothing(void)
{
    mfm_ctx *ctx = fresh();
    mfm_buffer b[2] = {{.size = 5}, {.size = 0}};
    mfm_buffer_write(ctx, &b[1], 3);
    size_t total = 99;
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, b, 2, &total), MFM_OK);
    CU_ASSERT_EQUAL(total, 0);
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, NULL, 0, &total), MFM_OK);
    CU_ASSERT_EQUAL(total, 0);
    clear(ctx, b, 2);
    mfm_ctx_free(ctx);
}

static int attempt(mfm_ctx *ctx, void *self)
{
    (void)self;
    mfm_buffer buffers[BUFFERS] = {{0}};
    size_t total;
    int status = draw(ctx, 1, buffers);
    if (!status)
        status = mfm_memory_plan(ctx, buffers, BUFFERS, &total);
    clear(ctx, buffers, BUFFERS);
    return status;
}

/* Every pair is alive together, as the values of a training step are: forward and, the other way
 * round, backward. Comparing each with each would take hours. */
static void test_many(void)
{
    enum { MANY = 100000 };
    mfm_ctx *ctx = fresh();
    mfm_buffer *b = mfm_alloc(ctx, MANY, sizeof *b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    size_t sum = 0, total;
    for (int i = 0; i < MANY; i++) {
        b[i].size = ALIGNMENT * (1 + (size_t)i * 7919 % 1000);
        sum += b[i].size;
        CU_ASSERT_EQUAL_FATAL(mfm_buffer_write(ctx, &b[i], i), MFM_OK);
        CU_ASSERT_EQUAL_FATAL(mfm_buffer_use(ctx, &b[i], 2 * MANY - i), MFM_OK);
    }
    CU_ASSERT_EQUAL_FATAL(mfm_memory_plan(ctx, b, MANY, &total), MFM_OK);
    CU_ASSERT_EQUAL(total, sum);
    clear(ctx, b, MANY);
    mfm_free(ctx, b);
    mfm_ctx_free(ctx);
}

/* Two of three buffers fit below the limit, alone or one after the other, but not all at once. */
static void test_too_large(void)
{
    mfm_ctx *ctx = fresh();
    const size_t half = (size_t)(MFM_MOST_REALS / 2);
    mfm_buffer b[3] = {{.size = half}, {.size = half}, {.size = ALIGNMENT}};
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(mfm_buffer_write(ctx, &b[i], i / 2), MFM_OK);
    size_t total;
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, b, 3, &total), MFM_OK);
    CU_ASSERT_EQUAL(total, 2 * half);
    b[2].ranges[0].first = 0;
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, b, 3, &total), MFM_ENOMEM);
    b[2].size = SIZE_MAX;
    CU_ASSERT_EQUAL(mfm_memory_plan(ctx, b, 3, &total), MFM_ENOMEM);
    clear(ctx, b, 3);
    mfm_ctx_free(ctx);
}

static void test_refusals(void)
{
    mfm_assert_refusals_are_told(attempt, NULL);
}

static const mfm_case cases[] = {
    {"buffers that are alive together never overlap, and little is wasted", test_random_lives},
    {"a chain needs two places", test_chain},
    {"a buffer uses the gap between two lives of another", test_gap},
    {"buffers without size or life take no room", test_nothing},
    {"many buffers are placed without comparing each with each", test_many},
    {"more than can be addressed is refused", test_too_large},
    {"every refused allocation is told and nothing leaks", test_refusals},
};
MFM_SUITE("core/engine/memory_plan", cases)
