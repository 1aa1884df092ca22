#include "tools/show/reports/model_report.h"

#include <stdio.h>
#include <string.h>

#include "core/base/words.h"
#include "core/engine/plan/plan.h"
#include "onnx/import/import.h"

static const char *const kind_names[] = {[MFM_LAYER_CONV] = "conv", [MFM_LAYER_FC] = "fc"};

static void keep_warning(void *self, const char *line)
{
    mfm_model_report *r = self;
    if (mfm_grow(r->ctx, &r->warnings, r->n_warnings, &r->warnings_capacity, sizeof *r->warnings))
        return;
    char *copy = mfm_strdup(r->ctx, line);
    if (copy)
        r->warnings[r->n_warnings++] = copy;
}

/* ---- layers ---- */

static size_t count_kind(const mfm_layers *layers, mfm_layer_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < layers->n_layers; i++)
        count += layers->layers[i].kind == kind;
    return count;
}

/* Takes alias over; NULL is an allocation that failed. */
static int add_alias(mfm_layer_row *row, char *alias)
{
    if (!alias)
        return MFM_ENOMEM;
    row->aliases[row->n_aliases++] = alias;
    return MFM_OK;
}

/* The layer that the selector means, or -1: one that means nothing here is no failure. What the
 * choice warns of is kept. */
static ptrdiff_t meant(const mfm_model_report *r, const char *selector)
{
    size_t *picked = NULL, n_picked = 0;
    if (mfm_layers_select(r->ctx, r->layers, &selector, 1, &picked, &n_picked))
        return -1;
    const ptrdiff_t layer = n_picked == 1 ? (ptrdiff_t)picked[0] : -1;
    mfm_free(r->ctx, picked);
    return layer;
}

static int add_block_aliases(const mfm_model_report *r, size_t at, mfm_layer_row *row)
{
    int status = MFM_OK;
    for (size_t b = 0; b < r->layers->n_blocks && !status; b++)
        if (r->layers->blocks[b].layer == at && row->n_aliases < MFM_MOST_ALIASES - 2)
            status = add_alias(row, mfm_format(r->ctx, "block:%zu", b + 1));
    return status;
}

static int name_layer(const mfm_model_report *r, size_t at, ptrdiff_t last_conv, mfm_layer_row *row)
{
    const mfm_layer *layer = row->layer;
    const char *kind = kind_names[layer->kind];
    const size_t count = count_kind(r->layers, layer->kind);
    snprintf(row->id, sizeof row->id, "%s:%zu", kind, layer->number);
    int status = add_alias(row, mfm_format(r->ctx, "%s:-%zu", kind, count - layer->number + 1));
    if (!status && layer->kind == MFM_LAYER_CONV && layer->number == 1)
        status = add_alias(row, mfm_strdup(r->ctx, "first_conv"));
    if (!status && (ptrdiff_t)at == last_conv)
        status = add_alias(row, mfm_strdup(r->ctx, "last_conv"));
    if (!status)
        status = add_block_aliases(r, at, row);
    if (!status && layer->node_name[0])
        status = add_alias(row, mfm_strdup(r->ctx, layer->node_name));
    if (!status && strcmp(layer->node_name, layer->output) != 0)
        status = add_alias(row, mfm_strdup(r->ctx, layer->output));
    return status;
}

static int read_layers(mfm_model_report *r)
{
    int status = mfm_layers_new(r->ctx, mfm_flat_model(r->flat), &r->layers);
    if (status)
        return status;
    r->rows = mfm_alloc(r->ctx, r->layers->n_layers, sizeof *r->rows);
    if (!r->rows)
        return MFM_ENOMEM;
    const ptrdiff_t last_conv = meant(r, "last_conv");
    for (size_t i = 0; i < r->layers->n_layers && !status; i++) {
        mfm_layer_row *row = &r->rows[i];
        row->layer = &r->layers->layers[i];
        const mfm_model_node node = mfm_model_node_at(r->roles, row->layer->node);
        row->op_type = node.op_type;
        row->parameters = node.parameters;
        status = name_layer(r, i, last_conv, row);
    }
    return status;
}

/* ---- what the engine knows, when it can import the model ---- */

/* Each number of the weight is used once at every place of the output. */
static uint64_t layer_macs(const mfm_model_report *r, const mfm_layer_row *row)
{
    uint64_t places = 1;
    const bool conv = row->layer->kind == MFM_LAYER_CONV; /* [n, c, places...], else [..., c] */
    for (int i = conv ? 2 : 1; i < row->shape.rank - !conv; i++)
        places *= (uint64_t)row->shape.dim[i];
    return mfm_model_node_at(r->roles, row->layer->node).weights * places;
}

