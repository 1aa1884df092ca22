#include "onnx/import/import.h"

#include <stdio.h>
#include <string.h>

#include "onnx/import/import_parts.h"
#include "onnx/surgery/inject_check.h"
#include "onnx/storage/tensor_data.h"

/* ---- which nodes the outputs need --------------------------------------------------------- */

static bool own_statistics(const mfm_importer *im, const Onnx__NodeProto *node)
{
    return im->roles && mfm_links_own_statistics(&im->roles->links, node);
}

static bool node_needed(const mfm_importer *im, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++)
        if (mfm_strmap_get(&im->needed, node->output[i], NULL))
            return true;
    return false;
}

/* By the output that is chosen, or the first n_outputs of the graph, and by what is wanted by name.
 */
static int find_needed(mfm_importer *im, size_t n_outputs)
{
    int status = MFM_OK;
    if (im->output)
        status = mfm_strmap_set(&im->needed, im->output, 0);
    for (size_t i = 0; i < n_outputs && !status && !im->output; i++)
        status = mfm_strmap_set(&im->needed, im->proto->output[i]->name, 0);
    for (size_t i = 0; i < im->n_wanted && !status; i++)
        status = mfm_strmap_set(&im->needed, im->wanted[i], 0);
    for (size_t i = im->proto->n_node; i-- > 0 && !status;) {
        const Onnx__NodeProto *node = im->proto->node[i];
        if (!node_needed(im, node))
            continue;
        const size_t n_read = own_statistics(im, node) ? 3 : node->n_input;
        for (size_t j = 0; j < n_read && !status; j++)
            if (node->input[j][0])
                status = mfm_strmap_set(&im->needed, node->input[j], 0);
    }
    return status;
}

/* ---- every unsupported operator, before any work ------------------------------------------ */

static int opset_of(const mfm_model *model, const Onnx__NodeProto *node)
{
    return (int)mfm_model_opset(model, mfm_proto_text(node->domain));
}

/* The operators of ONNX's own domain only: those of the engine's are not for files. */
const mfm_op *mfm_import_op(const mfm_model *model, const Onnx__NodeProto *node)
{
    const char *type = mfm_proto_text(node->op_type);
    return mfm_proto_is(node, type) ? mfm_op_find("", type, opset_of(model, node)) : NULL;
}

const mfm_port *mfm_import_port(const mfm_op *op, size_t input)
{
    const mfm_port *port = op->inputs;
    for (size_t i = 0; i < input && port->name && !port->variadic; i++)
        port++;
    return port->name ? port : NULL;
}

static int list_unsupported(mfm_importer *im, const bool *supported)
{
    char list[3072] = "";
    size_t used = 0, count = 0;
    for (size_t i = 0; i < im->proto->n_node; i++) {
        const Onnx__NodeProto *node = im->proto->node[i];
        if (supported[i] || !node_needed(im, node))
            continue;
        const char *name = mfm_proto_text(node->name);
        const bool own = mfm_proto_is(node, mfm_proto_text(node->op_type));
        count++;
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s%s%s '%s'",
                                     count > 1 ? ", " : "", own ? "" : mfm_proto_text(node->domain),
                                     own ? "" : ":", mfm_proto_text(node->op_type),
                                     name[0]          ? name
                                     : node->n_output ? node->output[0]
                                                      : "");
    }
    if (!count)
        return MFM_OK;
    return mfm_fail(im->ctx, MFM_ENOTSUP,
                    "%s: %zu node%s of operators that are not supported at "
                    "opset %lld: %s",
                    mfm_model_path(im->model), count, count > 1 ? "s" : "",
                    (long long)mfm_model_opset(im->model, ""), list);
}

static int check_supported(mfm_importer *im)
{
    bool *supported = mfm_alloc(im->ctx, im->proto->n_node, sizeof *supported);
    if (!supported)
        return MFM_ENOMEM;
    int status = mfm_import_find_supported(im->model, supported);
    if (!status)
        status = list_unsupported(im, supported);
    mfm_free(im->ctx, supported);
    return status;
}

/* ---- nodes -------------------------------------------------------------------------------- */

/* Another name for the same value; of an initialiser, an independent parameter. */
static int import_identity(mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *from = mfm_import_find(im, node->input[0]);
    if (!from)
        return mfm_import_fail(im, node, MFM_EDATA, "input '%s': nothing writes it",
                               node->input[0]);
    mfm_binding alias = *from;
    alias.name = node->output[0];
    if (!alias.tensor && alias.folded)
        return mfm_strmap_set(&im->names, alias.name, (size_t)(from - im->bindings));
    if (alias.tensor)
        alias.param = alias.state = alias.fixed = -1;
    alias.folded = NULL;
    return mfm_import_bind(im, &alias);
}

