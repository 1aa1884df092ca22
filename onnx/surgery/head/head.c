#include "onnx/surgery/head/head.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/random.h"
#include "onnx/info/best_info.h"
#include "onnx/surgery/branch.h"
#include "onnx/info/class_info.h"
#include "onnx/surgery/head/head_parts.h"
#include "onnx/import/import.h"
#include "onnx/surgery/inject_info.h"
#include "onnx/proto/names.h"
#include "onnx/storage/remote.h"
#include "onnx/storage/tensor_data.h"
#include "onnx/surgery/trim.h"
#include "onnx/proto/validate.h"

/* Draws of a head have nodes of their own (core/base/random.h). */
enum { WEIGHT_NODE = 940, BIAS_NODE };
/* Since these, Gemm needs no attribute to broadcast, Dropout takes its ratio as an input. */
enum { BROADCAST_OPSET = 7, RATIO_INPUT_OPSET = 12 };

typedef struct header {
    mfm_ctx *ctx;
    mfm_model *model;
    const mfm_head_options *options;
    mfm_head_place place;
    int64_t opset;
    int32_t type; /* of features and weights */
    mfm_names *names;
    const char *last; /* the value that the next node reads */
    size_t added;
} header;

/* ---- what is there ----------------------------------------------------------------------------
 */

static int check_options(mfm_ctx *ctx, const mfm_model *model, const mfm_head_options *o)
{
    const char *path = mfm_model_path(model);
    if (o->classes < 2)
        return mfm_fail(ctx, MFM_EINVAL, "%s: a head for %lld classes: at least 2", path,
                        (long long)o->classes);
    if (!(o->dropout >= 0 && o->dropout < 1))
        return mfm_fail(ctx, MFM_EINVAL, "%s: dropout %g: at least 0 and below 1", path,
                        o->dropout);
    if (mfm_proto_metadata(model, MFM_INJECT_KEY))
        return mfm_fail(ctx, MFM_EINVAL, "%s: it has a modulator: strip it first", path);
    if (model->proto->graph->n_output == 0)
        return mfm_fail(ctx, MFM_EDATA, "%s: the graph has no output", path);
    return MFM_OK;
}

/* The type of the weights that layers read directly, which is that of features: one, or float32
 * where all are computed. */
static int find_type(header *h)
{
    const Onnx__GraphProto *graph = h->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++) {
        const Onnx__NodeProto *node = graph->node[i];
        const bool layer = mfm_proto_is(node, "Conv") || mfm_proto_is(node, "Gemm") ||
                           mfm_proto_is(node, "MatMul");
        const Onnx__TensorProto *weight =
            layer && node->n_input > 1 ? mfm_proto_initializer(h->model, node->input[1]) : NULL;
        if (!weight || !mfm_tensor_is_float(weight))
            continue;
        if (h->type && h->type != weight->data_type)
            return mfm_fail(h->ctx, MFM_ENOTSUP,
                            "%s: weight '%s': of another element type than others: a head needs "
                            "one type of weights",
                            mfm_model_path(h->model), mfm_proto_text(weight->name));
        h->type = weight->data_type;
    }
    h->type = h->type ? h->type : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    return MFM_OK;
}

static int check_types(header *h)
{
    const Onnx__GraphProto *graph = h->model->proto->graph;
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TypeProto *type = graph->input[i]->type;
        const bool tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        if (mfm_proto_initializer(h->model, graph->input[i]->name))
            continue;
        if (!tensor || !mfm_type_is_float(type->tensor_type->elem_type))
            return mfm_fail(h->ctx, MFM_ENOTSUP,
                            "%s: input '%s': a head needs images of floating-point numbers",
                            mfm_model_path(h->model), graph->input[i]->name);
    }
    return find_type(h);
}

static bool is_made(const mfm_model *model, const char *name)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_output; k++)
            if (strcmp(graph->node[i]->output[k], name) == 0)
                return true;
    return false;
}

/* ---- cutting ----------------------------------------------------------------------------------
 */

