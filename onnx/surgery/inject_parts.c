#include "onnx/surgery/inject_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool mfm_inject_keep(mfm_injector *in, int status)
{
    if (!in->status)
        in->status = status;
    return in->status == MFM_OK;
}

const char *mfm_inject_name(mfm_injector *in, const char *format, ...)
{
    char base[256];
    va_list args;
    va_start(args, format);
    vsnprintf(base, sizeof base, format, args);
    va_end(args);
    const char *name = NULL;
    return !in->status && mfm_inject_keep(in, mfm_names_unique(in->names, base, &name)) ? name
                                                                                        : NULL;
}

/* Adds a copy of name to one of the lists of the record. Lists are short: they grow by one. */
static bool record(mfm_injector *in, char ***list, size_t *count, const char *name)
{
    char **longer = mfm_alloc(in->ctx, *count + 1, sizeof *longer);
    char *copy = longer ? mfm_strdup(in->ctx, name) : NULL;
    if (!copy) {
        mfm_free(in->ctx, longer);
        return mfm_inject_keep(in, MFM_ENOMEM);
    }
    if (*count)
        memcpy(longer, *list, *count * sizeof *longer);
    longer[(*count)++] = copy;
    mfm_free(in->ctx, *list);
    *list = longer;
    return true;
}

/* Hangs a message into one of the graph's lists; one that cannot be hung is freed. */
static bool hang(mfm_injector *in, void *array, size_t *count, size_t at, void *message)
{
    if (!message)
        return mfm_inject_keep(in, mfm_code(in->ctx));
    if (mfm_inject_keep(in, mfm_proto_insert(in->model, array, count, at, message)))
        return true;
    mfm_proto_discard(in->model, message);
    return false;
}

static bool add_input(mfm_injector *in, const char *name, const int64_t *dims, size_t rank)
{
    Onnx__GraphProto *graph = in->model->proto->graph;
    Onnx__ValueInfoProto *info = mfm_proto_value_info(in->model, name, dims, rank, "mfm.batch");

    return hang(in, &graph->input, &graph->n_input, graph->n_input, info) &&
           record(in, &in->info->inputs, &in->info->n_inputs, name);
}

static bool add_initializer(mfm_injector *in, const char *name, int32_t data_type,
                            const int64_t *dims, size_t rank, const void *data)
{
    Onnx__GraphProto *graph = in->model->proto->graph;
    Onnx__TensorProto *tensor = mfm_proto_tensor(in->model, name, data_type, dims, rank, data);
    return hang(in, &graph->initializer, &graph->n_initializer, graph->n_initializer, tensor) &&
           record(in, &in->info->initializers, &in->info->n_initializers, name);
}

const char *mfm_inject_tensor(mfm_injector *in, const char *base, int32_t data_type,
                              const int64_t *dims, size_t rank, const void *data)
{
    const char *name = mfm_inject_name(in, "%s", base);
    return name && add_initializer(in, name, data_type, dims, rank, data) ? name : NULL;
}

const char *mfm_inject_input(mfm_injector *in, const char *base, const int64_t *dims, size_t rank,
                             int64_t default_rows, const float *data)
{
    int64_t default_dims[2] = {default_rows, rank > 1 ? dims[1] : 0};
    const int32_t type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    const char *name = mfm_inject_name(in, "%s", base);
    if (!name || !add_input(in, name, dims, rank) ||
        !add_initializer(in, name, type, default_dims, rank, data))
        return NULL;
    return name;
}

const char *mfm_inject_node(mfm_injector *in, const char *op_type, const char *base,
                            const char *const *inputs, size_t n_inputs, const char *output,
                            Onnx__NodeProto **node)
{
    if (node)
        *node = NULL;
    for (size_t i = 0; i < n_inputs; i++)
        if (!inputs[i])
            return NULL;
    Onnx__GraphProto *graph = in->model->proto->graph;
    const char *name = mfm_inject_name(in, "%s", base);
    const char *out = output ? output : mfm_inject_name(in, "%s.out", base);
    if (!name || !out)
        return NULL;
    Onnx__NodeProto *made = mfm_proto_node(in->model, op_type, name, inputs, n_inputs, &out, 1);
    if (!hang(in, &graph->node, &graph->n_node, in->at, made))
        return NULL;
    in->at++;
    if (node)
        *node = made;
    return record(in, &in->info->nodes, &in->info->n_nodes, name) ? out : NULL;
}
