#include "onnx/proto/validate.h"

#include <string.h>

#include "onnx/proto/strmap.h"
#include "onnx/proto/walk.h"

/* Who checks: with `tell` every problem is told, and counted, instead of ending the check. */
typedef struct judge {
    const mfm_model *model;
    mfm_tell_fn *tell;
    void *self;
    size_t problems;
} judge;

/* What becomes of a rule's status. */
static int rule(judge *j, int status)
{
    if (!j->tell || !status || status == MFM_ENOMEM)
        return status;
    j->problems++;
    j->tell(j->self, mfm_message(j->model->ctx));
    return MFM_OK;
}

/* The names known at one point of a graph; those of the graphs around it are visible, too. */
typedef struct scope {
    judge *judge;
    const mfm_model *model;
    const struct scope *outer;
    mfm_strmap names; /* to how the name came to be */
} scope;

enum origin { FROM_INPUT, FROM_INITIALIZER, FROM_NODE };

static int check_graph(judge *j, const Onnx__GraphProto *graph, const scope *outer);

static bool is_visible(const scope *s, const char *name)
{
    for (; s; s = s->outer)
        if (mfm_strmap_get(&s->names, name, NULL))
            return true;
    return false;
}

static const char *node_title(const Onnx__NodeProto *node)
{
    const char *title = mfm_proto_title(node);
    return title[0] ? title : "(unnamed)";
}

static int declare_once(scope *s, const char *name, enum origin origin)
{
    size_t before;
    if (!name || !name[0])
        return mfm_fail(s->model->ctx, MFM_EDATA, "%s: an %s without a name: it must have one",
                        s->model->path, origin == FROM_INPUT ? "input" : "initializer");
    if (mfm_strmap_get(&s->names, name, &before) &&
        !(before == FROM_INPUT && origin == FROM_INITIALIZER))
        return mfm_fail(s->model->ctx, MFM_EDATA,
                        "%s: value %s: defined twice: every value is assigned once", s->model->path,
                        name);
    return mfm_strmap_set(&s->names, name, origin);
}

static int declare(scope *s, const char *name, enum origin origin)
{
    return rule(s->judge, declare_once(s, name, origin));
}

/* Whether a node after this one writes the name. */
static bool is_written(Onnx__NodeProto *const *nodes, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < nodes[i]->n_output; k++)
            if (strcmp(nodes[i]->output[k], name) == 0)
                return true;
    return false;
}

static int check_inputs(const scope *s, Onnx__NodeProto *const *nodes, size_t count)
{
    const Onnx__NodeProto *node = nodes[0];
    for (size_t i = 0; i < node->n_input; i++) {
        const char *name = node->input[i];
        if (!name[0] || is_visible(s, name))
            continue;
        const int status = rule(
            s->judge,
            mfm_fail(s->model->ctx, MFM_EDATA,
                     is_written(nodes, count, name)
                         ? "%s: node %s (%s) reads %s before it is written: nodes must be sorted"
                         : "%s: node %s (%s) reads %s: nothing writes it",
                     s->model->path, node_title(node), mfm_proto_text(node->op_type), name));
        if (status)
            return status;
    }
    return MFM_OK;
}

static int check_content(const scope *s, const Onnx__NodeProto *node,
                         const Onnx__AttributeProto *attr)
{
    const bool reference = attr->ref_attr_name && attr->ref_attr_name[0];
    const bool tensor = attr->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    const bool graph = attr->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    if (!attr->name || !attr->name[0])
        return mfm_fail(s->model->ctx, MFM_EDATA, "%s: node %s (%s): an attribute without a name",
                        s->model->path, node_title(node), node->op_type);
    if (!reference && ((tensor && !attr->t) || (graph && !attr->g)))
        return mfm_fail(s->model->ctx, MFM_EDATA,
                        "%s: node %s (%s): attribute %s: its type is %s, and it holds none",
                        s->model->path, node_title(node), node->op_type, attr->name,
                        tensor ? "tensor" : "graph");
    return MFM_OK;
}

static int check_attribute(const scope *s, const Onnx__NodeProto *node,
                           const Onnx__AttributeProto *attr)
{
    int status = rule(s->judge, check_content(s, node, attr));
    if (!status && attr->g)
        status = check_graph(s->judge, attr->g, s);
    for (size_t i = 0; i < attr->n_graphs && !status; i++)
        status = check_graph(s->judge, attr->graphs[i], s);
    return status;
}

