/* Places where constants stand, and what they mean there. */
#include <string.h>

#include "onnx/functions/flat.h"
#include "onnx/import/import_parts.h"
#include "onnx/roles/content.h"
#include "onnx/roles/roles.h"
#include "onnx/storage/tensor_data.h"

/* What a place does with a constant; several of a value that is computed from constants. */
enum { WEIGHT = 1, OPERAND = 2, ON_IMAGE = 4, STATE = 8, SETTING = 16, COMPARED = 32 };

/* Uses with this tie are one parameter wherever they stand. */
static const uint64_t true_tie = UINT64_MAX;

static const char only_compared[] = "is compared: no derivative comes to it";

typedef struct finder {
    mfm_roles *r;
    const Onnx__GraphProto *graph;
    mfm_contents contents;
    unsigned char *places; /* per value of the file's numbers: where it gets to through others */
    mfm_strmap layers;     /* description of a BatchNormalization -> its first node */
    char **keys;           /* those descriptions, per node; NULL */
} finder;

static size_t number_of(const finder *f, const mfm_link *value)
{
    return (size_t)(value - f->r->links.values);
}

static const mfm_link *input(const finder *f, size_t node, size_t i)
{
    return mfm_links_input(&f->r->links, node, i);
}

/* Whether a value that is there holds numbers of the file. */
static bool is_constant(const finder *f, const mfm_link *value)
{
    return mfm_content_of(&f->contents, value) == MFM_CONTENT_FILE;
}

/* Whether a node computes with sizes: what stands beside them sets operators. */
static bool computes_sizes(const finder *f, size_t node)
{
    bool sizes = false;
    for (size_t k = 0; k < f->graph->node[node]->n_input; k++) {
        const mfm_content content = mfm_content_read(&f->contents, node, k);
        if (content > MFM_CONTENT_SIZES)
            return false;
        sizes |= content == MFM_CONTENT_SIZES;
    }
    return sizes;
}

/* ---- places --------------------------------------------------------------------------------- */

/* Where the outputs of a node get to that is computed from constants alone. */
static unsigned places_of_outputs(const finder *f, size_t node)
{
    unsigned places = 0;
    for (size_t k = 0; k < f->graph->node[node]->n_output; k++) {
        const mfm_link *value = mfm_links_output(&f->r->links, node, k);
        places |= value ? f->places[number_of(f, value)] : 0;
    }
    return places;
}

static bool is_constant_node(const finder *f, size_t node)
{
    const mfm_link *value = mfm_links_output(&f->r->links, node, 0);
    return value && is_constant(f, value);
}

/* Of numbers that are made whole nothing is trained. */
static bool makes_whole(const Onnx__NodeProto *node)
{
    const Onnx__AttributeProto *to = mfm_proto_attr(node, "to");
    return mfm_proto_is(node, "Cast") && to && !mfm_type_is_float((int32_t)to->i);
}

/* Whether no derivative passes from input i of an operator to its result: places, truth values. */
static bool passes_nothing(const mfm_op *op, size_t i)
{
    return op && (mfm_role_at(op, i) == MFM_INDEX || op->outputs[0].role == MFM_INDEX);
}

static unsigned place_among_constants(const finder *f, size_t at, size_t i)
{
    const Onnx__NodeProto *node = f->graph->node[at];
    const unsigned places = places_of_outputs(f, at);
    if (mfm_proto_is(node, "Shape"))
        return 0;
    if (makes_whole(node))
        return places ? SETTING : 0;
    if (passes_nothing(f->contents.ops[at], i))
        return places ? COMPARED : 0;
    /* An Identity of a tensor is a tensor of its own. */
    if (mfm_proto_is(node, "Identity") && mfm_roles_find(f->r, node->output[0]))
        return 0;
    if (mfm_only_moves(node))
        return places;
    const mfm_op *op = f->contents.ops[at];
    if (op && places && mfm_role_at(op, i) == MFM_PARAM)
        return WEIGHT;
    return (places & ~(unsigned)WEIGHT) | (places & WEIGHT ? OPERAND : 0);
}

/* The node of a product whose result alone the Add `at` has as its other operand, or `at`. */
static size_t product_before(const finder *f, size_t at, size_t i)
{
    const Onnx__NodeProto *node = f->graph->node[at];
    const mfm_link *other = mfm_proto_is(node, "Add") && i < 2 ? input(f, at, 1 - i) : NULL;
    if (!other || is_constant(f, other) || other->producer == MFM_NOWHERE)
        return at;
    const size_t product = (size_t)other->producer;
    const Onnx__NodeProto *before = f->graph->node[product];
    const bool is_product = mfm_proto_is(before, "MatMul") || mfm_proto_is(before, "Gemm") ||
                            mfm_proto_is(before, "Conv");
    return is_product && mfm_has_weights(&f->contents, product) ? product : at;
}

