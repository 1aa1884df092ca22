#include "onnx/surgery/branch.h"

#include <string.h>

#include "onnx/surgery/inject_info.h"
#include "onnx/layers/layers.h"
#include "onnx/proto/names.h"
#include "onnx/storage/remote.h"
#include "onnx/roles/roles.h"
#include "onnx/storage/tensor_data.h"

/* In the middle of doubling. Positions are those of the graph before it is edited. */
typedef struct brancher {
    mfm_ctx *ctx;
    mfm_model *model;
    mfm_layers *layers;
    const mfm_links *links;
    size_t classifier; /* node */
    bool by_class;     /* its weights are [classes, width] */
    Onnx__TensorProto *weight;
    bool *doubled; /* by node */
    /* While editing: */
    mfm_names *names;
    mfm_strmap twin; /* name -> 1 + its number in twins */
    const char **twins;
    size_t n_twins, twins_capacity;
    Onnx__NodeProto **made; /* not hung in yet */
    size_t n_made, made_capacity;
} brancher;

static const Onnx__NodeProto *node_at(const brancher *b, size_t i)
{
    return b->model->proto->graph->node[i];
}

/* ---- what is there --------------------------------------------------------------------------- */

static int refuse_classifier(const brancher *b, const char *what)
{
    return mfm_fail(b->ctx, MFM_ENOTSUP,
                    "%s: two branches need one fully connected layer (Gemm or MatMul) at the end, "
                    "on float32 weights of its own: %s",
                    b->model->path, what);
}

static bool is_plain_gemm(const Onnx__NodeProto *node)
{
    const Onnx__AttributeProto *turned = mfm_proto_attr(node, "transA");
    const Onnx__AttributeProto *alpha = mfm_proto_attr(node, "alpha");
    return (!turned || turned->i == 0) && (!alpha || alpha->f == 1);
}

static int find_weight(brancher *b)
{
    const Onnx__NodeProto *node = node_at(b, b->classifier);
    const bool gemm = mfm_proto_is(node, "Gemm");
    if ((!gemm && !mfm_proto_is(node, "MatMul")) || (gemm && !is_plain_gemm(node)))
        return refuse_classifier(b, "the last layer is of another form");
    const Onnx__AttributeProto *turned = mfm_proto_attr(node, "transB");
    b->by_class = gemm && turned && turned->i;
    const mfm_link *weight = mfm_links_input(b->links, b->classifier, 1);
    const mfm_link *features = mfm_links_input(b->links, b->classifier, 0);
    if (!weight || !weight->initializer || !features || features->constant)
        return refuse_classifier(b, "its weights are no tensor of the file");
    b->weight = mfm_proto_initializer(b->model, weight->name);
    if (weight->n_uses != 1 || weight->captured || weight->output)
        return refuse_classifier(b, "its weights are used elsewhere, too");
    if (b->weight->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || b->weight->n_dims != 2)
        return refuse_classifier(b, "its weights are of another type or shape");
    if (features->rank != 2)
        return refuse_classifier(b, "it does not read [images, features]");
    return MFM_OK;
}

static int find_classifier(brancher *b)
{
    size_t count = 0;
    for (size_t i = 0; i < b->layers->n_layers; i++)
        if (b->layers->layers[i].classifier) {
            b->classifier = b->layers->layers[i].node;
            count++;
        }
    if (count != 1)
        return refuse_classifier(b, count ? "there are several last layers" : "there is none");
    return find_weight(b);
}

/* Marks what reads a marked node's outputs, to the end. */
static void mark_below(brancher *b)
{
    const Onnx__GraphProto *graph = b->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_input && !b->doubled[i]; k++) {
            const mfm_link *value = mfm_links_input(b->links, i, k);
            if (value && value->producer != MFM_NOWHERE && b->doubled[value->producer])
                b->doubled[i] = true;
        }
}

/* Unmarks what does not lead to the classifier. */
static int keep_above(brancher *b)
{
    bool *leads = mfm_alloc(b->ctx, b->classifier + 1, sizeof *leads);
    if (!leads)
        return MFM_ENOMEM;
    const mfm_link *features = mfm_links_input(b->links, b->classifier, 0);
    if (features->producer != MFM_NOWHERE)
        leads[features->producer] = true;
    for (size_t i = b->classifier; i-- > 0;)
        for (size_t k = 0; leads[i] && k < node_at(b, i)->n_input; k++) {
            const mfm_link *value = mfm_links_input(b->links, i, k);
            if (value && value->producer != MFM_NOWHERE)
                leads[value->producer] = true;
        }
    for (size_t i = 0; i < b->model->proto->graph->n_node; i++)
        b->doubled[i] = b->doubled[i] && i < b->classifier && leads[i];
    mfm_free(b->ctx, leads);
    return MFM_OK;
}

