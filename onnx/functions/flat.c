#include "onnx/functions/flat.h"

#include <string.h>

#include "onnx/functions/fields.h"
#include "onnx/functions/flat_parts.h"
#include "onnx/functions/fused.h"

static int take_nodes(mfm_flattener *f, mfm_flat_scope *s, Onnx__NodeProto *const *nodes,
                      size_t count);

void *mfm_flat_own(mfm_flat *flat, void *block)
{
    if (block && mfm_grow(flat->ctx, &flat->blocks, flat->n_blocks, &flat->blocks_capacity,
                          sizeof *flat->blocks)) {
        mfm_free(flat->ctx, block);
        return NULL;
    }
    if (block)
        flat->blocks[flat->n_blocks++] = block;
    return block;
}

void *mfm_flat_alloc(mfm_flattener *f, size_t count, size_t size)
{
    return mfm_flat_own(f->flat, mfm_alloc(f->ctx, count ? count : 1, size));
}

int mfm_flat_refuse(const mfm_flattener *f, const Onnx__FunctionProto *function, int code,
                    const char *rule, const char *detail)
{
    return mfm_fail(f->ctx, code, "%s: function %s:%s: %s%s", mfm_model_path(f->model),
                    mfm_proto_text(function->domain), mfm_proto_text(function->name), rule, detail);
}

/* ---- functions by name ---------------------------------------------------------------------- */

static const char *key_of(mfm_flattener *f, const char *domain, const char *name,
                          mfm_field_text overload)
{
    const char *plain = strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    return mfm_flat_own(f->flat, mfm_format(f->ctx, "%s:%s:%.*s", plain, name, (int)overload.length,
                                            overload.text));
}

static int index_functions(mfm_flattener *f)
{
    const Onnx__ModelProto *proto = f->model->proto;
    int status = MFM_OK;
    for (size_t i = 0; i < proto->n_functions && !status; i++) {
        const Onnx__FunctionProto *function = proto->functions[i];
        const char *key = key_of(f, mfm_proto_text(function->domain),
                                 mfm_proto_text(function->name), mfm_function_overload(function));
        if (!key)
            return MFM_ENOMEM;
        if (mfm_strmap_get(&f->functions, key, NULL))
            return mfm_flat_refuse(f, function, MFM_EDATA, "defined twice", "");
        status = mfm_strmap_set(&f->functions, key, i);
    }
    return status;
}

