#include "tools/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine/observe.h"
#include "tools/files.h"

/* A flush comes at the latest when less than EVENT bytes are free; no event is longer. */
enum { BUFFER = 1 << 16, EVENT = 1 << 11, TEXT = 256, LARGEST = 64 << 20 };
static const uint64_t flush_after = 100000000; /* nanoseconds */

static const char opening[] = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
static const char closing[] = "\n]}\n";

struct mfm_trace {
    mfm_ctx *ctx;
    mfm_observer observer;
    char *path;
    int file;
    off_t end; /* where the closing stands */
    uint64_t began, flushed;
    bool full;
    int error; /* the errno that ended the trace; 0: none */
    size_t used, events;
    char buffer[BUFFER + sizeof closing];
};

/* ---- the file ---- */

static int write_at(int file, const char *bytes, size_t size, off_t at)
{
    while (size > 0) {
        const ssize_t wrote = pwrite(file, bytes, size, at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return wrote < 0 ? errno : ENOSPC;
        bytes += wrote;
        size -= (size_t)wrote;
        at += wrote;
    }
    return 0;
}

/* Puts the buffer in the place of the closing, and a closing behind it. Signals wait, so that none
 * but SIGKILL ends the process half-way. What that one leaves is a part of the buffer from its
 * beginning, because it is written front to back, and perhaps an end of the old closing: the cut is
 * in the last line. When the disk is full, the old closing comes back: its place is still
 * the file's. */
static void flush(mfm_trace *t)
{
    if (t->error || !t->used)
        return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    memcpy(t->buffer + t->used, closing, sizeof closing);
    t->error = write_at(t->file, t->buffer, t->used + strlen(closing), t->end);
    if (!t->error)
        t->end += (off_t)t->used;
    else if (write_at(t->file, closing, strlen(closing), t->end) ||
             ftruncate(t->file, t->end + (off_t)strlen(closing)))
        (void)ftruncate(t->file, 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->used = 0;
    t->flushed = mfm_clock();
}

/* ---- events ---- */

/* Names may hold any bytes; what JSON or a viewer could stumble over becomes '?'. */
static const char *safe(const char *text, char copy[TEXT])
{
    size_t i = 0;
    for (; text[i] && i + 1 < TEXT; i++) {
        const char c = text[i];
        copy[i] = c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
    }
    copy[i] = '\0';
    return copy;
}

static double microseconds(uint64_t nanoseconds)
{
    return 1e-3 * (double)nanoseconds;
}

static int format_pass(const mfm_trace *t, const mfm_event *e, char *to)
{
    char name[TEXT];
    return snprintf(to, EVENT,
                    ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"cat\":\"pass\",\"name\":\"%s\","
                    "\"ts\":%.3f,\"dur\":%.3f}",
                    safe(mfm_plan_pass_name(e->plan, e->pass), name),
                    microseconds(e->begin - t->began), microseconds(e->end - e->begin));
}

static int format_node(const mfm_trace *t, const mfm_event *e, char *to)
{
    const mfm_call call = mfm_plan_call(e->plan, e->pass, e->node);
    char name[TEXT], pass[TEXT], op[TEXT], shape[MFM_SHAPE_TEXT];
    return snprintf(to, EVENT,
                    ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"cat\":\"node\",\"name\":\"%s\","
                    "\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"pass\":\"%s\",\"op\":\"%s\","
                    "\"node\":\"%s\",\"shape\":\"%s\",\"gflop\":%.6f}}",
                    safe(call.op, op), microseconds(e->begin - t->began),
                    microseconds(e->end - e->begin),
                    safe(mfm_plan_pass_name(e->plan, e->pass), pass), op, safe(call.name, name),
                    mfm_shape_text(call.shape, shape), 1e-9 * call.flop);
}

static void on_event(void *self, const mfm_event *event)
{
    mfm_trace *t = self;
    if (t->error || t->full)
        return;
    if (t->end + (off_t)t->used + EVENT + (off_t)sizeof closing > LARGEST) {
        t->full = true;
        return;
    }
    const bool pass = event->node == MFM_WHOLE_PASS;
    char *to = t->buffer + t->used;
    t->used += (size_t)(pass ? format_pass(t, event, to) : format_node(t, event, to));
    t->events++;
    if (t->used + EVENT > BUFFER || (pass && event->end - t->flushed > flush_after))
        flush(t);
}

/* ---- begin and end ---- */

/* Whether what the file holds may go: nothing, or an older trace. */
static int check_old(mfm_ctx *ctx, int file, const char *path)
{
    char start[sizeof opening] = "";
    const ssize_t got = pread(file, start, sizeof opening - 1, 0);
    if (got < 0)
        return mfm_fail_errno(ctx, errno, "read", path);
    if (got > 0 && strcmp(start, opening) != 0)
        return mfm_fail(ctx, MFM_EINVAL,
                        "MFM_TRACE: %s: holds something else: only a trace is written over", path);
    return MFM_OK;
}

static int open_file(mfm_trace *t)
{
    struct stat info;
    t->file = open(t->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (t->file < 0 || fstat(t->file, &info))
        return mfm_fail_errno(t->ctx, errno, "write", t->path);
    if (!S_ISREG(info.st_mode))
        return mfm_fail(t->ctx, MFM_EINVAL, "MFM_TRACE: %s: must be a regular file", t->path);
    const int status = check_old(t->ctx, t->file, t->path);
    if (status)
        return status;
    if (ftruncate(t->file, 0))
        return mfm_fail_errno(t->ctx, errno, "write", t->path);
    t->used = (size_t)snprintf(t->buffer, EVENT,
                               "%s\n{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"process_name\","
                               "\"args\":{\"name\":\"onnx-mfm\"}}",
                               opening);
    flush(t);
    return t->error ? mfm_fail_errno(t->ctx, t->error, "write", t->path) : MFM_OK;
}

static void release(mfm_trace *t)
{
    if (t->file >= 0)
        close(t->file);
    mfm_free(t->ctx, t->path);
    mfm_free(t->ctx, t);
}

int mfm_trace_begin(mfm_ctx *ctx, const char *path, mfm_trace **trace)
{
    mfm_trace *t = mfm_alloc(ctx, 1, sizeof *t);
    if (!t)
        return MFM_ENOMEM;
    t->ctx = ctx;
    t->file = -1;
    t->began = mfm_clock();
    t->observer = (mfm_observer){.on_event = on_event, .self = t};
    t->path = mfm_strdup(ctx, path);
    const int status = t->path ? open_file(t) : MFM_ENOMEM;
    if (status) {
        release(t);
        return status;
    }
    mfm_ctx_observe(ctx, &t->observer);
    *trace = t;
    return MFM_OK;
}

void mfm_trace_end(mfm_trace *t)
{
    if (!t)
        return;
    mfm_ctx_unobserve(t->ctx, &t->observer);
    flush(t);
    if (t->error)
        mfm_warn(t->ctx, "cannot write %s: %s: the trace is not complete", t->path,
                 strerror(t->error));
    else if (t->full)
        mfm_warn(t->ctx, "%s is full: it holds the first %zu events", t->path, t->events);
    release(t);
}
