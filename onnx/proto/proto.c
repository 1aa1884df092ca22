#include "onnx/proto/proto.h"

#include <string.h>
#include <unistd.h>

static void *proto_alloc(void *data, size_t size)
{
    mfm_ctx *ctx = data;
    const mfm_allocator *allocator = mfm_ctx_allocator(ctx);
    void *pointer = allocator->alloc(allocator->self, size ? size : 1);
    if (!pointer)
        mfm_fail(ctx, MFM_ENOMEM, "out of memory: %zu bytes refused", size);
    return pointer;
}

static void proto_free(void *data, void *pointer)
{
    mfm_free(data, pointer);
}

int mfm_model_wrap(mfm_ctx *ctx, const char *path, mfm_model **model)
{
    *model = NULL;
    mfm_model *made = mfm_alloc(ctx, 1, sizeof *made);
    if (!made)
        return MFM_ENOMEM;
    made->ctx = ctx;
    made->fd = -1;
    made->allocator = (ProtobufCAllocator){proto_alloc, proto_free, ctx};
    made->path = mfm_strdup(ctx, path);
    if (!made->path) {
        mfm_free(ctx, made);
        return MFM_ENOMEM;
    }
    *model = made;
    return MFM_OK;
}

void mfm_model_free(mfm_model *model)
{
    if (!model)
        return;
    mfm_proto_discard(model, model->proto);
    if (model->fd >= 0)
        close(model->fd);
    for (size_t i = 0; i < model->n_beside; i++) {
        if (model->beside[i].fd >= 0)
            close(model->beside[i].fd);
        mfm_free(model->ctx, model->beside[i].location);
    }
    for (size_t i = 0; i < model->n_outside; i++)
        mfm_free(model->ctx, model->outside[i]);
    mfm_free(model->ctx, model->beside);
    mfm_free(model->ctx, model->outside);
    mfm_free(model->ctx, model->remotes);
    mfm_free(model->ctx, model->view.output);
    mfm_free(model->ctx, model->path);
    mfm_free(model->ctx, model);
}

const char *mfm_model_producer(const mfm_model *model)
{
    return mfm_proto_text(model->proto->producer_name);
}

size_t mfm_model_outputs(const mfm_model *model)
{
    return model->proto->graph->n_output;
}

const char *mfm_model_output(const mfm_model *model, size_t index)
{
    return model->proto->graph->output[index]->name;
}

const char *mfm_model_beside(const mfm_model *model, size_t index)
{
    return index < model->n_beside ? model->beside[index].location : NULL;
}

const char *mfm_model_path(const mfm_model *model)
{
    return model->path;
}

void mfm_proto_discard(mfm_model *model, void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, &model->allocator);
}

int64_t mfm_model_opset(const mfm_model *model, const char *domain)
{
    const bool standard = !domain[0] || strcmp(domain, "ai.onnx") == 0;
    for (size_t i = 0; i < model->proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *opset = model->proto->opset_import[i];
        const char *own = mfm_proto_text(opset->domain);
        if (standard ? !own[0] || strcmp(own, "ai.onnx") == 0 : strcmp(own, domain) == 0)
            return opset->version;
    }
    return 0;
}

