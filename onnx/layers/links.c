#include "onnx/layers/links.h"

#include <string.h>

#include "onnx/functions/flat.h"
#include "onnx/proto/walk.h"

/* The number of the value called name, made when it is new. values has room for all. */
static int intern(mfm_links *links, const char *name, size_t *number)
{
    if (mfm_strmap_get(&links->map, name, number))
        return MFM_OK;
    if (mfm_strmap_set(&links->map, name, links->n_values))
        return MFM_ENOMEM;
    *number = links->n_values++;
    links->values[*number] = (mfm_link){.name = name, .producer = MFM_NOWHERE};
    return MFM_OK;
}

static mfm_link *find(const mfm_links *links, const char *name)
{
    size_t number;
    return mfm_strmap_get(&links->map, name, &number) ? &links->values[number] : NULL;
}

const mfm_link *mfm_links_find(const mfm_links *links, const char *name)
{
    return find(links, name);
}

static const Onnx__NodeProto *node_at(const mfm_links *links, size_t node)
{
    return links->model->proto->graph->node[node];
}

const mfm_link *mfm_links_input(const mfm_links *links, size_t node, size_t i)
{
    const Onnx__NodeProto *n = node_at(links, node);
    return i < n->n_input && n->input[i][0] ? find(links, n->input[i]) : NULL;
}

const mfm_link *mfm_links_output(const mfm_links *links, size_t node, size_t i)
{
    const Onnx__NodeProto *n = node_at(links, node);
    return i < n->n_output && n->output[i][0] ? find(links, n->output[i]) : NULL;
}

ptrdiff_t mfm_links_sole_use(const mfm_links *links, const mfm_link *value)
{
    if (value->n_uses != 1 || value->captured || value->output)
        return MFM_NOWHERE;
    return (ptrdiff_t)links->uses[value->first_use];
}

static size_t count_names(const Onnx__GraphProto *graph)
{
    size_t count = graph->n_input + graph->n_initializer + graph->n_sparse_initializer;
    for (size_t i = 0; i < graph->n_node; i++)
        count += graph->node[i]->n_output;
    return count;
}

/* Declared before read, so that every value that a valid graph reads is there already. */
static int declare_values(mfm_links *links)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    size_t number;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_input && !status; i++)
        status = intern(links, graph->input[i]->name, &number);
    for (size_t i = 0; i < graph->n_initializer && !status; i++) {
        status = intern(links, graph->initializer[i]->name, &number);
        if (!status) {
            links->values[number].initializer = graph->initializer[i];
            links->values[number].constant = true;
        }
    }
    for (size_t i = 0; i < graph->n_sparse_initializer && !status; i++) {
        status = intern(links, graph->sparse_initializer[i]->values->name, &number);
        if (!status)
            links->values[number].constant = true;
    }
    for (size_t i = 0; i < graph->n_node && !status; i++)
        for (size_t k = 0; k < graph->node[i]->n_output && !status; k++) {
            if (!graph->node[i]->output[k][0])
                continue;
            status = intern(links, graph->node[i]->output[k], &number);
            if (!status)
                links->values[number].producer = (ptrdiff_t)i;
        }
    return status;
}

static int count_uses(mfm_links *links)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_input; k++) {
            mfm_link *value = find(links, graph->node[i]->input[k]);
            if (value) {
                value->n_uses++;
                links->n_uses++;
            }
        }
    links->uses = mfm_alloc(links->model->ctx, links->n_uses, sizeof *links->uses);
    if (!links->uses)
        return MFM_ENOMEM;
    for (size_t i = 0, at = 0; i < links->n_values; i++) {
        links->values[i].first_use = at;
        at += links->values[i].n_uses;
        links->values[i].n_uses = 0;
    }
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_input; k++) {
            mfm_link *value = find(links, graph->node[i]->input[k]);
            if (value)
                links->uses[value->first_use + value->n_uses++] = i;
        }
    return MFM_OK;
}

static int mark_captured(void *self, Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++) {
        mfm_link *value = find(self, node->input[i]);
        if (value)
            value->captured = true;
    }
    return MFM_OK;
}

static int mark_returned(void *self, Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_output; i++) {
        mfm_link *value = find(self, mfm_proto_text(graph->output[i]->name));
        if (value)
            value->captured = true;
    }
    return MFM_OK;
}

/* A name that an inner graph defines anew counts as captured, too: that errs on the safe side. */
static void find_captured(mfm_links *links)
{
    const mfm_visitor visitor = {.graph = mark_returned, .node = mark_captured, .self = links};
    const Onnx__GraphProto *graph = links->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_attribute; k++) {
            const Onnx__AttributeProto *attr = graph->node[i]->attribute[k];
            if (attr->g)
                mfm_walk_graph(attr->g, &visitor);
            for (size_t m = 0; m < attr->n_graphs; m++)
                mfm_walk_graph(attr->graphs[m], &visitor);
        }
}

/* Constant is what a Constant node gives, and what any other node makes of constants alone; nodes
 * that read nothing draw random numbers, and those with inner graphs may read anything. */
static bool gives_constant(const mfm_links *links, size_t node)
{
    const Onnx__NodeProto *n = node_at(links, node);
    if (strcmp(n->op_type, "Constant") == 0)
        return true;
    for (size_t i = 0; i < n->n_attribute; i++)
        if (n->attribute[i]->g || n->attribute[i]->n_graphs)
            return false;
    size_t present = 0;
    for (size_t i = 0; i < n->n_input; i++) {
        const mfm_link *value = mfm_links_input(links, node, i);
        present += value != NULL;
        if (value && !value->constant)
            return false;
    }
    return present > 0 && strncmp(n->op_type, "Random", 6) != 0;
}

static void find_constants(mfm_links *links)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    for (size_t i = 0; i < graph->n_node; i++)
        if (gives_constant(links, i))
            for (size_t k = 0; k < graph->node[i]->n_output; k++) {
                mfm_link *value = find(links, graph->node[i]->output[k]);
                if (value)
                    value->constant = true;
            }
}

int mfm_links_make(const mfm_model *model, mfm_links *links)
{
    *links = (mfm_links){.model = model};
    mfm_strmap_init(&links->map, model->ctx);
    const Onnx__GraphProto *graph = model->proto->graph;
    links->values = mfm_alloc(model->ctx, count_names(graph), sizeof *links->values);
    if (!links->values || declare_values(links) || count_uses(links))
        return MFM_ENOMEM;
    for (size_t i = 0; i < graph->n_output; i++) {
        mfm_link *value = find(links, mfm_proto_text(graph->output[i]->name));
        if (value)
            value->output = true;
    }
    find_captured(links);
    find_constants(links);
    return mfm_links_find_ranks(links);
}

void mfm_links_clear(mfm_links *links)
{
    mfm_ctx *ctx = links->model->ctx;
    mfm_strmap_clear(&links->map);
    mfm_free(ctx, links->values);
    mfm_free(ctx, links->uses);
    *links = (mfm_links){.model = links->model, .map = links->map};
}

bool mfm_links_own_statistics(const mfm_links *links, const Onnx__NodeProto *node)
{
    if (!mfm_proto_is(node, "BatchNormalization") || node->n_input < 3)
        return false;
    const Onnx__AttributeProto *mode = mfm_proto_attr(node, "training_mode");
    bool training = mode && mode->i;
    for (size_t i = 1; i < node->n_output && mfm_node_opset(links->model, node) < 14; i++)
        training |= node->output[i][0] != '\0';
    const mfm_link *data = mfm_links_find(links, node->input[0]);
    return training && data && data->constant;
}