/* ---- casts -------------------------------------------------------------------------------- */

/* Whether a name stands for floating-point numbers: every value of the graph does. */
static bool is_float(const mfm_importer *im, const char *name)
{
    const mfm_binding *b = mfm_import_find(im, name);
    return b && (b->value >= 0 || (b->tensor && mfm_tensor_is_float(b->tensor)));
}

static bool casts_floats(const mfm_importer *im, const Onnx__NodeProto *node)
{
    if (node->n_output != 1 || node->n_input == 0 || !is_float(im, node->input[0]))
        return false;
    if (mfm_proto_is(node, "CastLike"))
        return node->n_input == 2 && is_float(im, node->input[1]);
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    return mfm_proto_is(node, "Cast") && to && mfm_type_is_float((int32_t)to->i);
}

/* The engine has one floating-point type: another name for the same value, or tensor. */
static int import_cast(mfm_importer *im, const Onnx__NodeProto *node)
{
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    size_t source;
    if (to && (to->i == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
               to->i == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16))
        mfm_warn(im->ctx, "%s: Cast '%s': the file goes on in 16 bits, training in %zu",
                 mfm_model_path(im->model), node->output[0], 8 * sizeof(real));
    mfm_strmap_get(&im->names, node->input[0], &source);
    return mfm_strmap_set(&im->names, node->output[0], source);
}

/* The node's inputs as graph values, those that are attributes left out (they come last). An
 * operator of the engine's own that takes a node's place may read fewer. */
static int import_arguments(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op,
                            int opset, int *arguments, int *count)
{
    *count = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        if (mfm_import_is_attr_input(op, opset, i))
            continue;
        arguments[*count] = -1;
        const mfm_port *port = mfm_import_port(op, i);
        if (!port && node->input[i][0] && !op->domain[0])
            return mfm_import_fail(im, node, MFM_ENOTSUP, "input %zu: not supported", i);
        if (port && node->input[i][0]) {
            const int status = mfm_import_argument(im, node, i, port->role, &arguments[*count]);
            if (status)
                return status;
        }
        if (port)
            ++*count;
    }
    return MFM_OK;
}

/* Whether an attribute stands for the batch size somewhere. */
static bool asks_for_batch(const mfm_op *op, const void *attr)
{
    for (const mfm_attr_def *def = op->attrs; def && def->name; def++) {
        const mfm_ints *list =
            (const mfm_ints *)(const void *)((const char *)attr + (def->batch ? def->offset : 0));
        for (int i = 0; def->batch && i < list->count; i++)
            if (list->v[i] == -1)
                return true;
    }
    return false;
}

/* The images tell it, as the input behind those of the file. */
static int add_batch(mfm_importer *im, const Onnx__NodeProto *node, int *arguments, int *count)
{
    if (!im->network || im->network->images < 0)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "depends on the batch size without images");
    arguments[(*count)++] = im->network->images;
    return MFM_OK;
}

/* Outputs that ONNX does not define make the file invalid, read or not. */
static int check_outputs(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op)
{
    size_t most = 0;
    for (; op->outputs[most].name; most++)
        if (op->outputs[most].variadic)
            return MFM_OK;
    if (node->n_output <= most)
        return MFM_OK;
    return mfm_import_fail(im, node, MFM_EDATA, "%zu outputs: it has at most %zu", node->n_output,
                           most);
}

/* Outputs up to the last one that is needed; the others (masks, batch statistics) are dropped.
 * Where the number of outputs has a meaning (Split), all of them. */
static int count_outputs(const mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op)
{
    int count = 0;
    if (op->outputs[0].variadic)
        return (int)node->n_output;
    for (size_t i = 0; i < node->n_output; i++)
        if (mfm_strmap_get(&im->needed, node->output[i], NULL))
            count = (int)i + 1;
    return count;
}

static int add_node(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op, int opset,
                    const void *attr, int *numbers)
{
    int n_in, status = import_arguments(im, node, op, opset, numbers, &n_in);
    if (!status && asks_for_batch(op, attr))
        status = add_batch(im, node, numbers, &n_in);
    const int n_out = count_outputs(im, node, op);
    bool on_images = false;
    for (int i = 0; i < n_in && !status; i++)
        on_images |= numbers[i] >= 0 && im->on_images[numbers[i]];
    if (!status)
        status = mfm_graph_add(im->graph, op, opset, node->name, attr, numbers, n_in,
                               (const char *const *)node->output, n_out, numbers + n_in);
    if (status)
        return status;
    for (int i = 0; i < n_out && !status; i++)
        status = mfm_import_bind_output(im, node->output[i], numbers[n_in + i], on_images);
    return status;
}