bool mfm_proto_lists(const char *list, const char *word)
{
    const size_t length = strlen(word);
    if (!length || strchr(word, ' '))
        return false;
    for (const char *at = strstr(list + 1, word); at; at = strstr(at + 1, word))
        if (at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

const char *mfm_proto_title(const Onnx__NodeProto *node)
{
    const char *name = mfm_proto_text(node->name);
    return !name[0] && node->n_output ? mfm_proto_text(node->output[0]) : name;
}

/* The pointer arrays are read and written through memcpy: their element types differ. */
int mfm_proto_insert(mfm_model *model, void *array, size_t *count, size_t at, void *message)
{
    void **old, **fresh = proto_alloc(model->ctx, (*count + 1) * sizeof *fresh);
    if (!fresh)
        return MFM_ENOMEM;
    memcpy(&old, array, sizeof old);
    if (at)
        memcpy(fresh, old, at * sizeof *fresh);
    fresh[at] = message;
    if (*count > at)
        memcpy(fresh + at + 1, old + at, (*count - at) * sizeof *fresh);
    mfm_free(model->ctx, old);
    memcpy(array, &fresh, sizeof fresh);
    ++*count;
    return MFM_OK;
}

int mfm_proto_append(mfm_model *model, void *array, size_t *count, void *message)
{
    return mfm_proto_insert(model, array, count, *count, message);
}

void mfm_proto_remove(mfm_model *model, void *array, size_t *count, size_t at)
{
    void **list;
    memcpy(&list, array, sizeof list);
    mfm_proto_discard(model, list[at]);
    memmove(list + at, list + at + 1, (*count - at - 1) * sizeof *list);
    --*count;
}

char *mfm_proto_string(mfm_model *model, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = proto_alloc(model->ctx, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

int mfm_proto_set_string(mfm_model *model, char **field, const char *text)
{
    char *copy = mfm_proto_string(model, text);
    if (!copy)
        return MFM_ENOMEM;
    if (*field != protobuf_c_empty_string)
        mfm_free(model->ctx, *field);
    *field = copy;
    return MFM_OK;
}

const Onnx__AttributeProto *mfm_proto_attr(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (strcmp(mfm_proto_text(node->attribute[i]->name), name) == 0)
            return node->attribute[i];
    return NULL;
}

int64_t mfm_proto_int(const Onnx__NodeProto *node, const char *name, int64_t fallback)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(node, name);
    return attr ? attr->i : fallback;
}

bool mfm_proto_is_output(const mfm_model *model, const char *name)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_output; i++)
        if (strcmp(mfm_proto_text(graph->output[i]->name), name) == 0)
            return true;
    return false;
}

Onnx__TensorProto *mfm_proto_initializer(const mfm_model *model, const char *name)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (strcmp(mfm_proto_text(graph->initializer[i]->name), name) == 0)
            return graph->initializer[i];
    return NULL;
}

static size_t find_metadata(const mfm_model *model, const char *key)
{
    size_t i = 0;
    while (i < model->proto->n_metadata_props &&
           strcmp(mfm_proto_text(model->proto->metadata_props[i]->key), key) != 0)
        i++;
    return i;
}

const char *mfm_proto_metadata(const mfm_model *model, const char *key)
{
    const size_t i = find_metadata(model, key);
    return i < model->proto->n_metadata_props
               ? mfm_proto_text(model->proto->metadata_props[i]->value)
               : NULL;
}

static int add_metadata(mfm_model *model, const char *key, const char *value)
{
    Onnx__ModelProto *proto = model->proto;
    Onnx__StringStringEntryProto *entry = mfm_proto_new(model, sizeof *entry);
    if (!entry)
        return MFM_ENOMEM;
    onnx__string_string_entry_proto__init(entry);
    if (mfm_proto_set_string(model, &entry->key, key) ||
        mfm_proto_set_string(model, &entry->value, value) ||
        mfm_proto_append(model, &proto->metadata_props, &proto->n_metadata_props, entry)) {
        mfm_proto_discard(model, entry);
        return MFM_ENOMEM;
    }
    return MFM_OK;
}

int mfm_proto_set_metadata(mfm_model *model, const char *key, const char *value)
{
    Onnx__ModelProto *proto = model->proto;
    const size_t i = find_metadata(model, key);
    const bool found = i < proto->n_metadata_props;
    if (value)
        return found ? mfm_proto_set_string(model, &proto->metadata_props[i]->value, value)
                     : add_metadata(model, key, value);
    if (found)
        mfm_proto_remove(model, &proto->metadata_props, &proto->n_metadata_props, i);
    return MFM_OK;
}

void *mfm_proto_new(mfm_model *model, size_t size)
{
    return proto_alloc(model->ctx, size);
}

bool mfm_proto_is(const Onnx__NodeProto *node, const char *op_type)
{
    const char *domain = mfm_proto_text(node->domain);
    return strcmp(mfm_proto_text(node->op_type), op_type) == 0 &&
           (!domain[0] || strcmp(domain, "ai.onnx") == 0);
}
