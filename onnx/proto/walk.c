#include "onnx/proto/walk.h"

static int visit_tensor(Onnx__TensorProto *tensor, const mfm_visitor *v)
{
    return tensor && v->tensor ? v->tensor(v->self, tensor) : MFM_OK;
}

static int visit_sparse(const Onnx__SparseTensorProto *sparse, const mfm_visitor *v)
{
    if (!sparse)
        return MFM_OK;
    const int status = visit_tensor(sparse->values, v);
    return status ? status : visit_tensor(sparse->indices, v);
}

static int visit_attribute(const Onnx__AttributeProto *attr, const mfm_visitor *v)
{
    int status = visit_tensor(attr->t, v);
    if (!status)
        status = visit_sparse(attr->sparse_tensor, v);
    if (!status && attr->g)
        status = mfm_walk_graph(attr->g, v);
    for (size_t i = 0; i < attr->n_tensors && !status; i++)
        status = visit_tensor(attr->tensors[i], v);
    for (size_t i = 0; i < attr->n_sparse_tensors && !status; i++)
        status = visit_sparse(attr->sparse_tensors[i], v);
    for (size_t i = 0; i < attr->n_graphs && !status; i++)
        status = mfm_walk_graph(attr->graphs[i], v);
    return status;
}

static int visit_nodes(Onnx__NodeProto *const *nodes, size_t count, const mfm_visitor *v)
{
    int status = MFM_OK;
    for (size_t i = 0; i < count && !status; i++) {
        if (v->node)
            status = v->node(v->self, nodes[i]);
        for (size_t k = 0; k < nodes[i]->n_attribute && !status; k++)
            status = visit_attribute(nodes[i]->attribute[k], v);
    }
    return status;
}

int mfm_walk_graph(Onnx__GraphProto *graph, const mfm_visitor *v)
{
    int status = v->graph ? v->graph(v->self, graph) : MFM_OK;
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status = visit_tensor(graph->initializer[i], v);
    for (size_t i = 0; i < graph->n_sparse_initializer && !status; i++)
        status = visit_sparse(graph->sparse_initializer[i], v);
    return status ? status : visit_nodes(graph->node, graph->n_node, v);
}

int mfm_walk_model(const mfm_model *model, const mfm_visitor *v)
{
    const Onnx__ModelProto *proto = model->proto;
    int status = mfm_walk_graph(proto->graph, v);
    for (size_t i = 0; i < proto->n_functions && !status; i++)
        status = visit_nodes(proto->functions[i]->node, proto->functions[i]->n_node, v);
    for (size_t i = 0; i < proto->n_training_info && !status; i++) {
        const Onnx__TrainingInfoProto *training = proto->training_info[i];
        if (training->initialization)
            status = mfm_walk_graph(training->initialization, v);
        if (training->algorithm && !status)
            status = mfm_walk_graph(training->algorithm, v);
    }
    return status;
}
