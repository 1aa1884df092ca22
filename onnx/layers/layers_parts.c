/* What a layer is beside the features that go on: the gate of others, a shortcut around a block,
 * one branch of several, the embedding of patches. */
#include <string.h>

#include "onnx/layers/layers.h"

/* Steps of a walk: chains are short, and hostile files are not followed for ever. */
enum { MOST_STEPS = 64 };

const char *mfm_layer_part_name(mfm_layer_part part)
{
    static const char *const names[] = {[MFM_PART_MAIN] = "",
                                        [MFM_PART_GATE] = "makes the gate of other features",
                                        [MFM_PART_CONTEXT] = "makes one number for each whole map, "
                                                             "which is added to it",
                                        [MFM_PART_SHORTCUT] = "is the shortcut around a block",
                                        [MFM_PART_BRANCH] = "makes one of several branches that "
                                                            "are joined",
                                        [MFM_PART_PATCHES] = "embeds patches in front of all "
                                                             "other layers"};
    return names[part];
}

static const Onnx__NodeProto *node_at(const mfm_links *links, size_t node)
{
    return links->model->proto->graph->node[node];
}

static bool is_any(const Onnx__NodeProto *node, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (mfm_proto_is(node, types[i]))
            return true;
    return false;
}

#define IS_ANY(node, list) is_any(node, list, sizeof(list) / sizeof(list)[0])

/* Nodes that change numbers one by one, or their places, without another value. */
static const char *const passing[] = {"BatchNormalization",
                                      "InstanceNormalization",
                                      "GroupNormalization",
                                      "LayerNormalization",
                                      "Relu",
                                      "LeakyRelu",
                                      "PRelu",
                                      "Clip",
                                      "Sigmoid",
                                      "Tanh",
                                      "HardSigmoid",
                                      "HardSwish",
                                      "Elu",
                                      "Selu",
                                      "Gelu",
                                      "Mish",
                                      "Swish",
                                      "Softmax",
                                      "Softplus",
                                      "Exp",
                                      "Identity",
                                      "Reshape",
                                      "Flatten",
                                      "Squeeze",
                                      "Unsqueeze",
                                      "Transpose",
                                      "Cast",
                                      "Dropout",
                                      "Expand"};
static const char *const squashing[] = {"Sigmoid", "HardSigmoid", "Softmax"};
static const char *const averaging[] = {"GlobalAveragePool", "GlobalMaxPool", "ReduceMean",
                                        "ReduceMax"};
static const char *const joining[] = {"Concat", "Max", "Min"};
static const char *const products[] = {"Gemm", "MatMul"};
static const char *const arithmetic[] = {"Add", "Sub", "Mul", "Div"};

static bool is_layer(const mfm_links *links, size_t node)
{
    const mfm_link *weight = mfm_links_input(links, node, 1);
    return mfm_proto_is(node_at(links, node), "Conv") ||
           (IS_ANY(node_at(links, node), products) && weight && weight->constant);
}

/* The other operand of a node of two. */
static const mfm_link *other_operand(const mfm_links *links, size_t node, const mfm_link *value)
{
    const mfm_link *left = mfm_links_input(links, node, 0);
    return left == value ? mfm_links_input(links, node, 1) : left;
}

/* The product x * sigmoid(x) of a value that only these two nodes read; NULL. */
static const mfm_link *past_own_gate(const mfm_links *links, const mfm_link *value)
{
    const char *name = mfm_layers_activated(links, value);
    return name && mfm_links_sole_use(links, value) == MFM_NOWHERE ? mfm_links_find(links, name)
                                                                   : NULL;
}

/* Whether a value is a layer's that has one number for each place, through a Softmax: weights of
 * places. */