static bool only_image(const finder *f, size_t node)
{
    bool image = false;
    for (size_t k = 0; k < f->graph->node[node]->n_input; k++) {
        const mfm_content content = mfm_content_read(&f->contents, node, k);
        if (content == MFM_CONTENT_FEATURES)
            return false;
        image |= content == MFM_CONTENT_IMAGE;
    }
    return image;
}

/* What input i of the node, a constant, is there. */
static unsigned place_of(const finder *f, size_t at, size_t i)
{
    const Onnx__NodeProto *node = f->graph->node[at];
    const mfm_op *op = f->contents.ops[at];
    const int opset = (int)mfm_node_opset(f->r->model, node);
    if (op && mfm_import_is_attr_input(op, opset, i))
        return SETTING;
    if (mfm_lends_type(node, i))
        return 0;
    if (i > 2 && mfm_links_own_statistics(&f->r->links, node))
        return 0;
    if (is_constant_node(f, at))
        return place_among_constants(f, at, i);
    /* Positions are computed from sizes alone, too, and pass through layers with weights. */
    if (op && mfm_role_at(op, i) == MFM_PARAM)
        return WEIGHT;
    if (computes_sizes(f, at))
        return SETTING;
    if (!op)
        return OPERAND;
    if (mfm_role_at(op, i) == MFM_STATE)
        return STATE;
    if (passes_nothing(op, i))
        return mfm_role_at(op, i) == MFM_INDEX ? 0 : COMPARED;
    if (mfm_is_left_factor(op, i))
        return WEIGHT;
    if (only_image(f, at))
        return ON_IMAGE;
    return product_before(f, at, i) != at ? WEIGHT : OPERAND;
}

/* Backwards, so that where a node's outputs get to is known before its inputs are looked at. */
static void find_places(finder *f)
{
    for (size_t i = f->graph->n_node; i-- > 0;)
        for (size_t k = 0; k < f->graph->node[i]->n_input; k++) {
            const mfm_link *value = input(f, i, k);
            if (value && is_constant(f, value))
                f->places[number_of(f, value)] |= (unsigned char)place_of(f, i, k);
        }
}

/* ---- fates ---------------------------------------------------------------------------------- */

static bool in_constant_node(const finder *f, size_t node, size_t i)
{
    const char *name = f->graph->node[node]->input[i];
    const mfm_tensor_role *role = mfm_roles_find(f->r, name);
    return role && role->constant;
}

/* Whether the file has its kernels and matrices in Constant nodes, or elsewhere. */
static bool keeps_constants(const mfm_roles *r)
{
    for (size_t i = 0; i < r->n_tensors; i++)
        if (!r->tensors[i].constant && r->tensors[i].rank > 1)
            return false;
    return true;
}

/* Of a normalisation whose scale and shift stand in Constant nodes of ones and zeros when it has
 * none: InstanceNormalization anywhere, as those of groups are written with it; others unless all
 * weights stand in such nodes. */
