#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/proto.h"

enum { SINK_SIZE = 1 << 16, TEMPORARY_TRIES = 100 };

/* protobuf-c writes through append; the first error stops all further writing. */
typedef struct sink {
    ProtobufCBuffer base;
    int fd, error; /* errno of the first failure */
    size_t used;
    uint8_t bytes[SINK_SIZE];
} sink;

static void write_out(sink *s, const uint8_t *data, size_t length)
{
    while (length && !s->error) {
        const ssize_t put = write(s->fd, data, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            s->error = errno;
            return;
        }
        data += put;
        length -= (size_t)put;
    }
}

static void sink_flush(sink *s)
{
    write_out(s, s->bytes, s->used);
    s->used = 0;
}

static void sink_append(ProtobufCBuffer *base, size_t length, const uint8_t *data)
{
    sink *s = (sink *)base;
    if (length > SINK_SIZE - s->used)
        sink_flush(s);
    if (length > SINK_SIZE) {
        write_out(s, data, length);
        return;
    }
    if (length)
        memcpy(s->bytes + s->used, data, length);
    s->used += length;
}

/* A new file in the folder, with the permissions that the process gives new files. */
static int open_temporary(mfm_ctx *ctx, int folder, const char *path, char name[NAME_MAX])
{
    for (int i = 0; i < TEMPORARY_TRIES; i++) {
        snprintf(name, NAME_MAX, ".mfm-%ld-%d.tmp", (long)getpid(), i);
        const int fd =
            openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            break;
    }
    mfm_fail(ctx, MFM_EIO, "cannot write %s: a file in its folder: %s", path, strerror(errno));
    return -1;
}

static int write_file(mfm_ctx *ctx, const mfm_model *model, int fd, const char *path)
{
    sink *s = mfm_alloc(ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    s->base.append = sink_append;
    s->fd = fd;
    protobuf_c_message_pack_to_buffer(&model->proto->base, &s->base);
    sink_flush(s);
    const int error = s->error ? s->error : fsync(fd) ? errno : 0;
    mfm_free(ctx, s);
    if (error)
        return mfm_fail(ctx, MFM_EIO, "cannot write %s: %s", path, strerror(error));
    return MFM_OK;
}

/* A file that is replaced keeps its permissions; anything but a file is not replaced. */
static int follow_old(mfm_ctx *ctx, int folder, const char *base, const char *path, int fd)
{
    struct stat st;
    if (fstatat(folder, base, &st, 0))
        return errno == ENOENT
                   ? MFM_OK
                   : mfm_fail(ctx, MFM_EIO, "cannot write %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return mfm_fail(ctx, MFM_EIO, "cannot write %s: not a regular file", path);
    if (fchmod(fd, st.st_mode & 0777))
        return mfm_fail(ctx, MFM_EIO, "cannot write %s: its permissions: %s", path,
                        strerror(errno));
    return MFM_OK;
}

static int save_in(mfm_ctx *ctx, const mfm_model *model, int folder, const char *base,
                   const char *path)
{
    char temporary[NAME_MAX];
    const int fd = open_temporary(ctx, folder, path, temporary);
    if (fd < 0)
        return MFM_EIO;
    int status = follow_old(ctx, folder, base, path, fd);
    if (!status)
        status = write_file(ctx, model, fd, path);
    if (close(fd) && !status)
        status = mfm_fail(ctx, MFM_EIO, "cannot write %s: %s", path, strerror(errno));
    if (!status && renameat(folder, temporary, folder, base))
        status = mfm_fail(ctx, MFM_EIO, "cannot write %s: %s", path, strerror(errno));
    if (status) {
        unlinkat(folder, temporary, 0);
        return status;
    }
    /* Some file systems cannot sync a folder, and say so by EINVAL. */
    if (fsync(folder) && errno != EINVAL)
        return mfm_fail(ctx, MFM_EIO, "cannot write %s: its folder: %s", path, strerror(errno));
    return MFM_OK;
}

/* All of it is in memory, and no message exceeds 2 GiB; the graph is the one that can. */
static int check_whole(mfm_ctx *ctx, const mfm_model *model)
{
    if (model->n_remotes)
        return mfm_fail(ctx, MFM_EINVAL, "cannot write %s: it was opened to be read only",
                        model->path);
    const size_t size = protobuf_c_message_get_packed_size(&model->proto->graph->base);
    if (size > INT_MAX)
        return mfm_fail(ctx, MFM_ENOTSUP, "cannot write %s: a graph of %zu bytes: it ends at 2 GiB",
                        model->path, size);
    return MFM_OK;
}

int mfm_model_save(mfm_ctx *ctx, const mfm_model *model, const char *path)
{
    int status = check_whole(ctx, model);
    if (status)
        return status;
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (!base[0])
        return mfm_fail(ctx, MFM_EINVAL, "cannot write '%s': not the name of a file", path);
    char *folder_path =
        slash ? mfm_format(ctx, "%.*s/", (int)(slash - path), path) : mfm_strdup(ctx, ".");
    if (!folder_path)
        return MFM_ENOMEM;
    const int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        status = mfm_fail(ctx, MFM_EIO, "cannot write %s: its folder %s: %s", path, folder_path,
                          strerror(errno));
    } else {
        status = save_in(ctx, model, folder, base, path);
        close(folder);
    }
    mfm_free(ctx, folder_path);
    return status;
}

int mfm_model_pack(mfm_ctx *ctx, const mfm_model *model, void **bytes, size_t *size)
{
    const int status = check_whole(ctx, model);
    if (status)
        return status;
    const size_t needed = protobuf_c_message_get_packed_size(&model->proto->base);
    uint8_t *buffer = mfm_alloc(ctx, needed, 1);
    if (!buffer)
        return MFM_ENOMEM;
    *size = protobuf_c_message_pack(&model->proto->base, buffer);
    *bytes = buffer;
    return MFM_OK;
}