/* Outputs beside the first stay while what makes them does. */
static void drop_outputs(header *h)
{
    Onnx__GraphProto *graph = h->model->proto->graph;
    for (size_t i = graph->n_output; i-- > 0;) {
        if (is_made(h->model, graph->output[i]->name) || i == mfm_model_logits_output(h->model))
            continue;
        mfm_warn(h->ctx, "%s: output '%s' was made by the old classifier, and goes with it",
                 mfm_model_path(h->model), graph->output[i]->name);
        mfm_proto_remove(h->model, &graph->output, &graph->n_output, i);
    }
}

static int cut(header *h, mfm_trimmed *trimmed)
{
    const char *features[1] = {h->place.features};
    int status = mfm_model_trim(h->model, features, 1, trimmed);
    const char *output = mfm_model_logits_name(h->model);
    if (!status && is_made(h->model, output))
        return mfm_fail(h->ctx, MFM_ENOTSUP,
                        "%s: output '%s', of the logits, is made before the features: it must be "
                        "the classifier's",
                        mfm_model_path(h->model), output);
    if (!status)
        drop_outputs(h);
    return status;
}

/* What the head reads of one image, from the shape of the features: maps are laid out flat unless
 * they are averaged. */
static int find_width(header *h)
{
    mfm_head_place *place = &h->place;
    mfm_shape shape;
    if (place->width > 0)
        return MFM_OK;
    Onnx__ValueInfoProto *output = h->model->proto->graph->output[0];
    const char *kept = output->name;
    output->name = (char *)place->features; /* for as long as the graph is looked at */
    const int status = mfm_output_shape(h->ctx, h->model, &shape);
    output->name = (char *)kept;
    if (status)
        return mfm_fail_in(h->ctx, status, "the width of the features '%s'", place->features);
    if (shape.rank != (place->map ? 4 : 2))
        return mfm_fail(h->ctx, MFM_ENOTSUP, "%s: features '%s': of rank %d: 4 for maps, else 2",
                        mfm_model_path(h->model), place->features, shape.rank);
    place->width = shape.dim[1];
    for (int i = 2; i < shape.rank && !place->pool; i++)
        if (__builtin_mul_overflow(place->width, shape.dim[i], &place->width))
            place->width = INT64_MAX;
    return MFM_OK;
}

static int check_size(const header *h)
{
    int64_t numbers;
    if (!__builtin_mul_overflow(h->place.width, h->options->classes, &numbers) &&
        numbers <= INT32_MAX / (int64_t)sizeof(float))
        return MFM_OK;
    return mfm_fail(h->ctx, MFM_ENOTSUP,
                    "%s: a classifier of %lld classes from %lld features: too large for one file%s",
                    mfm_model_path(h->model), (long long)h->options->classes,
                    (long long)h->place.width,
                    h->place.map && !h->place.pool ? ": --pool averages the maps first" : "");
}

/* ---- what is added ----------------------------------------------------------------------------
 */

/* A node that reads h->last and up to two more, and writes `value`, or a fresh name for it. */
static int add_node(header *h, const char *op_type, const char *name, const char *value,
                    const char *second, const char *third, Onnx__NodeProto **node)
{
    Onnx__GraphProto *graph = h->model->proto->graph;
    const char *const inputs[3] = {h->last, second, third};
    const char *node_name = NULL, *output = NULL;
    int status = mfm_names_unique(h->names, name, &node_name);
    if (!status && value)
        status = mfm_names_unique(h->names, value, &output);
    if (!status && !value)
        output = mfm_model_logits_name(h->model);
    *node = status ? NULL
                   : mfm_proto_node(h->model, op_type, node_name, inputs,
                                    third    ? 3
                                    : second ? 2
                                             : 1,
                                    &output, 1);
    if (!*node)
        return status ? status : mfm_code(h->ctx);
    status = mfm_proto_append(h->model, &graph->node, &graph->n_node, *node);
    if (status) {
        mfm_proto_discard(h->model, *node);
        return status;
    }
    h->last = output;
    h->added++;
    return MFM_OK;
}

