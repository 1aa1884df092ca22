#include "onnx/roles/content.h"

#include "onnx/functions/flat.h"
#include "onnx/import/import_parts.h"

static const Onnx__NodeProto *node_at(const mfm_contents *c, size_t node)
{
    return c->links->model->proto->graph->node[node];
}

static unsigned char *content_at(const mfm_contents *c, const mfm_link *value)
{
    return &c->of[value - c->links->values];
}

mfm_content mfm_content_of(const mfm_contents *contents, const mfm_link *value)
{
    return (mfm_content)*content_at(contents, value);
}

mfm_content mfm_content_read(const mfm_contents *contents, size_t node, size_t i)
{
    const mfm_link *value = mfm_links_input(contents->links, node, i);
    return value ? mfm_content_of(contents, value) : MFM_CONTENT_FILE;
}

enum mfm_role mfm_role_at(const mfm_op *op, size_t input)
{
    const mfm_port *port = mfm_import_port(op, input);
    return port ? port->role : MFM_INDEX;
}

bool mfm_is_left_factor(const mfm_op *op, size_t input)
{
    return input == 0 && mfm_role_at(op, 1) == MFM_PARAM;
}

bool mfm_lends_type(const Onnx__NodeProto *node, size_t input)
{
    return mfm_proto_is(node, "CastLike") && input > 0;
}

bool mfm_has_weights(const mfm_contents *contents, size_t node)
{
    const mfm_op *op = contents->ops[node];
    for (size_t i = 0; op && i < node_at(contents, node)->n_input; i++) {
        const mfm_link *value = mfm_links_input(contents->links, node, i);
        const enum mfm_role role = mfm_role_at(op, i);
        if (value && mfm_content_of(contents, value) == MFM_CONTENT_FILE &&
            (role == MFM_PARAM || role == MFM_STATE || mfm_is_left_factor(op, i)))
            return true;
    }
    return false;
}

/* Whether input i tells an operator which numbers it takes, or where they go: what it gives are
 * those of its other inputs. */
static bool directs(const mfm_contents *c, size_t node, size_t i)
{
    const mfm_op *op = c->ops[node];
    const int opset = (int)mfm_node_opset(c->links->model, node_at(c, node));
    return op && (mfm_import_is_attr_input(op, opset, i) || mfm_role_at(op, i) == MFM_INDEX);
}

static mfm_content content_of_outputs(const mfm_contents *c, size_t at)
{
    const Onnx__NodeProto *node = node_at(c, at);
    mfm_content all = MFM_CONTENT_FILE, taken = MFM_CONTENT_FILE;
    bool takes = false;
    if (mfm_proto_is(node, "Shape") || mfm_proto_is(node, "Size"))
        return MFM_CONTENT_SIZES;
    for (size_t i = 0; i < node->n_input; i++) {
        const bool there = mfm_links_input(c->links, at, i) && !mfm_lends_type(node, i);
        const mfm_content content = there ? mfm_content_read(c, at, i) : MFM_CONTENT_FILE;
        const bool only_directs = content <= MFM_CONTENT_SIZES && directs(c, at, i);
        takes |= there && !directs(c, at, i);
        all = content > all ? content : all;
        taken = content > taken && !only_directs ? content : taken;
    }
    if (mfm_has_weights(c, at))
        return MFM_CONTENT_FEATURES;
    if (takes)
        return taken;
    return all ? all : MFM_CONTENT_FEATURES; /* drawn */
}

static void find(const mfm_contents *c)
{
    const Onnx__GraphProto *graph = c->links->model->proto->graph;
    for (size_t i = 0; i < graph->n_input; i++) {
        const mfm_link *value = mfm_links_find(c->links, graph->input[i]->name);
        if (value && !value->constant)
            *content_at(c, value) = MFM_CONTENT_IMAGE;
    }
    for (size_t i = 0; i < graph->n_node; i++) {
        const mfm_content content = content_of_outputs(c, i);
        for (size_t k = 0; k < graph->node[i]->n_output; k++) {
            const mfm_link *value = mfm_links_output(c->links, i, k);
            if (value && !value->constant)
                *content_at(c, value) = (unsigned char)content;
        }
    }
}

int mfm_contents_find(const mfm_links *links, mfm_contents *contents)
{
    const mfm_model *model = links->model;
    const size_t n_node = model->proto->graph->n_node;
    *contents = (mfm_contents){.links = links};
    contents->ops = mfm_alloc(model->ctx, n_node, sizeof *contents->ops);
    contents->of = mfm_alloc(model->ctx, links->n_values, 1);
    if (!contents->ops || !contents->of)
        return MFM_ENOMEM;
    for (size_t i = 0; i < n_node; i++)
        contents->ops[i] = mfm_import_op(model, node_at(contents, i));
    find(contents);
    return MFM_OK;
}

void mfm_contents_clear(mfm_contents *contents)
{
    if (!contents->links)
        return;
    mfm_free(contents->links->model->ctx, contents->ops);
    mfm_free(contents->links->model->ctx, contents->of);
}
