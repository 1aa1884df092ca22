/* The ends of a network: its image input and its modulation sites; import_output.c has its logits.
 */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

int mfm_import_fail(mfm_importer *im, const Onnx__NodeProto *node, int code, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    mfm_vfail(im->ctx, code, format, args);
    va_end(args);
    return mfm_fail_in(im->ctx, code, "%s: %s '%s'", mfm_model_path(im->model),
                       mfm_proto_text(node->op_type), mfm_proto_title(node));
}

static bool is_bytes(const Onnx__ValueInfoProto *info)
{
    return info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
           info->type->tensor_type &&
           info->type->tensor_type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8;
}

/* A graph by itself may also have truth values as inputs. */
static int declared_shape(mfm_importer *im, const Onnx__ValueInfoProto *info,
                          const Onnx__TensorShapeProto **shape, enum mfm_role *role)
{
    const bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TypeProto__Tensor *type = tensor ? info->type->tensor_type : NULL;
    *shape = type ? type->shape : NULL;
    if (!*shape)
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: input '%s': must be a tensor with a known shape",
                        mfm_model_path(im->model), info->name);
    if ((*shape)->n_dim > MFM_MAX_RANK)
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: input '%s': %zu axes: at most %d are supported",
                        mfm_model_path(im->model), info->name, (*shape)->n_dim, MFM_MAX_RANK);
    *role = MFM_DATA;
    if (type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL && !im->network)
        *role = MFM_INDEX;
    else if (!mfm_type_is_float(type->elem_type) && !is_bytes(info))
        return mfm_fail(im->ctx, MFM_ENOTSUP,
                        "%s: input '%s': element type %d: must be floating-point numbers or bytes "
                        "(uint8)",
                        mfm_model_path(im->model), info->name, (int)type->elem_type);
    return MFM_OK;
}

static int64_t fixed_dim(const Onnx__TensorShapeProto__Dimension *dim)
{
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ? dim->dim_value
                                                                                   : -1;
}

/* Heights and widths that are open become those that are told. */
static int close_size(mfm_importer *im, const Onnx__ValueInfoProto *info, mfm_shape *shape)
{
    const int first = mfm_import_is_rows(info) ? 1 : 2;
    int64_t height, width;
    if (!im->network || shape->rank != 4 || (shape->dim[first] > 0 && shape->dim[first + 1] > 0))
        return MFM_OK;
    const int status = mfm_import_open_size(im, &height, &width);
    if (status)
        return status;
    shape->dim[first] = shape->dim[first] > 0 ? shape->dim[first] : height;
    shape->dim[first + 1] = shape->dim[first + 1] > 0 ? shape->dim[first + 1] : width;
    return MFM_OK;
}

static int input_shape(mfm_importer *im, const Onnx__ValueInfoProto *info, bool open_batch,
                       mfm_shape *shape, enum mfm_role *role)
{
    const Onnx__TensorShapeProto *declared;
    int status = declared_shape(im, info, &declared, role);
    if (status)
        return status;
    *shape = (mfm_shape){.rank = (int)declared->n_dim};
    for (int i = 0; i < shape->rank; i++)
        shape->dim[i] = fixed_dim(declared->dim[i]);
    status = close_size(im, info, shape);
    for (int i = 1; i < shape->rank && !status; i++)
        if (shape->dim[i] < 1)
            status = mfm_fail(im->ctx, MFM_ENOTSUP, "%s: input '%s': axis %d: %s",
                              mfm_model_path(im->model), info->name, i,
                              shape->dim[i] ? "only the batch may be left open"
                                            : "of length 0: an input without numbers");
    if (!status && open_batch && shape->rank) {
        im->frozen_batch = shape->dim[0];
        shape->dim[0] = -1;
    }
    return status;
}

int mfm_import_input(mfm_importer *im, const Onnx__ValueInfoProto *info, bool open_batch,
                     int *value)
{
    mfm_shape shape;
    enum mfm_role role;
    int status = input_shape(im, info, open_batch, &shape, &role);
    if (!status)
        status = mfm_graph_input(im->graph, info->name, role, &shape, value);
    return status ? status : mfm_import_bind_value(im, info->name, *value, true);
}

/* Images in planes, [n, channels, height, width], become the file's rows. */
static int turn_images(mfm_importer *im, const Onnx__ValueInfoProto *info, int *images)
{
    enum { OPSET = 13 };
    const mfm_op *op = mfm_op_find("", "Transpose", OPSET);
    mfm_shape rows;
    enum mfm_role role;
    int turned, status = input_shape(im, info, true, &rows, &role);
    const mfm_shape planes = {.rank = 4,
                              .dim = {rows.dim[0], rows.dim[3], rows.dim[1], rows.dim[2]}};
    void *attr = status ? NULL : mfm_alloc(im->ctx, 1, op->attr_size);
    if (!status)
        status = attr ? MFM_OK : MFM_ENOMEM;
    if (!status) {
        mfm_attr_defaults(op, attr);
        status = mfm_attr_parse(im->ctx, op, attr, "perm", "0,2,3,1");
    }
    if (!status)
        status = mfm_graph_input(im->graph, info->name, MFM_DATA, &planes, images);
    if (!status)
        status =
            mfm_graph_add(im->graph, op, OPSET, "images.rows", attr, images, 1, NULL, 1, &turned);
    if (!status)
        status = mfm_import_bind_output(im, "", *images, true);
    mfm_free(im->ctx, attr);
    return status ? status : mfm_import_bind_value(im, info->name, turned, true);
}

