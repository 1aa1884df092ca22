#include "onnx/surgery/extract.h"

#include <string.h>

#include "onnx/import/import.h"
#include "onnx/proto/names.h"
#include "onnx/proto/nearest.h"
#include "onnx/proto/proto.h"
#include "onnx/proto/strmap.h"
#include "onnx/surgery/trim.h"

typedef struct extraction {
    mfm_ctx *ctx;
    mfm_model *model;
    Onnx__GraphProto *graph;
    const char *const *inputs, *const *outputs;
    size_t n_inputs, n_outputs;
} extraction;

/* ---- values --------------------------------------------------------------------------------- */

/* The node that writes a value, and which of its outputs; NULL. */
static Onnx__NodeProto *producer(const extraction *e, const char *name, size_t *output)
{
    for (size_t i = 0; i < e->graph->n_node; i++)
        for (size_t k = 0; k < e->graph->node[i]->n_output; k++)
            if (strcmp(e->graph->node[i]->output[k], name) == 0) {
                *output = k;
                return e->graph->node[i];
            }
    return NULL;
}

static const Onnx__ValueInfoProto *find_info(Onnx__ValueInfoProto *const *infos, size_t count,
                                             const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(mfm_proto_text(infos[i]->name), name) == 0)
            return infos[i];
    return NULL;
}

static bool is_input(const extraction *e, const char *name)
{
    return find_info(e->graph->input, e->graph->n_input, name) != NULL;
}

static int check_value(const extraction *e, const char *name)
{
    size_t output;
    char text[MFM_SUGGEST_TEXT];
    mfm_nearest near;
    if (producer(e, name, &output) || is_input(e, name))
        return MFM_OK;
    mfm_nearest_init(&near, name);
    for (size_t i = 0; i < e->graph->n_node; i++)
        for (size_t k = 0; k < e->graph->node[i]->n_output; k++)
            if (e->graph->node[i]->output[k][0])
                mfm_nearest_offer(&near, e->graph->node[i]->output[k]);
    return mfm_fail(e->ctx, MFM_EINVAL, "%s: no value is called '%.200s'%s",
                    mfm_model_path(e->model), name, mfm_nearest_say(&near, text));
}

static int check_written(const extraction *e, const char *name)
{
    size_t output;
    return producer(e, name, &output)
               ? MFM_OK
               : mfm_fail(e->ctx, MFM_EINVAL, "%s: output '%s': no node writes it",
                          mfm_model_path(e->model), name);
}

/* What the file tells of a value; NULL. */
static const Onnx__ValueInfoProto *told_info(const extraction *e, const char *name)
{
    const Onnx__GraphProto *g = e->graph;
    const Onnx__ValueInfoProto *info = find_info(g->output, g->n_output, name);
    if (!info)
        info = find_info(g->input, g->n_input, name);
    return info ? info : find_info(g->value_info, g->n_value_info, name);
}

static bool has_shape(const Onnx__ValueInfoProto *info)
{
    return info && info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
           info->type->tensor_type && info->type->tensor_type->shape;
}

static Onnx__ValueInfoProto *copy_info(const extraction *e, const Onnx__ValueInfoProto *info)
{
    const size_t size = onnx__value_info_proto__get_packed_size(info);
    uint8_t *bytes = mfm_alloc(e->ctx, size, 1);
    if (!bytes)
        return NULL;
    onnx__value_info_proto__pack(info, bytes);
    Onnx__ValueInfoProto *copy = onnx__value_info_proto__unpack(&e->model->allocator, size, bytes);
    mfm_free(e->ctx, bytes);
    return copy;
}

/* A new entry for a value from its shapes at batches of 2 and 3: what differs is the batch. */
static Onnx__ValueInfoProto *info_from(const extraction *e, const char *name, const mfm_shape *two,
                                       const mfm_shape *three)
{
    int64_t dims[MFM_MAX_RANK];
    for (int i = 0; i < two->rank; i++)
        dims[i] = two->dim[i] == three->dim[i] ? two->dim[i] : -1;
    return mfm_proto_value_info(e->model, name, dims, (size_t)two->rank, "batch");
}

/* Those that the file does not tell: names and where their infos go. */
typedef struct untold {
    const char **names;
    int *values;
    Onnx__ValueInfoProto ***infos;
    size_t count;
} untold;

