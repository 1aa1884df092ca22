/* How a node of the file becomes one of the graph: as another name, as numbers that are known, or
 * as the operator that carries it out. */
#include "onnx/functions/flat.h"
#include "onnx/expand/expand.h"
#include "onnx/import/import_parts.h"
#include "onnx/storage/tensor_data.h"

/* ---- what carries a node out --------------------------------------------------------------- */

bool mfm_import_own_statistics(const mfm_importer *im, const Onnx__NodeProto *node)
{
    return im->roles && mfm_links_own_statistics(&im->roles->links, node);
}

static int opset_of(const mfm_model *model, const Onnx__NodeProto *node)
{
    return (int)mfm_node_opset(model, node);
}

/* The operators of ONNX's own domain only: those of the engine's are not for files. */
const mfm_op *mfm_import_op(const mfm_model *model, const Onnx__NodeProto *node)
{
    const char *type = mfm_proto_text(node->op_type);
    return mfm_proto_is(node, type) ? mfm_op_find("", type, opset_of(model, node)) : NULL;
}

const mfm_port *mfm_import_port(const mfm_op *op, size_t input)
{
    const mfm_port *port = op->inputs;
    for (size_t i = 0; i < input && port->name && !port->variadic; i++)
        port++;
    return port->name ? port : NULL;
}

/* ---- other names for what is there --------------------------------------------------------- */

/* Another name for the same value; of an initialiser, an independent parameter. */
static int import_identity(mfm_importer *im, const Onnx__NodeProto *node)
{
    const mfm_binding *from = mfm_import_find(im, node->input[0]);
    if (!from)
        return mfm_import_fail(im, node, MFM_EDATA, "input '%s': nothing writes it",
                               node->input[0]);
    mfm_binding alias = *from;
    alias.name = node->output[0];
    if (!alias.tensor && (alias.folded || alias.at[0]))
        return mfm_import_alias(im, alias.name, (size_t)(from - im->bindings));
    if (alias.tensor)
        alias.param = alias.state = alias.fixed = -1;
    alias.folded = NULL;
    return mfm_import_bind(im, &alias);
}

/* Whether a name stands for floating-point numbers: every value of the graph does. */
static bool is_float(const mfm_importer *im, const char *name)
{
    const mfm_binding *b = mfm_import_find(im, name);
    return b && (b->value >= 0 || (b->tensor && mfm_tensor_is_float(b->tensor)));
}

/* Truth values that the graph computes, cast to such. */
static bool casts_truth(const mfm_importer *im, const Onnx__NodeProto *node)
{
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    const mfm_binding *b = node->n_input == 1 ? mfm_import_find(im, node->input[0]) : NULL;
    return mfm_proto_is(node, "Cast") && node->n_output == 1 && to &&
           to->i == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL && b && b->value >= 0 &&
           im->graph->values[b->value].kind == MFM_VALUE_NODE &&
           im->graph->values[b->value].role == MFM_INDEX;
}

static bool casts_floats(const mfm_importer *im, const Onnx__NodeProto *node)
{
    if (node->n_output != 1 || node->n_input == 0 || !is_float(im, node->input[0]))
        return false;
    if (mfm_proto_is(node, "CastLike"))
        return node->n_input == 2 && is_float(im, node->input[1]);
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    return mfm_proto_is(node, "Cast") && to && mfm_type_is_float((int32_t)to->i);
}

/* The engine has one floating-point type: another name for the same value, or tensor. */
static int import_cast(mfm_importer *im, const Onnx__NodeProto *node)
{
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    size_t source;
    if (to && (to->i == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 ||
               to->i == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16))
        mfm_warn(im->ctx, "%s: Cast '%s': the file goes on in 16 bits, training in %zu",
                 mfm_model_path(im->model), node->output[0], 8 * sizeof(real));
    mfm_strmap_get(&im->names, node->input[0], &source);
    return mfm_import_alias(im, node->output[0], source);
}

/* ---- a node of the graph -------------------------------------------------------------------- */

/* The node's inputs as graph values, those that are attributes left out (they come last). An
 * operator of the engine's own that takes a node's place may read fewer. */
static int import_arguments(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op,
                            int opset, int *arguments, int *count)
{
    *count = 0;
    for (size_t i = 0; i < node->n_input; i++) {
        if (mfm_import_is_attr_input(op, opset, i))
            continue;
        arguments[*count] = -1;
        const mfm_port *port = mfm_import_port(op, i);
        if (!port && node->input[i][0] && !op->domain[0])
            return mfm_import_fail(im, node, MFM_ENOTSUP, "input %zu: not supported", i);
        if (port && node->input[i][0]) {
            const int status = mfm_import_argument(im, node, i, port->role, &arguments[*count]);
            if (status)
                return status;
        }
        if (port)
            ++*count;
    }
    return MFM_OK;
}

/* Whether an attribute stands for the batch size somewhere. */
static bool asks_for_batch(const mfm_op *op, const void *attr)
{
    for (const mfm_attr_def *def = op->attrs; def && def->name; def++) {
        const mfm_ints *list =
            (const mfm_ints *)(const void *)((const char *)attr + (def->batch ? def->offset : 0));
        for (int i = 0; def->batch && i < list->count; i++)
            if (list->v[i] < 0)
                return true;
    }
    return false;
}

