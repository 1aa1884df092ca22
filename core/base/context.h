/*
 * The caller's context: where errors are told and where memory comes from.
 *
 * Every function that can fail returns MFM_OK (0) or a negative code, and leaves exactly one
 * formatted message in the context it was given. Nothing below tools/ prints, aborts or exits, and
 * there is no global state. A context belongs to one thread at a time.
 */
#ifndef MFM_CONTEXT_H
#define MFM_CONTEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/linkage.h"

MFM_C_BEGIN

enum mfm_status {
    MFM_OK = 0,
    MFM_EINVAL = -1,  /* the caller asked for something that has no meaning */
    MFM_EDATA = -2,   /* a file or a model breaks a rule */
    MFM_ENOTSUP = -3, /* valid, but outside what is implemented */
    MFM_EIO = -4,     /* the operating system refused: open, read, write, rename */
    MFM_ENOMEM = -5,  /* memory or another resource ran out */
    MFM_ENAN = -6,    /* training left the finite numbers */
    MFM_EINTR = -7    /* stopped on request, state saved */
};

/* alloc returns size > 0 bytes or NULL; free takes what alloc gave, or NULL. */
typedef struct mfm_allocator {
    void *(*alloc)(void *self, size_t size);
    void (*free)(void *self, void *pointer);
    void *self;
    bool zeroed; /* what alloc returns is zero, and is not touched to make it so */
} mfm_allocator;

typedef struct mfm_ctx mfm_ctx;

/* Takes one warning line, without a newline. */
typedef void mfm_warn_fn(void *self, const char *line);

/* allocator NULL: the C library's. Returns NULL only when the context cannot be allocated. */
mfm_ctx *mfm_ctx_new(const mfm_allocator *allocator);
void mfm_ctx_free(mfm_ctx *ctx);

/* Where warnings go; none are kept by default. */
void mfm_ctx_on_warning(mfm_ctx *ctx, mfm_warn_fn *warn, void *self);
/* Between hold and release, which nest, no warning is told: of what was told before, when the same
 * comes back under another name. */
void mfm_ctx_hold_warnings(mfm_ctx *ctx);
void mfm_ctx_release_warnings(mfm_ctx *ctx);

/* What plans that are made with a context tell of their work: core/engine/observe.h. Unlike what
 * runs in a step, on_event may allocate; it keeps its failures to itself. */
typedef struct mfm_event mfm_event;
typedef struct mfm_observer {
    void (*on_event)(void *self, const mfm_event *event);
    void *self;
    struct mfm_observer *next; /* the context's */
} mfm_observer;

/* The context's observers, newest first; an observer must stay until it is taken off. */
void mfm_ctx_observe(mfm_ctx *ctx, mfm_observer *observer);
void mfm_ctx_unobserve(mfm_ctx *ctx, mfm_observer *observer);
const mfm_observer *mfm_ctx_observers(const mfm_ctx *ctx);

/* Who carries out the nodes of plans that are made with a context (core/engine/impl.h); NULL, as it
 * is at first: the processor. The back end must stay as long as those plans. */
typedef struct mfm_backend mfm_backend;
void mfm_ctx_use_backend(mfm_ctx *ctx, const mfm_backend *backend);
const mfm_backend *mfm_ctx_backend(const mfm_ctx *ctx);

/* Records the message and returns code: `return mfm_fail(ctx, MFM_EDATA, "...", ...)`.
 * Grammar of a message: "what failed: the value: the rule". */
int mfm_fail(mfm_ctx *ctx, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int mfm_vfail(mfm_ctx *ctx, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* Puts "prefix: " before the message already there, and returns code unchanged. */
int mfm_fail_in(mfm_ctx *ctx, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mfm_warn(mfm_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last message; "" when nothing has failed. Valid until the next failure. */
const char *mfm_message(const mfm_ctx *ctx);
/* The code of the last failure, MFM_OK when nothing has failed. */
int mfm_code(const mfm_ctx *ctx);

/* Zeroed memory for count elements; NULL with MFM_ENOMEM recorded on overflow or refusal.
 * count or size 0 still gives a distinct pointer. */
void *mfm_alloc(mfm_ctx *ctx, size_t count, size_t size);
/* The same, aligned to 64 bytes, zeroed or not; released by mfm_free_aligned. */
void *mfm_alloc_aligned_zeroed(mfm_ctx *ctx, size_t count, size_t size);
void *mfm_alloc_aligned(mfm_ctx *ctx, size_t count, size_t size);
/* MFM_ENOMEM where the system has not so many bytes left: asked before what ends the process then,
 * a library or a stack that grows. Nothing is kept. */
int mfm_require_memory(mfm_ctx *ctx, size_t bytes);
void mfm_free(mfm_ctx *ctx, void *pointer);
void mfm_free_aligned(mfm_ctx *ctx, void *pointer);
/* Grows an array by doubling: makes room for one more element of `size` bytes. On failure the old
 * array stays valid. array is the address of the pointer. */
int mfm_grow(mfm_ctx *ctx, void *array, size_t count, size_t *capacity, size_t size);
/* A copy of text; NULL with MFM_ENOMEM recorded. */
char *mfm_strdup(mfm_ctx *ctx, const char *text);
/* A formatted copy; NULL with MFM_ENOMEM recorded. */
char *mfm_format(mfm_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The allocator, for libraries that take one (protobuf-c). */
const mfm_allocator *mfm_ctx_allocator(const mfm_ctx *ctx);

MFM_C_END

#endif