/* All from one import. */
static int find_shapes(const extraction *e, const untold *u)
{
    mfm_network *network = NULL;
    int status = mfm_model_import_values(e->ctx, e->model, u->names, u->count, &network, u->values);
    const size_t n = status ? 0 : network->graph->n_values;
    mfm_shape *shapes = status ? NULL : mfm_alloc(e->ctx, 2 * n, sizeof *shapes);
    if (!status)
        status = shapes ? mfm_graph_shapes(network->graph, 2, false, shapes) : MFM_ENOMEM;
    if (!status)
        status = mfm_graph_shapes(network->graph, 3, false, shapes + n);
    for (size_t i = 0; i < u->count && !status; i++) {
        const mfm_shape *two = &shapes[u->values[i]];
        *u->infos[i] = info_from(e, u->names[i], two, two + n);
        status = *u->infos[i] ? MFM_OK : MFM_ENOMEM;
    }
    mfm_free(e->ctx, shapes);
    mfm_network_free(e->ctx, network);
    return status ? mfm_fail_in(e->ctx, status == MFM_ENOMEM ? status : MFM_ENOTSUP,
                                "value '%s'%s: the file does not tell its shape", u->names[0],
                                u->count > 1 ? " or another" : "")
                  : MFM_OK;
}

/* New entries for the lists of inputs and outputs: infos[n_inputs + n_outputs]. */
static int make_infos(const extraction *e, Onnx__ValueInfoProto **infos)
{
    const size_t total = e->n_inputs + e->n_outputs;
    untold u = {.names = mfm_alloc(e->ctx, total, sizeof *u.names),
                .values = mfm_alloc(e->ctx, total, sizeof *u.values),
                .infos = mfm_alloc(e->ctx, total, sizeof *u.infos)};
    int status = u.names && u.values && u.infos ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < total && !status; i++) {
        const char *name = i < e->n_inputs ? e->inputs[i] : e->outputs[i - e->n_inputs];
        const Onnx__ValueInfoProto *told = told_info(e, name);
        if (has_shape(told)) {
            infos[i] = copy_info(e, told);
            status = infos[i] ? MFM_OK : MFM_ENOMEM;
            continue;
        }
        u.names[u.count] = name;
        u.infos[u.count++] = &infos[i];
    }
    if (!status && u.count)
        status = find_shapes(e, &u);
    mfm_free(e->ctx, u.names);
    mfm_free(e->ctx, u.values);
    mfm_free(e->ctx, u.infos);
    return status;
}

/* ---- the edit ------------------------------------------------------------------------------- */

/* The value is given from now on: who has written it writes another, which nobody reads. */
static int cut(const extraction *e, mfm_names *names, const char *name, Onnx__ValueInfoProto *info)
{
    size_t output;
    Onnx__NodeProto *node = producer(e, name, &output);
    const char *unused;
    if (!node) {
        mfm_proto_discard(e->model, info);
        return MFM_OK;
    }
    int status = mfm_names_unique(names, name, &unused);
    if (!status)
        status = mfm_proto_set_string(e->model, &node->output[output], unused);
    if (!status)
        status = mfm_proto_append(e->model, &e->graph->input, &e->graph->n_input, info);
    if (status)
        mfm_proto_discard(e->model, info);
    return status;
}

/* Inputs that the file had and that are not asked for go, unless they have an initialiser. */
static void drop_inputs(const extraction *e)
{
    for (size_t i = e->graph->n_input; i-- > 0 && e->n_inputs;) {
        const char *name = mfm_proto_text(e->graph->input[i]->name);
        bool wanted = mfm_proto_initializer(e->model, name) != NULL;
        for (size_t k = 0; k < e->n_inputs; k++)
            wanted |= strcmp(e->inputs[k], name) == 0;
        if (!wanted)
            mfm_proto_remove(e->model, &e->graph->input, &e->graph->n_input, i);
    }
}

/* What the values depend on, going back to the inputs that are given. */
static int find_needed(const extraction *e, mfm_strmap *needed)
{
    int status = MFM_OK;
    for (size_t i = 0; i < e->n_outputs && !status; i++)
        status = mfm_strmap_set(needed, e->outputs[i], 0);
    for (size_t i = e->graph->n_node; i-- > 0 && !status;) {
        const Onnx__NodeProto *node = e->graph->node[i];
        bool wanted = false;
        for (size_t k = 0; k < node->n_output; k++)
            wanted |= node->output[k][0] && mfm_strmap_get(needed, node->output[k], NULL);
        for (size_t k = 0; k < node->n_input && wanted && !status; k++)
            status = mfm_strmap_set(needed, node->input[k], 0);
    }
    return status;
}