/* Where the last block's branches part: everything that follows from there. */
static int mark_last_block(brancher *b)
{
    const mfm_layers *l = b->layers;
    if (l->n_blocks == 0)
        return mfm_fail(b->ctx, MFM_EINVAL,
                        "%s: there is no residual block to double: --branch LAYER says where two "
                        "branches begin (inspect lists the layers)",
                        b->model->path);
    const ptrdiff_t fork = l->blocks[l->n_blocks - 1].fork;
    const Onnx__GraphProto *graph = b->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_input; k++) {
            const mfm_link *value = mfm_links_input(b->links, i, k);
            if (value && !value->constant && value->producer == fork)
                b->doubled[i] = true;
        }
    return MFM_OK;
}

static int mark_layer(brancher *b, const char *layer)
{
    size_t *picked = NULL, n = 0;
    int status = mfm_layers_select(b->ctx, b->layers, &layer, 1, &picked, &n);
    if (!status && n != 1)
        status = mfm_fail(b->ctx, MFM_EINVAL,
                          "--branch %.200s: %zu layers: two branches begin at "
                          "one",
                          layer, n);
    if (!status)
        b->doubled[b->layers->layers[picked[0]].node] = true;
    mfm_free(b->ctx, picked);
    return status;
}

static bool is_float_tensor(const mfm_link *value)
{
    return value && value->initializer && mfm_tensor_is_float(value->initializer);
}

/* Weights are doubled with all that reads them, or not at all. */
static int check_node(const brancher *b, size_t at)
{
    const Onnx__NodeProto *node = node_at(b, at);
    for (size_t k = 0; k < node->n_attribute; k++)
        if (node->attribute[k]->g || node->attribute[k]->n_graphs)
            return mfm_fail(b->ctx, MFM_ENOTSUP,
                            "%s: %s '%s': a node with a graph inside cannot "
                            "be doubled",
                            b->model->path, node->op_type, mfm_proto_title(node));
    for (size_t k = 0; k < node->n_input; k++) {
        const mfm_link *value = mfm_links_input(b->links, at, k);
        if (!is_float_tensor(value) || value->initializer->n_dims < 2)
            continue;
        for (size_t u = 0; u < value->n_uses; u++)
            if (!b->doubled[b->links->uses[value->first_use + u]])
                return mfm_fail(b->ctx, MFM_ENOTSUP,
                                "%s: weights '%s' are read below and above the place where two "
                                "branches begin: --branch with another layer",
                                b->model->path, value->name);
    }
    return MFM_OK;
}

static int check_doubled(const brancher *b)
{
    int status = MFM_OK;
    bool weights = false;
    for (size_t i = 0; i < b->classifier && !status; i++) {
        if (!b->doubled[i])
            continue;
        status = check_node(b, i);
        for (size_t k = 0; k < node_at(b, i)->n_input; k++) {
            const mfm_link *value = mfm_links_input(b->links, i, k);
            weights |= value && value->constant;
        }
    }
    if (!status && !weights)
        return mfm_fail(b->ctx, MFM_EINVAL,
                        "%s: nothing with weights lies between there and the classifier: --branch "
                        "with a layer before it",
                        b->model->path);
    return status;
}

static int look(brancher *b, const char *layer)
{
    if (mfm_model_has_branches(b->model))
        return mfm_fail(b->ctx, MFM_EINVAL, "%s: it has two branches already", b->model->path);
    if (mfm_proto_metadata(b->model, MFM_INJECT_KEY))
        return mfm_fail(b->ctx, MFM_EINVAL, "%s: it has a modulator: strip it first",
                        b->model->path);
    int status = find_classifier(b);
    if (!status)
        status = layer ? mark_layer(b, layer) : mark_last_block(b);
    if (status)
        return status;
    mark_below(b);
    status = keep_above(b);
    return status ? status : check_doubled(b);
}

/* ---- doubling -------------------------------------------------------------------------------- */

/* A fresh name for the twin of a value. */
static int name_twin(brancher *b, const char *name, const char **twin)
{
    char *base = mfm_format(b->ctx, "%s.rebalancing", name);
    int status = base ? mfm_names_unique(b->names, base, twin) : MFM_ENOMEM;
    mfm_free(b->ctx, base);
    if (!status)
        status = mfm_grow(b->ctx, &b->twins, b->n_twins, &b->twins_capacity, sizeof *b->twins);
    if (status)
        return status;
    b->twins[b->n_twins++] = *twin;
    return mfm_strmap_set(&b->twin, name, b->n_twins);
}

static const char *find_twin(const brancher *b, const char *name)
{
    size_t number;
    return mfm_strmap_get(&b->twin, name, &number) ? b->twins[number - 1] : NULL;
}

