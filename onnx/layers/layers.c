#include "onnx/layers/layers.h"

#include <string.h>

#include "onnx/import/import_parts.h"

static const Onnx__NodeProto *node_at(const mfm_links *links, ptrdiff_t node)
{
    return links->model->proto->graph->node[node];
}

static bool is_one_of(const Onnx__NodeProto *node, const char *const *ops, size_t count)
{
    if (mfm_proto_text(node->domain)[0] && strcmp(node->domain, "ai.onnx") != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(node->op_type, ops[i]) == 0)
            return true;
    return false;
}

#define IS_ONE_OF(node, ...)                                                                       \
    is_one_of(node, (const char *const[]){__VA_ARGS__},                                            \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static bool is_norm(const Onnx__NodeProto *node)
{
    return IS_ONE_OF(node, "BatchNormalization", "InstanceNormalization", "GroupNormalization",
                     "LayerNormalization");
}

static bool is_activation(const Onnx__NodeProto *node)
{
    return IS_ONE_OF(node, "Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "HardSigmoid",
                     "HardSwish", "Elu", "Selu", "Celu", "Gelu", "Mish", "Swish", "Softplus",
                     "Softsign", "ThresholdedRelu");
}

/* Whether `node` multiplies by, or adds, a constant; then its output, else NULL. */
static const mfm_link *past_constant(const mfm_links *links, const mfm_link *value, const char *op)
{
    const ptrdiff_t node = mfm_links_sole_use(links, value);
    if (node == MFM_NOWHERE || !IS_ONE_OF(node_at(links, node), op))
        return NULL;
    const mfm_link *left = mfm_links_input(links, (size_t)node, 0);
    const mfm_link *right = mfm_links_input(links, (size_t)node, 1);
    const mfm_link *other = left == value ? right : left;
    return other && other->constant ? mfm_links_output(links, (size_t)node, 0) : NULL;
}

/* After a normalisation, and the scale and shift that some files keep as nodes of their own. */
static const mfm_link *past_norm(const mfm_links *links, const mfm_link *value)
{
    const ptrdiff_t node = mfm_links_sole_use(links, value);
    if (node == MFM_NOWHERE || !is_norm(node_at(links, node)) ||
        mfm_links_input(links, (size_t)node, 0) != value)
        return NULL;
    const mfm_link *normal = mfm_links_output(links, (size_t)node, 0);
    const mfm_link *scaled = normal ? past_constant(links, normal, "Mul") : NULL;
    const mfm_link *shifted = scaled ? past_constant(links, scaled, "Add") : NULL;
    return shifted ? shifted : scaled ? scaled : normal;
}

/* x * sigmoid(x): two uses, a gate and a product of x with it. */
static const char *past_gate(const mfm_links *links, const mfm_link *value)
{
    if (value->n_uses != 2 || value->captured || value->output)
        return NULL;
    const size_t *uses = &links->uses[value->first_use];
    const mfm_link *gate = mfm_links_output(links, uses[0], 0);
    if (!gate || !IS_ONE_OF(node_at(links, (ptrdiff_t)uses[0]), "Sigmoid", "HardSigmoid") ||
        mfm_links_sole_use(links, gate) != (ptrdiff_t)uses[1] ||
        !IS_ONE_OF(node_at(links, (ptrdiff_t)uses[1]), "Mul"))
        return NULL;
    const mfm_link *product = mfm_links_output(links, uses[1], 0);
    return product ? product->name : NULL;
}

const char *mfm_layers_activated(const mfm_links *links, const mfm_link *value)
{
    const ptrdiff_t node = mfm_links_sole_use(links, value);
    if (node == MFM_NOWHERE)
        return past_gate(links, value);
    const mfm_link *out = mfm_links_output(links, (size_t)node, 0);
    return out && is_activation(node_at(links, node)) &&
                   mfm_links_input(links, (size_t)node, 0) == value
               ? out->name
               : NULL;
}

/* channels and rank from the weight: conv [out, in / groups, ...], transposed conv
 * [in, out / groups, ...], Gemm [out, in] with transB and [in, out] without, MatMul [in, out]. */
static void read_weight(const mfm_links *links, mfm_layer *layer)
{
    const Onnx__NodeProto *node = node_at(links, (ptrdiff_t)layer->node);
    int64_t dims[MFM_LINK_RANK];
    size_t rank;
    if (!mfm_links_dims(links, node->input[1], dims, &rank) || rank < 2)
        return;
    if (strcmp(node->op_type, "Conv") == 0)
        layer->channels = dims[0];
    else if (strcmp(node->op_type, "ConvTranspose") == 0)
        layer->channels = dims[1] > INT32_MAX ? 0 : dims[1] * mfm_proto_int(node, "group", 1);
    else if (strcmp(node->op_type, "Gemm") == 0)
        layer->channels = mfm_proto_int(node, "transB", 0) ? dims[0] : dims[1];
    else
        layer->channels = dims[rank - 1];
    if (layer->kind == MFM_LAYER_CONV)
        layer->rank = (int)rank;
}

/* A weight that is computed may leave a bias to tell the channels. What the file declares of inner
 * values is not asked: it may be stale. */
static void read_shape(const mfm_links *links, mfm_layer *layer)
{
    const mfm_link *value = mfm_links_find(links, layer->output);
    const mfm_link *bias = mfm_links_input(links, layer->node, 2);
    int64_t dims[MFM_LINK_RANK];
    size_t rank;
    if (layer->channels <= 0 && bias && mfm_links_dims(links, bias->name, dims, &rank) && rank == 1)
        layer->channels = dims[0];
    if (layer->channels < 0)
        layer->channels = 0;
    if (value->rank >= 0)
        layer->rank = value->rank;
}

static bool is_layer(const mfm_links *links, size_t at, mfm_layer_kind *kind)
{
    const Onnx__NodeProto *node = node_at(links, (ptrdiff_t)at);
    const bool conv = IS_ONE_OF(node, "Conv", "ConvTranspose");
    const mfm_link *data = mfm_links_input(links, at, 0), *weight = mfm_links_input(links, at, 1);
    if (!data || !weight || data->constant || !mfm_links_output(links, at, 0))
        return false;
    *kind = conv ? MFM_LAYER_CONV : MFM_LAYER_FC;
    return conv || (IS_ONE_OF(node, "Gemm", "MatMul") && weight->constant);
}

/* The last of a list of lengths that a file computes or has; -1: not known. */
static int64_t last_length(const mfm_links *links, const mfm_link *list)
{
    enum { MOST_STEPS = 8 };
    for (int step = 0; list && step < MOST_STEPS; step++) {
        int64_t lengths[MFM_LINK_RANK];
        size_t count;
        if (mfm_links_ints(links, list, lengths, &count))
            return count ? lengths[count - 1] : -1;
        if (list->producer == MFM_NOWHERE ||
            !IS_ONE_OF(node_at(links, list->producer), "Cast", "Identity", "Concat"))
            return -1;
        const size_t parts = node_at(links, list->producer)->n_input;
        list = parts ? mfm_links_input(links, (size_t)list->producer, parts - 1) : NULL;
    }
    return -1;
}

/* Of a product on the rows of tokens, [n, ..., in] -> [m, in] -> [m, out] -> [n, ..., out], as
 * Keras's Dense and simplifiers write it: what is [n, ..., out] again; else NULL. */
static const mfm_link *past_rows(const mfm_links *links, size_t node, const mfm_link *value,
                                 int64_t channels)
{
    const ptrdiff_t use = mfm_links_sole_use(links, value);
    const ptrdiff_t before = mfm_links_input(links, node, 0)->producer;
    if (use == MFM_NOWHERE || before == MFM_NOWHERE || channels <= 1 ||
        !IS_ONE_OF(node_at(links, use), "Reshape") ||
        !IS_ONE_OF(node_at(links, before), "Reshape") ||
        mfm_links_input(links, (size_t)use, 0) != value ||
        last_length(links, mfm_links_input(links, (size_t)use, 1)) != channels)
        return NULL;
    const mfm_link *tokens = mfm_links_input(links, (size_t)before, 0);
    const mfm_link *back = mfm_links_output(links, (size_t)use, 0);
    const bool alike =
        tokens && back && (tokens->rank < 0 || back->rank < 0 || tokens->rank == back->rank);
    return alike && tokens->rank != 2 && back->rank != 2 ? back : NULL;
}

/* The value of a product, its bias added, by token where it is by row. */
static const mfm_link *past_bias(const mfm_links *links, size_t node, int64_t channels)
{
    const mfm_link *value = mfm_links_output(links, node, 0);
    const mfm_link *biased = past_constant(links, value, "Add");
    const mfm_link *tokens = past_rows(links, node, biased ? biased : value, channels);
    if (!tokens)
        return biased ? biased : value;
    const mfm_link *after = biased ? NULL : past_constant(links, tokens, "Add");
    return after ? after : tokens;
}

static void read_layer(const mfm_links *links, size_t node, mfm_layer *layer)
{
    const mfm_link *value = mfm_links_output(links, node, 0);
    layer->node = node;
    read_weight(links, layer);
    if (layer->kind == MFM_LAYER_FC)
        value = past_bias(links, node, layer->channels);
    layer->node_name = mfm_proto_text(node_at(links, (ptrdiff_t)node)->name);
    layer->output = value->name;
    layer->block = MFM_NOWHERE;
    read_shape(links, layer);
    const mfm_link *normal = past_norm(links, value);
    layer->norm = normal ? normal->name : NULL;
    layer->act = mfm_layers_activated(links, normal ? normal : value);
}

static int find_layers(mfm_ctx *ctx, mfm_layers *found)
{
    size_t capacity = 0, numbers[2] = {0, 0};
    for (size_t i = 0; i < found->model->proto->graph->n_node; i++) {
        mfm_layer_kind kind;
        if (!is_layer(&found->links, i, &kind))
            continue;
        if (mfm_grow(ctx, &found->layers, found->n_layers, &capacity, sizeof *found->layers))
            return MFM_ENOMEM;
        mfm_layer *layer = &found->layers[found->n_layers++];
        *layer = (mfm_layer){.kind = kind, .number = ++numbers[kind]};
        read_layer(&found->links, i, layer);
    }
    return MFM_OK;
}

/* Flags of a node: whether a layer, or an output of the graph, reads what becomes of it. */
enum { LEADS_TO_LAYER = 1, LEADS_TO_OUTPUT = 2, IS_LAYER = 4, LEADS_TO_CHOSEN = 8 };

/* chosen: the output that is trained. */
static unsigned char flags_of(const mfm_links *links, size_t node, const unsigned char *flags,
                              const mfm_link *chosen)
{
    unsigned char own = flags[node];
    for (size_t k = 0; k < node_at(links, (ptrdiff_t)node)->n_output; k++) {
        const mfm_link *value = mfm_links_output(links, node, k);
        if (!value)
            continue;
        own |= value->output ? LEADS_TO_OUTPUT : 0;
        own |= value == chosen ? LEADS_TO_CHOSEN : 0;
        for (size_t u = 0; u < value->n_uses; u++) {
            const unsigned char after = flags[links->uses[value->first_use + u]];
            own |= after & (LEADS_TO_LAYER | LEADS_TO_OUTPUT | LEADS_TO_CHOSEN);
            own |= after & IS_LAYER ? LEADS_TO_LAYER : 0;
        }
    }
    return own;
}

static int find_classifiers(mfm_ctx *ctx, mfm_layers *found)
{
    const size_t n = found->model->proto->graph->n_node;
    unsigned char *flags = mfm_alloc(ctx, n, 1);
    if (!flags)
        return MFM_ENOMEM;
    for (size_t i = 0; i < found->n_layers; i++)
        flags[found->layers[i].node] = IS_LAYER;
    const mfm_link *chosen = mfm_links_find(&found->links, mfm_model_logits_name(found->model));
    for (size_t i = n; i-- > 0;)
        flags[i] = flags_of(&found->links, i, flags, chosen);
    for (size_t i = 0; i < found->n_layers; i++) {
        const unsigned char own = flags[found->layers[i].node];
        found->layers[i].classifier = (own & (LEADS_TO_LAYER | LEADS_TO_OUTPUT)) == LEADS_TO_OUTPUT;
        found->layers[i].other_output =
            chosen && (own & LEADS_TO_OUTPUT) && !(own & LEADS_TO_CHOSEN);
    }
    mfm_free(ctx, flags);
    return MFM_OK;
}

int mfm_layers_new(mfm_ctx *ctx, const mfm_model *model, mfm_layers **layers)
{
    *layers = mfm_alloc(ctx, 1, sizeof **layers);
    if (!*layers)
        return MFM_ENOMEM;
    (*layers)->model = model;
    int status = mfm_links_make(model, &(*layers)->links);
    if (!status)
        status = find_layers(ctx, *layers);
    if (!status)
        status = find_classifiers(ctx, *layers);
    if (!status)
        status = mfm_layers_find_blocks(ctx, *layers);
    if (!status)
        mfm_layers_find_parts(*layers);
    if (status) {
        mfm_layers_free(*layers);
        *layers = NULL;
    }
    return status;
}

void mfm_layers_free(mfm_layers *layers)
{
    if (!layers)
        return;
    mfm_ctx *ctx = layers->model->ctx;
    mfm_links_clear(&layers->links);
    mfm_free(ctx, layers->layers);
    mfm_free(ctx, layers->blocks);
    mfm_free(ctx, layers);
}

const char *mfm_layer_title(const mfm_layer *layer)
{
    return layer->node_name[0] ? layer->node_name : layer->output;
}
