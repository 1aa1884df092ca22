#include "onnx/build/builder_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IR_VERSION = 8, OPSET = 17 };

int mfm_builder_new(mfm_ctx *ctx, const char *graph_name, uint64_t seed, mfm_builder **builder)
{
    *builder = NULL;
    mfm_builder *b = mfm_alloc(ctx, 1, sizeof *b);
    if (!b)
        return MFM_ENOMEM;
    b->ctx = ctx;
    b->seed = seed;
    b->convolution = b->linear = MFM_INIT_HE_FAN_IN;
    int status = mfm_model_new(ctx, graph_name, IR_VERSION, OPSET, &b->model);
    if (!status)
        status = mfm_proto_set_string(b->model, &b->model->proto->producer_name, "onnx-mfm");
    if (!status)
        status = mfm_proto_set_string(b->model, &b->model->proto->producer_version, MFM_VERSION);
    if (status) {
        mfm_model_free(b->model);
        mfm_free(ctx, b);
        return status;
    }
    *builder = b;
    return MFM_OK;
}

int mfm_builder_finish(mfm_builder *b, mfm_model **model)
{
    const Onnx__GraphProto *graph = b->model->proto->graph;
    if (!b->status && (graph->n_input == 0 || graph->n_output == 0))
        mfm_builder_fail(b, MFM_EINVAL,
                         "cannot finish a model: %zu inputs and %zu outputs: at least one of each",
                         graph->n_input, graph->n_output);
    const int status = b->status;
    *model = status ? NULL : b->model;
    if (status)
        mfm_model_free(b->model);
    for (size_t i = 0; i < b->n_values; i++)
        mfm_free(b->ctx, b->values[i].name);
    mfm_free(b->ctx, b->values);
    mfm_free(b->ctx, b);
    return status;
}

bool mfm_builder_keep(mfm_builder *b, int status)
{
    if (!b->status)
        b->status = status;
    return b->status == MFM_OK;
}

void mfm_builder_fail(mfm_builder *b, int code, const char *format, ...)
{
    if (b->status)
        return;
    va_list args;
    va_start(args, format);
    b->status = mfm_vfail(b->ctx, code, format, args);
    va_end(args);
}

void mfm_builder_refuse(mfm_builder *b, const char *name, const char *format, ...)
{
    if (b->status)
        return;
    va_list args;
    va_start(args, format);
    b->status = mfm_vfail(b->ctx, MFM_EINVAL, format, args);
    va_end(args);
    mfm_fail_in(b->ctx, MFM_EINVAL, "cannot build %s%s%s", b->scope, b->scope[0] ? "." : "", name);
}

void mfm_builder_scope(mfm_builder *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(b->scope, sizeof b->scope, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof b->scope)
        mfm_builder_fail(b, MFM_EINVAL, "cannot name a layer: %s...: longer than %d bytes",
                         b->scope, MFM_BUILDER_NAME - 1);
}

void mfm_builder_end_scope(mfm_builder *b)
{
    b->scope[0] = '\0';
}

void mfm_builder_init(mfm_builder *b, enum mfm_init convolution, enum mfm_init linear)
{
    b->convolution = convolution;
    b->linear = linear;
}

mfm_shape mfm_builder_shape(const mfm_builder *b, mfm_value x)
{
    const mfm_shape none = {0};
    return b->status || x < 0 || (size_t)x >= b->n_values ? none : b->values[x].shape;
}

/* "scope.name" or "scope.name.part" into full. */
static bool full_name(mfm_builder *b, const char *name, const char *part,
                      char full[MFM_BUILDER_NAME])
{
    if (b->status)
        return false;
    const int length = snprintf(full, MFM_BUILDER_NAME, "%s%s%s%s%s", b->scope,
                                b->scope[0] ? "." : "", name, part[0] ? "." : "", part);
    if (length < 0 || length >= MFM_BUILDER_NAME)
        mfm_builder_fail(b, MFM_EINVAL, "cannot name a layer: %s...: longer than %d bytes", full,
                         MFM_BUILDER_NAME - 1);
    return !b->status;
}

