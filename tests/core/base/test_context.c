#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../suite.h"
#include "tests/core/engine/support/failing_allocator.h"
#include "tests/refusals.h"

static mfm_ctx *fresh(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    return ctx;
}

static void test_failure(void)
{
    mfm_ctx *ctx = fresh();
    CU_ASSERT_EQUAL(mfm_code(ctx), MFM_OK);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), "");
    CU_ASSERT_EQUAL(mfm_fail(ctx, MFM_EDATA, "axis: %d: must be %s", 7, "small"), MFM_EDATA);
    CU_ASSERT_EQUAL(mfm_code(ctx), MFM_EDATA);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), "axis: 7: must be small");
    CU_ASSERT_EQUAL(mfm_fail(ctx, MFM_EIO, "again"), MFM_EIO);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), "again");
    mfm_ctx_free(ctx);
}

static void test_prefix(void)
{
    mfm_ctx *ctx = fresh();
    mfm_fail(ctx, MFM_ENOTSUP, "rank 7");
    CU_ASSERT_EQUAL(mfm_fail_in(ctx, MFM_ENOTSUP, "node '%s'", "conv1"), MFM_ENOTSUP);
    CU_ASSERT_EQUAL(mfm_fail_in(ctx, MFM_ENOTSUP, "file.onnx"), MFM_ENOTSUP);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), "file.onnx: node 'conv1': rank 7");
    CU_ASSERT_EQUAL(mfm_fail(ctx, MFM_EDATA, "<%s>", mfm_message(ctx)), MFM_EDATA);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), "<file.onnx: node 'conv1': rank 7>");
    mfm_ctx_free(ctx);
}

static void test_long_message(void)
{
    mfm_ctx *ctx = fresh();
    char *text = mfm_alloc(ctx, 10000, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, 'x', 9999);
    CU_ASSERT_EQUAL(mfm_fail(ctx, MFM_EDATA, "%s", text), MFM_EDATA);
    const size_t length = strlen(mfm_message(ctx));
    CU_ASSERT_TRUE(length > 1000 && length < 9999);
    CU_ASSERT_EQUAL(mfm_fail_in(ctx, MFM_EDATA, "in"), MFM_EDATA);
    CU_ASSERT_EQUAL(strncmp(mfm_message(ctx), "in: xxx", 7), 0);
    CU_ASSERT_EQUAL(mfm_fail_in(ctx, MFM_EDATA, "%s", text), MFM_EDATA);
    CU_ASSERT_EQUAL(strlen(mfm_message(ctx)), length);
    mfm_free(ctx, text);
    mfm_ctx_free(ctx);
}

static void count_line(void *self, const char *line)
{
    CU_ASSERT_STRING_EQUAL(line, "class 9 has 6 images");
    ++*(int *)self;
}

static void test_warning(void)
{
    mfm_ctx *ctx = fresh();
    int lines = 0;
    mfm_warn(ctx, "nobody listens");
    mfm_ctx_on_warning(ctx, count_line, &lines);
    mfm_warn(ctx, "class %d has %d images", 9, 6);
    CU_ASSERT_EQUAL(lines, 1);
    CU_ASSERT_EQUAL(mfm_code(ctx), MFM_OK);
    mfm_ctx_hold_warnings(ctx);
    mfm_ctx_hold_warnings(ctx);
    mfm_ctx_release_warnings(ctx);
    mfm_warn(ctx, "held");
    CU_ASSERT_EQUAL(lines, 1);
    mfm_ctx_release_warnings(ctx);
    mfm_warn(ctx, "class %d has %d images", 9, 6);
    CU_ASSERT_EQUAL(lines, 2);
    mfm_ctx_free(ctx);
}

static void test_alloc(void)
{
    mfm_ctx *ctx = fresh();
    unsigned char *a = mfm_alloc(ctx, 100, 3), *none = mfm_alloc(ctx, 0, 8);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(none);
    for (int i = 0; i < 300; i++)
        CU_ASSERT_EQUAL(a[i], 0);
    CU_ASSERT_PTR_NOT_EQUAL(a, none);
    mfm_free(ctx, a);
    mfm_free(ctx, none);
    mfm_free(ctx, NULL);
    mfm_free_aligned(ctx, NULL);
    for (size_t count = 0; count < 40; count++) {
        char *aligned = mfm_alloc_aligned(ctx, count, 5);
        CU_ASSERT_PTR_NOT_NULL_FATAL(aligned);
        CU_ASSERT_EQUAL((uintptr_t)aligned % 64, 0);
        memset(aligned, 1, 5 * count);
        mfm_free_aligned(ctx, aligned);
    }
    mfm_ctx_free(ctx);
}