static bool weighs_places(const mfm_links *links, const mfm_link *value)
{
    bool softmax = false;
    for (int step = 0; value && value->producer != MFM_NOWHERE && step < MOST_STEPS; step++) {
        const size_t node = (size_t)value->producer;
        int64_t dims[MFM_LINK_RANK];
        size_t rank;
        if (is_layer(links, node)) {
            const bool conv = mfm_proto_is(node_at(links, node), "Conv");
            const char *weight = node_at(links, node)->input[1];
            return softmax && mfm_links_dims(links, weight, dims, &rank) && rank > 1 &&
                   dims[conv ? 0 : rank - 1] == 1;
        }
        const mfm_link *other = mfm_links_input(links, node, 1);
        const bool one = IS_ANY(node_at(links, node), arithmetic) && other && other->constant;
        if (!one && !IS_ANY(node_at(links, node), passing))
            return false;
        softmax |= mfm_proto_is(node_at(links, node), "Softmax");
        value = mfm_links_input(links, node, 0);
    }
    return false;
}

/* Whether a node averages over the whole map: as such, or by weights of its places. */
static bool averages(const mfm_links *links, size_t node)
{
    return IS_ANY(node_at(links, node), averaging) ||
           (mfm_proto_is(node_at(links, node), "MatMul") &&
            (weighs_places(links, mfm_links_input(links, node, 0)) ||
             weighs_places(links, mfm_links_input(links, node, 1))));
}

/* Whether a value is what was averaged over the whole map, through layers or not. */
static bool is_average(const mfm_links *links, const mfm_link *value)
{
    for (int step = 0; step < MOST_STEPS; step++) {
        if (!value || value->producer == MFM_NOWHERE)
            return false;
        const size_t node = (size_t)value->producer;
        const Onnx__NodeProto *before = node_at(links, node);
        if (averages(links, node))
            return true;
        const mfm_link *other = mfm_links_input(links, node, 1);
        const bool one = IS_ANY(before, arithmetic) && other && other->constant;
        const bool gated =
            mfm_proto_is(before, "Mul") && other && other->producer != MFM_NOWHERE &&
            IS_ANY(node_at(links, (size_t)other->producer), squashing) &&
            mfm_links_input(links, (size_t)other->producer, 0) == mfm_links_input(links, node, 0);
        if (!IS_ANY(before, passing) && !is_layer(links, node) && !one && !gated)
            return false;
        value = mfm_links_input(links, node, 0);
    }
    return false;
}

/* What becomes of a layer on its way to the features that go on. */
typedef struct fate {
    bool average;  /* it was made of what was averaged over a whole map */
    bool squashed; /* between 0 and 1 */
    bool weights;  /* that add up to 1 */
} fate;

/* What a node of two operands, neither of them constant, makes of it. MFM_PART_MAIN: that the walk
 * ends, or, of two averages that are added (*on), goes on. */
static mfm_layer_part part_at(const mfm_links *links, size_t node, const mfm_link *other,
                              const fate *f, bool *on)
{
    const Onnx__NodeProto *after = node_at(links, node);
    *on = false;
    if (mfm_proto_is(after, "Mul"))
        return f->squashed || f->average ? MFM_PART_GATE : MFM_PART_MAIN;
    if (mfm_proto_is(after, "MatMul"))
        return f->weights ? MFM_PART_GATE : MFM_PART_MAIN;
    *on = mfm_proto_is(after, "Add") && f->average && is_average(links, other);
    return mfm_proto_is(after, "Add") && f->average && !*on ? MFM_PART_CONTEXT : MFM_PART_MAIN;
}

/* Whether what becomes of the layer only multiplies or weighs other features, as numbers between 0
 * and 1, or as one number for a whole map; or is added to them, as the latter. */