const mfm_built *mfm_builder_operand(mfm_builder *b, const char *name, mfm_value x, int rank)
{
    if (b->status)
        return NULL;
    if (x < 0 || (size_t)x >= b->n_values) {
        mfm_builder_refuse(b, name, "value %d: not one of this builder", x);
        return NULL;
    }
    const mfm_built *value = &b->values[x];
    if (rank && value->shape.rank != rank) {
        mfm_builder_refuse(b, name, "%s has rank %d: it takes rank %d", value->name,
                           value->shape.rank, rank);
        return NULL;
    }
    return value;
}

static bool is_free(mfm_builder *b, const char *name)
{
    bool taken = mfm_proto_initializer(b->model, name) != NULL;
    for (size_t i = 0; i < b->n_values && !taken; i++)
        taken = strcmp(b->values[i].name, name) == 0;
    if (taken)
        mfm_builder_fail(b, MFM_EINVAL, "cannot name a layer: %s: used twice", name);
    return !taken;
}

static mfm_value new_value(mfm_builder *b, const char *name, mfm_shape shape)
{
    if (b->status || !is_free(b, name) ||
        !mfm_builder_keep(
            b, mfm_grow(b->ctx, &b->values, b->n_values, &b->capacity, sizeof *b->values)))
        return MFM_NO_VALUE;
    char *copy = mfm_strdup(b->ctx, name);
    if (!copy) {
        mfm_builder_keep(b, MFM_ENOMEM);
        return MFM_NO_VALUE;
    }
    b->values[b->n_values] = (mfm_built){copy, shape};
    return (mfm_value)b->n_values++;
}

/* Hangs message into one of the graph's lists; a message that cannot be hung is freed. */
static bool hang(mfm_builder *b, void *array, size_t *count, void *message)
{
    if (!message)
        return mfm_builder_keep(b, MFM_ENOMEM);
    if (mfm_builder_keep(b, mfm_proto_append(b->model, array, count, message)))
        return true;
    protobuf_c_message_free_unpacked(message, &b->model->allocator);
    return false;
}

static Onnx__TensorProto *new_tensor(mfm_builder *b, const char *name, const char *part,
                                     int32_t data_type, const mfm_shape *shape, const void *data)
{
    char full[MFM_BUILDER_NAME];
    if (!full_name(b, name, part, full) || !is_free(b, full) ||
        !mfm_builder_keep(b, mfm_shape_check(b->ctx, shape, full)))
        return NULL;
    const int64_t width = data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? 8 : 4;
    const int64_t count = mfm_shape_count(shape);
    /* A protobuf message ends below 2 GiB, and the graph is one; the last MiB is for the nodes. */
    const int64_t room = INT32_MAX - (1 << 20) - b->bytes;
    if (count > room / width) {
        mfm_builder_fail(b, MFM_ENOTSUP,
                         "cannot build %s: %lld numbers: an ONNX file ends at 2 GiB", full,
                         (long long)count);
        return NULL;
    }
    Onnx__GraphProto *graph = b->model->proto->graph;
    Onnx__TensorProto *tensor =
        mfm_proto_tensor(b->model, full, data_type, shape->dim, (size_t)shape->rank, data);
    if (!hang(b, &graph->initializer, &graph->n_initializer, tensor))
        return NULL;
    b->bytes += count * width;
    return tensor;
}

const char *mfm_builder_parameter(mfm_builder *b, const char *name, const char *part,
                                  mfm_shape shape, enum mfm_init init)
{
    Onnx__TensorProto *tensor =
        new_tensor(b, name, part, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, &shape, NULL);
    if (!tensor)
        return NULL;
    if (init != MFM_INIT_ZERO)
        mfm_builder_draw(b->seed, b->parameters, init, &shape, (float *)tensor->raw_data.data);
    b->parameters++;
    return tensor->name;
}

const char *mfm_builder_constant(mfm_builder *b, const char *name, const char *part,
                                 int32_t data_type, size_t count, const void *data)
{
    const mfm_shape shape = {.rank = count ? 1 : 0, .dim = {(int64_t)count}};
    Onnx__TensorProto *tensor = new_tensor(b, name, part, data_type, &shape, data);
    return tensor ? tensor->name : NULL;
}

