#include "tools/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int mfm_fail_errno(mfm_ctx *ctx, int error, const char *verb, const char *path)
{
    const bool resources = error == ENOSPC || error == EDQUOT || error == EFBIG ||
                           error == EMFILE || error == ENFILE || error == ENOMEM;
    return mfm_fail(ctx, resources ? MFM_ENOMEM : MFM_EIO, "cannot %s %s: %s", verb, path,
                    strerror(error));
}

static int check_folder(mfm_ctx *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash ? mfm_format(ctx, "%.*s/", (int)(slash - path), path) : mfm_strdup(ctx, ".");
    if (!folder)
        return MFM_ENOMEM;
    struct stat st;
    int error = 0;
    if (stat(folder, &st) || access(folder, W_OK | X_OK))
        error = errno;
    else if (!S_ISDIR(st.st_mode))
        error = ENOTDIR;
    const int status = error ? mfm_fail(ctx, MFM_EIO, "cannot write %s: its folder %s: %s", path,
                                        folder, strerror(error))
                             : MFM_OK;
    mfm_free(ctx, folder);
    return status;
}

int mfm_check_output(mfm_ctx *ctx, const char *path, const char *input)
{
    int status = check_folder(ctx, path);
    if (status)
        return status;
    struct stat out, in;
    if (stat(path, &out))
        return errno == ENOENT ? MFM_OK : mfm_fail_errno(ctx, errno, "write", path);
    if (!S_ISREG(out.st_mode))
        return mfm_fail(ctx, MFM_EIO, "cannot write %s: it is there and not a regular file", path);
    if (input && stat(input, &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return mfm_fail(ctx, MFM_EINVAL,
                        "cannot write %s: it is the input file: an input is never "
                        "overwritten",
                        path);
    return MFM_OK;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        const ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno;
        bytes += put;
        size -= (size_t)put;
    }
    return fsync(fd) ? errno : 0;
}

int mfm_write_file(mfm_ctx *ctx, const char *path, const void *bytes, size_t size)
{
    char *temporary = mfm_format(ctx, "%s.%ld.tmp", path, (long)getpid());
    if (!temporary)
        return MFM_ENOMEM;
    int error = 0;
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        error = errno;
    } else {
        error = write_all(fd, bytes, size);
        if (close(fd) && !error)
            error = errno;
        if (!error && rename(temporary, path))
            error = errno;
        if (error)
            unlink(temporary);
    }
    mfm_free(ctx, temporary);
    return error ? mfm_fail_errno(ctx, error, "write", path) : MFM_OK;
}

static int read_all(mfm_ctx *ctx, int fd, const char *path, size_t size, char **bytes)
{
    char *buffer = mfm_alloc(ctx, size + 1, 1);
    if (!buffer)
        return MFM_ENOMEM;
    size_t have = 0;
    ssize_t got = 1;
    while (have < size && got != 0) {
        got = read(fd, buffer + have, size - have);
        if (got < 0 && errno != EINTR)
            break;
        have += got > 0 ? (size_t)got : 0;
    }
    if (have == size) {
        *bytes = buffer;
        return MFM_OK;
    }
    const int status = got < 0 ? mfm_fail_errno(ctx, errno, "read", path)
                               : mfm_fail(ctx, MFM_EIO, "cannot read %s: it was cut short", path);
    mfm_free(ctx, buffer);
    return status;
}

int mfm_read_file(mfm_ctx *ctx, const char *path, char **bytes, size_t *size)
{
    *bytes = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mfm_fail_errno(ctx, errno, "read", path);
    struct stat st;
    int status;
    if (fstat(fd, &st))
        status = mfm_fail_errno(ctx, errno, "read", path);
    else if (!S_ISREG(st.st_mode))
        status = mfm_fail(ctx, MFM_EIO, "cannot read %s: not a regular file", path);
    else
        status = read_all(ctx, fd, path, *size = (size_t)st.st_size, bytes);
    close(fd);
    return status;
}
