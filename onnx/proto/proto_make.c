#include "onnx/proto/proto.h"

#include <string.h>

static Onnx__OperatorSetIdProto *make_opset(mfm_model *model, int64_t version)
{
    Onnx__OperatorSetIdProto *opset = mfm_proto_new(model, sizeof *opset);
    if (!opset)
        return NULL;
    onnx__operator_set_id_proto__init(opset);
    opset->has_version = 1;
    opset->version = version;
    if (!mfm_proto_set_string(model, &opset->domain, ""))
        return opset;
    mfm_proto_discard(model, opset);
    return NULL;
}

static int fill_model(mfm_model *model, const char *graph_name, int64_t ir_version, int64_t opset)
{
    Onnx__ModelProto *proto = mfm_proto_new(model, sizeof *proto);
    if (!proto)
        return MFM_ENOMEM;
    onnx__model_proto__init(proto);
    model->proto = proto;
    proto->has_ir_version = 1;
    proto->ir_version = ir_version;
    proto->graph = mfm_proto_new(model, sizeof *proto->graph);
    if (!proto->graph)
        return MFM_ENOMEM;
    onnx__graph_proto__init(proto->graph);
    Onnx__OperatorSetIdProto *import = make_opset(model, opset);
    if (!import)
        return MFM_ENOMEM;
    if (mfm_proto_append(model, &proto->opset_import, &proto->n_opset_import, import)) {
        mfm_proto_discard(model, import);
        return MFM_ENOMEM;
    }
    return mfm_proto_set_string(model, &proto->graph->name, graph_name);
}

int mfm_model_new(mfm_ctx *ctx, const char *graph_name, int64_t ir_version, int64_t opset,
                  mfm_model **model)
{
    int status = mfm_model_wrap(ctx, graph_name, model);
    if (status)
        return status;
    status = fill_model(*model, graph_name, ir_version, opset);
    if (status) {
        mfm_model_free(*model);
        *model = NULL;
    }
    return status;
}

/* A list of copied names; *count grows with each, so that a half-made list can be freed. */
static int copy_names(mfm_model *model, const char *const *names, size_t n, char ***list,
                      size_t *count)
{
    if (n == 0)
        return MFM_OK;
    *list = mfm_proto_new(model, n * sizeof **list);
    if (!*list)
        return MFM_ENOMEM;
    for (; *count < n; ++*count) {
        (*list)[*count] = mfm_proto_string(model, names[*count]);
        if (!(*list)[*count])
            return MFM_ENOMEM;
    }
    return MFM_OK;
}

Onnx__NodeProto *mfm_proto_node(mfm_model *model, const char *op_type, const char *name,
                                const char *const *inputs, size_t n_inputs,
                                const char *const *outputs, size_t n_outputs)
{
    Onnx__NodeProto *node = mfm_proto_new(model, sizeof *node);
    if (!node)
        return NULL;
    onnx__node_proto__init(node);
    if (mfm_proto_set_string(model, &node->op_type, op_type) ||
        mfm_proto_set_string(model, &node->name, name) ||
        copy_names(model, inputs, n_inputs, &node->input, &node->n_input) ||
        copy_names(model, outputs, n_outputs, &node->output, &node->n_output)) {
        mfm_proto_discard(model, node);
        return NULL;
    }
    return node;
}

static int hang_attr(mfm_model *model, Onnx__NodeProto *node, Onnx__AttributeProto *attr)
{
    if (!mfm_proto_append(model, &node->attribute, &node->n_attribute, attr))
        return MFM_OK;
    mfm_proto_discard(model, attr);
    return MFM_ENOMEM;
}

static Onnx__AttributeProto *make_attr(mfm_model *model, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attr = mfm_proto_new(model, sizeof *attr);
    if (!attr)
        return NULL;
    onnx__attribute_proto__init(attr);
    attr->has_type = 1;
    attr->type = type;
    if (!mfm_proto_set_string(model, &attr->name, name))
        return attr;
    mfm_proto_discard(model, attr);
    return NULL;
}

int mfm_proto_attr_int(mfm_model *model, Onnx__NodeProto *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *attr = make_attr(model, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!attr)
        return MFM_ENOMEM;
    attr->has_i = 1;
    attr->i = value;
    return hang_attr(model, node, attr);
}

int mfm_proto_attr_float(mfm_model *model, Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *attr =
        make_attr(model, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!attr)
        return MFM_ENOMEM;
    attr->has_f = 1;
    attr->f = value;
    return hang_attr(model, node, attr);
}