/* Blocks beyond the size where large pages are asked for, and around their multiples. */
static void test_large(void)
{
    mfm_ctx *ctx = fresh();
    for (size_t size = (4 << 20) - 100; size <= (6 << 20) + 100; size += 1 << 20 | 50) {
        unsigned char *block = mfm_alloc(ctx, size, 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(block);
        CU_ASSERT_EQUAL(block[0] | block[size / 2] | block[size - 1], 0);
        memset(block, 1, size);
        mfm_free(ctx, block);
    }
    mfm_ctx_free(ctx);
}

static void test_overflow(void)
{
    mfm_ctx *ctx = fresh();
    CU_ASSERT_PTR_NULL(mfm_alloc(ctx, SIZE_MAX / 2, 3));
    CU_ASSERT_EQUAL(mfm_code(ctx), MFM_ENOMEM);
    CU_ASSERT_PTR_NULL(mfm_alloc(ctx, SIZE_MAX, SIZE_MAX));
    CU_ASSERT_PTR_NULL(mfm_alloc_aligned(ctx, SIZE_MAX - 10, 1));
    CU_ASSERT_PTR_NULL(mfm_alloc_aligned(ctx, SIZE_MAX / 8, 8));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "out of memory"));
    mfm_ctx_free(ctx);
}

static void test_grow(void)
{
    mfm_ctx *ctx = fresh();
    int *numbers = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL_FATAL(mfm_grow(ctx, &numbers, i, &capacity, sizeof *numbers), MFM_OK);
        CU_ASSERT_TRUE_FATAL(i < capacity);
        numbers[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(numbers[i], i);
    CU_ASSERT_TRUE(capacity < 2000);
    mfm_free(ctx, numbers);
    mfm_ctx_free(ctx);
}

static void test_texts(void)
{
    mfm_ctx *ctx = fresh();
    char *copy = mfm_strdup(ctx, "layer1"), *text = mfm_format(ctx, "%s.%d", "conv", 3);
    CU_ASSERT_STRING_EQUAL(copy, "layer1");
    CU_ASSERT_STRING_EQUAL(text, "conv.3");
    mfm_free(ctx, copy);
    mfm_free(ctx, text);
    mfm_ctx_free(ctx);
}

/* A growing array, two texts and an aligned block: each request refused in its turn. */
static int attempt(mfm_ctx *ctx, void *self)
{
    (void)self;
    int *numbers = NULL;
    size_t capacity = 0;
    int status = MFM_OK;
    for (size_t i = 0; i < 40 && !status; i++) {
        status = mfm_grow(ctx, &numbers, i, &capacity, sizeof *numbers);
        if (!status)
            numbers[i] = (int)i;
        for (size_t k = 0; k < (status ? i : i + 1); k++)
            CU_ASSERT_EQUAL(numbers[k], (int)k);
    }
    char *copy = mfm_strdup(ctx, "a"), *text = mfm_format(ctx, "%d", 1);
    void *aligned = mfm_alloc_aligned(ctx, 3, 8);
    const int result = status || !copy || !text || !aligned ? MFM_ENOMEM : MFM_OK;
    mfm_free(ctx, numbers);
    mfm_free(ctx, copy);
    mfm_free(ctx, text);
    mfm_free_aligned(ctx, aligned);
    return result;
}

/* Blocks of which the allocator says that they are zero: here they are not, and show who writes. */
static void *give_marked(void *self, size_t size)
{
    (void)self;
    void *block = malloc(size);
    if (block)
        memset(block, 7, size);
    return block;
}

static void take_marked(void *self, void *block)
{
    (void)self;
    free(block);
}

static void test_zeroed(void)
{
    enum { SIZE = 100 };
    for (int zeroed = 0; zeroed < 2; zeroed++) {
        const mfm_allocator allocator = {
            .alloc = give_marked, .free = take_marked, .zeroed = zeroed};
        mfm_ctx *ctx = mfm_ctx_new(&allocator);
        CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
        unsigned char *plain = mfm_alloc(ctx, SIZE, 1);
        unsigned char *aligned = mfm_alloc_aligned_zeroed(ctx, SIZE, 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(plain);
        CU_ASSERT_PTR_NOT_NULL_FATAL(aligned);
        CU_ASSERT_EQUAL((uintptr_t)aligned % 64, 0);
        for (int i = 0; i < SIZE; i++) {
            CU_ASSERT_EQUAL(plain[i], zeroed ? 7 : 0);
            CU_ASSERT_EQUAL(aligned[i], zeroed ? 7 : 0);
        }
        mfm_free(ctx, plain);
        mfm_free_aligned(ctx, aligned);
        mfm_ctx_free(ctx);
    }
}

static void test_refusals(void)
{
    mfm_assert_refusals_are_told(attempt, NULL);
    mfm_failing failing = {.refuse_at = 0};
    const mfm_allocator allocator = mfm_failing_allocator(&failing);
    CU_ASSERT_PTR_NULL(mfm_ctx_new(&allocator));
    CU_ASSERT_EQUAL(failing.alive, 0);
    mfm_ctx_free(NULL);
}

static const mfm_case cases[] = {
    {"a failure leaves its code and its one message", test_failure},
    {"a prefix says where it happened", test_prefix},
    {"a message that is too long is cut", test_long_message},
    {"warnings go to the one who asked for them", test_warning},
    {"memory is zeroed, aligned on request, and never NULL for nothing", test_alloc},
    {"large blocks are like others", test_large},
    {"a size that overflows is refused", test_overflow},
    {"what an allocator gives as zero is not touched", test_zeroed},
    {"a growing array keeps its elements", test_grow},
    {"texts are copied and formatted", test_texts},
    {"every refusal is told and nothing is lost", test_refusals},
};
MFM_SUITE("core/engine/context", cases)