/* The first of `count` nodes; the others are those after it. */
static int check_node(scope *s, Onnx__NodeProto *const *nodes, size_t count)
{
    const Onnx__NodeProto *node = nodes[0];
    int status = MFM_OK;
    if (!node->op_type || !node->op_type[0])
        status = rule(s->judge, mfm_fail(s->model->ctx, MFM_EDATA, "%s: node %s: no operator type",
                                         s->model->path, node_title(node)));
    if (!status)
        status = check_inputs(s, nodes, count);
    for (size_t i = 0; i < node->n_attribute && !status; i++)
        status = check_attribute(s, node, node->attribute[i]);
    for (size_t i = 0; i < node->n_output && !status; i++)
        if (node->output[i][0])
            status = declare(s, node->output[i], FROM_NODE);
    return status;
}

static int check_nodes(scope *s, Onnx__NodeProto *const *nodes, size_t count)
{
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = check_node(s, nodes + i, count - i);
    return status;
}

static int declare_initializers(scope *s, const Onnx__GraphProto *graph)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_input && !status; i++)
        status = declare(s, graph->input[i]->name, FROM_INPUT);
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status = declare(s, graph->initializer[i]->name, FROM_INITIALIZER);
    for (size_t i = 0; i < graph->n_sparse_initializer && !status; i++) {
        const Onnx__TensorProto *values = graph->sparse_initializer[i]->values;
        status = declare(s, values ? values->name : NULL, FROM_INITIALIZER);
    }
    return status;
}

static int check_outputs(const scope *s, const Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_output; i++) {
        const char *name = mfm_proto_text(graph->output[i]->name);
        const int status = is_visible(s, name)
                               ? MFM_OK
                               : rule(s->judge, mfm_fail(s->model->ctx, MFM_EDATA,
                                                         "%s: output '%s': nothing writes it",
                                                         s->model->path, name));
        if (status)
            return status;
    }
    return MFM_OK;
}

static int check_graph(judge *j, const Onnx__GraphProto *graph, const scope *outer)
{
    scope s = {.judge = j, .model = j->model, .outer = outer};
    mfm_strmap_init(&s.names, j->model->ctx);
    int status = declare_initializers(&s, graph);
    if (!status)
        status = check_nodes(&s, graph->node, graph->n_node);
    if (!status)
        status = check_outputs(&s, graph);
    mfm_strmap_clear(&s.names);
    return status;
}

static int check_function(judge *j, const Onnx__FunctionProto *function)
{
    scope s = {.judge = j, .model = j->model};
    mfm_strmap_init(&s.names, j->model->ctx);
    int status = MFM_OK;
    for (size_t i = 0; i < function->n_input && !status; i++)
        status = declare(&s, function->input[i], FROM_INPUT);
    if (!status)
        status = check_nodes(&s, function->node, function->n_node);
    mfm_strmap_clear(&s.names);
    return status;
}

static int visit_tensor(void *self, Onnx__TensorProto *tensor)
{
    judge *j = self;
    return rule(j, mfm_validate_tensor(j->model, tensor));
}

static int check_header(const mfm_model *model)
{
    const Onnx__ModelProto *proto = model->proto;
    if (!proto->graph)
        return mfm_fail(model->ctx, MFM_EDATA, "%s: no graph: not an ONNX file", model->path);
    if (!proto->has_ir_version || proto->ir_version < 1)
        return mfm_fail(model->ctx, MFM_EDATA, "%s: IR version %lld: at least 1", model->path,
                        (long long)proto->ir_version);
    if (proto->ir_version >= 3 && proto->n_opset_import == 0)
        return mfm_fail(model->ctx, MFM_EDATA, "%s: no operator set: one must be imported",
                        model->path);
    return MFM_OK;
}

static int check_model(judge *j)
{
    const Onnx__ModelProto *proto = j->model->proto;
    const mfm_visitor visitor = {.tensor = visit_tensor, .self = j};
    int status = rule(j, check_header(j->model));
    if (!status && !proto->graph)
        return MFM_EDATA;
    if (!status)
        status = mfm_walk_model(j->model, &visitor);
    if (!status)
        status = check_graph(j, proto->graph, NULL);
    for (size_t i = 0; i < proto->n_functions && !status; i++)
        status = check_function(j, proto->functions[i]);
    return status;
}

int mfm_validate(const mfm_model *model)
{
    judge j = {.model = model};
    return check_model(&j);
}

int mfm_validate_all(const mfm_model *model, mfm_tell_fn *tell, void *self)
{
    judge j = {.model = model, .tell = tell, .self = self};
    const int status = check_model(&j);
    return status ? status : j.problems ? MFM_EDATA : MFM_OK;
}