static int read_shapes(mfm_model_report *r)
{
    mfm_graph *graph = r->network->graph;
    mfm_shape *shapes = mfm_alloc(r->ctx, graph->n_values, sizeof *shapes);
    int status = shapes ? mfm_graph_shapes(graph, 1, false, shapes) : MFM_ENOMEM;
    for (size_t i = 0; i < r->layers->n_layers && !status; i++) {
        mfm_layer_row *row = &r->rows[i];
        const int value = mfm_graph_find(graph, row->layer->output);
        if (value < 0)
            continue;
        row->shaped = true;
        row->shape = shapes[value];
        row->macs = layer_macs(r, row);
    }
    mfm_free(r->ctx, shapes);
    return status;
}

static int read_macs(mfm_model_report *r)
{
    static const mfm_pass forward[1] = {{MFM_FORWARD, ~0u}};
    const mfm_slot keep[1] = {{r->network->logits, MFM_X}};
    const mfm_plan_spec spec = {
        .batch = 1, .passes = forward, .n_passes = 1, .keep = keep, .n_keep = 1};
    mfm_plan *plan = NULL;
    const int status = mfm_plan_new(r->ctx, r->network->graph, &spec, &plan);
    if (!status)
        r->macs = mfm_plan_macs(plan);
    mfm_plan_free(plan);
    return status;
}

static void count_values(mfm_model_report *r)
{
    const mfm_graph *graph = r->network->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind == MFM_VALUE_PARAM && value->trainable)
            r->trainable += (uint64_t)mfm_shape_count(&value->shape);
        else if (value->kind == MFM_VALUE_STATE)
            r->state += (uint64_t)mfm_shape_count(&value->shape);
    }
}

/* What is in the way of training is told with everything else. */
static int keep_obstacle(mfm_model_report *r)
{
    mfm_network_free(r->ctx, r->network);
    r->network = NULL;
    r->macs = -1;
    for (size_t i = 0; i < r->layers->n_layers; i++)
        r->rows[i].shaped = false;
    r->obstacle = mfm_strdup(r->ctx, mfm_message(r->ctx));
    return r->obstacle ? MFM_OK : MFM_ENOMEM;
}

static int read_network(mfm_model_report *r, const mfm_role_choice *choice)
{
    int status = mfm_model_import_chosen(r->ctx, r->model, choice, &r->network);
    if (!status)
        status = read_shapes(r);
    if (!status)
        status = read_macs(r);
    if (!status)
        count_values(r);
    return status && status != MFM_ENOMEM ? keep_obstacle(r) : status;
}

/* ---- warnings ---- */

/* Whether a node normalises: as one node does, or as the root of a variance that is computed. */
static bool normalises(const mfm_links *links, const Onnx__NodeProto *node)
{
    static const char *const norms[] = {"BatchNormalization", "InstanceNormalization",
                                        "GroupNormalization", "LayerNormalization",
                                        "RMSNormalization"};
    for (size_t i = 0; i < sizeof norms / sizeof norms[0]; i++)
        if (mfm_proto_is(node, norms[i]))
            return true;
    const mfm_link *variance =
        mfm_proto_is(node, "Sqrt") && node->n_input ? mfm_links_find(links, node->input[0]) : NULL;
    return variance && !variance->constant;
}

/* Convolutions of features with a bias and an activation, and nothing between: what an exporter
 * leaves of one and its normalisation. *all: of those that make features. */
static size_t bare_convolutions(const mfm_layers *layers, size_t *all)
{
    size_t bare = 0;
    *all = 0;
    for (size_t i = 0; i < layers->n_layers; i++) {
        const mfm_layer *l = &layers->layers[i];
        const bool features = l->part == MFM_PART_MAIN || l->part == MFM_PART_BRANCH;
        if (l->kind != MFM_LAYER_CONV || !features || l->classifier)
            continue;
        ++*all;
        bare += !l->norm && l->act && mfm_links_input(&layers->links, l->node, 2);
    }
    return bare;
}

static void warn_of_folded_norm(mfm_model_report *r)
{
    enum { FEW = 8 };
    const Onnx__GraphProto *graph = mfm_flat_model(r->flat)->proto->graph;
    bool normal = false;
    size_t all;
    const size_t bare = bare_convolutions(r->layers, &all);
    for (size_t i = 0; i < graph->n_node; i++)
        normal |= normalises(&r->layers->links, graph->node[i]);
    if (r->layers->n_blocks > 0 && !normal)
        mfm_warn(r->ctx,
                 "a residual network without normalisation: it was probably folded into "
                 "the convolutions when the file was written; the network will train badly: "
                 "export the model in training form, as PyTorch's exporter can");
    else if (normal && bare >= FEW && 3 * bare >= all)
        mfm_warn(r->ctx,
                 "%zu of %zu convolutions without normalisation, where others have one: it was "
                 "probably folded into them when the file was written; the network will train "
                 "badly: export the model in training form, as PyTorch's exporter can",
                 bare, all);
}

/* A constant truth value. */
static bool is_true(const mfm_links *links, const mfm_link *value)
{
    if (!value)
        return false;
    const Onnx__TensorProto *tensor = value->initializer;
    if (!tensor && value->producer != MFM_NOWHERE) {
        const Onnx__NodeProto *node = links->model->proto->graph->node[value->producer];
        const Onnx__AttributeProto *told = mfm_proto_attr(node, "value");
        tensor = mfm_proto_is(node, "Constant") && told ? told->t : NULL;
    }
    return tensor && ((tensor->raw_data.len && tensor->raw_data.data[0]) ||
                      (tensor->n_int32_data && tensor->int32_data[0]));
}

