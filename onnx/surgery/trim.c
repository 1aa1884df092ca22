#include "onnx/surgery/trim.h"

#include <string.h>

#include "onnx/proto/strmap.h"
#include "onnx/proto/walk.h"

typedef struct trimmer {
    mfm_model *model;
    Onnx__GraphProto *graph;
    bool *kept;      /* by node */
    mfm_strmap read; /* by what is kept, and the values themselves */
    mfm_strmap gone; /* read, or written, by removed nodes alone */
} trimmer;

/* ---- what a node reads ------------------------------------------------------------------------
 */

/* Inner graphs read outer values in their nodes, and hand them out. Names of their own that are
 * marked as well do no harm: they keep too much at worst. */
static int mark_inner_node(void *self, Onnx__NodeProto *node)
{
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_input && !status; i++)
        status = mfm_strmap_set(self, node->input[i], 0);
    return status;
}

static int mark_inner_graph(void *self, Onnx__GraphProto *graph)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_output && !status; i++)
        status = mfm_strmap_set(self, mfm_proto_text(graph->output[i]->name), 0);
    return status;
}

static int mark_attribute(const Onnx__AttributeProto *attribute, const mfm_visitor *visitor)
{
    int status = attribute->g ? mfm_walk_graph(attribute->g, visitor) : MFM_OK;
    for (size_t i = 0; i < attribute->n_graphs && !status; i++)
        status = mfm_walk_graph(attribute->graphs[i], visitor);
    return status;
}

static int mark_read(const Onnx__NodeProto *node, mfm_strmap *read)
{
    const mfm_visitor visitor = {.graph = mark_inner_graph, .node = mark_inner_node, .self = read};
    int status = MFM_OK;
    for (size_t i = 0; i < node->n_input && !status; i++)
        status = mfm_strmap_set(read, node->input[i], 0);
    for (size_t i = 0; i < node->n_attribute && !status; i++)
        status = mark_attribute(node->attribute[i], &visitor);
    return status;
}

/* ---- what is kept -----------------------------------------------------------------------------
 */

static bool is_in(const mfm_strmap *map, const char *name)
{
    return mfm_proto_text(name)[0] && mfm_strmap_get(map, name, NULL);
}

/* Nodes are sorted: what needs a node comes after it. */
static int choose_nodes(trimmer *t)
{
    int status = MFM_OK;
    for (size_t i = t->graph->n_node; i-- > 0 && !status;) {
        const Onnx__NodeProto *node = t->graph->node[i];
        for (size_t k = 0; k < node->n_output; k++)
            t->kept[i] |= is_in(&t->read, node->output[k]);
        if (t->kept[i])
            status = mark_read(node, &t->read);
    }
    return status;
}

static int find_gone(trimmer *t)
{
    int status = MFM_OK;
    for (size_t i = 0; i < t->graph->n_node && !status; i++) {
        const Onnx__NodeProto *node = t->graph->node[i];
        for (size_t k = 0; k < node->n_output && !status && !t->kept[i]; k++)
            status = mfm_strmap_set(&t->gone, node->output[k], 0);
        if (!status && !t->kept[i])
            status = mark_read(node, &t->gone);
    }
    return status;
}

static bool is_gone(const trimmer *t, const char *name)
{
    return is_in(&t->gone, name) && !is_in(&t->read, name);
}

/* ---- removal ----------------------------------------------------------------------------------
 */

static bool is_output(const trimmer *t, const char *name)
{
    for (size_t i = 0; i < t->graph->n_output; i++)
        if (strcmp(mfm_proto_text(t->graph->output[i]->name), mfm_proto_text(name)) == 0)
            return true;
    return false;
}

static void remove_gone(const trimmer *t, mfm_trimmed *trimmed)
{
    Onnx__GraphProto *g = t->graph;
    *trimmed = (mfm_trimmed){.nodes = 0};
    for (size_t i = g->n_value_info; i-- > 0;)
        if (is_gone(t, g->value_info[i]->name) && !is_output(t, g->value_info[i]->name))
            mfm_proto_remove(t->model, &g->value_info, &g->n_value_info, i);
    for (size_t i = g->n_quantization_annotation; i-- > 0;)
        if (is_gone(t, g->quantization_annotation[i]->tensor_name))
            mfm_proto_remove(t->model, &g->quantization_annotation, &g->n_quantization_annotation,
                             i);
    for (size_t i = g->n_input; i-- > 0;)
        if (is_gone(t, g->input[i]->name))
            mfm_proto_remove(t->model, &g->input, &g->n_input, i);
    for (size_t i = g->n_initializer; i-- > 0;)
        if (is_gone(t, g->initializer[i]->name)) {
            mfm_proto_remove(t->model, &g->initializer, &g->n_initializer, i);
            trimmed->initializers++;
        }
    for (size_t i = g->n_node; i-- > 0;)
        if (!t->kept[i]) {
            mfm_proto_remove(t->model, &g->node, &g->n_node, i);
            trimmed->nodes++;
        }
}

int mfm_model_trim(mfm_model *model, const char *const *values, size_t n_values,
                   mfm_trimmed *trimmed)
{
    mfm_ctx *ctx = model->ctx;
    trimmer t = {.model = model, .graph = model->proto->graph};
    mfm_strmap_init(&t.read, ctx);
    mfm_strmap_init(&t.gone, ctx);
    t.kept = mfm_alloc(ctx, t.graph->n_node, sizeof *t.kept);
    int status = t.kept ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; i < n_values && !status; i++)
        status = mfm_strmap_set(&t.read, values[i], 0);
    if (!status)
        status = choose_nodes(&t);
    if (!status)
        status = find_gone(&t);
    if (!status)
        remove_gone(&t, trimmed);
    mfm_free(ctx, t.kept);
    mfm_strmap_clear(&t.read);
    mfm_strmap_clear(&t.gone);
    return status;
}
