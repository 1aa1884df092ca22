/* How a file is looked at where it leaves a choice: its output, the size and the order of images.
 */
#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/info/advice.h"
#include "onnx/info/array_info.h"
#include "onnx/info/preprocess_info.h"
#include "onnx/proto/nearest.h"
#include "onnx/storage/tensor_data.h"

int mfm_model_set_view(mfm_model *model, const mfm_view *view)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    char *output = NULL;
    if (view->output && !mfm_proto_is_output(model, view->output)) {
        char text[MFM_SUGGEST_TEXT];
        mfm_nearest near;
        mfm_nearest_init(&near, view->output);
        for (size_t i = 0; i < graph->n_output; i++)
            mfm_nearest_offer(&near, mfm_proto_text(graph->output[i]->name));
        return mfm_fail(model->ctx, MFM_EINVAL, "%s: no output is called '%.200s'%s",
                        mfm_model_path(model), view->output, mfm_nearest_say(&near, text));
    }
    if (view->output) {
        output = mfm_strdup(model->ctx, view->output);
        if (!output)
            return MFM_ENOMEM;
    }
    mfm_free(model->ctx, model->view.output);
    model->view = (mfm_model_view){view->height, view->width, output, view->planes};
    return MFM_OK;
}

/* Labels beside the logits are whole numbers or texts; maps of probabilities are no tensors. */
static bool may_be_logits(const Onnx__ValueInfoProto *info)
{
    if (!info->type || info->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return true;
    const bool tensor = info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TypeProto__Tensor *type = tensor ? info->type->tensor_type : NULL;
    return type && (type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED ||
                    mfm_type_is_float(type->elem_type));
}

size_t mfm_model_logits_output(const mfm_model *model)
{
    const char *told = mfm_proto_metadata(model, MFM_OUTPUT_KEY);
    const char *name = model->view.output                         ? model->view.output
                       : told && mfm_proto_is_output(model, told) ? told
                                                                  : NULL;
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_output; i++)
        if (name ? strcmp(mfm_proto_text(graph->output[i]->name), name) == 0
                 : may_be_logits(graph->output[i]))
            return i;
    return 0;
}

int mfm_import_check_output(const mfm_importer *im)
{
    const Onnx__GraphProto *graph = im->proto;
    const Onnx__ValueInfoProto *info = graph->output[mfm_model_logits_output(im->model)];
    const char *why = "";
    for (size_t i = 0; i < graph->n_output; i++)
        if (graph->output[i]->type &&
            graph->output[i]->type->value_case == ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE)
            why = ": where probabilities are a list of maps, convert with zipmap=False";
    for (size_t i = 0; i < graph->n_node; i++)
        if (mfm_is_no_network(graph->node[i]))
            why = mfm_advice(graph->node[i]);
    if (may_be_logits(info))
        return MFM_OK;
    return mfm_fail(im->ctx, MFM_ENOTSUP,
                    "%s: output '%s': must be a tensor of floating-point numbers, as logits are%s",
                    mfm_model_path(im->model), mfm_proto_text(info->name), why);
}

const char *mfm_model_logits_name(const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    return graph->n_output ? mfm_proto_text(graph->output[mfm_model_logits_output(model)]->name)
                           : "";
}

static int64_t length(const Onnx__TensorShapeProto *shape, size_t axis)
{
    const Onnx__TensorShapeProto__Dimension *dim = shape->dim[axis];
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ? dim->dim_value
                                                                                   : -1;
}

static bool is_colours(int64_t channels)
{
    return channels == 1 || channels == 3;
}

bool mfm_import_is_rows(const Onnx__ValueInfoProto *info)
{
    const bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    const Onnx__TensorShapeProto *shape =
        tensor && info->type->tensor_type ? info->type->tensor_type->shape : NULL;
    return shape && shape->n_dim == 4 && is_colours(length(shape, 3)) &&
           !is_colours(length(shape, 1));
}

bool mfm_model_reads_rows(const mfm_model *model)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    for (size_t i = 0; i < graph->n_input; i++)
        if (!mfm_proto_initializer(model, mfm_proto_text(graph->input[i]->name)))
            return mfm_import_is_rows(graph->input[i]);
    return false;
}

int mfm_import_open_size(mfm_importer *im, int64_t *height, int64_t *width)
{
    mfm_preprocess_info info;
    mfm_array_form array;
    bool told = false;
    *height = im->model->view.height;
    *width = im->model->view.width;
    if (*height > 0 && *width > 0)
        return MFM_OK;
    int status = mfm_array_info_read(im->ctx, im->model, &array, &told);
    const bool image = told && array.row.rank == 3;
    if (image) {
        *height = array.row.dim[array.turns ? 1 : 0];
        *width = array.row.dim[array.turns ? 2 : 1];
    }
    mfm_array_form_clear(im->ctx, &array);
    if (status || image)
        return status;
    status = mfm_preprocess_info_read(im->ctx, im->model, &info, &told);
    if (!status && !told)
        return mfm_fail(im->ctx, MFM_ENOTSUP,
                        "%s: its input leaves the size of images open: --input-size HEIGHT,WIDTH "
                        "tells it to train, eval and inspect, and what train writes to the others",
                        mfm_model_path(im->model));
    *height = info.height;
    *width = info.width;
    return status;
}