static int import_operator(mfm_importer *im, const Onnx__NodeProto *node)
{
    const int opset = opset_of(im->model, node);
    const mfm_op *op = own_statistics(im, node) ? mfm_op_find("mfm", "OwnBatchNormalization", 1)
                                                : mfm_import_op(im->model, node);
    if (!op)
        return mfm_import_fail(im, node, MFM_ENOTSUP,
                               "computes with values that are not known when importing");
    void *attr = mfm_alloc(im->ctx, 1, op->attr_size);
    int *numbers = mfm_alloc(im->ctx, node->n_input + node->n_output, sizeof *numbers);
    int status = MFM_ENOMEM;
    if (attr && numbers) {
        status = check_outputs(im, node, op);
        if (!status)
            status = mfm_import_attrs(im, node, op, opset, attr);
        if (!status)
            status = add_node(im, node, op, opset, attr, numbers);
    }
    mfm_free(im->ctx, attr);
    mfm_free(im->ctx, numbers);
    return status;
}

/* The body of a function may take an attribute from whoever calls it; a graph has no caller. */
static int check_references(mfm_importer *im, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (mfm_proto_text(node->attribute[i]->ref_attr_name)[0])
            return mfm_import_fail(im, node, MFM_EDATA,
                                   "attribute '%s': refers to '%s' of a function, and is in none: "
                                   "inline the functions of the file before training",
                                   mfm_proto_text(node->attribute[i]->name),
                                   node->attribute[i]->ref_attr_name);
    return MFM_OK;
}

static int import_node(mfm_importer *im, const Onnx__NodeProto *node)
{
    if (check_references(im, node))
        return mfm_code(im->ctx);
    if (mfm_proto_is(node, "Constant"))
        return mfm_import_constant(im, node);
    if (mfm_proto_is(node, "Identity") && node->n_input == 1 && node->n_output == 1)
        return import_identity(im, node);
    bool folded;
    const int status = mfm_import_fold(im, node, opset_of(im->model, node), &folded);
    if (status || folded)
        return status;
    return casts_floats(im, node) ? import_cast(im, node) : import_operator(im, node);
}

static int import_nodes(mfm_importer *im)
{
    for (size_t i = 0; i < im->proto->n_node; i++) {
        const int status =
            node_needed(im, im->proto->node[i]) ? import_node(im, im->proto->node[i]) : MFM_OK;
        if (status)
            return status;
    }
    return MFM_OK;
}

/* ---- the whole ---------------------------------------------------------------------------- */

int mfm_import_begin(mfm_importer *im, mfm_ctx *ctx, const mfm_model *model)
{
    *im = (mfm_importer){.ctx = ctx,
                         .model = model,
                         .proto = model->proto->graph,
                         .folder = {.ctx = ctx, .model = model}};
    mfm_strmap_init(&im->names, ctx);
    mfm_strmap_init(&im->needed, ctx);
    return mfm_graph_new(ctx, &im->graph);
}

int mfm_import_walk(mfm_importer *im, size_t n_outputs, int (*inputs)(mfm_importer *im))
{
    int status = find_needed(im, n_outputs);
    if (!status)
        status = check_supported(im);
    if (!status)
        status = inputs(im);
    if (!status)
        status = mfm_import_initializers(im);
    return status ? status : import_nodes(im);
}

void mfm_import_end(mfm_importer *im)
{
    for (size_t i = 0; i < im->n_bindings; i++)
        mfm_folded_free(im->ctx, im->bindings[i].folded);
    mfm_free(im->ctx, im->bindings);
    mfm_free(im->ctx, im->on_images);
    for (size_t i = 0; i < sizeof im->shapes / sizeof im->shapes[0]; i++)
        mfm_graph_shapes_clear(im->ctx, &im->shapes[i]);
    mfm_strmap_clear(&im->names);
    mfm_strmap_clear(&im->needed);
    mfm_inject_info_free(im->ctx, im->info);
    mfm_roles_free(im->roles);
}

/* A use of the tensor that training treats otherwise than its first, or NULL. */
static const mfm_tensor_use *other_fate(const mfm_tensor_role *role, const mfm_tensor_use **first)
{
    *first = NULL;
    for (size_t i = 0; i < role->n_uses; i++) {
        const mfm_tensor_use *use = &role->uses[i];
        if (use->fate == MFM_FATE_UNREAD)
            continue;
        *first = *first ? *first : use;
        if (use->tie != (*first)->tie && use->fate != (*first)->fate)
            return use;
    }
    return NULL;
}