static int find_function(mfm_flattener *f, const Onnx__NodeProto *node,
                         const Onnx__FunctionProto **function)
{
    size_t index;
    char *key = mfm_format(
        f->ctx, "%s:%s:%.*s",
        strcmp(mfm_proto_text(node->domain), "ai.onnx") == 0 ? "" : mfm_proto_text(node->domain),
        mfm_proto_text(node->op_type), (int)mfm_node_overload(node).length,
        mfm_node_overload(node).text);
    *function = NULL;
    if (!key)
        return MFM_ENOMEM;
    if (mfm_strmap_get(&f->functions, key, &index))
        *function = f->model->proto->functions[index];
    mfm_free(f->ctx, key);
    return MFM_OK;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static int add_node(mfm_flattener *f, Onnx__NodeProto *node, mfm_flat_from from)
{
    mfm_flat *flat = f->flat;
    Onnx__GraphProto *graph = &flat->graph;
    if (graph->n_node >= MFM_FLAT_NODES)
        return mfm_fail(f->ctx, MFM_ENOTSUP,
                        "%s: its functions make more than %d nodes: that is not supported",
                        mfm_model_path(f->model), MFM_FLAT_NODES);
    int status =
        mfm_grow(f->ctx, &graph->node, graph->n_node, &flat->nodes_capacity, sizeof *graph->node);
    if (!status)
        status = mfm_grow(f->ctx, &flat->origins, graph->n_node, &flat->origins_capacity,
                          sizeof *flat->origins);
    if (status)
        return status;
    flat->origins[graph->n_node] = from;
    graph->node[graph->n_node++] = node;
    return MFM_OK;
}

/* The version that a function imports of a domain; 0: it does not. */
static int64_t function_opset(const Onnx__FunctionProto *function, const char *domain)
{
    const bool standard = !domain[0] || strcmp(domain, "ai.onnx") == 0;
    for (size_t i = 0; i < function->n_opset_import; i++) {
        const char *own_domain = mfm_proto_text(function->opset_import[i]->domain);
        if (standard ? !own_domain[0] || strcmp(own_domain, "ai.onnx") == 0
                     : strcmp(own_domain, domain) == 0)
            return function->opset_import[i]->version;
    }
    return 0;
}

static int add_of_function(mfm_flattener *f, const mfm_flat_scope *s, Onnx__NodeProto *copy,
                           mfm_flat_from from)
{
    const int64_t version = function_opset(s->function, mfm_proto_text(copy->domain));
    int status = MFM_OK;
    if (version <= 0)
        return mfm_flat_refuse(f, s->function, MFM_EDATA, "does not import the operators of ",
                               mfm_proto_text(copy->domain)[0] ? copy->domain : "ONNX");
    /* ONNX wants operators to be the same in both versions; runtimes take the model's anyway. */
    const int64_t outside = mfm_model_opset(f->model, mfm_proto_text(copy->domain));
    if (outside && outside != version && !s->fused)
        return mfm_fail(f->ctx, MFM_ENOTSUP,
                        "%s: function %s:%s imports opset %lld of '%s', the model %lld: they must "
                        "be the same",
                        mfm_model_path(f->model), mfm_proto_text(s->function->domain),
                        mfm_proto_text(s->function->name), (long long)version,
                        mfm_proto_text(copy->domain), (long long)outside);
    for (size_t i = 0; i < copy->n_output && !status; i++)
        if (copy->output[i][0])
            status = mfm_strmap_set(&f->flat->opsets, copy->output[i], (size_t)version);
    return status ? status : add_node(f, copy, from);
}

static bool is_identity(const Onnx__NodeProto *node)
{
    return mfm_proto_is(node, "Identity") && node->n_input == 1 && node->n_output == 1;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static int check_call(const mfm_flattener *f, const mfm_flat_scope *s,
                      const Onnx__FunctionProto *function, const Onnx__NodeProto *call)
{
    for (const mfm_flat_scope *at = s; at; at = at->outer)
        if (at->function == function)
            return mfm_flat_refuse(f, function, MFM_EDATA, "calls itself", "");
    if (s->depth >= MFM_FLAT_DEPTH)
        return mfm_flat_refuse(f, function, MFM_EDATA, "is called too deep within others", "");
    if (call->n_input > function->n_input || call->n_output > function->n_output)
        return mfm_flat_refuse(f, function, MFM_EDATA,
                               "is called with more inputs or outputs than it has", "");
    return MFM_OK;
}

static int give_names(mfm_flat_scope *s)
{
    const Onnx__FunctionProto *function = s->function;
    int status = MFM_OK;
    for (size_t i = 0; i < function->n_input && !status; i++)
        status =
            mfm_flat_call_it(s, function->input[i], i < s->call->n_input ? s->call->input[i] : "");
    for (size_t i = 0; i < s->call->n_output && !status; i++)
        if (s->call->output[i][0] && !mfm_strmap_get(&s->given, function->output[i], NULL))
            status = mfm_strmap_set(&s->given, function->output[i], i);
    return status;
}

/* What the caller calls by the outputs' names: a function may hand its input on. */
static int return_names(mfm_flattener *f, mfm_flat_scope *caller, const mfm_flat_scope *s,
                        const Onnx__NodeProto *node)
{
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_output && !status; i++) {
        const char *text = mfm_flat_called(s, s->function->output[i]);
        if (!node->output[i][0])
            continue;
        if (!text || !text[0])
            return mfm_flat_refuse(f, s->function, MFM_EDATA, "nothing writes its output ",
                                   s->function->output[i]);
        if (strcmp(text, s->call->output[i]) != 0)
            status = mfm_flat_call_it(caller, node->output[i], text);
    }
    return status;
}

/* Carries a call out: `node` as the caller has it, `call` with names of the view. */
static int take_call(mfm_flattener *f, mfm_flat_scope *caller, const Onnx__NodeProto *node,
                     const Onnx__NodeProto *call, const Onnx__FunctionProto *function, bool fused)
{
    int status = check_call(f, caller, function, call);
    if (status)
        return status;
    const char *title = mfm_proto_title(call);
    mfm_flat_scope s = {.outer = caller,
                        .function = function,
                        .call = call,
                        .title = title[0] ? title : mfm_proto_text(function->name),
                        .fused = fused,
                        .depth = caller->depth + 1};
    mfm_strmap_init(&s.names, f->ctx);
    mfm_strmap_init(&s.given, f->ctx);
    status = give_names(&s);
    if (!status)
        status = take_nodes(f, &s, function->node, function->n_node);
    if (!status)
        status = return_names(f, caller, &s, node);
    mfm_strmap_clear(&s.names);
    mfm_strmap_clear(&s.given);
    mfm_free(f->ctx, s.texts);
    return status;
}

static bool has_alias(const mfm_flat_scope *s, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++)
        if (mfm_flat_called(s, node->input[i]) != node->input[i])
            return true;
    return false;
}

