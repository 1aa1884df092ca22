#include "onnx/import/import.h"

#include <stdio.h>
#include <string.h>

#include "onnx/functions/flat.h"
#include "onnx/import/import_parts.h"
#include "onnx/info/advice.h"
#include "onnx/surgery/inject_check.h"
#include "onnx/storage/tensor_data.h"

/* ---- which nodes the outputs need --------------------------------------------------------- */

static bool node_needed(const mfm_importer *im, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++)
        if (mfm_strmap_get(&im->needed, node->output[i], NULL))
            return true;
    return false;
}

/* Nodes are asked from the last on, so that the first to need a value is the last to read it. */
static int need(mfm_importer *im, const char *name, size_t reader)
{
    return mfm_strmap_get(&im->needed, name, NULL) ? MFM_OK
                                                   : mfm_strmap_set(&im->needed, name, reader);
}

/* By the output that is chosen, or the first n_outputs of the graph, and by what is wanted by name:
 * these are read behind the last node. */
static int find_needed(mfm_importer *im, size_t n_outputs)
{
    const size_t end = im->proto->n_node;
    int status = MFM_OK;
    if (im->output)
        status = need(im, im->output, end);
    for (size_t i = 0; i < n_outputs && !status && !im->output; i++)
        status = need(im, im->proto->output[i]->name, end);
    for (size_t i = 0; i < im->n_wanted && !status; i++)
        status = need(im, im->wanted[i], end);
    for (size_t i = im->proto->n_node; i-- > 0 && !status;) {
        const Onnx__NodeProto *node = im->proto->node[i];
        if (!node_needed(im, node))
            continue;
        const size_t n_read = mfm_import_own_statistics(im, node) ? 3 : node->n_input;
        for (size_t j = 0; j < n_read && !status; j++)
            if (node->input[j][0])
                status = need(im, node->input[j], i);
    }
    return status;
}

/* ---- every unsupported operator, before any work ------------------------------------------ */

static int list_unsupported(mfm_importer *im, const bool *supported)
{
    enum { MOST_LISTED = 12 };
    char list[3072] = "", more[48] = "";
    const char *why = "";
    size_t used = 0, count = 0;
    for (size_t i = 0; i < im->proto->n_node; i++) {
        const Onnx__NodeProto *node = im->proto->node[i];
        if (supported[i] || !node_needed(im, node))
            continue;
        const bool own = mfm_proto_is(node, mfm_proto_text(node->op_type));
        count++;
        why = why[0] ? why : mfm_advice(node);
        if (count <= MOST_LISTED && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s%s%s '%s'",
                                     count > 1 ? ", " : "", own ? "" : mfm_proto_text(node->domain),
                                     own ? "" : ":", mfm_proto_text(node->op_type),
                                     mfm_proto_title(node));
    }
    if (!count)
        return MFM_OK;
    if (count > MOST_LISTED)
        snprintf(more, sizeof more, " and %zu more", count - MOST_LISTED);
    return mfm_fail(im->ctx, MFM_ENOTSUP,
                    "%s: %zu node%s of operators that are not supported at "
                    "opset %lld: %s%s%s",
                    mfm_model_path(im->model), count, count > 1 ? "s" : "",
                    (long long)mfm_model_opset(im->model, ""), list, more, why);
}

int mfm_import_find_gaps(const mfm_model *model, bool *gaps)
{
    mfm_importer im;
    int status = mfm_import_begin(&im, model->ctx, model);
    im.output = mfm_model_logits_name(model);
    if (!status)
        status = find_needed(&im, 0);
    /* Without logits there is no telling what they need: import says why. */
    const bool has_logits =
        !status && im.proto->n_output > 0 && mfm_import_check_output(&im) == MFM_OK;
    if (!status)
        status = mfm_import_find_supported(model, gaps);
    for (size_t i = 0; i < im.proto->n_node && !status; i++)
        gaps[i] = has_logits && !gaps[i] && node_needed(&im, im.proto->node[i]);
    mfm_graph_free(im.graph);
    mfm_import_end(&im);
    return status;
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

static int import_nodes(mfm_importer *im)
{
    for (size_t i = 0; i < im->proto->n_node; i++) {
        const Onnx__NodeProto *node = im->proto->node[i];
        if (!node_needed(im, node))
            continue;
        const int status = mfm_import_node(im, node);
        if (status)
            return status;
        mfm_import_release(im, node, i);
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
        mfm_import_forget(im, &im->bindings[i]);
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
    im->output = mfm_model_logits_name(im->model);
    int status = mfm_import_check_output(im);
    if (!status)
        status = mfm_inject_info_read(im->ctx, im->model, &im->info);
    if (!status && im->info)
        status = mfm_inject_check(im->ctx, im->model, im->info);
    if (!status)
        status = mfm_roles_new(im->ctx, im->model, choice, &im->roles);
    if (!status)
        status = mfm_import_check_wanted(im);
    if (!status)
        status = mfm_import_walk(im, 1, mfm_import_inputs);
    if (!status && !im->only_form)
        status = check_divided(im);
    if (!status)
        status = mfm_import_check_batch(im);
    if (!status)
        status = mfm_import_outputs(im);
    return status ? status : mfm_import_sites(im);
}

/* What is wanted of a network beside its logits; NULL: nothing. */
typedef struct extras {
    bool only_form;
    const char *const *names;
    size_t count;
    int *values;
} extras;

static int import_flat(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                       const extras *wanted, mfm_network **network)
{
    mfm_importer im;
    int status = mfm_import_begin(&im, ctx, model);
    im.wanted = wanted ? wanted->names : NULL;
    im.n_wanted = wanted ? wanted->count : 0;
    im.only_form = wanted && wanted->only_form;
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

static int import_model(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                        const extras *wanted, mfm_network **network)
{
    mfm_flat *flat;
    int status = mfm_flat_new(ctx, model, &flat);
    *network = NULL;
    if (!status)
        status = import_flat(ctx, mfm_flat_model(flat), choice, wanted, network);
    mfm_flat_free(flat);
    return status;
}

int mfm_model_import_chosen(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                            mfm_network **network)
{
    return import_model(ctx, model, choice, NULL, network);
}

int mfm_model_import_form(mfm_ctx *ctx, const mfm_model *model, mfm_network **network)
{
    const extras form = {.only_form = true};
    return import_model(ctx, model, NULL, &form, network);
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
    extras wanted = {.names = named, .values = found};
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
