/*
 * A copy of a model goes the way of the wire, with its unknown fields and in its order, but for
 * large numbers: these stay aside on that way, so that they are copied once, and all together may
 * exceed what a message of the wire has.
 */
#include <string.h>

#include "onnx/proto/proto.h"
#include "onnx/proto/validate.h"
#include "onnx/proto/walk.h"

/* What lay in the tensors of a model, in the order of a walk over them. */
typedef struct shelf {
    mfm_ctx *ctx;
    ProtobufCBinaryData *taken;
    size_t n, capacity, next;
    mfm_model *copy;
} shelf;

static int take(void *self, Onnx__TensorProto *t)
{
    shelf *s = self;
    const int status = mfm_grow(s->ctx, &s->taken, s->n, &s->capacity, sizeof *s->taken);
    if (status)
        return status;
    s->taken[s->n++] = t->raw_data;
    t->raw_data = (ProtobufCBinaryData){0};
    return MFM_OK;
}

/* Also after a walk that has not taken all. */
static int put_back(void *self, Onnx__TensorProto *t)
{
    shelf *s = self;
    if (s->next < s->n)
        t->raw_data = s->taken[s->next++];
    return MFM_OK;
}

static int put_copy(void *self, Onnx__TensorProto *t)
{
    shelf *s = self;
    const ProtobufCBinaryData *from = &s->taken[s->next++];
    if (!from->len)
        return MFM_OK;
    t->raw_data.data = mfm_proto_new(s->copy, from->len);
    if (!t->raw_data.data)
        return MFM_ENOMEM;
    memcpy(t->raw_data.data, from->data, from->len);
    t->raw_data.len = from->len;
    return MFM_OK;
}

/* All but what is on the shelf. */
static int copy_rest(const mfm_model *model, mfm_model *copy)
{
    mfm_ctx *ctx = copy->ctx;
    const size_t size = protobuf_c_message_get_packed_size(&model->proto->base);
    uint8_t *bytes = mfm_alloc(ctx, size, 1);
    if (!bytes)
        return MFM_ENOMEM;
    protobuf_c_message_pack(&model->proto->base, bytes);
    copy->proto = onnx__model_proto__unpack(&copy->allocator, size, bytes);
    mfm_free(ctx, bytes);
    return copy->proto ? MFM_OK : mfm_code(ctx);
}

int mfm_model_copy(mfm_ctx *ctx, const mfm_model *model, mfm_model **copy)
{
    int status = mfm_model_wrap(ctx, mfm_model_path(model), copy);
    if (status)
        return status;
    shelf s = {.ctx = ctx, .copy = *copy};
    mfm_visitor visitor = {.tensor = take, .self = &s};
    if (model->n_remotes)
        status = mfm_fail(ctx, MFM_EINVAL, "cannot copy %s: it was opened to be read only",
                          mfm_model_path(model));
    if (!status)
        status = mfm_walk_model(model, &visitor);
    if (!status)
        status = copy_rest(model, *copy);
    visitor.tensor = put_back;
    mfm_walk_model(model, &visitor);
    s.next = 0;
    visitor.tensor = put_copy;
    if (!status)
        status = mfm_walk_model(*copy, &visitor);
    mfm_free(ctx, s.taken);
    if (!status)
        status = mfm_validate(*copy);
    if (status) {
        mfm_model_free(*copy);
        *copy = NULL;
    }
    return status;
}
