#include "onnx/modulator.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/layers/links.h"
#include "onnx/proto/names.h"
#include "onnx/proto/validate.h"
#include "onnx/proto/walk.h"

typedef struct extractor {
    mfm_ctx *ctx;
    const mfm_model *from;
    const mfm_inject_info *info;
    mfm_model *to;
    mfm_names *names;  /* of `to`, once the nodes are in it */
    mfm_strmap needed; /* values of `from` that gamma and beta follow from */
    const char *one;   /* the initializer [1] that makes gamma of gamma - 1; NULL: not there yet */
} extractor;

/* ---- what gamma and beta follow from ---- */

static int need_inputs(void *self, Onnx__NodeProto *node)
{
    extractor *e = self;
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_input && !status; i++)
        if (node->input[i][0])
            status = mfm_strmap_set(&e->needed, node->input[i], 0);
    return status;
}

static bool is_needed(const extractor *e, const char *name)
{
    return mfm_strmap_get(&e->needed, mfm_proto_text(name), NULL);
}

static bool writes_needed(const extractor *e, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++)
        if (node->output[i][0] && is_needed(e, node->output[i]))
            return true;
    return false;
}

/* What the graphs inside a node read counts as needed too, under whatever name. */
static int need_node(extractor *e, Onnx__NodeProto *node)
{
    const mfm_visitor visitor = {.node = need_inputs, .self = e};
    int status = need_inputs(e, node);
    for (size_t i = 0; i < node->n_attribute && !status; i++) {
        Onnx__AttributeProto *attr = node->attribute[i];
        if (attr->g)
            status = mfm_walk_graph(attr->g, &visitor);
        for (size_t k = 0; k < attr->n_graphs && !status; k++)
            status = mfm_walk_graph(attr->graphs[k], &visitor);
    }
    return status;
}

/* Nodes stand after those that they read: one sweep from the end finds them all. */
static int find_needed(extractor *e)
{
    const Onnx__GraphProto *graph = e->from->proto->graph;
    int status = MFM_OK;
    for (size_t i = 0; i < e->info->n_sites && !status; i++) {
        const mfm_inject_site *site = &e->info->sites[i];
        if (site->scale[0])
            status = mfm_strmap_set(&e->needed, site->scale, 0);
        if (site->shift[0] && !status)
            status = mfm_strmap_set(&e->needed, site->shift, 0);
    }
    for (size_t i = graph->n_node; i-- > 0 && !status;)
        if (writes_needed(e, graph->node[i]))
            status = need_node(e, graph->node[i]);
    return status;
}

/* ---- copies ---- */

/* Hangs a message that the new model's memory holds into one of its lists, or frees it. */
static int hang(extractor *e, void *array, size_t *count, void *message)
{
    if (!message)
        return MFM_ENOMEM;
    const int status = mfm_proto_append(e->to, array, count, message);
    if (status)
        mfm_proto_discard(e->to, message);
    return status;
}

static int copy_into(extractor *e, void *array, size_t *count, const void *message)
{
    const ProtobufCMessage *original = message;
    const size_t size = protobuf_c_message_get_packed_size(original);
    uint8_t *bytes = mfm_alloc(e->ctx, size, 1);
    if (!bytes)
        return MFM_ENOMEM;
    protobuf_c_message_pack(original, bytes);
    ProtobufCMessage *copy =
        protobuf_c_message_unpack(original->descriptor, &e->to->allocator, size, bytes);
    mfm_free(e->ctx, bytes);
    return hang(e, array, count, copy);
}

static int copy_model(extractor *e)
{
    const Onnx__ModelProto *from = e->from->proto;
    Onnx__ModelProto *to = e->to->proto;
    int status = MFM_OK;
    while (to->n_opset_import)
        mfm_proto_remove(e->to, &to->opset_import, &to->n_opset_import, to->n_opset_import - 1);
    for (size_t i = 0; i < from->n_opset_import && !status; i++)
        status = copy_into(e, &to->opset_import, &to->n_opset_import, from->opset_import[i]);
    for (size_t i = 0; i < from->n_functions && !status; i++)
        status = copy_into(e, &to->functions, &to->n_functions, from->functions[i]);
    return status;
}