static bool is_of_training(const mfm_links *links, size_t at)
{
    const Onnx__NodeProto *node = links->model->proto->graph->node[at];
    if (mfm_proto_is(node, "Dropout"))
        return is_true(links, mfm_links_input(links, at, 2));
    return mfm_proto_is(node, "BatchNormalization") &&
           (mfm_proto_int(node, "training_mode", 0) != 0 || node->n_output > 1);
}

/* Here, and in what training writes, statistics are the running ones. */
static void warn_of_training_form(mfm_model_report *r)
{
    const Onnx__GraphProto *graph = mfm_flat_model(r->flat)->proto->graph;
    size_t count = 0;
    for (size_t i = 0; i < graph->n_node; i++)
        count += is_of_training(&r->layers->links, i) &&
                 !mfm_links_own_statistics(&r->layers->links, graph->node[i]);
    if (count)
        mfm_warn(r->ctx,
                 "%zu %s in training form, as is good for training: run and predict, and what "
                 "train writes, have them as in inference; a runtime that is given this file "
                 "normalises by each batch's own statistics, and drops",
                 count, mfm_plural(count, "node", "nodes"));
}

static void warn_of_sharing(mfm_model_report *r)
{
    if (r->copies)
        mfm_warn(r->ctx,
                 "%zu %s of tensors that stand in several places: training makes them, so that "
                 "each is trained, or left, by itself",
                 r->copies, r->copies == 1 ? "copy" : "copies");
    for (size_t i = 0; i < r->roles->n_tensors; i++) {
        const mfm_tensor_role *t = &r->roles->tensors[i];
        if (t->fate == MFM_FATE_TRAINED && t->n_readers > 1 && t->numbers > 1 && !t->injected)
            mfm_warn(r->ctx, "tensor '%s' is read by %zu nodes: they train as one parameter",
                     t->name, t->n_readers);
    }
}

static void warn(mfm_model_report *r)
{
    warn_of_folded_norm(r);
    warn_of_training_form(r);
    warn_of_sharing(r);
    if (r->facts->ends_in_softmax)
        mfm_warn(r->ctx, "the output is a softmax: training uses the logits before it");
    if (r->network && r->network->one_number)
        mfm_warn(r->ctx, "the output is one number for each image: training uses the logits (0, z) "
                         "of two classes, of which Sigmoid(z) is the probability of class 1");
    if (r->layers->n_layers == 0)
        mfm_warn(r->ctx, "no convolution and no fully connected layer: nothing to modulate");
}

static int fill(mfm_model_report *r, const mfm_role_choice *choice)
{
    int status = mfm_model_facts_new(r->ctx, r->model, &r->facts);
    if (!status)
        status = mfm_model_untie(r->ctx, r->model, &r->copies);
    if (!status)
        status = mfm_flat_new(r->ctx, r->model, &r->flat);
    if (!status)
        status = mfm_roles_new(r->ctx, mfm_flat_model(r->flat), choice, &r->roles);
    if (!status)
        status = mfm_inject_info_read(r->ctx, r->model, &r->modulators);
    if (!status)
        status = read_layers(r);
    if (!status)
        status = read_network(r, choice);
    if (!status)
        warn(r);
    return status;
}

int mfm_model_report_new(mfm_ctx *ctx, mfm_model *model, const mfm_role_choice *choice,
                         mfm_model_report **report)
{
    *report = mfm_alloc(ctx, 1, sizeof **report);
    if (!*report)
        return MFM_ENOMEM;
    **report = (mfm_model_report){.ctx = ctx, .model = model, .macs = -1};
    mfm_ctx_on_warning(ctx, keep_warning, *report);
    const int status = fill(*report, choice);
    if (status) {
        mfm_model_report_free(*report);
        *report = NULL;
    }
    return status;
}

void mfm_model_report_free(mfm_model_report *r)
{
    if (!r)
        return;
    mfm_ctx_on_warning(r->ctx, NULL, NULL);
    for (size_t i = 0; r->rows && i < r->layers->n_layers; i++)
        for (size_t k = 0; k < r->rows[i].n_aliases; k++)
            mfm_free(r->ctx, r->rows[i].aliases[k]);
    mfm_free(r->ctx, r->rows);
    for (size_t i = 0; i < r->n_warnings; i++)
        mfm_free(r->ctx, r->warnings[i]);
    mfm_free(r->ctx, r->warnings);
    mfm_free(r->ctx, r->obstacle);
    mfm_network_free(r->ctx, r->network);
    mfm_inject_info_free(r->ctx, r->modulators);
    mfm_layers_free(r->layers);
    mfm_roles_free(r->roles);
    mfm_flat_free(r->flat);
    mfm_model_facts_free(r->ctx, r->facts);
    mfm_free(r->ctx, r);
}
