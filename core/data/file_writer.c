#include "core/data/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file_io.h"

enum { BUFFER_SIZE = 1 << 16, TRIES = 100, MOST_LINKS = 40 };

struct mfm_file_writer {
    mfm_ctx *ctx;
    char *path; /* as given, for messages */
    int file;   /* -1: not open */
    int error;  /* errno of the first failure */
    /* The folder and the names in it; folder is -1 for what is written in place. */
    int folder;
    char base[NAME_MAX + 1], temporary[NAME_MAX + 1];
    bool renamed;
    size_t used;
    unsigned char buffer[BUFFER_SIZE];
};

static int fail(const mfm_file_writer *w, int error)
{
    return mfm_fail(w->ctx, MFM_EIO, "cannot write %s: %s", w->path, strerror(error));
}

/* ---- where a path leads ---- */

char *mfm_folder_of(mfm_ctx *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mfm_format(ctx, "%.*s/", (int)(slash - path), path) : mfm_strdup(ctx, ".");
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The number of a descriptor that path names in this process's /proc/PID/fd, or -1. */
static int own_descriptor(const mfm_file_writer *w, const char *path, int *descriptor)
{
    const char *base = base_of(path);
    char *folder = mfm_folder_of(w->ctx, path), own[64], real[PATH_MAX];
    if (!folder)
        return MFM_ENOMEM;
    snprintf(own, sizeof own, "/proc/%ld/fd", (long)getpid());
    const bool ours = realpath(folder, real) && strcmp(real, own) == 0;
    mfm_free(w->ctx, folder);
    const bool number = base[0] && base[strspn(base, "0123456789")] == '\0' && strlen(base) < 10;
    *descriptor = ours && number ? atoi(base) : -1;
    return MFM_OK;
}

/* What the link at path says, seen from where path is seen; the caller frees it. */
static int read_link(const mfm_file_writer *w, const char *path, char **target)
{
    char text[PATH_MAX];
    const ssize_t length = readlink(path, text, sizeof text - 1);
    if (length < 0)
        return fail(w, errno);
    text[length] = '\0';
    const char *slash = strrchr(path, '/');
    const int before = text[0] != '/' && slash ? (int)(slash + 1 - path) : 0;
    *target = mfm_format(w->ctx, "%.*s%s", before, path, text);
    return *target ? MFM_OK : MFM_ENOMEM;
}

/* Follows links to *end, a path that is none, or to a descriptor of this process (else -1). The
 * caller frees *end. */
static int follow(const mfm_file_writer *w, char **end, int *descriptor)
{
    char *at = mfm_strdup(w->ctx, w->path);
    int status = at ? MFM_OK : MFM_ENOMEM;
    for (int i = 0; !status; i++) {
        struct stat st;
        status = own_descriptor(w, at, descriptor);
        if (!status && (*descriptor >= 0 || lstat(at, &st) || !S_ISLNK(st.st_mode))) {
            *end = at;
            return MFM_OK;
        }
        char *next = NULL;
        if (!status)
            status = i < MOST_LINKS ? read_link(w, at, &next) : fail(w, ELOOP);
        mfm_free(w->ctx, at);
        at = next;
    }
    mfm_free(w->ctx, at);
    return status;
}

/* ---- the temporary file ---- */

/* Whether nobody else has the file; where files cannot be locked, nobody is thought to. */
static bool lock(int file)
{
    return flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* Removes a temporary file that nobody writes to any more. */
static void take_over(const mfm_file_writer *w)
{
    struct stat held, named;
    const int old = openat(w->folder, w->temporary, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (old < 0)
        return;
    if (lock(old) && fstat(old, &held) == 0 &&
        fstatat(w->folder, w->temporary, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(held.st_mode) && mfm_same_file(&held, &named))
        unlinkat(w->folder, w->temporary, 0);
    close(old);
}

/* The lock may come too late, after somebody took the new file for an old one and removed it. */
static bool still_there(int file)
{
    struct stat st;
    return lock(file) && fstat(file, &st) == 0 && st.st_nlink == 1;
}

/* Every name twice: the first time may meet somebody who is just giving it up. */
static int open_temporary(mfm_file_writer *w)
{
    int error = EEXIST;
    for (int i = 0; i < 2 * TRIES && error == EEXIST; i++) {
        if (i < 2)
            snprintf(w->temporary, NAME_MAX, ".%.200s" MFM_TEMPORARY_SUFFIX, w->base);
        else
            snprintf(w->temporary, NAME_MAX, ".%.200s.%d" MFM_TEMPORARY_SUFFIX, w->base, i / 2);
        take_over(w);
        w->file = openat(w->folder, w->temporary,
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (w->file >= 0 && still_there(w->file))
            return MFM_OK;
        error = w->file < 0 ? errno : EEXIST;
        if (w->file >= 0)
            close(w->file);
        w->file = -1;
    }
    w->temporary[0] = '\0';
    return fail(w, error);
}

/* The new file gets the old one's permissions. */
static int follow_old(const mfm_file_writer *w)
{
    struct stat st;
    if (fstatat(w->folder, w->base, &st, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? MFM_OK : fail(w, errno);
    return fchmod(w->file, st.st_mode & 0777) ? fail(w, errno) : MFM_OK;
}

static int open_beside(mfm_file_writer *w, const char *end)
{
    const char *base = base_of(end);
    if (strlen(base) > NAME_MAX)
        return fail(w, ENAMETOOLONG);
    strcpy(w->base, base);
    char *folder = mfm_folder_of(w->ctx, end);
    if (!folder)
        return MFM_ENOMEM;
    w->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = w->folder < 0 ? mfm_fail(w->ctx, MFM_EIO, "cannot write %s: its folder %s: %s",
                                          w->path, folder, strerror(errno))
                               : MFM_OK;
    mfm_free(w->ctx, folder);
    if (!status)
        status = open_temporary(w);
    return status ? status : follow_old(w);
}

static int open_in_place(mfm_file_writer *w, const char *end)
{
    w->file = open(end, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return w->file < 0 ? fail(w, errno) : MFM_OK;
}

static int open_descriptor(mfm_file_writer *w, int descriptor)
{
    w->file = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return w->file < 0 ? fail(w, errno) : MFM_OK;
}

static int open_path(mfm_file_writer *w)
{
    if (!base_of(w->path)[0])
        return mfm_fail(w->ctx, MFM_EINVAL, "cannot write '%s': not the name of a file", w->path);
    char *end = NULL;
    int descriptor = -1;
    int status = follow(w, &end, &descriptor);
    if (status)
        return status;
    struct stat st;
    const bool there = stat(end, &st) == 0;
    if (descriptor >= 0)
        status = open_descriptor(w, descriptor);
    else if (there && S_ISDIR(st.st_mode))
        status = fail(w, EISDIR);
    else if (there && !S_ISREG(st.st_mode))
        status = open_in_place(w, end);
    else
        status = open_beside(w, end);
    mfm_free(w->ctx, end);
    return status;
}

/* ---- writing ---- */

static int new_writer(mfm_ctx *ctx, const char *path, mfm_file_writer **writer)
{
    *writer = mfm_alloc(ctx, 1, sizeof **writer);
    if (!*writer)
        return MFM_ENOMEM;
    (*writer)->ctx = ctx;
    (*writer)->file = (*writer)->folder = -1;
    (*writer)->path = mfm_strdup(ctx, path);
    return (*writer)->path ? MFM_OK : MFM_ENOMEM;
}

static int whole(mfm_file_writer **writer, int status)
{
    if (status) {
        mfm_file_writer_close(*writer);
        *writer = NULL;
    }
    return status;
}

int mfm_file_writer_open(mfm_ctx *ctx, const char *path, mfm_file_writer **writer)
{
    const int status = new_writer(ctx, path, writer);
    return whole(writer, status ? status : open_path(*writer));
}

int mfm_file_writer_open_descriptor(mfm_ctx *ctx, int descriptor, const char *name,
                                    mfm_file_writer **writer)
{
    const int status = new_writer(ctx, name, writer);
    return whole(writer, status ? status : open_descriptor(*writer, descriptor));
}

static void write_out(mfm_file_writer *w, const unsigned char *bytes, size_t size)
{
    if (!w->error)
        w->error = mfm_write_all(w->file, bytes, size);
}

static void flush(mfm_file_writer *w)
{
    write_out(w, w->buffer, w->used);
    w->used = 0;
}

void mfm_file_writer_put(mfm_file_writer *w, const void *bytes, size_t size)
{
    if (size > BUFFER_SIZE - w->used)
        flush(w);
    if (size > BUFFER_SIZE) {
        write_out(w, bytes, size);
        return;
    }
    if (size)
        memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
}

bool mfm_file_writer_failed(const mfm_file_writer *w)
{
    return w->error != 0;
}

/* Pipes, terminals and some folders cannot be synced, and say so. */
static int sync_file(int file)
{
    return fsync(file) && errno != EINVAL && errno != ENOTSUP && errno != EROFS ? errno : 0;
}

/* The old file under a second name; where there are no hard links, under that one alone. */
static int keep_old(const mfm_file_writer *w, const char *keep)
{
    char link_name[NAME_MAX + 1];
    snprintf(link_name, sizeof link_name, ".%.200s.link" MFM_TEMPORARY_SUFFIX, w->base);
    if (unlinkat(w->folder, link_name, 0) && errno != ENOENT)
        return errno;
    if (linkat(w->folder, w->base, w->folder, link_name, 0)) {
        if (errno == ENOENT)
            return 0;
        if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK)
            return errno;
        return renameat(w->folder, w->base, w->folder, keep) ? errno : 0;
    }
    const int error = renameat(w->folder, link_name, w->folder, keep) ? errno : 0;
    unlinkat(w->folder, link_name, 0); /* two names of one file: renaming does nothing */
    return error;
}

/* The file stays open, and so locked, while it has its temporary name. */
static int replace(mfm_file_writer *w, const char *keep)
{
    int error = sync_file(w->file);
    if (!error && keep)
        error = keep_old(w, keep);
    if (!error && renameat(w->folder, w->temporary, w->folder, w->base))
        error = errno;
    if (error)
        return fail(w, error);
    w->renamed = true;
    error = sync_file(w->folder);
    return error ? mfm_fail(w->ctx, MFM_EIO, "cannot write %s: its folder: %s", w->path,
                            strerror(error))
                 : MFM_OK;
}

int mfm_file_writer_commit(mfm_file_writer *w, const char *keep)
{
    flush(w);
    if (w->error)
        return fail(w, w->error);
    if (w->folder >= 0)
        return replace(w, keep);
    int error = sync_file(w->file);
    if (close(w->file) && !error)
        error = errno;
    w->file = -1;
    return error ? fail(w, error) : MFM_OK;
}

bool mfm_file_writer_replaced(const mfm_file_writer *w)
{
    return w->renamed;
}

void mfm_file_writer_close(mfm_file_writer *w)
{
    if (!w)
        return;
    if (w->temporary[0] && !w->renamed)
        unlinkat(w->folder, w->temporary, 0);
    if (w->file >= 0)
        close(w->file);
    if (w->folder >= 0)
        close(w->folder);
    mfm_free(w->ctx, w->path);
    mfm_free(w->ctx, w);
}