/* Of h->type, rounded to it; not yet hung anywhere. */
static Onnx__TensorProto *make_tensor(header *h, const char *name, const int64_t *dims, size_t rank,
                                      const float *numbers)
{
    enum { FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT };
    if (h->type == FLOAT)
        return mfm_proto_tensor(h->model, name, FLOAT, dims, rank, numbers);
    /* Made with at least as many bytes, zeros in any type. */
    Onnx__TensorProto *t =
        mfm_proto_tensor(h->model, name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, dims, rank, NULL);
    const size_t count = t ? t->raw_data.len / sizeof(int64_t) : 0;
    real *values = t ? mfm_alloc(h->ctx, count, sizeof *values) : NULL;
    if (!values) {
        mfm_proto_discard(h->model, t);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (real)numbers[i];
    t->data_type = h->type;
    t->raw_data.len = count * mfm_element_bits(h->type) / 8;
    mfm_tensor_set_reals(t, values);
    mfm_free(h->ctx, values);
    return t;
}

/* *name is what it is called. */
static int add_tensor(header *h, const char *base, const int64_t *dims, size_t rank,
                      const float *numbers, const char **name)
{
    int status = mfm_names_unique(h->names, base, name);
    Onnx__TensorProto *tensor = status ? NULL : make_tensor(h, *name, dims, rank, numbers);
    if (!tensor)
        return status ? status : mfm_code(h->ctx);
    status = mfm_proto_add_initializer(h->model, tensor);
    if (status)
        mfm_proto_discard(h->model, tensor);
    return status;
}

/* count numbers, uniform within +-1 / sqrt(width). */
static int add_drawn(header *h, const char *base, uint32_t node, const int64_t *dims, size_t rank,
                     const char **name)
{
    const mfm_key key = {.seed = h->options->seed, .stream = MFM_STREAM_INIT, .node = node};
    const double bound = 1 / sqrt((double)h->place.width);
    const size_t count = (size_t)dims[0] * (rank > 1 ? (size_t)dims[1] : 1);
    float *numbers = mfm_alloc(h->ctx, count, sizeof *numbers);
    if (!numbers)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)(bound * (2 * mfm_random_uniform(&key, i) - 1));
    const int status = add_tensor(h, base, dims, rank, numbers, name);
    mfm_free(h->ctx, numbers);
    return status;
}

static int add_dropout(header *h)
{
    const float ratio = (float)h->options->dropout;
    const char *input = NULL;
    Onnx__NodeProto *node;
    int status = MFM_OK;
    if (h->options->dropout == 0)
        return MFM_OK;
    if (h->opset >= RATIO_INPUT_OPSET)
        status = add_tensor(h, "head.dropout.ratio", NULL, 0, &ratio, &input);
    if (!status)
        status = add_node(h, "Dropout", "head.dropout", "head.dropped", input, NULL, &node);
    if (!status && h->opset < RATIO_INPUT_OPSET)
        status = mfm_proto_attr_float(h->model, node, "ratio", ratio);
    if (!status && h->opset < BROADCAST_OPSET)
        status = mfm_proto_attr_int(h->model, node, "is_test", 1);
    return status;
}

static int add_gemm(header *h)
{
    const int64_t dims[2] = {h->options->classes, h->place.width};
    const char *weight, *bias;
    Onnx__NodeProto *node;
    int status = add_drawn(h, "head.weight", WEIGHT_NODE, dims, 2, &weight);
    if (!status)
        status = add_drawn(h, "head.bias", BIAS_NODE, dims, 1, &bias);
    if (!status)
        status = add_node(h, "Gemm", "head", NULL, weight, bias, &node);
    if (!status)
        status = mfm_proto_attr_int(h->model, node, "transB", 1);
    if (!status && h->opset < BROADCAST_OPSET)
        status = mfm_proto_attr_int(h->model, node, "broadcast", 1);
    return status;
}

