#include <limits.h>
#include <sys/stat.h>

#include "core/data/file_writer.h"
#include "onnx/proto/proto.h"
#include "onnx/storage/external.h"
#include "onnx/storage/seal.h"

/* protobuf-c writes through append. */
typedef struct sink {
    ProtobufCBuffer base;
    mfm_file_writer *writer;
    mfm_seal *seal; /* NULL: without one */
} sink;

static void sink_append(ProtobufCBuffer *base, size_t length, const uint8_t *data)
{
    sink *s = (sink *)base;
    mfm_file_writer_put(s->writer, data, length);
    if (s->seal)
        mfm_seal_add(s->seal, data, length);
}

static void put_model(const mfm_model *model, mfm_file_writer *writer, mfm_seal *seal)
{
    sink s = {.base = {.append = sink_append}, .writer = writer, .seal = seal};
    protobuf_c_message_pack_to_buffer(&model->proto->base, &s.base);
    uint8_t entry[MFM_SEAL_SIZE];
    if (!seal)
        return;
    mfm_seal_entry(seal, entry);
    mfm_file_writer_put(writer, entry, sizeof entry);
}

static int check_loaded(mfm_ctx *ctx, const mfm_model *model)
{
    return model->n_remotes
               ? mfm_fail(ctx, MFM_EINVAL, "cannot write %s: it was opened to be read only",
                          model->path)
               : MFM_OK;
}

/* All of it is in memory, and no message exceeds 2 GiB; the graph is the one that can. */
static int check_whole(mfm_ctx *ctx, const mfm_model *model)
{
    if (check_loaded(ctx, model))
        return mfm_code(ctx);
    const size_t size = protobuf_c_message_get_packed_size(&model->proto->graph->base);
    if (size > INT_MAX)
        return mfm_fail(ctx, MFM_ENOTSUP, "cannot write %s: a graph of %zu bytes: it ends at 2 GiB",
                        model->path, size);
    return MFM_OK;
}

static int save_one_file(mfm_ctx *ctx, const mfm_model *model, const char *path)
{
    mfm_file_writer *writer = NULL;
    int status = check_whole(ctx, model);
    if (!status)
        status = mfm_file_writer_open(ctx, path, &writer);
    if (!status) {
        put_model(model, writer, NULL);
        status = mfm_file_writer_commit(writer, NULL);
    }
    mfm_file_writer_close(writer);
    return status;
}

/* What is no regular file has nothing beside it. */
static bool has_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) || S_ISREG(st.st_mode);
}

int mfm_model_save_limited(mfm_ctx *ctx, const mfm_model *model, const char *path, uint64_t most)
{
    int status = check_loaded(ctx, model);
    if (status || !mfm_external_wanted(model, most) || !has_folder(path))
        return status ? status : save_one_file(ctx, model, path);
    mfm_external_save save;
    status = mfm_external_save_begin(ctx, model, path, &save);
    if (!status)
        status = save_one_file(ctx, model, path);
    mfm_external_save_end(&save, status == MFM_OK);
    return status;
}

int mfm_model_save(mfm_ctx *ctx, const mfm_model *model, const char *path)
{
    return mfm_model_save_limited(ctx, model, path, INT_MAX);
}

int mfm_model_save_descriptor(mfm_ctx *ctx, const mfm_model *model, int descriptor,
                              const char *name)
{
    mfm_file_writer *writer = NULL;
    int status = check_whole(ctx, model);
    if (!status)
        status = mfm_file_writer_open_descriptor(ctx, descriptor, name, &writer);
    if (!status) {
        put_model(model, writer, NULL);
        status = mfm_file_writer_commit(writer, NULL);
    }
    mfm_file_writer_close(writer);
    return status;
}

int mfm_model_save_sealed(mfm_ctx *ctx, const mfm_model *model, const char *path, const char *keep)
{
    mfm_file_writer *writer = NULL;
    mfm_seal *seal = NULL;
    int status = check_whole(ctx, model);
    if (!status)
        status = mfm_seal_new(ctx, &seal);
    if (!status)
        status = mfm_file_writer_open(ctx, path, &writer);
    if (!status) {
        put_model(model, writer, seal);
        status = mfm_file_writer_commit(writer, keep);
    }
    mfm_file_writer_close(writer);
    mfm_seal_free(ctx, seal);
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
