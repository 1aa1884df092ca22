#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/external.h"
#include "onnx/proto.h"
#include "onnx/validate.h"
#include "onnx/wire.h"

/* Reads size bytes, or up to the end of a file that shrank; -1 with errno set. */
static ssize_t read_whole(int fd, uint8_t *bytes, size_t size)
{
    size_t have = 0;
    while (have < size) {
        const ssize_t got = read(fd, bytes + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* The content of an open file; the caller releases *bytes with mfm_free_aligned. */
static int read_open(mfm_ctx *ctx, int fd, const char *path, uint8_t **bytes, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st))
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: not a regular file", path);
    *bytes = mfm_alloc_aligned(ctx, (size_t)st.st_size, 1);
    if (!*bytes)
        return MFM_ENOMEM;
    const ssize_t got = read_whole(fd, *bytes, (size_t)st.st_size);
    if (got < 0) {
        const int error = errno;
        mfm_free_aligned(ctx, *bytes);
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", path, strerror(error));
    }
    *size = (size_t)got;
    return MFM_OK;
}

static int read_path(mfm_ctx *ctx, const char *path, uint8_t **bytes, size_t *size)
{
    /* NONBLOCK: opening a FIFO returns, and is then refused for what it is. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return mfm_fail(ctx, MFM_EIO, "cannot open %s: %s", path, strerror(errno));
    const int status = read_open(ctx, fd, path, bytes, size);
    close(fd);
    return status;
}

static int unpack(mfm_model *model, const void *bytes, size_t size)
{
    mfm_ctx *ctx = model->ctx;
    int status = mfm_wire_scan(ctx, bytes, size, model->path);
    if (status)
        return status;
    /* The scan has excluded damage, so the allocator has recorded why if this fails. */
    mfm_fail(ctx, MFM_EDATA, "cannot read %s: damaged in a way that was not recognised",
             model->path);
    model->proto = onnx__model_proto__unpack(&model->allocator, size, bytes);
    return model->proto ? MFM_OK : mfm_code(ctx);
}

/* folder is where external data lies, NULL for nowhere. */
static int parse(mfm_ctx *ctx, const void *bytes, size_t size, const char *name, const char *folder,
                 mfm_model **model)
{
    int status = mfm_model_wrap(ctx, name, model);
    if (status)
        return status;
    status = unpack(*model, bytes, size);
    if (!status)
        status = mfm_external_load(*model, folder);
    if (!status)
        status = mfm_validate(*model);
    if (status) {
        mfm_model_free(*model);
        *model = NULL;
    }
    return status;
}

int mfm_model_parse(mfm_ctx *ctx, const void *bytes, size_t size, const char *name,
                    mfm_model **model)
{
    return parse(ctx, bytes, size, name, NULL, model);
}

/* The path up to its last slash; the caller frees it. */
static char *folder_of(mfm_ctx *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mfm_format(ctx, "%.*s/", (int)(slash - path), path) : mfm_strdup(ctx, ".");
}

int mfm_model_load(mfm_ctx *ctx, const char *path, mfm_model **model)
{
    *model = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    int status = read_path(ctx, path, &bytes, &size);
    if (status)
        return status;
    char *folder = folder_of(ctx, path);
    status = folder ? parse(ctx, bytes, size, path, folder, model) : MFM_ENOMEM;
    mfm_free(ctx, folder);
    mfm_free_aligned(ctx, bytes);
    return status;
}
