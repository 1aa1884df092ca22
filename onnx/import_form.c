/* The ends of a network: its image input, its logits, its modulation sites. */
#include <stdarg.h>
#include <string.h>

#include "onnx/import_parts.h"

int mfm_import_fail(mfm_importer *im, const Onnx__NodeProto *node, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mfm_vfail(im->ctx, code, format, args);
    va_end(args);
    const char *name = mfm_proto_text(node->name);
    if (!name[0] && node->n_output)
        name = node->output[0];
    return mfm_fail_in(im->ctx, code, "%s: %s '%s'", mfm_model_path(im->model),
                       mfm_proto_text(node->op_type), name);
}

static const Onnx__TensorShapeProto *declared_shape(const Onnx__ValueInfoProto *info)
{
    return info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
                   info->type->tensor_type
               ? info->type->tensor_type->shape
               : NULL;
}

/* dim[0] becomes -1; the others must be fixed. */
static int input_shape(mfm_importer *im, const Onnx__ValueInfoProto *info, mfm_shape *shape)
{
    const Onnx__TensorShapeProto *declared = declared_shape(info);
    if (!declared || declared->n_dim < 1 || declared->n_dim > MFM_MAX_RANK)
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: input '%s': must be a tensor with a known shape",
                        mfm_model_path(im->model), info->name);
    *shape = (mfm_shape){.rank = (int)declared->n_dim};
    for (size_t i = 0; i < declared->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = declared->dim[i];
        const bool fixed = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i] = i == 0 ? -1 : fixed ? dim->dim_value : 0;
        if (i && shape->dim[i] < 1)
            return mfm_fail(im->ctx, MFM_ENOTSUP,
                            "%s: input '%s': axis %zu: only the batch may be left open",
                            mfm_model_path(im->model), info->name, i);
        if (i == 0 && fixed)
            im->frozen_batch = dim->dim_value;
    }
    return MFM_OK;
}

static int add_input(mfm_importer *im, const Onnx__ValueInfoProto *info, const mfm_shape *shape,
                     bool images, int *value)
{
    const int status = mfm_graph_input(im->graph, info->name, MFM_DATA, shape, value);
    return status ? status : mfm_import_bind_value(im, info->name, *value, images);
}

static int import_images(mfm_importer *im, const Onnx__ValueInfoProto *info)
{
    mfm_shape shape;
    if (im->network->images >= 0)
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: inputs '%s' and '%s': a classifier has one",
                        mfm_model_path(im->model),
                        im->graph->values[im->network->images].name, info->name);
    const int status = input_shape(im, info, &shape);
    return status ? status : add_input(im, info, &shape, true, &im->network->images);
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
            status = add_input(im, info, &soft_label, false, &im->network->soft_label);
        else if (im->info && strcmp(info->name, im->info->gate) == 0)
            status = add_input(im, info, &one, false, &im->network->toggle);
        else if (!mfm_proto_initializer(im->model, info->name))
            status = import_images(im, info);
        if (status)
            return status;
    }
    if (im->network->images < 0)
        return mfm_fail(im->ctx, MFM_EDATA, "%s: no input that is given at run time",
                        mfm_model_path(im->model));
    return MFM_OK;
}

/* Softmax at the end belongs to the loss: the logits are what goes into it. */
static int before_softmax(const mfm_importer *im, int value)
{
    for (;;) {
        const mfm_value *v = &im->graph->values[value];
        if (v->kind != MFM_VALUE_NODE)
            return value;
        const mfm_graph_node *node = &im->graph->nodes[v->producer];
        if (strcmp(node->op->name, "Softmax") != 0 && strcmp(node->op->name, "LogSoftmax") != 0)
            return value;
        value = node->in[0];
    }
}

/* [n, classes, 1, 1] becomes [n, classes]. */
static int flatten_logits(mfm_importer *im, int *value)
{
    const mfm_op *op = mfm_op_find("", "Flatten", 13);
    const char *const names[1] = {"logits.flat"};
    return mfm_graph_add(im->graph, op, 13, "logits.flat", NULL, value, 1, names, 1, value);
}

int mfm_import_outputs(mfm_importer *im)
{
    mfm_network *network = im->network;
    const mfm_binding *output = mfm_import_find(im, im->proto->output[0]->name);
    if (!output || output->value < 0)
        return mfm_fail(im->ctx, MFM_EDATA, "%s: output '%s': does not depend on the image",
                        mfm_model_path(im->model), im->proto->output[0]->name);
    int logits = before_softmax(im, output->value);
    mfm_shape *shapes = mfm_alloc(im->ctx, im->graph->n_values, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    int status = mfm_graph_shapes(im->graph, 2, false, shapes);
    const mfm_shape shape = shapes[logits];
    mfm_free(im->ctx, shapes);
    if (status)
        return mfm_fail_in(im->ctx, status, "%s", mfm_model_path(im->model));
    const bool flat = shape.rank == 2;
    const bool map = shape.rank == 4 && shape.dim[2] == 1 && shape.dim[3] == 1;
    char text[MFM_SHAPE_TEXT];
    if ((!flat && !map) || shape.dim[0] != 2 || shape.dim[1] < 1)
        return mfm_fail(im->ctx, MFM_ENOTSUP,
                        "%s: output '%s': shape %s at batch 2: a classifier gives [batch, classes]",
                        mfm_model_path(im->model), im->proto->output[0]->name,
                        mfm_shape_text(&shape, text));
    network->classes = shape.dim[1];
    if (map)
        status = flatten_logits(im, &logits);
    network->logits = logits;
    return status;
}

int mfm_import_sites(mfm_importer *im)
{
    if (!im->info)
        return MFM_OK;
    mfm_network *network = im->network;
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
