#include "core/base/context.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    MESSAGE_SIZE = 4096,
    ALIGNMENT = 64,
    LARGE_PAGE = 2 << 20, /* bytes */
    LARGE_BLOCK = 2 * LARGE_PAGE
};

struct mfm_ctx {
    mfm_allocator allocator;
    mfm_warn_fn *warn;
    void *warn_self;
    int held; /* so many times warnings are */
    mfm_observer *observers;
    const mfm_backend *backend;
    int code;
    char message[MESSAGE_SIZE];
};

/* Large blocks ask for large pages: a page fault and its zeroing cost about as much for 2 MiB as
 * for a few ordinary pages, and buffers that are swept through miss the translation cache less.
 * Only whole large pages are asked for, so that no memory is added. */
static void *libc_alloc(void *self, size_t size)
{
    (void)self;
    if (size < LARGE_BLOCK)
        return malloc(size);
    void *pointer;
    if (posix_memalign(&pointer, LARGE_PAGE, size))
        return NULL;
    madvise(pointer, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE); /* it may be refused */
    return pointer;
}

static void libc_free(void *self, void *pointer)
{
    (void)self;
    free(pointer);
}

mfm_ctx *mfm_ctx_new(const mfm_allocator *allocator)
{
    const mfm_allocator libc = {.alloc = libc_alloc, .free = libc_free};
    const mfm_allocator use = allocator ? *allocator : libc;
    mfm_ctx *ctx = use.alloc(use.self, sizeof *ctx);
    if (!ctx)
        return NULL;
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = use;
    return ctx;
}

void mfm_ctx_free(mfm_ctx *ctx)
{
    if (!ctx)
        return;
    const mfm_allocator allocator = ctx->allocator;
    allocator.free(allocator.self, ctx);
}

void mfm_ctx_on_warning(mfm_ctx *ctx, mfm_warn_fn *warn, void *self)
{
    ctx->warn = warn;
    ctx->warn_self = self;
}

void mfm_ctx_hold_warnings(mfm_ctx *ctx)
{
    ctx->held++;
}

void mfm_ctx_release_warnings(mfm_ctx *ctx)
{
    ctx->held--;
}

void mfm_ctx_observe(mfm_ctx *ctx, mfm_observer *observer)
{
    observer->next = ctx->observers;
    ctx->observers = observer;
}

void mfm_ctx_unobserve(mfm_ctx *ctx, mfm_observer *observer)
{
    mfm_observer **at = &ctx->observers;
    while (*at && *at != observer)
        at = &(*at)->next;
    if (*at)
        *at = observer->next;
}

const mfm_observer *mfm_ctx_observers(const mfm_ctx *ctx)
{
    return ctx->observers;
}

void mfm_ctx_use_backend(mfm_ctx *ctx, const mfm_backend *backend)
{
    ctx->backend = backend;
}

const mfm_backend *mfm_ctx_backend(const mfm_ctx *ctx)
{
    return ctx->backend;
}

int mfm_vfail(mfm_ctx *ctx, int code, const char *format, va_list args)
{
    char text[MESSAGE_SIZE]; /* an argument may be the old message itself */
    vsnprintf(text, sizeof text, format, args);
    memcpy(ctx->message, text, sizeof text);
    ctx->code = code;
    return code;
}

int mfm_fail(mfm_ctx *ctx, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mfm_vfail(ctx, code, format, args);
    va_end(args);
    return code;
}

int mfm_fail_in(mfm_ctx *ctx, int code, const char *format, ...)
{
    char old[MESSAGE_SIZE];
    memcpy(old, ctx->message, sizeof old);
    va_list args;
    va_start(args, format);
    mfm_vfail(ctx, code, format, args);
    va_end(args);
    const size_t used = strlen(ctx->message);
    snprintf(ctx->message + used, sizeof ctx->message - used, ": %s", old);
    return code;
}

void mfm_warn(mfm_ctx *ctx, const char *format, ...)
{
    if (!ctx->warn || ctx->held)
        return;
    char line[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ctx->warn(ctx->warn_self, line);
}

const char *mfm_message(const mfm_ctx *ctx)
{
    return ctx->message;
}

int mfm_code(const mfm_ctx *ctx)
{
    return ctx->code;
}

static void *allocate(mfm_ctx *ctx, size_t count, size_t size, size_t extra)
{
    if (size && count > (SIZE_MAX - extra) / size) {
        mfm_fail(ctx, MFM_ENOMEM, "out of memory: %zu elements of %zu bytes: more than addressable",
                 count, size);
        return NULL;
    }
    const size_t bytes = count * size + extra;
    void *pointer = ctx->allocator.alloc(ctx->allocator.self, bytes ? bytes : 1);
    if (!pointer)
        mfm_fail(ctx, MFM_ENOMEM, "out of memory: %zu bytes refused", bytes);
    return pointer;
}

/* What the allocator gave, or NULL, as zeros. */
static void *zeros(const mfm_ctx *ctx, void *pointer, size_t count, size_t size)
{
    if (pointer && count && size && !ctx->allocator.zeroed)
        memset(pointer, 0, count * size);
    return pointer;
}

void *mfm_alloc(mfm_ctx *ctx, size_t count, size_t size)
{
    return zeros(ctx, allocate(ctx, count, size, 0), count, size);
}

/* The pointer that the allocator gave is kept in the word before the aligned block. */
void *mfm_alloc_aligned(mfm_ctx *ctx, size_t count, size_t size)
{
    char *base = allocate(ctx, count, size, ALIGNMENT + sizeof(void *));
    if (!base)
        return NULL;
    const uintptr_t start = (uintptr_t)(base + sizeof(void *));
    char *aligned = base + sizeof(void *) + (ALIGNMENT - start % ALIGNMENT) % ALIGNMENT;
    memcpy(aligned - sizeof(void *), &base, sizeof base);
    return aligned;
}

void *mfm_alloc_aligned_zeroed(mfm_ctx *ctx, size_t count, size_t size)
{
    return zeros(ctx, mfm_alloc_aligned(ctx, count, size), count, size);
}

int mfm_require_memory(mfm_ctx *ctx, size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return mfm_fail(ctx, MFM_ENOMEM, "out of memory: %zu bytes refused", bytes);
    munmap(room, bytes);
    return MFM_OK;
}

void mfm_free(mfm_ctx *ctx, void *pointer)
{
    if (pointer)
        ctx->allocator.free(ctx->allocator.self, pointer);
}

void mfm_free_aligned(mfm_ctx *ctx, void *pointer)
{
    if (!pointer)
        return;
    void *base;
    memcpy(&base, (char *)pointer - sizeof(void *), sizeof base);
    mfm_free(ctx, base);
}

int mfm_grow(mfm_ctx *ctx, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return MFM_OK;
    const size_t larger = *capacity ? *capacity * 2 : 8;
    void *fresh = mfm_alloc(ctx, larger, size);
    if (!fresh)
        return MFM_ENOMEM;
    void *old;
    memcpy(&old, array, sizeof old);
    if (count)
        memcpy(fresh, old, count * size);
    mfm_free(ctx, old);
    memcpy(array, &fresh, sizeof fresh);
    *capacity = larger;
    return MFM_OK;
}

char *mfm_strdup(mfm_ctx *ctx, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = mfm_alloc(ctx, size, 1);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

char *mfm_format(mfm_ctx *ctx, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : mfm_alloc(ctx, (size_t)length + 1, 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

const mfm_allocator *mfm_ctx_allocator(const mfm_ctx *ctx)
{
    return &ctx->allocator;
}