static int take_node(mfm_flattener *f, mfm_flat_scope *s, Onnx__NodeProto *node, size_t at)
{
    const Onnx__FunctionProto *function;
    const mfm_flat_from from = {node, s->function ? -1 : (ptrdiff_t)at};
    Onnx__NodeProto *copy;
    int status = find_function(f, node, &function);
    const mfm_fused *fused = status || function || s->fused ? NULL : mfm_fused_of(f->model, node);
    if (!status && s->function && !function && is_identity(node)) {
        const char *same = mfm_flat_called(s, node->input[0]);
        return same ? mfm_flat_call_it(s, node->output[0], same)
                    : mfm_flat_refuse(f, s->function, MFM_EDATA, "nothing writes its value ",
                                      node->input[0]);
    }
    if (!status && !s->function && !function && !fused && !has_alias(s, node))
        return add_node(f, node, from);
    if (!status)
        status = mfm_flat_copy(f, s, node, &copy);
    if (!status && fused)
        status = mfm_fused_body(f, fused, copy, &function);
    if (status)
        return status;
    if (function)
        return take_call(f, s, node, copy, function, fused != NULL);
    return s->function ? add_of_function(f, s, copy, from) : add_node(f, copy, from);
}

static int take_nodes(mfm_flattener *f, mfm_flat_scope *s, Onnx__NodeProto *const *nodes,
                      size_t count)
{
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = take_node(f, s, nodes[i], i);
    return status;
}

/* An output of the graph that a function only hands on needs a node that writes it. */
static int add_handed_on(mfm_flattener *f, const mfm_flat_scope *s)
{
    const Onnx__GraphProto *graph = f->model->proto->graph;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_output && !status; i++) {
        const char *name = mfm_proto_text(graph->output[i]->name);
        const char *text = mfm_flat_called(s, name);
        if (text == name || strcmp(text, name) == 0)
            continue;
        Onnx__NodeProto *node = mfm_flat_alloc(f, 1, sizeof *node);
        char **ends = mfm_flat_alloc(f, 2, sizeof *ends);
        if (!node || !ends)
            return MFM_ENOMEM;
        onnx__node_proto__init(node);
        ends[0] = (char *)text;
        ends[1] = (char *)name;
        node->op_type = (char *)"Identity";
        node->n_input = node->n_output = 1;
        node->input = ends;
        node->output = ends + 1;
        status = add_node(f, node, (mfm_flat_from){NULL, -1});
    }
    return status;
}

/* ---- the view ------------------------------------------------------------------------------- */

static int flatten(mfm_flattener *f)
{
    const Onnx__GraphProto *graph = f->model->proto->graph;
    mfm_flat_scope s = {0};
    mfm_strmap_init(&s.names, f->ctx);
    mfm_strmap_init(&s.given, f->ctx);
    int status = mfm_names_new(f->model, &f->flat->names);
    if (!status)
        status = take_nodes(f, &s, graph->node, graph->n_node);
    if (!status)
        status = add_handed_on(f, &s);
    mfm_strmap_clear(&s.names);
    mfm_strmap_clear(&s.given);
    mfm_free(f->ctx, s.texts);
    return status;
}