mfm_value mfm_builder_node(mfm_builder *b, const char *op_type, const char *name,
                           const char *const *inputs, size_t n_inputs, mfm_shape out,
                           Onnx__NodeProto **node)
{
    if (node)
        *node = NULL;
    char full[MFM_BUILDER_NAME], written[MFM_BUILDER_NAME];
    if (!full_name(b, name, "", full) || !full_name(b, name, "out", written))
        return MFM_NO_VALUE;
    const mfm_value value = new_value(b, written, out);
    if (b->status)
        return MFM_NO_VALUE;
    const char *const outputs[] = {written};
    Onnx__GraphProto *graph = b->model->proto->graph;
    Onnx__NodeProto *made = mfm_proto_node(b->model, op_type, full, inputs, n_inputs, outputs, 1);
    if (!hang(b, &graph->node, &graph->n_node, made))
        return MFM_NO_VALUE;
    if (node)
        *node = made;
    return value;
}

mfm_value mfm_build_input(mfm_builder *b, const char *name, int64_t channels, int64_t height,
                          int64_t width)
{
    if (b->status)
        return MFM_NO_VALUE;
    enum { MOST = 1 << 20 }; /* far beyond any image, far below overflow */
    const int64_t least = channels < height ? channels : height;
    const int64_t largest = channels > height ? channels : height;
    if (least < 1 || width < 1 || largest > MOST || width > MOST) {
        mfm_builder_fail(
            b, MFM_EINVAL,
            "cannot build %s: channels %lld, height %lld, width %lld: each from 1 to %d", name,
            (long long)channels, (long long)height, (long long)width, MOST);
        return MFM_NO_VALUE;
    }
    const mfm_shape shape = {.rank = 4, .dim = {-1, channels, height, width}};
    const mfm_value value = new_value(b, name, shape);
    if (b->status)
        return MFM_NO_VALUE;
    Onnx__GraphProto *graph = b->model->proto->graph;
    Onnx__ValueInfoProto *info = mfm_proto_value_info(b->model, name, shape.dim, 4, "batch");
    return hang(b, &graph->input, &graph->n_input, info) ? value : MFM_NO_VALUE;
}

static bool is_listed(Onnx__ValueInfoProto *const *infos, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(infos[i]->name, name) == 0)
            return true;
    return false;
}

/* Gives the value `from` the name `to` in every node that writes or reads it. */
static bool rename_value(mfm_builder *b, const char *from, const char *to)
{
    const Onnx__GraphProto *graph = b->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        Onnx__NodeProto *node = graph->node[i];
        for (size_t k = 0; k < node->n_input; k++)
            if (strcmp(node->input[k], from) == 0 &&
                !mfm_builder_keep(b, mfm_proto_set_string(b->model, &node->input[k], to)))
                return false;
        for (size_t k = 0; k < node->n_output; k++)
            if (strcmp(node->output[k], from) == 0 &&
                !mfm_builder_keep(b, mfm_proto_set_string(b->model, &node->output[k], to)))
                return false;
    }
    return true;
}

void mfm_build_output(mfm_builder *b, const char *name, mfm_value x)
{
    const mfm_built *value = mfm_builder_operand(b, name, x, 0);
    if (!value)
        return;
    Onnx__GraphProto *graph = b->model->proto->graph;
    if (is_listed(graph->input, graph->n_input, value->name) ||
        is_listed(graph->output, graph->n_output, value->name)) {
        mfm_builder_fail(b, MFM_EINVAL,
                         "cannot build %s: %s: what a layer writes can be an output, once", name,
                         value->name);
        return;
    }
    /* The new name enters the table first: it may be taken. */
    const mfm_shape shape = value->shape;
    const mfm_value renamed = new_value(b, name, shape);
    if (b->status || !rename_value(b, b->values[x].name, name))
        return;
    mfm_free(b->ctx, b->values[x].name);
    b->values[x].name = b->values[renamed].name;
    b->n_values--;
    hang(b, &graph->output, &graph->n_output,
         mfm_proto_value_info(b->model, name, shape.dim, (size_t)shape.rank, "batch"));
}
