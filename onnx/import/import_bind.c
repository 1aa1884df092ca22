#include <stdint.h>
#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

/* Nothing reads what is not in the map: it stays. */
static size_t last_use(const mfm_importer *im, const char *name)
{
    size_t node;
    return mfm_strmap_get(&im->needed, name, &node) ? node : SIZE_MAX;
}

int mfm_import_bind(mfm_importer *im, const mfm_binding *binding)
{
    int status = mfm_grow(im->ctx, &im->bindings, im->n_bindings, &im->bindings_capacity,
                          sizeof *im->bindings);
    if (!status)
        status = mfm_strmap_set(&im->names, binding->name, im->n_bindings);
    if (status)
        return status;
    mfm_binding *made = &im->bindings[im->n_bindings++];
    *made = *binding;
    made->last_use = last_use(im, binding->name);
    return MFM_OK;
}

int mfm_import_alias(mfm_importer *im, const char *name, size_t binding)
{
    mfm_binding *b = &im->bindings[binding];
    const size_t last = last_use(im, name);
    b->last_use = last > b->last_use ? last : b->last_use;
    return mfm_strmap_set(&im->names, name, binding);
}

void mfm_import_forget(mfm_importer *im, mfm_binding *b)
{
    mfm_folded_drop(&im->folder, b->folded);
    b->folded = NULL;
    for (int k = 0; k < MFM_FOLD_BATCHES; k++) {
        mfm_folded_drop(&im->folder, b->at[k]);
        b->at[k] = NULL;
    }
}

void mfm_import_release(mfm_importer *im, const Onnx__NodeProto *node, size_t i)
{
    for (size_t k = 0; k < node->n_input; k++) {
        mfm_binding *b = mfm_import_find(im, node->input[k]);
        if (b && b->last_use <= i)
            mfm_import_forget(im, b);
    }
}

mfm_binding *mfm_import_find(const mfm_importer *im, const char *name)
{
    size_t index;
    return mfm_strmap_get(&im->names, name, &index) ? &im->bindings[index] : NULL;
}

static mfm_binding unbound(const char *name)
{
    return (mfm_binding){.name = name, .value = -1, .param = -1, .state = -1, .fixed = -1};
}

/* Remembers which graph values depend on the images. */
static int mark_images(mfm_importer *im, int value, bool on_images)
{
    while ((size_t)value >= im->on_images_capacity) {
        const size_t old = im->on_images_capacity;
        const int status = mfm_grow(im->ctx, &im->on_images, old, &im->on_images_capacity, 1);
        if (status)
            return status;
    }
    im->on_images[value] = on_images;
    return MFM_OK;
}

int mfm_import_bind_value(mfm_importer *im, const char *name, int value, bool on_images)
{
    mfm_binding binding = unbound(name);
    binding.value = value;
    const int status = mark_images(im, value, on_images);
    return status ? status : mfm_import_bind(im, &binding);
}

int mfm_import_bind_output(mfm_importer *im, const char *name, int value, bool on_images)
{
    return name[0] ? mfm_import_bind_value(im, name, value, on_images)
                   : mark_images(im, value, on_images);
}

int mfm_import_bind_batches(mfm_importer *im, const char *name, mfm_folded *at[MFM_FOLD_BATCHES])
{
    mfm_binding binding = unbound(name);
    memcpy(binding.at, at, sizeof binding.at);
    const int status = mfm_import_bind(im, &binding);
    if (status)
        mfm_import_forget(im, &binding);
    return status;
}

int mfm_import_bind_folded(mfm_importer *im, const char *name, mfm_folded *folded)
{
    mfm_binding binding = unbound(name);
    binding.folded = folded;
    const int status = mfm_import_bind(im, &binding);
    if (status)
        mfm_folded_free(im->ctx, folded);
    return status;
}

/* Whether training, and whoever says what is trained, leaves the numbers of a tensor alone. */
static bool stays(const mfm_importer *im, const mfm_binding *b)
{
    const mfm_tensor_role *known = im->roles ? mfm_roles_find(im->roles, b->name) : NULL;
    if (!mfm_tensor_is_float(b->tensor))
        return true;
    if (!known)
        return b->constant;
    return !known->chosen && known->fate != MFM_FATE_TRAINED && known->fate != MFM_FATE_STATISTIC;
}