static int double_tensor(brancher *b, const mfm_link *value)
{
    const char *name;
    int status = name_twin(b, value->name, &name);
    Onnx__TensorProto *copy = status ? NULL : mfm_tensor_like(b->model, value->initializer, name);
    if (!copy)
        return status ? status : mfm_code(b->ctx);
    status = mfm_proto_add_initializer(b->model, copy);
    if (status)
        mfm_proto_discard(b->model, copy);
    return status;
}

static Onnx__NodeProto *clone(brancher *b, const Onnx__NodeProto *node)
{
    const size_t size = onnx__node_proto__get_packed_size(node);
    uint8_t *bytes = mfm_alloc(b->ctx, size, 1);
    if (!bytes)
        return NULL;
    onnx__node_proto__pack(node, bytes);
    Onnx__NodeProto *copy = onnx__node_proto__unpack(&b->model->allocator, size, bytes);
    mfm_free(b->ctx, bytes);
    if (!copy)
        mfm_fail(b->ctx, MFM_ENOMEM, "out of memory: a copy of node '%s'", mfm_proto_title(node));
    return copy;
}

/* node: the copy of `of`, whose strings stay. */
static int rename_node(brancher *b, const Onnx__NodeProto *of, Onnx__NodeProto *node)
{
    const char *name;
    int status = MFM_OK;
    for (size_t k = 0; k < node->n_input && !status; k++) {
        const char *twin = find_twin(b, node->input[k]);
        if (twin)
            status = mfm_proto_set_string(b->model, &node->input[k], twin);
    }
    for (size_t k = 0; k < node->n_output && !status; k++) {
        if (!node->output[k][0])
            continue;
        status = name_twin(b, of->output[k], &name);
        if (!status)
            status = mfm_proto_set_string(b->model, &node->output[k], name);
    }
    if (status || !mfm_proto_text(node->name)[0])
        return status;
    char *base = mfm_format(b->ctx, "%s.rebalancing", node->name);
    status = base ? mfm_names_unique(b->names, base, &name) : MFM_ENOMEM;
    mfm_free(b->ctx, base);
    return status ? status : mfm_proto_set_string(b->model, &node->name, name);
}

static int double_node(brancher *b, size_t at);

/* What an input follows from when no image has a part in it: weights, and nodes on the way. */
static int double_constant(brancher *b, const mfm_link *value)
{
    if (!value || !value->constant || find_twin(b, value->name))
        return MFM_OK;
    if (value->producer != MFM_NOWHERE)
        return double_node(b, (size_t)value->producer);
    return is_float_tensor(value) ? double_tensor(b, value) : MFM_OK;
}

static int double_node(brancher *b, size_t at)
{
    const Onnx__NodeProto *node = node_at(b, at);
    int status = MFM_OK;
    for (size_t k = 0; k < node->n_input && !status; k++)
        status = double_constant(b, mfm_links_input(b->links, at, k));
    if (!status)
        status = mfm_grow(b->ctx, &b->made, b->n_made, &b->made_capacity, sizeof *b->made);
    Onnx__NodeProto *copy = status ? NULL : clone(b, node);
    if (!copy)
        return status ? status : mfm_code(b->ctx);
    b->made[b->n_made++] = copy;
    return rename_node(b, node, copy);
}

/* [f_c ; f_r]; *name is what it is called. */
static int add_concat(brancher *b, const char *features, const char **name)
{
    const char *twin = find_twin(b, features);
    const char *const inputs[2] = {features, twin};
    const char *node_name;
    int status = mfm_names_unique(b->names, "mfm.branches", name);
    if (!status)
        status = mfm_names_unique(b->names, "mfm.branches.concat", &node_name);
    if (!status)
        status = mfm_grow(b->ctx, &b->made, b->n_made, &b->made_capacity, sizeof *b->made);
    Onnx__NodeProto *node =
        status ? NULL : mfm_proto_node(b->model, "Concat", node_name, inputs, 2, name, 1);
    if (!node)
        return status ? status : mfm_code(b->ctx);
    b->made[b->n_made++] = node;
    return mfm_proto_attr_int(b->model, node, "axis", 1);
}

/* Every row, or every column, twice side by side, at half its size. */
static void spread_weight(const brancher *b, const float *from, float *to)
{
    const size_t rows = (size_t)b->weight->dims[0], columns = (size_t)b->weight->dims[1];
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++) {
            const float half = from[i * columns + k] / 2;
            const size_t at = b->by_class ? 2 * i * columns + k : i * columns + k;
            to[at] = half;
            to[at + (b->by_class ? columns : rows * columns)] = half;
        }
}