static bool may_be_plain(const finder *f, const Onnx__NodeProto *node)
{
    static const char *const types[] = {"LayerNormalization", "GroupNormalization",
                                        "RMSNormalization"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (mfm_proto_is(node, types[i]))
            return !keeps_constants(f->r);
    return mfm_proto_is(node, "InstanceNormalization");
}

/* Scale and shift that the exporter made up. */
static int is_made_up(const finder *f, const mfm_tensor_role *role, const mfm_tensor_use *use,
                      bool *made_up)
{
    const Onnx__NodeProto *node = f->graph->node[use->node];
    *made_up = role->constant && mfm_proto_is(node, "BatchNormalization") && node->n_input > 4 &&
               !in_constant_node(f, use->node, 3) && !in_constant_node(f, use->node, 4);
    if (!role->constant || !role->tensor || !may_be_plain(f, node))
        return MFM_OK;
    mfm_tensor_look look;
    const int status = mfm_roles_look(f->r, role, &look);
    *made_up = look.uniform && (look.first == 0 || look.first == 1);
    return status;
}

/* A kernel of patches that are taken apart, each number a channel: no weight that was learned. */
static int is_move(const finder *f, const mfm_tensor_role *role, const mfm_tensor_use *use,
                   bool *moves)
{
    mfm_tensor_look look = {.moves = false};
    const bool square =
        role->rank > 2 && role->numbers == (uint64_t)role->dims[0] * (uint64_t)role->dims[0];
    const bool kernel = mfm_proto_is(f->graph->node[use->node], "Conv") && use->input == 1;
    const int status =
        kernel && square && role->tensor ? mfm_roles_look(f->r, role, &look) : MFM_OK;
    *moves = look.moves;
    return status;
}

static int decide_weight(const finder *f, const mfm_tensor_role *role, mfm_tensor_use *use)
{
    const Onnx__NodeProto *node = f->graph->node[use->node];
    const bool added = mfm_proto_is(node, "Add");
    bool made_up, moves = false;
    int status = is_made_up(f, role, use, &made_up);
    if (!status)
        status = is_move(f, role, use, &moves);
    use->fate = MFM_FATE_FIXED;
    if (!role->tensor)
        use->why = "a list in a Constant node";
    else if (moves)
        use->why = "a kernel that only takes patches apart";
    else if (made_up)
        use->why = mfm_proto_is(node, "BatchNormalization")
                       ? "Constant nodes beside statistics that are none: affine=False"
                       : "a Constant node of zeros or of ones: affine=False";
    else if (added && role->numbers == 1)
        use->why = "a single number";
    else {
        use->fate = MFM_FATE_TRAINED;
        use->why = added ? "bias added to a product" : "weight of its operator";
    }
    return status;
}

/* Masks are also made of regions that are told by their numbers, which are compared. */
static int decide_operand(const finder *f, const mfm_tensor_role *role, unsigned places,
                          mfm_tensor_use *use)
{
    mfm_tensor_look look = {.mask = false};
    const int status = role->constant ? MFM_OK : mfm_roles_look(f->r, role, &look);
    use->fate = MFM_FATE_FIXED;
    use->why = role->constant                        ? "the value of a Constant node"
               : role->numbers == 1                  ? "a single number"
               : look.mask                           ? "a mask: 0 and one other number"
               : (places & COMPARED) && look.uniform ? "one number everywhere that is compared"
                                                     : NULL;
    if (use->why)
        return status;
    use->fate = MFM_FATE_TRAINED;
    use->why = "an operand with a number for each channel or place";
    return status;
}

static int decide(const finder *f, const mfm_tensor_role *role, mfm_tensor_use *use)
{
    const unsigned places = place_of(f, use->node, use->input);
    int status = MFM_OK;
    use->fate = MFM_FATE_UNREAD;
    use->why = "";
    if (places & STATE) {
        use->fate = MFM_FATE_STATISTIC;
        use->why = "running mean or variance";
    } else if (places & WEIGHT) {
        status = decide_weight(f, role, use);
    } else if (places & ON_IMAGE) {
        use->fate = MFM_FATE_FIXED;
        use->why = "meets the image before the first layer with weights";
    } else if (places & OPERAND) {
        status = decide_operand(f, role, places, use);
    } else if (places & COMPARED) {
        use->fate = MFM_FATE_SETTING;
        use->why = only_compared;
    } else if (places & SETTING) {
        use->fate = MFM_FATE_SETTING;
        use->why = "sets its operator";
    }
    if (role->inner && use->fate == MFM_FATE_TRAINED) {
        use->fate = MFM_FATE_FIXED;
        use->why = "a number within a function";
    }
    return status;
}

/* ---- ties ----------------------------------------------------------------------------------- */

static const char *input_name(const Onnx__NodeProto *node, size_t i)
{
    return i < node->n_input ? node->input[i] : "";
}

static bool all_differ(const Onnx__NodeProto *node)
{
    for (size_t i = 1; i < 5; i++)
        for (size_t k = 1; k < i; k++)
            if (strcmp(input_name(node, i), input_name(node, k)) == 0)
                return false;
    return true;
}

/* The weight of the layer that a normalisation follows directly, or NULL. */
static const char *weight_before(const finder *f, size_t node)
{
    const mfm_link *value = input(f, node, 0);
    if (!value || value->producer == MFM_NOWHERE ||
        !mfm_has_weights(&f->contents, (size_t)value->producer))
        return NULL;
    const Onnx__NodeProto *before = f->graph->node[value->producer];
    return before->n_input > 1 ? before->input[1] : NULL;
}

/* The first node of the BatchNormalization that this node is: one that is used twice reads the same
 * four tensors, all different; where equal ones have been merged, the layer before must be the
 * same, too. */
static int layer_of_norm(finder *f, size_t at, size_t *layer)
{
    const Onnx__NodeProto *node = f->graph->node[at];
    const char *before = all_differ(node) ? "" : weight_before(f, at);
    *layer = at;
    if (!before)
        return MFM_OK;
    if (!f->keys[at])
        f->keys[at] =
            mfm_format(f->r->ctx, "%s\n%s\n%s\n%s\n%s", input_name(node, 1), input_name(node, 2),
                       input_name(node, 3), input_name(node, 4), before);
    if (!f->keys[at])
        return MFM_ENOMEM;
    return mfm_strmap_get(&f->layers, f->keys[at], layer)
               ? MFM_OK
               : mfm_strmap_set(&f->layers, f->keys[at], at);
}

/* A bias belongs to the weight beside it. */
static uint64_t tie_of_bias(const finder *f, size_t product)
{
    const mfm_link *right = input(f, product, 1);
    const mfm_link *weight = right && is_constant(f, right) ? right : input(f, product, 0);
    return weight ? (uint64_t)(f->graph->n_node + number_of(f, weight)) * 8 + 2 : true_tie;
}

static int find_tie(finder *f, mfm_tensor_use *use)
{
    const Onnx__NodeProto *node = f->graph->node[use->node];
    use->tie = 0;
    if (use->fate != MFM_FATE_TRAINED && use->fate != MFM_FATE_STATISTIC)
        return MFM_OK;
    if (mfm_proto_is(node, "BatchNormalization")) {
        size_t layer;
        const int status = layer_of_norm(f, use->node, &layer);
        use->tie = (uint64_t)layer * 8 + use->input;
        return status;
    }
    const size_t product = product_before(f, use->node, use->input);
    const mfm_op *op = f->contents.ops[use->node];
    use->tie = true_tie;
    if (product != use->node)
        use->tie = tie_of_bias(f, product);
    else if (op && use->input == 2 && mfm_role_at(op, 2) == MFM_PARAM)
        use->tie = tie_of_bias(f, use->node);
    return MFM_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static mfm_tensor_role *tensor_at(const finder *f, const char *name)
{
    size_t index;
    return mfm_strmap_get(&f->r->map, name, &index) ? &f->r->tensors[index] : NULL;
}

/* What is trained elsewhere is compared as it is by then. */
static void compare_trained(mfm_tensor_role *role)
{
    const mfm_tensor_use *trained = NULL;
    for (size_t i = 0; i < role->n_uses && !trained; i++)
        trained = role->uses[i].fate == MFM_FATE_TRAINED ? &role->uses[i] : NULL;
    for (size_t i = 0; i < role->n_uses && trained; i++)
        if (role->uses[i].why == only_compared) {
            role->uses[i].fate = MFM_FATE_TRAINED;
            role->uses[i].tie = trained->tie;
            role->uses[i].why = trained->why;
        }
}

static int list_uses(finder *f)
{
    size_t at = 0;
    for (size_t i = 0; i < f->r->n_tensors; i++) {
        const mfm_link *value = mfm_links_find(&f->r->links, f->r->tensors[i].name);
        f->r->tensors[i].uses = f->r->uses + at;
        at += value ? value->n_uses : 0;
    }
    int status = MFM_OK;
    for (size_t i = 0; i < f->graph->n_node && !status; i++)
        for (size_t k = 0; k < f->graph->node[i]->n_input && !status; k++) {
            mfm_tensor_role *role = tensor_at(f, f->graph->node[i]->input[k]);
            if (!role)
                continue;
            mfm_tensor_use *use = &role->uses[role->n_uses++];
            *use = (mfm_tensor_use){.node = i, .input = k};
            status = decide(f, role, use);
            if (!status)
                status = find_tie(f, use);
        }
    for (size_t i = 0; i < f->r->n_tensors; i++)
        compare_trained(&f->r->tensors[i]);
    return status;
}

int mfm_roles_find_uses(mfm_roles *r)
{
    finder f = {.r = r, .graph = r->model->proto->graph};
    mfm_strmap_init(&f.layers, r->ctx);
    f.places = mfm_alloc(r->ctx, r->links.n_values, 1);
    f.keys = mfm_alloc(r->ctx, f.graph->n_node, sizeof *f.keys);
    r->uses = mfm_alloc(r->ctx, r->links.n_uses, sizeof *r->uses);
    int status = f.places && f.keys && r->uses ? MFM_OK : MFM_ENOMEM;
    if (!status)
        status = mfm_contents_find(&r->links, &f.contents);
    if (!status) {
        find_places(&f);
        status = list_uses(&f);
    }
    for (size_t i = 0; f.keys && i < f.graph->n_node; i++)
        mfm_free(r->ctx, f.keys[i]);
    mfm_free(r->ctx, f.keys);
    mfm_contents_clear(&f.contents);
    mfm_free(r->ctx, f.places);
    mfm_strmap_clear(&f.layers);
    return status;
}