bool mfm_import_known(const mfm_importer *im, const char *name, size_t *count)
{
    const mfm_binding *b = mfm_import_find(im, name);
    const mfm_folded *numbers = b ? (b->folded ? b->folded : b->at[0]) : NULL;
    const bool known = b && (numbers || (b->tensor && stays(im, b)));
    *count = !known    ? 0
             : numbers ? (size_t)mfm_shape_count(&numbers->shape)
                       : mfm_tensor_size(b->tensor);
    return known;
}

bool mfm_import_foldable(const mfm_importer *im, const char *name)
{
    size_t count;
    const mfm_binding *b = mfm_import_find(im, name);
    return mfm_import_known(im, name, &count) && !b->at[0] && count <= (size_t)MFM_FOLD_MOST;
}

int mfm_import_folded(mfm_importer *im, const char *name, const mfm_folded **folded)
{
    mfm_binding *b = mfm_import_find(im, name);
    int status = MFM_OK;
    if (b && !b->folded && mfm_import_foldable(im, name))
        status = mfm_fold_tensor(&im->folder, b->tensor, &b->folded);
    *folded = b ? b->folded : NULL;
    return status;
}

typedef int add_fn(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                   int *value);

/* A value with the tensor's numbers. */
static int add_read(mfm_importer *im, const mfm_binding *b, const mfm_shape *shape, add_fn *add,
                    int *value)
{
    real *stored = mfm_alloc_aligned(im->ctx, (size_t)mfm_shape_count(shape), sizeof *stored);
    if (!stored)
        return MFM_ENOMEM;
    int status = mfm_tensor_read(im->model, b->tensor, shape, stored);
    if (!status && add == mfm_graph_state)
        status =
            mfm_tensor_check_finite(im->model, b->name, stored, (size_t)mfm_shape_count(shape));
    if (!status)
        status = add(im->graph, b->name, shape, stored, value);
    mfm_free_aligned(im->ctx, stored);
    return status;
}

/* Parameters get their numbers in the end, all at once (onnx/import/import_values.c). */
static int make_value(mfm_importer *im, const mfm_binding *b, add_fn *add, int *value)
{
    mfm_shape shape;
    int status = mfm_tensor_shape(im->ctx, b->tensor, &shape);
    if (!status)
        status = add == mfm_graph_param ? add(im->graph, b->name, &shape, NULL, value)
                                        : add_read(im, b, &shape, add, value);
    return status ? status : mark_images(im, *value, false);
}

/* What becomes of a tensor in a role: a running statistic, a constant or a parameter. One that the
 * user fixes stays a parameter, of which training changes nothing. */
static add_fn *kind_of(mfm_importer *im, mfm_binding *b, enum mfm_role role, int **made,
                       bool *trainable, double *rate)
{
    const mfm_tensor_role *known = im->roles ? mfm_roles_find(im->roles, b->name) : NULL;
    *made = &b->state;
    if (role == MFM_STATE)
        return mfm_graph_state;
    *rate = known ? known->rate : 1;
    *trainable = known ? known->fate == MFM_FATE_TRAINED : !b->constant || role != MFM_DATA;
    *made = *trainable || (known && known->chosen) ? &b->param : &b->fixed;
    return *made == &b->param ? mfm_graph_param : mfm_graph_const;
}

/* A tensor in a role, made at its first such use. */
static int tensor_argument(mfm_importer *im, mfm_binding *b, enum mfm_role role, int *value)
{
    int *made;
    bool trainable = false;
    double rate = 1;
    add_fn *add = kind_of(im, b, role, &made, &trainable, &rate);
    int status = MFM_OK;
    if (*made < 0) {
        status = make_value(im, b, add, made);
        if (!status && add == mfm_graph_param) {
            im->graph->values[*made].trainable = trainable;
            im->graph->values[*made].rate = rate;
        }
    }
    *value = *made;
    if (!status && b->param >= 0 && b->state >= 0 && !im->only_form)
        return mfm_fail(im->ctx, MFM_ENOTSUP,
                        "%s: tensor '%s': is trained in one place and a running statistic in "
                        "another: each needs its own",
                        mfm_model_path(im->model), b->name);
    return status;
}

