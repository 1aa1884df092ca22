#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/file_writer.h"
#include "onnx/storage/external.h"
#include "onnx/storage/file_read.h"
#include "onnx/storage/outline.h"
#include "onnx/proto/proto.h"
#include "onnx/storage/remote.h"
#include "onnx/proto/validate.h"
#include "onnx/proto/wire.h"

/* A folder, maybe that of a run, whose model is meant. */
static int refuse_folder(mfm_ctx *ctx, const char *path)
{
    char *inside =
        mfm_format(ctx, "%s%smodel.onnx", path, path[strlen(path) - 1] == '/' ? "" : "/");
    if (!inside)
        return MFM_ENOMEM;
    const int status =
        access(inside, F_OK) == 0
            ? mfm_fail(ctx, MFM_EIO, "cannot read %s: it is a folder: did you mean %s?", path,
                       inside)
            : mfm_fail(ctx, MFM_EIO, "cannot read %s: it is a folder: expected an ONNX file", path);
    mfm_free(ctx, inside);
    return status;
}

/* Opens a regular file. NONBLOCK: opening a FIFO returns, and is then refused for what it is. */
static int open_regular(mfm_ctx *ctx, const char *path, int *fd, size_t *size)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return mfm_fail(ctx, MFM_EIO, "cannot open %s: %s", path, strerror(errno));
    if (fstat(*fd, &st))
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return refuse_folder(ctx, path);
    if (!S_ISREG(st.st_mode))
        return mfm_fail(ctx, MFM_EIO, "cannot read %s: not a regular file", path);
    *size = (size_t)st.st_size;
    return MFM_OK;
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

/* From the outline of the open file. MFM_EDATA also for what only the whole file explains. */
static int unpack_outline(mfm_model *model, size_t file_size)
{
    uint8_t *bytes;
    size_t size;
    int status = mfm_outline_read(model->ctx, model->fd, file_size, model->path, &bytes, &size);
    if (!status)
        status = unpack(model, bytes, size);
    mfm_free_aligned(model->ctx, bytes);
    return status ? status : mfm_remote_collect(model);
}

static int unpack_whole(mfm_model *model, size_t file_size)
{
    uint8_t *bytes = mfm_alloc_aligned(model->ctx, file_size, 1);
    if (!bytes)
        return MFM_ENOMEM;
    const ssize_t got = mfm_read_at(model->fd, bytes, file_size, 0);
    const int status =
        got < 0 ? mfm_fail(model->ctx, MFM_EIO, "cannot read %s: %s", model->path, strerror(errno))
                : unpack(model, bytes, (size_t)got);
    mfm_free_aligned(model->ctx, bytes);
    return status;
}

/* What is wrong with a file is told of its own bytes, not of its outline's. */
static int unpack_file(mfm_model *model)
{
    size_t size = 0;
    int status = open_regular(model->ctx, model->path, &model->fd, &size);
    if (status)
        return status;
    status = unpack_outline(model, size);
    return status == MFM_EDATA ? unpack_whole(model, size) : status;
}

/* Standard input and what else is a descriptor's name is no file of a folder, and has nothing
 * beside it; folders in memory (/dev/shm) are like others. */
static bool has_folder(const char *path)
{
    static const char *const descriptors[] = {"/dev/stdin", "/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++)
        if (strncmp(path, descriptors[i], strlen(descriptors[i])) == 0)
            return false;
    return true;
}

/* The file, and the external data that lies in its folder. */
static int read_file(mfm_model *model)
{
    char *folder = mfm_folder_of(model->ctx, model->path);
    int status = folder ? unpack_file(model) : MFM_ENOMEM;
    if (!status)
        status = mfm_external_load(model, has_folder(model->path) ? folder : NULL);
    mfm_free(model->ctx, folder);
    return status;
}

/* A model that is not whole is freed. */
static int keep_whole(mfm_model **model, int status)
{
    if (status) {
        mfm_model_free(*model);
        *model = NULL;
    }
    return status;
}

int mfm_model_parse(mfm_ctx *ctx, const void *bytes, size_t size, const char *name,
                    mfm_model **model)
{
    int status = mfm_model_wrap(ctx, name, model);
    if (status)
        return status;
    status = unpack(*model, bytes, size);
    if (!status)
        status = mfm_external_load(*model, NULL);
    return keep_whole(model, status ? status : mfm_validate(*model));
}

int mfm_model_open(mfm_ctx *ctx, const char *path, mfm_model **model)
{
    int status = mfm_model_wrap(ctx, path, model);
    if (status)
        return status;
    status = read_file(*model);
    return keep_whole(model, status ? status : mfm_validate(*model));
}

int mfm_model_open_telling(mfm_ctx *ctx, const char *path,
                           void (*tell)(void *self, const char *text), void *self,
                           mfm_model **model)
{
    int status = mfm_model_wrap(ctx, path, model);
    if (status)
        return status;
    status = read_file(*model);
    if (status && status != MFM_ENOMEM)
        tell(self, mfm_message(ctx));
    return keep_whole(model, status ? status : mfm_validate_all(*model, tell, self));
}

int mfm_model_load(mfm_ctx *ctx, const char *path, mfm_model **model)
{
    const int status = mfm_model_open(ctx, path, model);
    return status ? status : keep_whole(model, mfm_remote_fetch(*model));
}