/* An input of the modulator. */
static int add_input(mfm_importer *im, const char *name, mfm_shape shape, int *value)
{
    const int status = mfm_graph_input(im->graph, name, MFM_DATA, &shape, value);
    return status ? status : mfm_import_bind_value(im, name, *value, false);
}

static bool is_fixed(const Onnx__ValueInfoProto *info)
{
    const bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TensorShapeProto *shape =
        tensor && info->type->tensor_type ? info->type->tensor_type->shape : NULL;
    for (size_t i = 0; shape && i < shape->n_dim; i++)
        if (fixed_dim(shape->dim[i]) < 0)
            return false;
    return shape != NULL;
}

/* Beside images of any number, what has one shape was a constant before the file was written. */
static int refuse_second(const mfm_importer *im, const Onnx__ValueInfoProto *second)
{
    const mfm_value *images = &im->graph->values[im->network->images];
    const bool constant = images->shape.dim[0] < 0 && is_fixed(second);
    return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: inputs '%s' and '%s': a classifier has one%s",
                    mfm_model_path(im->model), images->name, second->name,
                    constant
                        ? "; the second, of a fixed shape, looks like a constant whose numbers "
                          "were left out of the file: Keras's own export does so, where "
                          "tf2onnx of its SavedModel keeps them"
                        : "");
}

static int import_images(mfm_importer *im, const Onnx__ValueInfoProto *info)
{
    int *images = &im->network->images;
    if (*images >= 0)
        return refuse_second(im, info);
    const int status = im->model->view.planes && mfm_import_is_rows(info)
                           ? turn_images(im, info, images)
                           : mfm_import_input(im, info, true, images);
    im->network->bytes = is_bytes(info);
    if (!status && im->graph->values[*images].shape.rank < 2)
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: input '%s': must be [batch, ...]",
                        mfm_model_path(im->model), info->name);
    return status;
}

int mfm_import_inputs(mfm_importer *im)
{
    im->network->images = im->network->soft_label = im->network->toggle = -1;
    for (size_t i = 0; i < im->proto->n_input; i++) {
        const Onnx__ValueInfoProto *info = im->proto->input[i];
        const mfm_shape soft_label = {.rank = 2, .dim = {-1, im->info ? im->info->classes : 0}};
        const mfm_shape one = {.rank = 1, .dim = {1}};
        int status = MFM_OK;
        if (im->info && strcmp(info->name, im->info->soft_label) == 0)
            status = add_input(im, info->name, soft_label, &im->network->soft_label);
        else if (im->info && strcmp(info->name, im->info->gate) == 0)
            status = add_input(im, info->name, one, &im->network->toggle);
        else if (!mfm_proto_initializer(im->model, info->name))
            status = import_images(im, info);
        if (status)
            return status;
    }
    if (im->network->images < 0)
        return mfm_fail(im->ctx, MFM_EDATA,
                        "%s: no input is left for the image: every one has an initialiser",
                        mfm_model_path(im->model));
    return MFM_OK;
}

int mfm_import_shape(mfm_importer *im, int value, int64_t batch, mfm_shape *shape)
{
    mfm_graph_shapes_at *at = im->shapes;
    while (at->batch && at->batch != batch)
        at++;
    assert(at < im->shapes + sizeof im->shapes / sizeof im->shapes[0]);
    at->batch = batch;
    const int status = mfm_graph_shapes_grow(im->graph, at);
    if (!status)
        *shape = at->of[value];
    return status;
}

int mfm_import_sites(mfm_importer *im)
{
    if (!im->info)
        return MFM_OK;
    mfm_network *network = im->network;
    if (network->soft_label < 0 || network->toggle < 0)
        return mfm_fail(im->ctx, MFM_EDATA, "%s: modulator: input '%s' or '%s' is not there",
                        mfm_model_path(im->model), im->info->soft_label, im->info->gate);
    network->sites = mfm_alloc(im->ctx, im->info->n_sites, sizeof *network->sites);
    if (!network->sites)
        return MFM_ENOMEM;
    network->n_sites = im->info->n_sites;
    for (size_t i = 0; i < im->info->n_sites; i++) {
        const mfm_inject_site *site = &im->info->sites[i];
        const mfm_binding *value = mfm_import_find(im, site->value);
        const mfm_binding *modulated = mfm_import_find(im, site->output);
        if (!value || !modulated || value->value < 0 || modulated->value < 0)
            return mfm_fail(im->ctx, MFM_EDATA,
                            "%s: modulator at '%s': its nodes are not what the metadata lists",
                            mfm_model_path(im->model), site->layer);
        network->sites[i] = (mfm_site){value->value, modulated->value};
    }
    return MFM_OK;
}
