#include "onnx/info/structure.h"

#include <string.h>

#include "core/data/fnv.h"
#include "onnx/proto/proto.h"

typedef struct hasher {
    mfm_ctx *ctx;
    uint64_t hash;
    int status;
} hasher;

static void add_message(hasher *h, const ProtobufCMessage *message)
{
    const size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = h->status ? NULL : mfm_alloc(h->ctx, size, 1);
    if (!bytes) {
        h->status = MFM_ENOMEM;
        return;
    }
    protobuf_c_message_pack(message, bytes);
    h->hash = mfm_fnv(mfm_fnv_number(h->hash, size, 8), bytes, size);
    mfm_free(h->ctx, bytes);
}

static void add_ports(hasher *h, Onnx__ValueInfoProto *const *ports, size_t count)
{
    h->hash = mfm_fnv_number(h->hash, count, 8);
    for (size_t i = 0; i < count; i++)
        add_message(h, &ports[i]->base);
}

static void add_tensor(hasher *h, const Onnx__TensorProto *tensor)
{
    const char *name = mfm_proto_text(tensor->name);
    h->hash = mfm_fnv(h->hash, name, strlen(name) + 1);
    h->hash = mfm_fnv_number(h->hash, (uint64_t)tensor->data_type, 4);
    h->hash = mfm_fnv_number(h->hash, tensor->n_dims, 8);
    for (size_t i = 0; i < tensor->n_dims; i++)
        h->hash = mfm_fnv_number(h->hash, (uint64_t)tensor->dims[i], 8);
}

int mfm_model_structure(mfm_ctx *ctx, const mfm_model *model, uint64_t *hash)
{
    hasher h = {.ctx = ctx, .hash = MFM_FNV_START};
    const Onnx__GraphProto *graph = model->proto->graph;
    add_ports(&h, graph->input, graph->n_input);
    add_ports(&h, graph->output, graph->n_output);
    for (size_t i = 0; i < graph->n_node; i++)
        add_message(&h, &graph->node[i]->base);
    for (size_t i = 0; i < model->proto->n_functions; i++)
        add_message(&h, &model->proto->functions[i]->base);
    for (size_t i = 0; i < graph->n_initializer; i++)
        add_tensor(&h, graph->initializer[i]);
    *hash = h.hash;
    return h.status;
}
