#include "tools/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file_io.h"
#include "core/data/file_writer.h"

int mfm_fail_errno(mfm_ctx *ctx, int error, const char *verb, const char *path)
{
    const bool resources = error == ENOSPC || error == EDQUOT || error == EFBIG ||
                           error == EMFILE || error == ENFILE || error == ENOMEM;
    return mfm_fail(ctx, resources ? MFM_ENOMEM : MFM_EIO, "cannot %s %s: %s", verb, path,
                    strerror(error));
}

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

static int check_standard(mfm_ctx *ctx)
{
    if (isatty(STDOUT_FILENO))
        return mfm_fail(ctx, MFM_EIO,
                        "cannot write to standard output: it is a terminal: redirect it to a file "
                        "or a program");
    fflush(stdout);
    stdout = stderr; /* the descriptor is the file's; glibc lets the stream be another */
    return MFM_OK;
}

int mfm_check_place(mfm_ctx *ctx, const char *path)
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

int mfm_check_folder(mfm_ctx *ctx, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode)
                   ? MFM_OK
                   : mfm_fail(ctx, MFM_EIO, "cannot write in %s: %s", path, strerror(ENOTDIR));
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    char *name = mfm_format(ctx, "%.*s", (int)length, path);
    const int status = name ? mfm_check_place(ctx, name) : MFM_ENOMEM;
    mfm_free(ctx, name);
    return status;
}

/* By writing nothing to it. */
static int check_writable(mfm_ctx *ctx, const char *path)
{
    mfm_file_writer *writer;
    const int status = mfm_file_writer_open(ctx, path, &writer);
    mfm_file_writer_close(writer);
    return status;
}

int mfm_check_output(mfm_ctx *ctx, const char *path, const char *input)
{
    if (is_standard(path))
        return check_standard(ctx);
    struct stat out, in;
    const bool there = stat(path, &out) == 0;
    if (there && input && stat(input, &in) == 0 && mfm_same_file(&in, &out))
        return mfm_fail(ctx, MFM_EINVAL,
                        "cannot write %s: it is the input file: an input is never "
                        "overwritten",
                        path);
    /* Opening what is no file may have effects of its own. */
    if (there && !S_ISREG(out.st_mode) && !S_ISDIR(out.st_mode))
        return access(path, W_OK) ? mfm_fail_errno(ctx, errno, "write", path) : MFM_OK;
    return check_writable(ctx, path);
}

bool mfm_is_regular_output(const char *path)
{
    struct stat st;
    return !is_standard(path) && (stat(path, &st) || S_ISREG(st.st_mode));
}

const char *mfm_output_name(const char *path)
{
    return is_standard(path) ? "standard output" : path;
}

int mfm_save_output(mfm_ctx *ctx, const mfm_model *model, const char *path)
{
    return is_standard(path)
               ? mfm_model_save_descriptor(ctx, model, STDOUT_FILENO, mfm_output_name(path))
               : mfm_model_save(ctx, model, path);
}

/* Closes the writer. */
static int write_bytes(mfm_file_writer *writer, const void *bytes, size_t size)
{
    mfm_file_writer_put(writer, bytes, size);
    const int status = mfm_file_writer_commit(writer, NULL);
    mfm_file_writer_close(writer);
    return status;
}

int mfm_write_output(mfm_ctx *ctx, const char *path, const void *bytes, size_t size)
{
    if (!is_standard(path))
        return mfm_write_file(ctx, path, bytes, size);
    mfm_file_writer *writer;
    const int status =
        mfm_file_writer_open_descriptor(ctx, STDOUT_FILENO, mfm_output_name(path), &writer);
    return status ? status : write_bytes(writer, bytes, size);
}

int mfm_write_file(mfm_ctx *ctx, const char *path, const void *bytes, size_t size)
{
    mfm_file_writer *writer;
    const int status = mfm_file_writer_open(ctx, path, &writer);
    return status ? status : write_bytes(writer, bytes, size);
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

/* ---- standard input ---- */

static const char standard_input[] = "standard input";

/* A file from its beginning, which may be opened again: one that another user has opened may not.
 */
static bool stays(void)
{
    struct stat st;
    return fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode) &&
           lseek(STDIN_FILENO, 0, SEEK_CUR) == 0 && access(MFM_STANDARD_INPUT, R_OK) == 0;
}

static int keep(mfm_ctx *ctx, int to, const char *bytes, size_t size)
{
    const int error = mfm_write_all(to, bytes, size);
    return error ? mfm_fail_errno(ctx, error, "keep", standard_input) : MFM_OK;
}

static int copy_standard_input(mfm_ctx *ctx, int to)
{
    enum { BLOCK = 1 << 16 };
    char *block = mfm_alloc(ctx, BLOCK, 1);
    int status = block ? MFM_OK : MFM_ENOMEM;
    ssize_t got = 1;
    for (size_t have = 0; !status && got != 0; have += got > 0 ? (size_t)got : 0) {
        got = read(STDIN_FILENO, block, BLOCK);
        if (got < 0 && errno != EINTR)
            status = mfm_fail_errno(ctx, errno, "read", standard_input);
        else if (got > 0 && have + (size_t)got > INT_MAX)
            status =
                mfm_fail(ctx, MFM_ENOTSUP, "cannot read %s: a model ends at 2 GiB", standard_input);
        else if (got > 0)
            status = keep(ctx, to, block, (size_t)got);
    }
    mfm_free(ctx, block);
    return status;
}

int mfm_keep_standard_input(mfm_ctx *ctx)
{
    if (isatty(STDIN_FILENO))
        return mfm_fail(ctx, MFM_EIO,
                        "cannot read %s: it is a terminal: redirect a file or a program to it",
                        standard_input);
    if (stays())
        return MFM_OK;
    const int copy = memfd_create("standard-input", MFD_CLOEXEC);
    if (copy < 0)
        return mfm_fail_errno(ctx, errno, "keep", standard_input);
    int status = copy_standard_input(ctx, copy);
    if (!status && (lseek(copy, 0, SEEK_SET) < 0 || dup2(copy, STDIN_FILENO) < 0))
        status = mfm_fail_errno(ctx, errno, "keep", standard_input);
    close(copy);
    return status;
}

int mfm_take_model(mfm_ctx *ctx, const char **path)
{
    if (!is_standard(*path))
        return MFM_OK;
    *path = MFM_STANDARD_INPUT;
    return mfm_keep_standard_input(ctx);
}

int mfm_make_folders(mfm_ctx *ctx, const char *path)
{
    char *part = mfm_strdup(ctx, path);
    if (!part)
        return MFM_ENOMEM;
    int error = 0;
    for (char *at = part + 1; !error; at++)
        if (*at == '/' || !*at) {
            const char kept = *at;
            *at = '\0';
            error = mkdir(part, 0777) && errno != EEXIST ? errno : 0;
            *at = kept;
            if (!kept)
                break;
        }
    mfm_free(ctx, part);
    return error ? mfm_fail_errno(ctx, error, "make the folder", path) : MFM_OK;
}
