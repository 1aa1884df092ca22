#include "onnx/storage/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx/storage/file_read.h"
#include "onnx/storage/outline.h"

bool mfm_tensor_is_remote(const Onnx__TensorProto *tensor)
{
    return tensor->raw_data.len > 0 && !tensor->raw_data.data;
}

static int collect_tensor(mfm_model *model, Onnx__TensorProto *tensor)
{
    if (tensor->raw_data.len != MFM_OUTLINE_LEAST)
        return MFM_OK;
    const int status = mfm_grow(model->ctx, &model->remotes, model->n_remotes,
                                &model->remotes_capacity, sizeof *model->remotes);
    if (status)
        return status;
    mfm_outline_note note;
    memcpy(&note, tensor->raw_data.data, sizeof note);
    mfm_free(model->ctx, tensor->raw_data.data);
    tensor->raw_data = (ProtobufCBinaryData){.len = note.length};
    model->remotes[model->n_remotes++] = (mfm_remote){tensor, note.offset, model->fd};
    return MFM_OK;
}

static int collect_message(mfm_model *model, ProtobufCMessage *message);

/* The messages in one field of a message, by protobuf-c's description of where they are. */
static int collect_field(mfm_model *model, ProtobufCMessage *message,
                         const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message, *list = base + field->offset;
    size_t count = 1;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, base + field->quantifier_offset, sizeof count);
        memcpy(&list, base + field->offset, sizeof list);
    } else if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t chosen;
        memcpy(&chosen, base + field->quantifier_offset, sizeof chosen);
        count = chosen == field->id;
    }
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++) {
        ProtobufCMessage *nested;
        memcpy(&nested, list + i * sizeof nested, sizeof nested);
        if (nested)
            status = collect_message(model, nested);
    }
    return status;
}

/* Follows protobuf-c's descriptors as the outline does, so that no note is left behind. */
static int collect_message(mfm_model *model, ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    int status = MFM_OK;
    if (type == &onnx__tensor_proto__descriptor)
        status = collect_tensor(model, (Onnx__TensorProto *)(void *)message);
    for (unsigned i = 0; i < type->n_fields && !status; i++)
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            status = collect_field(model, message, &type->fields[i]);
    return status;
}

/* A tensor's place among the remotes. */
static int compare(const void *tensor, const void *remote)
{
    const uintptr_t x = (uintptr_t)tensor, y = (uintptr_t)((const mfm_remote *)remote)->tensor;
    return (x > y) - (x < y);
}

static int by_tensor(const void *a, const void *b)
{
    return compare(((const mfm_remote *)a)->tensor, b);
}

int mfm_remote_collect(mfm_model *model)
{
    const int status = collect_message(model, &model->proto->base);
    mfm_remote_sort(model);
    return status;
}

int mfm_remote_add(mfm_model *model, Onnx__TensorProto *tensor, size_t length, uint64_t offset,
                   int fd)
{
    const int status = mfm_grow(model->ctx, &model->remotes, model->n_remotes,
                                &model->remotes_capacity, sizeof *model->remotes);
    if (status)
        return status;
    tensor->raw_data = (ProtobufCBinaryData){.len = length};
    model->remotes[model->n_remotes++] = (mfm_remote){tensor, offset, fd};
    return MFM_OK;
}

void mfm_remote_sort(mfm_model *model)
{
    if (model->n_remotes)
        qsort(model->remotes, model->n_remotes, sizeof *model->remotes, by_tensor);
}

int mfm_remote_read(const mfm_model *model, const Onnx__TensorProto *tensor, size_t offset,
                    void *bytes, size_t size)
{
    const mfm_remote *found =
        model->n_remotes ? bsearch(tensor, model->remotes, model->n_remotes, sizeof *found, compare)
                         : NULL;
    if (!found)
        return mfm_fail(model->ctx, MFM_EINVAL, "%s: tensor %s: not one of this model's",
                        model->path, mfm_proto_text(tensor->name));
    const ssize_t got = mfm_read_at(found->fd, bytes, size, found->offset + offset);
    if (got < 0 || (size_t)got < size)
        return mfm_fail(model->ctx, MFM_EIO, "cannot read %s: tensor %s: %s", model->path,
                        mfm_proto_text(tensor->name),
                        got < 0 ? strerror(errno) : "the file became shorter");
    return MFM_OK;
}

static int fetch(mfm_model *model, Onnx__TensorProto *tensor)
{
    uint8_t *bytes = mfm_proto_new(model, tensor->raw_data.len);
    if (!bytes)
        return MFM_ENOMEM;
    const int status = mfm_remote_read(model, tensor, 0, bytes, tensor->raw_data.len);
    if (status)
        mfm_free(model->ctx, bytes);
    else
        tensor->raw_data.data = bytes;
    return status;
}

int mfm_remote_fetch(mfm_model *model)
{
    int status = MFM_OK;
    for (size_t i = 0; i < model->n_remotes && !status; i++)
        if (mfm_tensor_is_remote(model->remotes[i].tensor))
            status = fetch(model, model->remotes[i].tensor);
    if (status)
        return status;
    mfm_free(model->ctx, model->remotes);
    model->remotes = NULL;
    model->n_remotes = model->remotes_capacity = 0;
    if (model->fd >= 0)
        close(model->fd);
    model->fd = -1;
    for (size_t i = 0; i < model->n_beside; i++) {
        close(model->beside[i].fd);
        model->beside[i].fd = -1;
    }
    return MFM_OK;
}
