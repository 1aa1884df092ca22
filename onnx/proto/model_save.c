#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "core/data/file_writer.h"
#include "onnx/proto/proto.h"
#include "onnx/storage/external.h"
#include "onnx/storage/seal.h"

/* protobuf-c writes through append. */
typedef struct sink {
    ProtobufCBuffer base;
    void (*put)(void *self, const void *bytes, size_t size);
    void *self;
} sink;

static void sink_append(ProtobufCBuffer *base, size_t length, const uint8_t *data)
{
    const sink *s = (const sink *)base;
    s->put(s->self, data, length);
}

static int check_loaded(mfm_ctx *ctx, const mfm_model *model)
{
    return model->n_remotes
               ? mfm_fail(ctx, MFM_EINVAL, "cannot write %s: it was opened to be read only",
                          model->path)
               : MFM_OK;
}

int mfm_model_stream(mfm_ctx *ctx, const mfm_model *model,
                     void (*put)(void *self, const void *bytes, size_t size), void *self)
{
    sink s = {.base = {.append = sink_append}, .put = put, .self = self};
    const int status = check_loaded(ctx, model);
    if (!status)
        protobuf_c_message_pack_to_buffer(&model->proto->base, &s.base);
    return status;
}

/* All of it is in memory, and no message exceeds `most`. */
static int check_whole(mfm_ctx *ctx, const mfm_model *model, uint64_t most)
{
    if (check_loaded(ctx, model))
        return mfm_code(ctx);
    const uint64_t size = mfm_external_largest(model);
    if (size > most)
        return mfm_fail(ctx, MFM_ENOTSUP,
                        "cannot write %s: %llu bytes of weights: one file ends at 2 GiB",
                        model->path, (unsigned long long)size);
    return MFM_OK;
}

/* ---- one file ---- */

typedef struct output {
    mfm_file_writer *writer;
    mfm_seal *seal; /* NULL: without one */
} output;

static void put_output(void *self, const void *bytes, size_t size)
{
    const output *o = self;
    mfm_file_writer_put(o->writer, bytes, size);
    if (o->seal)
        mfm_seal_add(o->seal, bytes, size);
}

/* keep as of mfm_file_writer_commit. */
static int put_model(mfm_ctx *ctx, const mfm_model *model, const output *o, const char *keep)
{
    uint8_t entry[MFM_SEAL_SIZE];
    const int status = mfm_model_stream(ctx, model, put_output, (void *)o);
    if (status)
        return status;
    if (o->seal) {
        mfm_seal_entry(o->seal, entry);
        mfm_file_writer_put(o->writer, entry, sizeof entry);
    }
    return mfm_file_writer_commit(o->writer, keep);
}

/* How a model's own file is written. */
typedef struct manner {
    bool sealed;
    const char *keep; /* as of mfm_file_writer_commit */
} manner;

/* *replaced: whether the path has the new content, whatever is told. */
static int save_file(mfm_ctx *ctx, const mfm_model *model, const char *path, const manner *how,
                     bool *replaced)
{
    output o = {.writer = NULL};
    int status = how->sealed ? mfm_seal_new(ctx, &o.seal) : MFM_OK;
    if (!status)
        status = mfm_file_writer_open(ctx, path, &o.writer);
    if (!status)
        status = put_model(ctx, model, &o, how->keep);
    *replaced = o.writer && mfm_file_writer_replaced(o.writer);
    mfm_file_writer_close(o.writer);
    mfm_seal_free(ctx, o.seal);
    return status;
}

static int save_one(mfm_ctx *ctx, const mfm_model *model, const char *path, const manner *how)
{
    bool replaced;
    const int status = check_whole(ctx, model, mfm_one_file_most);
    return status ? status : save_file(ctx, model, path, how, &replaced);
}

/* The weights first: a model that is there has them. */
static int save_two(mfm_ctx *ctx, const mfm_model *model, const char *path, bool as_read,
                    const manner *how)
{
    mfm_external_save save;
    bool replaced = false;
    int status = mfm_external_save_begin(ctx, model, path, as_read, &save);
    if (!status)
        status = check_whole(ctx, model, INT_MAX);
    if (!status)
        status = save_file(ctx, model, path, how, &replaced);
    mfm_external_save_end(&save, status == MFM_OK || replaced);
    return status;
}

/* What is no regular file has nothing beside it. */
static bool has_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) || S_ISREG(st.st_mode);
}

bool mfm_model_fits_one_file(const mfm_model *model, uint64_t more)
{
    return mfm_external_largest(model) + more <= mfm_one_file_most;
}

int mfm_model_save(mfm_ctx *ctx, const mfm_model *model, const char *path)
{
    const manner plainly = {.sealed = false};
    const bool two = model->n_outside || !mfm_model_fits_one_file(model, 0);
    const int status = check_loaded(ctx, model);
    if (status)
        return status;
    return two && has_folder(path) ? save_two(ctx, model, path, true, &plainly)
                                   : save_one(ctx, model, path, &plainly);
}

int mfm_model_save_sealed(mfm_ctx *ctx, const mfm_model *model, const char *path, const char *keep)
{
    const manner how = {.sealed = true, .keep = keep};
    const int status = check_loaded(ctx, model);
    if (status)
        return status;
    return mfm_model_fits_one_file(model, 0) ? save_one(ctx, model, path, &how)
                                             : save_two(ctx, model, path, false, &how);
}

int mfm_model_save_descriptor(mfm_ctx *ctx, const mfm_model *model, int descriptor,
                              const char *name)
{
    output o = {.writer = NULL};
    int status = check_whole(ctx, model, mfm_one_file_most);
    if (!status)
        status = mfm_file_writer_open_descriptor(ctx, descriptor, name, &o.writer);
    if (!status)
        status = put_model(ctx, model, &o, NULL);
    mfm_file_writer_close(o.writer);
    return status;
}

int mfm_model_pack(mfm_ctx *ctx, const mfm_model *model, void **bytes, size_t *size)
{
    const int status = check_whole(ctx, model, mfm_one_file_most);
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