static int add_head(header *h)
{
    Onnx__NodeProto *node;
    int status = MFM_OK;
    h->last = h->place.features;
    if (h->place.pool)
        status = add_node(h, "GlobalAveragePool", "head.pool", "head.pooled", NULL, NULL, &node);
    if (!status && h->place.map) {
        status = add_node(h, "Flatten", "head.flatten", "head.features", NULL, NULL, &node);
        if (!status)
            status = mfm_proto_attr_int(h->model, node, "axis", 1);
    }
    if (!status)
        status = add_dropout(h);
    return status ? status : add_gemm(h);
}

/* ---- what the file tells ----------------------------------------------------------------------
 */

/* [batch, classes]; the batch as it was told. */
static int tell_output(header *h)
{
    Onnx__ValueInfoProto *output =
        h->model->proto->graph->output[mfm_model_logits_output(h->model)];
    Onnx__TypeProto__Tensor *tensor = output->type ? output->type->tensor_type : NULL;
    Onnx__TensorShapeProto *shape = tensor ? tensor->shape : NULL;
    if (tensor)
        tensor->elem_type = h->type;
    if (!shape)
        return MFM_OK;
    if (shape->n_dim < 2)
        return mfm_fail(h->ctx, MFM_EDATA, "%s: output '%s': told to have rank %zu: at least 2",
                        mfm_model_path(h->model), output->name, shape->n_dim);
    while (shape->n_dim > 2)
        mfm_proto_remove(h->model, &shape->dim, &shape->n_dim, shape->n_dim - 1);
    Onnx__TensorShapeProto__Dimension *dim = shape->dim[1];
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
        return mfm_proto_set_string(h->model, &dim->dim_param, "classes");
    dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    dim->dim_value = h->options->classes;
    return MFM_OK;
}

/* Of the old classes, and of two branches whose meeting is gone. */
static int tell_classes(header *h)
{
    const char *branches = mfm_proto_metadata(h->model, MFM_BRANCH_KEY);
    int status = mfm_proto_set_metadata(h->model, MFM_CLASSES_KEY, NULL);
    if (!status)
        status = mfm_proto_set_metadata(h->model, MFM_BEST_KEY, NULL);
    if (!status && branches && !is_made(h->model, branches))
        status = mfm_proto_set_metadata(h->model, MFM_BRANCH_KEY, NULL);
    return status;
}

static int edit(header *h, mfm_head_report *report)
{
    mfm_trimmed trimmed;
    int status = cut(h, &trimmed);
    if (!status)
        status = find_width(h);
    if (!status)
        status = check_size(h);
    if (!status)
        status = mfm_names_new(h->model, &h->names);
    if (!status)
        status = add_head(h);
    if (!status)
        status = tell_output(h);
    if (!status)
        status = tell_classes(h);
    if (!status)
        status = mfm_validate(h->model);
    mfm_names_free(h->names);
    if (!status && report) {
        *report = (mfm_head_report){.pooled = h->place.pool,
                                    .width = h->place.width,
                                    .removed_nodes = trimmed.nodes,
                                    .removed_initializers = trimmed.initializers,
                                    .added_nodes = h->added};
        snprintf(report->features, sizeof report->features, "%s", h->place.features);
    }
    return status;
}

int mfm_model_new_head(mfm_ctx *ctx, mfm_model *model, const mfm_head_options *options,
                       mfm_head_report *report)
{
    header h = {.ctx = ctx, .model = model, .options = options};
    char *features = NULL;
    int status = check_options(ctx, model, options);
    if (!status)
        status = mfm_remote_fetch(model);
    if (!status)
        status = check_types(&h);
    if (!status)
        status = mfm_head_find(ctx, model, options, &h.place);
    if (status)
        return status;
    h.opset = mfm_model_opset(model, "");
    features = mfm_strdup(ctx, h.place.features); /* whoever told the name may be removed */
    h.place.features = features;
    status = features ? edit(&h, report) : MFM_ENOMEM;
    mfm_free(ctx, features);
    return status;
}