/* The soft label; any other input must have a default value, which it then always is. */
static int copy_input(extractor *e, const Onnx__ValueInfoProto *input)
{
    Onnx__GraphProto *to = e->to->proto->graph;
    const char *name = mfm_proto_text(input->name);
    if (strcmp(name, e->info->soft_label) == 0)
        return copy_into(e, &to->input, &to->n_input, input);
    if (!is_needed(e, name) || mfm_proto_initializer(e->from, name))
        return MFM_OK;
    return mfm_fail(e->ctx, MFM_EDATA,
                    "the modulator depends on %s: only the soft label %s may decide", name,
                    e->info->soft_label);
}

static int copy_graph(extractor *e)
{
    const Onnx__GraphProto *from = e->from->proto->graph;
    Onnx__GraphProto *to = e->to->proto->graph;
    int status = MFM_OK;
    for (size_t i = 0; i < from->n_input && !status; i++)
        status = copy_input(e, from->input[i]);
    for (size_t i = 0; i < from->n_initializer && !status; i++) {
        const char *name = mfm_proto_text(from->initializer[i]->name);
        if (is_needed(e, name) && strcmp(name, e->info->soft_label) != 0)
            status = copy_into(e, &to->initializer, &to->n_initializer, from->initializer[i]);
    }
    for (size_t i = 0; i < from->n_sparse_initializer && !status; i++) {
        const Onnx__TensorProto *values = from->sparse_initializer[i]->values;
        if (values && is_needed(e, values->name))
            status = copy_into(e, &to->sparse_initializer, &to->n_sparse_initializer,
                               from->sparse_initializer[i]);
    }
    for (size_t i = 0; i < from->n_node && !status; i++)
        if (writes_needed(e, from->node[i]))
            status = copy_into(e, &to->node, &to->n_node, from->node[i]);
    if (!status && to->n_input != 1)
        status = mfm_fail(e->ctx, MFM_EDATA, "soft label %s: not an input of the graph",
                          e->info->soft_label);
    return status;
}

/* ---- outputs ---- */

static int add_one(extractor *e)
{
    Onnx__GraphProto *graph = e->to->proto->graph;
    const int64_t dims[1] = {1};
    const float one = 1;
    if (e->one)
        return MFM_OK;
    const int status = mfm_names_unique(e->names, "gamma.one", &e->one);
    return status ? status
                  : hang(e, &graph->initializer, &graph->n_initializer,
                         mfm_proto_tensor(e->to, e->one, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, dims,
                                          1, &one));
}

static int declare_output(extractor *e, const mfm_inject_site *site, const char *name)
{
    Onnx__GraphProto *graph = e->to->proto->graph;
    int64_t dims[MFM_LINK_RANK];
    for (int i = 0; i < site->rank; i++)
        dims[i] = i == 0 ? -1 : i == site->axis ? site->channels : 1;
    return hang(e, &graph->output, &graph->n_output,
                mfm_proto_value_info(e->to, name, dims, (size_t)site->rank, "mfm.batch"));
}

/* PREFIX.LAYER = op_type(value, one); *name stays "" for a value that the site does not have. */
static int add_output(extractor *e, const mfm_inject_site *site, const char *prefix,
                      const char *value, const char *op_type, const char **name)
{
    Onnx__GraphProto *graph = e->to->proto->graph;
    const bool sum = strcmp(op_type, "Add") == 0;
    *name = "";
    if (!value[0])
        return MFM_OK;
    char *base = mfm_format(e->ctx, "%s.%s", prefix, site->layer);
    int status = base ? mfm_names_unique(e->names, base, name) : MFM_ENOMEM;
    mfm_free(e->ctx, base);
    if (!status && sum)
        status = add_one(e);
    if (status)
        return status;
    status = hang(e, &graph->node, &graph->n_node,
                  mfm_proto_node(e->to, op_type, *name, (const char *const[]){value, e->one},
                                 sum ? 2 : 1, name, 1));
    return status ? status : declare_output(e, site, *name);
}

