#include <string.h>

#include "onnx/layers/links.h"

enum { CHAIN_LIMIT = 16 }; /* nodes between a weight's numbers and its use */

static bool take_dims(const int64_t *from, size_t n, int64_t dims[MFM_LINK_RANK], size_t *rank)
{
    if (n > MFM_LINK_RANK)
        return false;
    for (size_t i = 0; i < n; i++)
        dims[i] = from[i];
    *rank = n;
    return true;
}

static const Onnx__TensorProto *tensor_of(const mfm_links *links, const mfm_link *value)
{
    if (!value || value->initializer || value->producer == MFM_NOWHERE)
        return value ? value->initializer : NULL;
    const Onnx__NodeProto *node = links->model->proto->graph->node[value->producer];
    const Onnx__AttributeProto *attr =
        strcmp(node->op_type, "Constant") == 0 ? mfm_proto_attr(node, "value") : NULL;
    return attr ? attr->t : NULL;
}

static bool take_int32(const Onnx__TensorProto *t, int64_t ints[MFM_LINK_RANK], size_t *count)
{
    const size_t n = t->raw_data.len ? t->raw_data.len / sizeof(int32_t) : t->n_int32_data;
    if (n > MFM_LINK_RANK)
        return false;
    for (size_t i = 0; i < n; i++) {
        int32_t number;
        const void *from = t->raw_data.len ? (const void *)(t->raw_data.data + i * sizeof number)
                                           : (const void *)&t->int32_data[i];
        memcpy(&number, from, sizeof number);
        ints[i] = number;
    }
    *count = n;
    return true;
}

bool mfm_links_ints(const mfm_links *links, const mfm_link *value, int64_t ints[MFM_LINK_RANK],
                    size_t *count)
{
    const Onnx__TensorProto *t = tensor_of(links, value);
    if (t && t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 && t->n_dims == 1)
        return take_int32(t, ints, count);
    if (!t || t->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || t->n_dims != 1)
        return false;
    if (!t->raw_data.len)
        return take_dims(t->int64_data, t->n_int64_data, ints, count);
    if (t->raw_data.len > MFM_LINK_RANK * sizeof *ints)
        return false;
    memcpy(ints, t->raw_data.data, t->raw_data.len);
    *count = t->raw_data.len / sizeof *ints;
    return true;
}

static bool transpose(const Onnx__NodeProto *node, int64_t dims[MFM_LINK_RANK], size_t rank)
{
    const Onnx__AttributeProto *perm = mfm_proto_attr(node, "perm");
    int64_t old[MFM_LINK_RANK] = {0};
    memcpy(old, dims, rank * sizeof *dims);
    if (perm && perm->n_ints != rank)
        return false;
    for (size_t i = 0; i < rank; i++) {
        const int64_t from = perm ? perm->ints[i] : (int64_t)(rank - 1 - i);
        if (from < 0 || from >= (int64_t)rank)
            return false;
        dims[i] = old[from];
    }
    return true;
}

/* Reshape's rule: 0 keeps a dimension, one -1 takes what is left. */
static bool reshape(const mfm_links *links, size_t node, int64_t dims[MFM_LINK_RANK], size_t *rank)
{
    int64_t to[MFM_LINK_RANK], total = 1, known = 1;
    size_t n, open = MFM_LINK_RANK;
    if (!mfm_links_ints(links, mfm_links_input(links, node, 1), to, &n))
        return false;
    for (size_t i = 0; i < *rank; i++)
        if (__builtin_mul_overflow(total, dims[i], &total))
            return false;
    for (size_t i = 0; i < n; i++) {
        if (to[i] == 0 && i < *rank)
            to[i] = dims[i];
        if (to[i] == -1)
            open = i;
        else if (to[i] <= 0 || __builtin_mul_overflow(known, to[i], &known))
            return false;
    }
    if (open < n)
        to[open] = total / known;
    return take_dims(to, n, dims, rank);
}

static bool keeps_shape(const char *op_type)
{
    static const char *const ops[] = {"Identity", "Cast", "Dropout", "DequantizeLinear",
                                      "QuantizeLinear"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(op_type, ops[i]) == 0)
            return true;
    return false;
}

static bool constant_dims(const mfm_links *links, const mfm_link *value, int limit,
                          int64_t dims[MFM_LINK_RANK], size_t *rank)
{
    const Onnx__TensorProto *tensor = tensor_of(links, value);
    if (tensor)
        return take_dims(tensor->dims, tensor->n_dims, dims, rank);
    if (!value || value->producer == MFM_NOWHERE || limit == 0)
        return false;
    const size_t at = (size_t)value->producer;
    const Onnx__NodeProto *node = links->model->proto->graph->node[at];
    const mfm_link *from = mfm_links_input(links, at, 0);
    if (strcmp(node->op_type, "ConstantOfShape") == 0)
        return mfm_links_ints(links, from, dims, rank);
    if (!constant_dims(links, from, limit - 1, dims, rank))
        return false;
    if (keeps_shape(node->op_type))
        return true;
    if (strcmp(node->op_type, "Transpose") == 0)
        return transpose(node, dims, *rank);
    return strcmp(node->op_type, "Reshape") == 0 && reshape(links, at, dims, rank);
}

bool mfm_links_dims(const mfm_links *links, const char *name, int64_t dims[MFM_LINK_RANK],
                    size_t *rank)
{
    return constant_dims(links, mfm_links_find(links, name), CHAIN_LIMIT, dims, rank);
}

static bool info_dims(const Onnx__ValueInfoProto *info, int64_t dims[MFM_LINK_RANK], size_t *rank)
{
    const Onnx__TypeProto *type = info->type;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !type->tensor_type->shape || type->tensor_type->shape->n_dim > MFM_LINK_RANK)
        return false;
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    for (size_t i = 0; i < shape->n_dim; i++)
        dims[i] = shape->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE
                      ? shape->dim[i]->dim_value
                      : -1;
    *rank = shape->n_dim;
    return true;
}

bool mfm_links_declared(const mfm_links *links, const char *name, int64_t dims[MFM_LINK_RANK],
                        size_t *rank)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    Onnx__ValueInfoProto *const *lists[] = {graph->output, graph->value_info, graph->input};
    const size_t counts[] = {graph->n_output, graph->n_value_info, graph->n_input};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < counts[k]; i++)
            if (strcmp(mfm_proto_text(lists[k][i]->name), name) == 0)
                return info_dims(lists[k][i], dims, rank);
    return false;
}