static int add_folded(mfm_importer *im, mfm_binding *b, int *value)
{
    const mfm_shape *shape = &b->folded->shape;
    const size_t count = (size_t)mfm_shape_count(shape);
    const bool reals = mfm_folded_is_real(b->folded);
    real *numbers = mfm_alloc_aligned(im->ctx, 2 * count, sizeof *numbers);
    if (!numbers)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++)
        numbers[i] = reals ? (real)b->folded->v[i].r : (real)b->folded->v[i].i;
    mfm_layout_to_engine(shape, numbers, numbers + count);
    const int status = mfm_graph_const(im->graph, b->name, shape, numbers + count, value);
    mfm_free_aligned(im->ctx, numbers);
    return status ? status : mark_images(im, *value, false);
}

int mfm_import_result(mfm_importer *im, const char *name, int *value)
{
    mfm_binding *b = mfm_import_find(im, name);
    const mfm_folded *folded = NULL;
    int status = MFM_OK;
    *value = b ? b->value : -1;
    if (b && *value < 0)
        status = mfm_import_folded(im, name, &folded);
    if (status || !folded || mfm_folded_varies(folded))
        return status;
    if (b->fixed < 0)
        status = add_folded(im, b, &b->fixed);
    *value = b->fixed;
    return status;
}

/* Whether every whole number is a real. */
static bool are_reals(const mfm_folded *folded)
{
    const int64_t most = (int64_t)1 << (sizeof(real) == sizeof(float) ? 24 : 53);
    const int64_t count = mfm_shape_count(&folded->shape);
    for (int64_t i = 0; i < count; i++)
        if (folded->v[i].i < -most || folded->v[i].i > most)
            return false;
    return true;
}

/* Kernels and matrices are thought to be trained: numbers that are computed are not. */
static void tell_untrained(const mfm_importer *im, const Onnx__NodeProto *node, size_t input,
                           const char *name)
{
    static const char *const types[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (input == 1 && mfm_proto_is(node, types[i]))
            mfm_warn(im->ctx,
                     "%s: %s '%s': its weights '%s' are computed from whole numbers or settings, "
                     "which are not trained",
                     mfm_model_path(im->model), types[i], node->output[0], name);
}

/* What was folded, as a value of the graph: made at its first use. */
static int folded_argument(mfm_importer *im, const Onnx__NodeProto *node, size_t input,
                           mfm_binding *b, bool whole, int *value)
{
    const char *rule = NULL;
    if (mfm_folded_varies(b->folded))
        rule = "depends on the batch size in a way that is not supported";
    else if (mfm_folded_is_real(b->folded) && whole)
        rule = "holds real numbers: must be whole numbers or truth values";
    else if (!mfm_folded_is_real(b->folded) && !whole)
        rule = "holds whole numbers: must be a floating-point value";
    else if (whole && !are_reals(b->folded))
        rule = "holds whole numbers beyond those that training can represent";
    if (rule)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "input %zu ('%s'): %s", input, b->name, rule);
    if (b->fixed < 0)
        tell_untrained(im, node, input, b->name);
    const int status = b->fixed < 0 ? add_folded(im, b, &b->fixed) : MFM_OK;
    *value = b->fixed;
    return status;
}

/* Whether whole numbers may stand at an input, beside those of INDEX ports. Truth values are 1 and
 * 0 wherever they are moved to, as a mask that is stretched to the batch is; of other whole numbers
 * what follows might compute otherwise than with reals. */
static bool takes_whole(const mfm_importer *im, const Onnx__NodeProto *node, size_t input,
                        int32_t type)
{
    const mfm_op *op = mfm_import_op(im->model, node);
    if (type == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL && mfm_only_moves(node))
        return true;
    return input > 0 && op && mfm_has_trait(op, MFM_MIXES_TYPES);
}