/* The images tell it, as the input behind those of the file. */
static int add_batch(mfm_importer *im, const Onnx__NodeProto *node, int *arguments, int *count)
{
    if (!im->network || im->network->images < 0)
        return mfm_import_fail(im, node, MFM_ENOTSUP, "depends on the batch size without images");
    arguments[(*count)++] = im->network->images;
    return MFM_OK;
}

/* Outputs that ONNX does not define make the file invalid, read or not. */
static int check_outputs(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op)
{
    size_t most = 0;
    for (; op->outputs[most].name; most++)
        if (op->outputs[most].variadic)
            return MFM_OK;
    if (node->n_output <= most)
        return MFM_OK;
    return mfm_import_fail(im, node, MFM_EDATA, "%zu outputs: it has at most %zu", node->n_output,
                           most);
}

/* Outputs up to the last one that is needed; the others (masks, batch statistics) are dropped.
 * Where the number of outputs has a meaning (Split), all of them. */
static int count_outputs(const mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op)
{
    int count = 0;
    if (op->outputs[0].variadic)
        return (int)node->n_output;
    for (size_t i = 0; i < node->n_output; i++)
        if (mfm_strmap_get(&im->needed, node->output[i], NULL))
            count = (int)i + 1;
    return count;
}

static int add_node(mfm_importer *im, const Onnx__NodeProto *node, const mfm_op *op, int opset,
                    const void *attr, int *numbers)
{
    int n_in, status = import_arguments(im, node, op, opset, numbers, &n_in);
    if (!status && asks_for_batch(op, attr))
        status = add_batch(im, node, numbers, &n_in);
    const int n_out = count_outputs(im, node, op);
    bool on_images = false;
    for (int i = 0; i < n_in && !status; i++)
        on_images |= numbers[i] >= 0 && im->on_images[numbers[i]];
    if (!status)
        status = mfm_graph_add(im->graph, op, opset, node->name, attr, numbers, n_in,
                               (const char *const *)node->output, n_out, numbers + n_in);
    if (status)
        return status;
    for (int i = 0; i < n_out && !status; i++)
        status = mfm_import_bind_output(im, node->output[i], numbers[n_in + i], on_images);
    return status;
}

static int import_operator(mfm_importer *im, const Onnx__NodeProto *node)
{
    const int opset = opset_of(im->model, node);
    const mfm_op *op = mfm_import_own_statistics(im, node)
                           ? mfm_op_find("mfm", "OwnBatchNormalization", 1)
                           : mfm_import_op(im->model, node);
    if (!op)
        return mfm_import_not_known(im, node);
    void *attr = mfm_alloc(im->ctx, 1, op->attr_size);
    int *numbers = mfm_alloc(im->ctx, node->n_input + node->n_output, sizeof *numbers);
    int status = MFM_ENOMEM;
    if (attr && numbers) {
        status = check_outputs(im, node, op);
        if (!status)
            status = mfm_import_attrs(im, node, op, opset, attr);
        if (!status)
            status = add_node(im, node, op, opset, attr, numbers);
    }
    mfm_free(im->ctx, attr);
    mfm_free(im->ctx, numbers);
    return status;
}

/* The body of a function may take an attribute from whoever calls it; a graph has no caller. */
static int check_references(mfm_importer *im, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (mfm_proto_text(node->attribute[i]->ref_attr_name)[0])
            return mfm_import_fail(
                im, node, MFM_EDATA, "attribute '%s': refers to '%s' of a function, and is in none",
                mfm_proto_text(node->attribute[i]->name), node->attribute[i]->ref_attr_name);
    return MFM_OK;
}

/* A node that is carried out when the network runs. */
static int import_computed(mfm_importer *im, const Onnx__NodeProto *node)
{
    if (casts_floats(im, node) || casts_truth(im, node))
        return import_cast(im, node);
    const mfm_expansion *expansion = mfm_expansion_of(im->model, node);
    const bool expands = expansion && (!expansion->applies || expansion->applies(im, node));
    return expands ? expansion->make(im, node) : import_operator(im, node);
}

int mfm_import_node(mfm_importer *im, const Onnx__NodeProto *node)
{
    if (check_references(im, node))
        return mfm_code(im->ctx);
    if (mfm_proto_is(node, "Constant"))
        return mfm_import_constant(im, node);
    if (mfm_proto_is(node, "Identity") && node->n_input == 1 && node->n_output == 1)
        return import_identity(im, node);
    bool folded;
    im->folder.limit = NULL;
    int status = mfm_import_fold(im, node, opset_of(im->model, node), &folded);
    if (status || folded)
        return status;
    status = import_computed(im, node);
    if (status != MFM_ENOTSUP || !im->folder.limit)
        return status;
    return mfm_import_fail(im, node, MFM_ENOTSUP,
                           "computes %lld numbers from constants: import does so with at most %s: "
                           "have a simplifier (onnxsim, OnnxSlim) compute them into the file",
                           (long long)im->folder.wanted, im->folder.limit);
}