/* A file before version 4 declares its weights as inputs, too. */
static void declare_weight(const brancher *b, const int64_t dims[2])
{
    const Onnx__GraphProto *graph = b->model->proto->graph;
    const struct {
        Onnx__ValueInfoProto **list;
        size_t count;
    } lists[2] = {{graph->input, graph->n_input}, {graph->value_info, graph->n_value_info}};
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l].count; i++) {
            const Onnx__ValueInfoProto *info = lists[l].list[i];
            const Onnx__TypeProto__Tensor *tensor = info->type ? info->type->tensor_type : NULL;
            if (strcmp(mfm_proto_text(info->name), b->weight->name) != 0 || !tensor ||
                !tensor->shape)
                continue;
            for (size_t k = 0; k < tensor->shape->n_dim && k < 2; k++)
                if (tensor->shape->dim[k]->value_case ==
                    ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
                    tensor->shape->dim[k]->dim_value = dims[k];
        }
}

static int double_weight(brancher *b)
{
    Onnx__GraphProto *graph = b->model->proto->graph;
    const size_t count = mfm_tensor_size(b->weight);
    int64_t dims[2] = {b->weight->dims[0], b->weight->dims[1]};
    dims[b->by_class] *= 2;
    real *numbers = mfm_alloc_aligned(b->ctx, count, sizeof *numbers);
    float *from = mfm_alloc(b->ctx, count, sizeof *from);
    float *to = mfm_alloc(b->ctx, 2 * count, sizeof *to);
    Onnx__TensorProto *wide = NULL;
    if (numbers && from && to) {
        mfm_tensor_get_reals(b->weight, numbers);
        for (size_t i = 0; i < count; i++)
            from[i] = (float)numbers[i];
        spread_weight(b, from, to);
        wide = mfm_proto_tensor(b->model, b->weight->name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                                dims, 2, to);
    }
    mfm_free_aligned(b->ctx, numbers);
    mfm_free(b->ctx, from);
    mfm_free(b->ctx, to);
    if (!wide)
        return mfm_code(b->ctx);
    declare_weight(b, dims);
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (graph->initializer[i] == b->weight)
            graph->initializer[i] = wide;
    mfm_proto_discard(b->model, b->weight);
    b->weight = wide;
    return MFM_OK;
}

static int hang_nodes(brancher *b)
{
    Onnx__GraphProto *graph = b->model->proto->graph;
    int status = MFM_OK;
    size_t hung = 0;
    for (; hung < b->n_made && !status; hung += !status)
        status = mfm_proto_insert(b->model, &graph->node, &graph->n_node, b->classifier + hung,
                                  b->made[hung]);
    memmove(b->made, b->made + hung, (b->n_made - hung) * sizeof *b->made);
    b->n_made -= hung;
    b->classifier += hung;
    return status;
}

static int edit(brancher *b)
{
    const char *features = mfm_links_input(b->links, b->classifier, 0)->name, *both = NULL;
    int status = mfm_names_new(b->model, &b->names);
    for (size_t i = 0; i < b->classifier && !status; i++)
        if (b->doubled[i])
            status = double_node(b, i);
    if (!status)
        status = add_concat(b, features, &both);
    if (!status)
        status = double_weight(b);
    if (!status)
        status = hang_nodes(b);
    if (!status)
        status = mfm_proto_set_string(b->model,
                                      &b->model->proto->graph->node[b->classifier]->input[0], both);
    return status ? status : mfm_proto_set_metadata(b->model, MFM_BRANCH_KEY, both);
}

int mfm_model_branch(mfm_ctx *ctx, mfm_model *model, const char *layer)
{
    brancher b = {.ctx = ctx, .model = model};
    int status = mfm_remote_fetch(model);
    if (!status)
        status = mfm_model_untie(ctx, model, NULL);
    if (!status)
        status = mfm_layers_new(ctx, model, &b.layers);
    if (status)
        return status;
    b.links = &b.layers->links;
    b.doubled = mfm_alloc(ctx, model->proto->graph->n_node, sizeof *b.doubled);
    mfm_strmap_init(&b.twin, ctx);
    status = b.doubled ? look(&b, layer) : MFM_ENOMEM;
    if (!status)
        status = edit(&b);
    for (size_t i = 0; i < b.n_made; i++)
        mfm_proto_discard(model, b.made[i]);
    mfm_free(ctx, b.made);
    mfm_free(ctx, b.twins);
    mfm_free(ctx, b.doubled);
    mfm_strmap_clear(&b.twin);
    mfm_names_free(b.names);
    mfm_layers_free(b.layers);
    return status;
}

bool mfm_model_has_branches(const mfm_model *model)
{
    return mfm_proto_metadata(model, MFM_BRANCH_KEY) != NULL;
}
