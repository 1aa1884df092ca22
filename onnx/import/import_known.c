/* Which nodes can be imported, as far as the file shows without any number. */
#include "onnx/expand/expand.h"
#include "onnx/import/import_parts.h"

/* Whether all that a node reads may be known when importing. */
static bool reads_known(const mfm_strmap *known, const Onnx__NodeProto *node)
{
    size_t present = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        if (!node->input[i][0])
            continue;
        present++;
        if (!mfm_strmap_get(known, node->input[i], NULL))
            return false;
    }
    return present > 0;
}

/* What depends on the values' shapes alone, and what constants give. */
static bool is_known(const mfm_strmap *known, const Onnx__NodeProto *node)
{
    return mfm_proto_is(node, "Constant") || mfm_proto_is(node, "Shape") ||
           mfm_proto_is(node, "Size") || (mfm_fold_knows(node) && reads_known(known, node));
}

static int find_supported(const mfm_model *model, mfm_strmap *known, bool *supported)
{
    const Onnx__GraphProto *graph = model->proto->graph;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status = mfm_strmap_set(known, mfm_proto_text(graph->initializer[i]->name), 0);
    for (size_t i = 0; i < graph->n_node && !status; i++) {
        const Onnx__NodeProto *node = graph->node[i];
        const bool folded = is_known(known, node);
        supported[i] = folded || mfm_proto_is(node, "Cast") || mfm_proto_is(node, "CastLike") ||
                       mfm_import_op(model, node) || mfm_expansion_of(model, node);
        for (size_t k = 0; folded && k < node->n_output && !status; k++)
            status = mfm_strmap_set(known, node->output[k], 0);
    }
    return status;
}

int mfm_import_find_supported(const mfm_model *model, bool *supported)
{
    mfm_strmap known;
    mfm_strmap_init(&known, model->ctx);
    const int status = find_supported(model, &known, supported);
    mfm_strmap_clear(&known);
    return status;
}