int mfm_import_argument(mfm_importer *im, const Onnx__NodeProto *node, size_t input,
                        enum mfm_role role, int *value)
{
    const char *name = node->input[input];
    mfm_binding *binding = mfm_import_find(im, name);
    if (!binding)
        return mfm_import_fail(im, node, MFM_EDATA, "input '%s': nothing writes it", name);
    const mfm_tensor_role *known = im->roles ? mfm_roles_find(im->roles, name) : NULL;
    if (role == MFM_STATE && known && known->inner)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "input %zu ('%s'): running statistics must be initialisers of the "
                               "graph, not numbers within a function",
                               input, name);
    if (role == MFM_STATE && !binding->tensor)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "input %zu ('%s'): running statistics must be stored in the file",
                               input, name);
    if (binding->value >= 0) {
        *value = binding->value;
        return MFM_OK;
    }
    const bool reals = binding->tensor && mfm_tensor_is_float(binding->tensor);
    const int32_t type = binding->tensor ? binding->tensor->data_type : 0;
    if (binding->tensor && !reals && (role == MFM_INDEX || takes_whole(im, node, input, type))) {
        const mfm_folded *folded;
        const int status = mfm_import_folded(im, name, &folded);
        if (status)
            return status;
    }
    if ((!binding->tensor || !reals) && binding->folded)
        return folded_argument(im, node, input, binding,
                               role == MFM_INDEX ||
                                   (!mfm_folded_is_real(binding->folded) &&
                                    takes_whole(im, node, input, binding->folded->type)),
                               value);
    if (binding->at[0])
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "input %zu ('%s'): depends on the batch size in a way that is not "
                               "supported",
                               input, name);
    if (!reals || role == MFM_INDEX)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "input %zu ('%s'): must be %s", input, name,
                               role == MFM_INDEX ? "whole numbers or truth values"
                                                 : "a floating-point value");
    return tensor_argument(im, binding, role, value);
}

int mfm_import_initializers(mfm_importer *im)
{
    if (im->proto->n_sparse_initializer)
        return mfm_fail(im->ctx, MFM_ENOTSUP, "%s: sparse initialisers: not supported",
                        mfm_model_path(im->model));
    for (size_t i = 0; i < im->proto->n_initializer; i++) {
        const Onnx__TensorProto *tensor = im->proto->initializer[i];
        if (mfm_import_find(im, mfm_proto_text(tensor->name)))
            continue; /* an input of the network: bound already */
        mfm_binding binding = unbound(mfm_proto_text(tensor->name));
        binding.tensor = tensor;
        const int status = mfm_import_bind(im, &binding);
        if (status)
            return status;
    }
    return MFM_OK;
}

/* The numbers of an attribute that is no tensor. */
static int bind_numbers(mfm_importer *im, const char *name, const Onnx__AttributeProto *attr,
                        bool list, bool reals)
{
    const size_t count = !list ? 1 : reals ? attr->n_floats : attr->n_ints;
    const int32_t type =
        reals ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT : ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    const mfm_shape shape = {.rank = list, .dim = {list ? (int64_t)count : 0}};
    mfm_folded *folded;
    int status = mfm_folded_new(&im->folder, type, &shape, &folded);
    if (!status && !folded)
        status = mfm_fail(im->ctx, MFM_ENOTSUP, "%s: Constant '%s': %zu numbers: at most %d",
                          mfm_model_path(im->model), name, count, MFM_FOLD_MOST);
    for (size_t i = 0; i < count && !status; i++)
        if (reals)
            folded->v[i].r = (double)(list ? attr->floats[i] : attr->f);
        else
            folded->v[i].i = list ? attr->ints[i] : attr->i;
    return status ? status : mfm_import_bind_folded(im, name, folded);
}

int mfm_import_constant(mfm_importer *im, const Onnx__NodeProto *node)
{
    if (node->n_output != 1 || node->n_attribute != 1)
        return mfm_import_fail(im, node, MFM_EDATA, "must have one output and one attribute");
    const Onnx__AttributeProto *attr = node->attribute[0];
    const char *kind = mfm_proto_text(attr->name), *name = node->output[0];
    if (strcmp(kind, "value") == 0 && attr->t) {
        mfm_binding binding = unbound(name);
        binding.tensor = attr->t;
        binding.constant = true;
        return mfm_import_bind(im, &binding);
    }
    if (strcmp(kind, "value_float") == 0)
        return bind_numbers(im, name, attr, false, true);
    if (strcmp(kind, "value_floats") == 0)
        return bind_numbers(im, name, attr, true, true);
    if (strcmp(kind, "value_int") == 0)
        return bind_numbers(im, name, attr, false, false);
    if (strcmp(kind, "value_ints") == 0)
        return bind_numbers(im, name, attr, true, false);
    return mfm_import_fail(im, node, MFM_ENOTSUP, "attribute '%s': not supported", kind);
}