int mfm_proto_attr_ints(mfm_model *model, Onnx__NodeProto *node, const char *name,
                        const int64_t *values, size_t count)
{
    Onnx__AttributeProto *attr =
        make_attr(model, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (!attr)
        return MFM_ENOMEM;
    attr->ints = mfm_proto_new(model, count * sizeof *values);
    if (!attr->ints) {
        mfm_proto_discard(model, attr);
        return MFM_ENOMEM;
    }
    if (count)
        memcpy(attr->ints, values, count * sizeof *values);
    attr->n_ints = count;
    return hang_attr(model, node, attr);
}

/* dims and raw data; the caller discards a tensor that this leaves half made. */
static int fill_tensor(mfm_model *model, Onnx__TensorProto *tensor, const int64_t *dims,
                       size_t rank, size_t width, const void *data)
{
    size_t bytes = width;
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0 || __builtin_mul_overflow(bytes, (uint64_t)dims[i], &bytes))
            return mfm_fail(model->ctx, MFM_EINVAL,
                            "cannot make a tensor: dimension %zu is %lld: out of range", i,
                            (long long)dims[i]);
    if (rank) {
        tensor->dims = mfm_proto_new(model, rank * sizeof *dims);
        if (!tensor->dims)
            return MFM_ENOMEM;
        memcpy(tensor->dims, dims, rank * sizeof *dims);
        tensor->n_dims = rank;
    }
    tensor->raw_data.data = mfm_proto_new(model, bytes);
    if (!tensor->raw_data.data)
        return MFM_ENOMEM;
    tensor->has_raw_data = 1;
    tensor->raw_data.len = bytes;
    if (data)
        memcpy(tensor->raw_data.data, data, bytes);
    else
        memset(tensor->raw_data.data, 0, bytes);
    return MFM_OK;
}

Onnx__TensorProto *mfm_proto_tensor(mfm_model *model, const char *name, int32_t data_type,
                                    const int64_t *dims, size_t rank, const void *data)
{
    Onnx__TensorProto *tensor = mfm_proto_new(model, sizeof *tensor);
    if (!tensor)
        return NULL;
    onnx__tensor_proto__init(tensor);
    tensor->has_data_type = 1;
    tensor->data_type = data_type;
    const size_t width = data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? 8 : 4;
    if (mfm_proto_set_string(model, &tensor->name, name) ||
        fill_tensor(model, tensor, dims, rank, width, data)) {
        mfm_proto_discard(model, tensor);
        return NULL;
    }
    return tensor;
}

static Onnx__TensorShapeProto__Dimension *make_dimension(mfm_model *model, int64_t size,
                                                         const char *batch)
{
    Onnx__TensorShapeProto__Dimension *dim = mfm_proto_new(model, sizeof *dim);
    if (!dim)
        return NULL;
    onnx__tensor_shape_proto__dimension__init(dim);
    if (size >= 0) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = size;
        return dim;
    }
    char *symbol = mfm_proto_string(model, batch);
    if (!symbol) {
        mfm_proto_discard(model, dim);
        return NULL;
    }
    dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    dim->dim_param = symbol;
    return dim;
}

/* type.tensor_type.shape, each hung into its parent before the next is made. */
static int fill_type(mfm_model *model, Onnx__ValueInfoProto *info, const int64_t *dims, size_t rank,
                     const char *batch)
{
    Onnx__TypeProto *type = info->type = mfm_proto_new(model, sizeof *type);
    if (!type)
        return MFM_ENOMEM;
    onnx__type_proto__init(type);
    Onnx__TypeProto__Tensor *tensor = mfm_proto_new(model, sizeof *tensor);
    if (!tensor)
        return MFM_ENOMEM;
    onnx__type_proto__tensor__init(tensor);
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    Onnx__TensorShapeProto *shape = tensor->shape = mfm_proto_new(model, sizeof *shape);
    if (!shape)
        return MFM_ENOMEM;
    onnx__tensor_shape_proto__init(shape);
    for (size_t i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = make_dimension(model, dims[i], batch);
        if (!dim)
            return MFM_ENOMEM;
        if (mfm_proto_append(model, &shape->dim, &shape->n_dim, dim)) {
            mfm_proto_discard(model, dim);
            return MFM_ENOMEM;
        }
    }
    return MFM_OK;
}

Onnx__ValueInfoProto *mfm_proto_value_info(mfm_model *model, const char *name, const int64_t *dims,
                                           size_t rank, const char *batch)
{
    Onnx__ValueInfoProto *info = mfm_proto_new(model, sizeof *info);
    if (!info)
        return NULL;
    onnx__value_info_proto__init(info);
    if (mfm_proto_set_string(model, &info->name, name) ||
        fill_type(model, info, dims, rank, batch)) {
        mfm_proto_discard(model, info);
        return NULL;
    }
    return info;
}

int mfm_proto_add_initializer(mfm_model *model, Onnx__TensorProto *tensor)
{
    enum { FREE_INITIALIZERS = 4 };
    Onnx__GraphProto *graph = model->proto->graph;
    if (model->proto->ir_version < FREE_INITIALIZERS) {
        Onnx__ValueInfoProto *input =
            mfm_proto_value_info(model, tensor->name, tensor->dims, tensor->n_dims, "");
        if (!input)
            return MFM_ENOMEM;
        input->type->tensor_type->elem_type = tensor->data_type;
        if (mfm_proto_append(model, &graph->input, &graph->n_input, input)) {
            mfm_proto_discard(model, input);
            return MFM_ENOMEM;
        }
    }
    return mfm_proto_append(model, &graph->initializer, &graph->n_initializer, tensor);
}