static int calls_any(mfm_flattener *f, bool *calls)
{
    const Onnx__GraphProto *graph = f->model->proto->graph;
    const Onnx__FunctionProto *function = NULL;
    int status = f->model->proto->n_functions ? index_functions(f) : MFM_OK;
    *calls = false;
    for (size_t i = 0; i < graph->n_node && !status && !*calls; i++) {
        status = f->model->proto->n_functions ? find_function(f, graph->node[i], &function) : 0;
        *calls = function || mfm_fused_of(f->model, graph->node[i]);
    }
    return status;
}

static int make_view(mfm_flattener *f)
{
    mfm_flat *flat = f->flat;
    bool calls;
    int status = calls_any(f, &calls);
    if (status || !calls)
        return status;
    flat->proto = *f->model->proto;
    flat->graph = *f->model->proto->graph;
    flat->proto.graph = &flat->graph;
    flat->proto.n_functions = 0;
    flat->proto.functions = NULL;
    flat->graph.n_node = 0;
    flat->graph.node = NULL;
    flat->view.proto = &flat->proto;
    flat->view.opsets = &flat->opsets;
    flat->model = &flat->view;
    return flatten(f);
}

int mfm_flat_new(mfm_ctx *ctx, const mfm_model *model, mfm_flat **made)
{
    mfm_flat *flat = *made = mfm_alloc(ctx, 1, sizeof *flat);
    if (!flat)
        return MFM_ENOMEM;
    flat->ctx = ctx;
    flat->model = model;
    flat->view = *model;
    mfm_strmap_init(&flat->opsets, ctx);
    mfm_flattener f = {.flat = flat, .ctx = ctx, .model = model};
    mfm_strmap_init(&f.functions, ctx);
    const int status = make_view(&f);
    mfm_strmap_clear(&f.functions);
    if (status) {
        mfm_flat_free(flat);
        *made = NULL;
    }
    return status;
}

void mfm_flat_free(mfm_flat *flat)
{
    if (!flat)
        return;
    for (size_t i = 0; i < flat->n_defaults; i++)
        onnx__attribute_proto__free_unpacked(flat->defaults[i], &flat->view.allocator);
    for (size_t i = 0; i < flat->n_blocks; i++)
        mfm_free(flat->ctx, flat->blocks[i]);
    mfm_free(flat->ctx, flat->defaults);
    mfm_free(flat->ctx, flat->blocks);
    mfm_free(flat->ctx, flat->graph.node);
    mfm_free(flat->ctx, flat->origins);
    mfm_names_free(flat->names);
    mfm_strmap_clear(&flat->opsets);
    mfm_free(flat->ctx, flat);
}

const mfm_model *mfm_flat_model(const mfm_flat *flat)
{
    return flat ? flat->model : NULL;
}

Onnx__NodeProto *mfm_flat_source(const mfm_flat *flat, size_t at)
{
    return flat->origins ? flat->origins[at].source : flat->model->proto->graph->node[at];
}

ptrdiff_t mfm_flat_origin(const mfm_flat *flat, size_t at)
{
    return flat->origins ? flat->origins[at].at : (ptrdiff_t)at;
}

static bool find_opset(const mfm_model *model, const Onnx__NodeProto *node, size_t *version)
{
    for (size_t i = 0; model->opsets && i < node->n_output; i++)
        if (mfm_strmap_get(model->opsets, node->output[i], version))
            return true;
    return false;
}

int64_t mfm_node_opset(const mfm_model *model, const Onnx__NodeProto *node)
{
    size_t version;
    return find_opset(model, node, &version) ? (int64_t)version
                                             : mfm_model_opset(model, mfm_proto_text(node->domain));
}

bool mfm_node_in_function(const mfm_model *model, const Onnx__NodeProto *node)
{
    size_t version;
    return find_opset(model, node, &version);
}