/* Training one role of a tensor must not change another. */
static int check_divided(mfm_importer *im)
{
    for (size_t i = 0; i < im->roles->n_tensors; i++) {
        const mfm_tensor_role *role = &im->roles->tensors[i];
        const mfm_tensor_use *first, *other = role->divided ? other_fate(role, &first) : NULL;
        if (!other || role->injected)
            continue;
        const Onnx__NodeProto *a = im->proto->node[first->node], *b = im->proto->node[other->node];
        return mfm_fail(im->ctx, MFM_ENOTSUP,
                        "%s: tensor '%s': %s (%s) in %s '%s', %s (%s) in %s '%s': each needs a "
                        "tensor of its own",
                        mfm_model_path(im->model), role->name, mfm_fate_name(first->fate),
                        first->why, a->op_type, a->output[0], mfm_fate_name(other->fate),
                        other->why, b->op_type, b->output[0]);
    }
    return MFM_OK;
}

static int import_network(mfm_importer *im, const mfm_role_choice *choice)
{
    if (im->proto->n_output == 0)
        return mfm_fail(im->ctx, MFM_EDATA, "%s: the graph has no output",
                        mfm_model_path(im->model));
    im->output = mfm_import_chosen_output(im->model);
    int status = mfm_inject_info_read(im->ctx, im->model, &im->info);
    if (!status && im->info)
        status = mfm_inject_check(im->ctx, im->model, im->info);
    if (!status)
        status = mfm_roles_new(im->ctx, im->model, choice, &im->roles);
    if (!status)
        status = mfm_import_check_wanted(im);
    if (!status)
        status = mfm_import_walk(im, 1, mfm_import_inputs);
    if (!status)
        status = check_divided(im);
    if (!status)
        status = mfm_import_check_batch(im);
    if (!status)
        status = mfm_import_outputs(im);
    return status ? status : mfm_import_sites(im);
}

/* What is wanted of a network beside its logits; NULL: nothing. */
typedef struct extras {
    const char *const *names;
    size_t count;
    int *values;
} extras;

static int import_model(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                        const extras *wanted, mfm_network **network)
{
    mfm_importer im;
    int status = mfm_import_begin(&im, ctx, model);
    im.wanted = wanted ? wanted->names : NULL;
    im.n_wanted = wanted ? wanted->count : 0;
    *network = im.network = mfm_alloc(ctx, 1, sizeof **network);
    if (im.network)
        im.network->graph = im.graph;
    else
        mfm_graph_free(im.graph);
    if (!status)
        status = im.network ? import_network(&im, choice) : MFM_ENOMEM;
    if (!status && wanted)
        status = mfm_import_wanted(&im, wanted->values);
    mfm_import_end(&im);
    if (status) {
        mfm_network_free(ctx, *network);
        *network = NULL;
    }
    return status;
}

int mfm_model_import_chosen(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                            mfm_network **network)
{
    return import_model(ctx, model, choice, NULL, network);
}

int mfm_model_import_form(mfm_ctx *ctx, const mfm_model *model, mfm_network **network)
{
    return mfm_model_import_chosen(ctx, model, NULL, network);
}

int mfm_model_import(mfm_ctx *ctx, const mfm_model *model, mfm_network **network)
{
    return mfm_model_import_values(ctx, model, NULL, 0, network, NULL);
}

/* The logits' value is known once the network is there. */
static int import_named(mfm_ctx *ctx, const mfm_model *model, const char *const *names,
                        size_t count, const char **named, int *found, mfm_network **network,
                        int *values)
{
    extras wanted = {named, 0, found};
    for (size_t i = 0; i < count; i++)
        if (names[i])
            named[wanted.count++] = names[i];
    const int status = import_model(ctx, model, NULL, &wanted, network);
    for (size_t i = 0; i < count && !status; i++)
        values[i] = names[i] ? *found++ : (*network)->logits;
    return status;
}

int mfm_model_import_values(mfm_ctx *ctx, const mfm_model *model, const char *const *names,
                            size_t count, mfm_network **network, int *values)
{
    const char **named = mfm_alloc(ctx, count, sizeof *named);
    int *found = mfm_alloc(ctx, count, sizeof *found);
    *network = NULL;
    int status = named && found
                     ? import_named(ctx, model, names, count, named, found, network, values)
                     : MFM_ENOMEM;
    if (!status)
        status = mfm_model_read_values(ctx, model, (*network)->graph);
    if (status) {
        mfm_network_free(ctx, *network);
        *network = NULL;
    }
    mfm_free(ctx, named);
    mfm_free(ctx, found);
    return status;
}