/* An input of the old model that is still needed is not given; one that is given must be needed. */
static int check_needed(const extraction *e)
{
    mfm_strmap needed;
    mfm_strmap_init(&needed, e->ctx);
    int status = find_needed(e, &needed);
    for (size_t i = 0; i < e->n_inputs && !status; i++)
        if (!mfm_strmap_get(&needed, e->inputs[i], NULL))
            status = mfm_fail(e->ctx, MFM_EINVAL, "%s: input '%s': no output depends on it",
                              mfm_model_path(e->model), e->inputs[i]);
    for (size_t i = 0; i < e->graph->n_input && !status && e->n_inputs; i++) {
        const char *name = mfm_proto_text(e->graph->input[i]->name);
        bool given = mfm_proto_initializer(e->model, name) != NULL;
        for (size_t k = 0; k < e->n_inputs; k++)
            given |= strcmp(e->inputs[k], name) == 0;
        if (!given && mfm_strmap_get(&needed, name, NULL))
            status = mfm_fail(e->ctx, MFM_EINVAL,
                              "%s: the outputs depend on '%s' as well, which is not among the "
                              "inputs: give it, too, or a value in between",
                              mfm_model_path(e->model), name);
    }
    mfm_strmap_clear(&needed);
    return status;
}

/* The old outputs make room for the new ones. */
static int replace_outputs(const extraction *e, Onnx__ValueInfoProto **infos)
{
    int status = MFM_OK;
    while (e->graph->n_output)
        mfm_proto_remove(e->model, &e->graph->output, &e->graph->n_output, e->graph->n_output - 1);
    for (size_t i = 0; i < e->n_outputs && !status; i++) {
        status = mfm_proto_append(e->model, &e->graph->output, &e->graph->n_output, infos[i]);
        infos[i] = status ? infos[i] : NULL;
    }
    return status;
}

/* What was told of an inner value is told of the input or output that it is now. */
static void drop_told(const extraction *e)
{
    for (size_t i = e->graph->n_value_info; i-- > 0;) {
        const char *name = mfm_proto_text(e->graph->value_info[i]->name);
        if (is_input(e, name) || find_info(e->graph->output, e->graph->n_output, name))
            mfm_proto_remove(e->model, &e->graph->value_info, &e->graph->n_value_info, i);
    }
}

static int edit(const extraction *e, Onnx__ValueInfoProto **in, Onnx__ValueInfoProto **out)
{
    mfm_names *names;
    mfm_trimmed trimmed;
    int status = mfm_names_new(e->model, &names);
    for (size_t i = 0; i < e->n_inputs && !status; i++) {
        status = cut(e, names, e->inputs[i], in[i]);
        in[i] = NULL;
    }
    if (!status)
        status = check_needed(e);
    if (!status)
        status = replace_outputs(e, out);
    if (!status)
        status = mfm_model_trim(e->model, e->outputs, e->n_outputs, &trimmed);
    if (!status) {
        drop_inputs(e);
        drop_told(e);
    }
    mfm_names_free(names);
    return status;
}

int mfm_model_extract(mfm_ctx *ctx, mfm_model *model, const char *const *inputs, size_t n_inputs,
                      const char *const *outputs, size_t n_outputs)
{
    const extraction e = {.ctx = ctx,
                          .model = model,
                          .graph = model->proto->graph,
                          .inputs = inputs,
                          .outputs = outputs,
                          .n_inputs = n_inputs,
                          .n_outputs = n_outputs};
    const size_t total = n_inputs + n_outputs;
    Onnx__ValueInfoProto **infos = mfm_alloc(ctx, total, sizeof *infos);
    int status = infos ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < total && !status; i++)
        status = check_value(&e, i < n_inputs ? inputs[i] : outputs[i - n_inputs]);
    for (size_t i = 0; i < n_outputs && !status; i++)
        status = check_written(&e, outputs[i]);
    if (!status)
        status = make_infos(&e, infos);
    if (!status)
        status = edit(&e, infos, infos + n_inputs);
    for (size_t i = 0; infos && i < total; i++)
        if (infos[i])
            onnx__value_info_proto__free_unpacked(infos[i], &model->allocator);
    mfm_free(ctx, infos);
    return status;
}