/* ---- metadata ---- */

static json_t *site_json(const mfm_inject_site *site, const char *gamma, const char *beta)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s}", "layer", site->layer, "position",
                     mfm_position_name(site->position), "channels", (json_int_t)site->channels,
                     "gamma", gamma, "beta", beta);
}

/* Takes sites over. */
static int write_metadata(extractor *e, json_t *sites)
{
    const mfm_inject_info *info = e->info;
    json_t *root = json_pack(
        "{s:s, s:I, s:I, s:I, s:s, s:o}", "modulation", mfm_modulation_name(info->modulation),
        "classes", (json_int_t)info->classes, "hidden", (json_int_t)info->hidden, "hash_dim",
        (json_int_t)info->hash_dim, "soft_label", info->soft_label, "sites", sites);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    const int status = text ? mfm_proto_set_metadata(e->to, MFM_MODULATOR_KEY, text)
                            : mfm_fail(e->ctx, MFM_ENOMEM, "JSON: out of memory");
    free(text);
    json_decref(root);
    return status;
}

static int add_outputs(extractor *e)
{
    json_t *sites = json_array();
    int status = MFM_OK;
    for (size_t i = 0; i < e->info->n_sites && !status; i++) {
        const mfm_inject_site *site = &e->info->sites[i];
        const char *gamma, *beta;
        if (site->rank < 2 || site->rank > MFM_LINK_RANK)
            status = mfm_fail(e->ctx, MFM_EDATA, "layer %s: rank %d: 2 to %d", site->layer,
                              site->rank, MFM_LINK_RANK);
        if (!status)
            status = add_output(e, site, "gamma", site->scale, "Add", &gamma);
        if (!status)
            status = add_output(e, site, "beta", site->shift, "Identity", &beta);
        if (!status && json_array_append_new(sites, site_json(site, gamma, beta)))
            status = mfm_fail(e->ctx, MFM_ENOMEM, "JSON: out of memory");
    }
    if (!status)
        return write_metadata(e, sites);
    json_decref(sites);
    return status;
}

static int extract(extractor *e)
{
    int status = find_needed(e);
    if (!status)
        status = mfm_model_new(e->ctx, "modulator", e->from->proto->ir_version,
                               mfm_model_opset(e->from, ""), &e->to);
    if (!status)
        status = copy_model(e);
    if (!status)
        status = copy_graph(e);
    if (!status)
        status = mfm_names_new(e->to, &e->names);
    if (!status)
        status = add_outputs(e);
    return status ? status : mfm_validate(e->to);
}

int mfm_model_modulator(mfm_ctx *ctx, const mfm_model *injected, mfm_model **modulator)
{
    mfm_inject_info *info;
    *modulator = NULL;
    int status = mfm_inject_info_read(ctx, injected, &info);
    if (!status && !info)
        status = mfm_fail(ctx, MFM_EINVAL, "it has no modulator");
    if (!status) {
        extractor e = {.ctx = ctx, .from = injected, .info = info};
        mfm_strmap_init(&e.needed, ctx);
        status = extract(&e);
        mfm_strmap_clear(&e.needed);
        mfm_names_free(e.names);
        if (status)
            mfm_model_free(e.to);
        else
            *modulator = e.to;
    }
    mfm_inject_info_free(ctx, info);
    return status ? mfm_fail_in(ctx, status, "cannot take the modulator out of %s",
                                mfm_model_path(injected))
                  : MFM_OK;
}

static const char input_key[] = "mfm.modulator_input";

int mfm_modulator_set_input(mfm_model *modulator, const char *words)
{
    return mfm_proto_set_metadata(modulator, input_key, words);
}

const char *mfm_modulator_input(const mfm_model *modulator)
{
    const char *words = mfm_proto_metadata(modulator, input_key);
    return words ? words : "softmax";
}