static mfm_layer_part part_beside(const mfm_links *links, const mfm_layer *layer)
{
    const mfm_link *value = mfm_links_find(links, layer->output);
    fate f = {.average = is_average(links, mfm_links_input(links, layer->node, 0))};
    for (int step = 0; value && step < MOST_STEPS; step++) {
        const ptrdiff_t use = mfm_links_sole_use(links, value);
        if (use == MFM_NOWHERE) {
            value = past_own_gate(links, value);
            continue;
        }
        const size_t node = (size_t)use;
        const Onnx__NodeProto *after = node_at(links, node);
        const mfm_link *other = other_operand(links, node, value);
        const bool first = mfm_links_input(links, node, 0) == value;
        const bool one = IS_ANY(after, arithmetic) && other && other->constant;
        bool on = one || (first && (IS_ANY(after, passing) || is_layer(links, node)));
        if (!on && other && !other->constant) {
            const mfm_layer_part part = part_at(links, node, other, &f, &on);
            if (part != MFM_PART_MAIN)
                return part;
        }
        if (!on)
            return MFM_PART_MAIN;
        f.squashed |= IS_ANY(after, squashing);
        f.weights |= mfm_proto_is(after, "Softmax");
        value = mfm_links_output(links, node, 0);
    }
    return MFM_PART_MAIN;
}

/* The node that alone reads a value, or the same under another name. */
static ptrdiff_t reader_of(const mfm_links *links, const mfm_link *value)
{
    static const char *const same[] = {"Identity", "Cast"};
    for (int step = 0; value && step < MOST_STEPS; step++) {
        const ptrdiff_t use = mfm_links_sole_use(links, value);
        if (use == MFM_NOWHERE || !IS_ANY(node_at(links, (size_t)use), same))
            return use;
        value = mfm_links_output(links, (size_t)use, 0);
    }
    return MFM_NOWHERE;
}

/* Whether its features go into nothing but a Concat along the channels with others, or what is
 * largest or smallest of several. */
static bool is_branch(const mfm_links *links, const mfm_layer *layer)
{
    const char *name = layer->act ? layer->act : layer->norm ? layer->norm : layer->output;
    const mfm_link *value = mfm_links_find(links, name);
    size_t operands = 0;
    const ptrdiff_t use = reader_of(links, value);
    if (use == MFM_NOWHERE || !IS_ANY(node_at(links, (size_t)use), joining))
        return false;
    const Onnx__NodeProto *join = node_at(links, (size_t)use);
    for (size_t i = 0; i < join->n_input; i++) {
        const mfm_link *operand = mfm_links_input(links, (size_t)use, i);
        operands += operand && !operand->constant;
    }
    return operands > 1;
}

/* The only convolution, with at least two fully connected layers behind it that are no classifier:
 * the first layer of a network of tokens. */
static bool embeds_patches(const mfm_layers *found, size_t index)
{
    size_t behind = 0;
    for (size_t i = 0; i < found->n_layers; i++) {
        const mfm_layer *layer = &found->layers[i];
        if (i < index || (i > index && layer->kind == MFM_LAYER_CONV))
            return false;
        behind += i > index && !layer->classifier;
    }
    return behind >= 2;
}

/* A block ends in the last of its layers that makes features, not in a gate behind it. */
static void end_blocks(mfm_layers *found)
{
    for (size_t b = 0; b < found->n_blocks; b++)
        for (size_t i = found->blocks[b].layer + 1; i-- > 0;) {
            const mfm_layer *layer = &found->layers[i];
            const bool features = layer->part == MFM_PART_MAIN || layer->part == MFM_PART_BRANCH;
            if (!features || (layer->block != (ptrdiff_t)b && i != found->blocks[b].layer))
                continue;
            found->blocks[b].layer = i;
            break;
        }
}

void mfm_layers_find_parts(mfm_layers *found)
{
    for (size_t i = 0; i < found->n_layers; i++) {
        mfm_layer *layer = &found->layers[i];
        const bool open = layer->part == MFM_PART_MAIN || layer->part == MFM_PART_BRANCH;
        if (layer->classifier || !open)
            continue;
        const mfm_layer_part beside = part_beside(&found->links, layer);
        if (beside != MFM_PART_MAIN)
            layer->part = beside;
        else if (layer->part == MFM_PART_BRANCH)
            continue;
        else if (is_branch(&found->links, layer))
            layer->part = MFM_PART_BRANCH;
        else if (layer->kind == MFM_LAYER_CONV && embeds_patches(found, i))
            layer->part = MFM_PART_PATCHES;
    }
    end_blocks(found);
}
