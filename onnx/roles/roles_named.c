/* Which tensors a name, or a layer, means. */
#include <fnmatch.h>
#include <string.h>

#include "onnx/roles/roles.h"
#include "onnx/layers/layers.h"
#include "onnx/proto/nearest.h"

static int refuse_unknown(const mfm_roles *r, const char *verb, const char *name)
{
    char text[MFM_SUGGEST_TEXT];
    mfm_nearest near;
    mfm_nearest_init(&near, name);
    for (size_t i = 0; i < r->n_tensors; i++)
        if (!r->tensors[i].injected)
            mfm_nearest_offer(&near, r->tensors[i].name);
    mfm_nearest_say(&near, text);
    return mfm_fail(r->ctx, MFM_EINVAL, "%s: cannot %s '%.200s': no tensor or layer is called so%s",
                    mfm_model_path(r->model), verb, name,
                    text[0] ? text : ": inspect --tensors lists them");
}

/* ---- nodes ----------------------------------------------------------------------------------- */

/* A node is one of a group, and so are those that bring its constants into form. */
static void add_node(const mfm_links *links, size_t at, bool *nodes)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    nodes[at] = true;
    for (size_t i = at + 1; i-- > 0;)
        for (size_t k = 0; nodes[i] && k < graph->node[i]->n_input; k++) {
            const mfm_link *value = mfm_links_input(links, i, k);
            if (value && value->constant && value->producer != MFM_NOWHERE)
                nodes[value->producer] = true;
        }
}

/* The nodes from a layer's own up to the one that makes `last`: each reads one value that is no
 * constant. */
static void add_chain(const mfm_links *links, size_t layer, const char *last, bool *nodes)
{
    const mfm_link *value = mfm_links_find(links, last);
    while (value && value->producer != MFM_NOWHERE && value->producer > (ptrdiff_t)layer) {
        const size_t at = (size_t)value->producer;
        add_node(links, at, nodes);
        value = NULL;
        for (size_t k = 0; !value && k < links->model->proto->graph->node[at]->n_input; k++) {
            const mfm_link *input = mfm_links_input(links, at, k);
            value = input && !input->constant ? input : NULL;
        }
    }
    add_node(links, layer, nodes);
}

/* Whatever a value is made by. */
static void add_makers(const mfm_links *links, ptrdiff_t producer, bool *nodes)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    if (producer == MFM_NOWHERE)
        return;
    nodes[producer] = true;
    for (ptrdiff_t i = producer; i >= 0; i--)
        for (size_t k = 0; nodes[i] && k < graph->node[i]->n_input; k++) {
            const mfm_link *value = mfm_links_input(links, (size_t)i, k);
            if (value && value->producer != MFM_NOWHERE)
                nodes[value->producer] = true;
        }
}

/* ---- tensors --------------------------------------------------------------------------------- */

static bool is_read_by(const mfm_tensor_role *role, const bool *nodes)
{
    for (size_t i = 0; i < role->n_uses; i++)
        if (role->uses[i].fate != MFM_FATE_UNREAD && nodes[role->uses[i].node])
            return true;
    return false;
}

static int name_layers(mfm_roles *r, const char *verb, const char *name, bool *members)
{
    mfm_layers *layers = NULL;
    size_t *picked = NULL, count = 0;
    bool *nodes = mfm_alloc(r->ctx, r->model->proto->graph->n_node, sizeof *nodes);
    int status = nodes ? mfm_layers_new(r->ctx, r->model, &layers) : MFM_ENOMEM;
    if (!status)
        status = mfm_layers_select(r->ctx, layers, &name, 1, &picked, &count);
    for (size_t i = 0; i < count && !status; i++) {
        const mfm_layer *layer = &layers->layers[picked[i]];
        add_chain(&r->links, layer->node, layer->norm ? layer->norm : layer->output, nodes);
    }
    for (size_t i = 0; i < r->n_tensors && !status; i++)
        members[i] = is_read_by(&r->tensors[i], nodes);
    mfm_free(r->ctx, picked);
    mfm_free(r->ctx, nodes);
    mfm_layers_free(layers);
    return status == MFM_EINVAL ? refuse_unknown(r, verb, name) : status;
}

int mfm_roles_named(mfm_roles *r, const char *verb, const char *name, bool *members, bool *exact)
{
    size_t index, hits = 0;
    memset(members, 0, r->n_tensors * sizeof *members);
    *exact = mfm_strmap_get(&r->map, name, &index);
    if (*exact)
        members[index] = true;
    for (size_t i = 0; i < r->n_tensors && !*exact; i++) {
        members[i] = fnmatch(name, r->tensors[i].name, 0) == 0;
        hits += members[i];
    }
    return *exact || hits ? MFM_OK : name_layers(r, verb, name, members);
}

/* ---- what lies before a layer ---------------------------------------------------------------- */

static int mark_before(mfm_roles *r, const mfm_layers *layers, const char *layer, bool *nodes)
{
    size_t *picked = NULL, count = 0;
    int status = mfm_layers_select(r->ctx, layers, &layer, 1, &picked, &count);
    if (!status && count != 1)
        status = mfm_fail(r->ctx, MFM_EINVAL,
                          "cannot freeze before '%.200s': %zu layers: one ends "
                          "what is frozen",
                          layer, count);
    if (!status) {
        const mfm_layer *l = &layers->layers[picked[0]];
        const mfm_link *input = mfm_links_input(&r->links, l->node, 0);
        const bool block = strncmp(layer, "block:", 6) == 0;
        add_makers(&r->links, block ? layers->blocks[l->block].fork : input->producer, nodes);
    }
    mfm_free(r->ctx, picked);
    return status;
}

/* A tensor that is one value in both places can only be frozen, or trained. */
static int check_apart(const mfm_roles *r, const mfm_tensor_role *role, const bool *nodes,
                       const char *layer)
{
    const Onnx__GraphProto *graph = r->model->proto->graph;
    for (size_t i = 0; i < role->n_uses; i++) {
        const mfm_tensor_use *use = &role->uses[i];
        if (use->fate == MFM_FATE_TRAINED && !nodes[use->node])
            return mfm_fail(r->ctx, MFM_EINVAL,
                            "%s: cannot freeze before '%.200s': tensor '%s' is read before it, and "
                            "trained behind it, in %s '%s'",
                            mfm_model_path(r->model), layer, role->name,
                            graph->node[use->node]->op_type, graph->node[use->node]->output[0]);
    }
    return MFM_OK;
}

int mfm_roles_before(mfm_roles *r, const char *layer, bool *members)
{
    mfm_layers *layers = NULL;
    bool *nodes = mfm_alloc(r->ctx, r->model->proto->graph->n_node, sizeof *nodes);
    int status = nodes ? mfm_layers_new(r->ctx, r->model, &layers) : MFM_ENOMEM;
    if (!status)
        status = mark_before(r, layers, layer, nodes);
    for (size_t i = 0; i < r->n_tensors && !status; i++) {
        members[i] = !r->tensors[i].injected && is_read_by(&r->tensors[i], nodes);
        if (members[i])
            status = check_apart(r, &r->tensors[i], nodes, layer);
    }
    mfm_free(r->ctx, nodes);
    mfm_layers_free(layers);
    return status;
}
