/*
 * The rank of every value, from the operators of the graph: what files say of inner values may be
 * stale. Only the graph's inputs and initializers are believed. A rank that an operator's rule does
 * not give, or whose operator is not known here, stays unknown.
 */
#include <string.h>

#include "onnx/layers/links.h"

enum { UNKNOWN = -1, MOST = 64 };

/* How the rank of the outputs follows. */
enum rule {
    SAME,      /* input 0's */
    BROADCAST, /* the largest of all inputs */
    TWO,
    ONE,
    ZERO,
    PRODUCT,     /* MatMul */
    REDUCE,      /* less the axes, unless they are kept */
    ARGUMENT,    /* less one axis, unless it is kept */
    SQUEEZE,     /* less the axes */
    UNSQUEEZE,   /* and the axes */
    AS_LISTED,   /* the length of input 1, Reshape */
    AS_LISTED_0, /* the length of input 0, ConstantOfShape */
    EXPAND,      /* the larger of input 0 and the length of input 1 */
    GATHER,
    CONSTANT,
    EQUATION, /* Einsum */
    RULES
};

/* The operators of each rule, between spaces. */
static const char *const operators[RULES] = {
    [SAME] = " Abs Asinh Atan Attention AveragePool BatchNormalization Cast CastLike Ceil Celu "
             "Clip Concat Conv "
             "ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Dropout Elu Erf Exp "
             "Floor GatherElements Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool "
             "GroupNormalization HardSigmoid HardSwish Hardmax Identity "
             "InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax "
             "LpNormalization LpPool MaxPool MeanVarianceNormalization Mish Neg Not PRelu "
             "Pad QuantizeLinear RMSNormalization Reciprocal Relu Resize Round "
             "ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Sinh Slice Softmax Softplus "
             "Softsign SpaceToDepth Split Sqrt Swish Tan Tanh ThresholdedRelu Tile TopK "
             "Transpose Trilu Upsample ",
    [BROADCAST] = " Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod "
                  "Mul Or Pow Sub Sum Where Xor ",
    [TWO] = " Flatten Gemm NonZero ",
    [ONE] = " Range Shape ",
    [ZERO] = " Size ",
    [PRODUCT] = " MatMul ",
    [REDUCE] = " ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean "
               "ReduceMin ReduceProd ReduceSum ReduceSumSquare ",
    [ARGUMENT] = " ArgMax ArgMin ",
    [SQUEEZE] = " Squeeze ",
    [UNSQUEEZE] = " Unsqueeze ",
    [AS_LISTED] = " Reshape ",
    [AS_LISTED_0] = " ConstantOfShape ",
    [EXPAND] = " Expand ",
    [GATHER] = " Gather ",
    [CONSTANT] = " Constant ",
    [EQUATION] = " Einsum ",
};

typedef struct ranker {
    mfm_links *links;
    const Onnx__NodeProto *node;
    size_t at;    /* its number */
    int *lengths; /* by value, of those of rank 1; UNKNOWN */
} ranker;

static int rank_of(const ranker *r, size_t input)
{
    const mfm_link *value = mfm_links_input(r->links, r->at, input);
    return value ? value->rank : UNKNOWN;
}

static int length_of(const ranker *r, size_t input)
{
    const mfm_link *value = mfm_links_input(r->links, r->at, input);
    return value ? r->lengths[value - r->links->values] : UNKNOWN;
}

/* How many axes an attribute or input 1 lists; `none` when there is neither. */
static int count_axes(const ranker *r, int none)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(r->node, "axes");
    if (attr)
        return attr->n_ints < MOST ? (int)attr->n_ints : UNKNOWN;
    return r->node->n_input > 1 && r->node->input[1][0] ? length_of(r, 1) : none;
}

static int broadcast(const ranker *r)
{
    int most = UNKNOWN;
    for (size_t i = 0; i < r->node->n_input; i++) {
        const int rank = rank_of(r, i);
        if (rank == UNKNOWN)
            return UNKNOWN;
        most = rank > most ? rank : most;
    }
    return most;
}

static int product(int a, int b)
{
    if (a < 1 || b < 1)
        return UNKNOWN;
    return a == 1 && b == 1 ? 0 : a == 1 ? b - 1 : b == 1 ? a - 1 : a > b ? a : b;
}

static int less(int rank, int axes)
{
    return rank == UNKNOWN || axes == UNKNOWN || axes > rank ? UNKNOWN : rank - axes;
}

static int reduce(const ranker *r)
{
    const int rank = rank_of(r, 0);
    if (mfm_proto_int(r->node, "keepdims", 1))
        return rank;
    const int axes = count_axes(r, 0);
    if (axes == 0)
        return mfm_proto_int(r->node, "noop_with_empty_axes", 0) ? rank
               : rank == UNKNOWN                                 ? rank
                                                                 : 0;
    return less(rank, axes);
}

static int constant(const ranker *r)
{
    const Onnx__AttributeProto *attr = r->node->n_attribute == 1 ? r->node->attribute[0] : NULL;
    const char *kind = attr ? mfm_proto_text(attr->name) : "";
    if (strcmp(kind, "value") == 0 && attr->t)
        return attr->t->n_dims < MOST ? (int)attr->t->n_dims : UNKNOWN;
    const size_t length = strlen(kind);
    return length > 6 && strncmp(kind, "value_", 6) == 0 ? kind[length - 1] == 's' : UNKNOWN;
}

/* Letters after "->"; without it, or with "...", it takes more to tell. */
static int equation(const ranker *r)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(r->node, "equation");
    int count = UNKNOWN;
    for (size_t i = 0; attr && i < attr->s.len; i++) {
        const uint8_t c = attr->s.data[i];
        if (c == '.' || count == MOST)
            return UNKNOWN;
        if (c == '>' && count == UNKNOWN)
            count = 0;
        else if (count != UNKNOWN && c != ' ')
            count++;
    }
    return count;
}

static int rank_by(const ranker *r, enum rule rule)
{
    const int rank = rank_of(r, 0), other = rank_of(r, 1);
    switch (rule) {
    case SAME:
        return rank;
    case BROADCAST:
        return broadcast(r);
    case TWO:
        return 2;
    case ONE:
        return 1;
    case ZERO:
        return 0;
    case PRODUCT:
        return product(rank, other);
    case REDUCE:
        return reduce(r);
    case ARGUMENT:
        return mfm_proto_int(r->node, "keepdims", 1) ? rank : less(rank, 1);
    case SQUEEZE:
        return less(rank, count_axes(r, UNKNOWN));
    case UNSQUEEZE: {
        const int axes = count_axes(r, UNKNOWN);
        return rank == UNKNOWN || axes == UNKNOWN ? UNKNOWN : rank + axes;
    }
    case AS_LISTED:
        return length_of(r, 1);
    case AS_LISTED_0:
        return length_of(r, 0);
    case EXPAND: {
        const int length = length_of(r, 1);
        return rank == UNKNOWN || length == UNKNOWN ? UNKNOWN : rank > length ? rank : length;
    }
    case GATHER:
        return rank < 1 || other == UNKNOWN ? UNKNOWN : rank - 1 + other;
    case CONSTANT:
        return constant(r);
    case EQUATION:
        return equation(r);
    case RULES:
        break;
    }
    return UNKNOWN;
}

/* One bound of a Slice of a vector, as a place in it; false when it is not constant. */
static bool bound(const ranker *r, const char *attribute, size_t input, int length, int64_t *at)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(r->node, attribute);
    int64_t given[MFM_LINK_RANK];
    size_t count = 0;
    if (attr && attr->n_ints == 1)
        *at = attr->ints[0];
    else if (mfm_links_ints(r->links, mfm_links_input(r->links, r->at, input), given, &count) &&
             count == 1)
        *at = given[0];
    else
        return false;
    *at += *at < 0 ? length : 0;
    *at = *at < 0 ? 0 : *at > length ? length : *at;
    return true;
}

/* Of a part of a vector, in steps of one. */
static int slice(const ranker *r)
{
    const int length = length_of(r, 0);
    const mfm_link *steps = mfm_links_input(r->links, r->at, 4);
    int64_t first, end, step[MFM_LINK_RANK];
    size_t count;
    if (length == UNKNOWN || !bound(r, "starts", 1, length, &first) ||
        !bound(r, "ends", 2, length, &end))
        return UNKNOWN;
    if (steps && !(mfm_links_ints(r->links, steps, step, &count) && count == 1 && step[0] == 1))
        return UNKNOWN;
    return end > first ? (int)(end - first) : 0;
}

/* Lengths are followed where shapes are put together from pieces. */
static int length_by(const ranker *r)
{
    const Onnx__NodeProto *node = r->node;
    int total = 0;
    if (mfm_proto_is(node, "Shape") && node->n_attribute == 0)
        return rank_of(r, 0);
    if (mfm_proto_is(node, "Unsqueeze"))
        return 1;
    if (mfm_proto_is(node, "Slice"))
        return slice(r);
    if (mfm_proto_is(node, "Gather"))
        return rank_of(r, 1) == 1 ? length_of(r, 1) : UNKNOWN;
    if (mfm_proto_is(node, "Constant")) {
        const Onnx__AttributeProto *attr = node->n_attribute == 1 ? node->attribute[0] : NULL;
        const size_t n = !attr     ? MOST
                         : attr->t ? (size_t)attr->t->dims[0]
                                   : attr->n_ints + attr->n_floats + attr->n_strings;
        return n < MOST ? (int)n : UNKNOWN;
    }
    if (mfm_proto_is(node, "Concat")) {
        for (size_t i = 0; i < node->n_input && total < MOST; i++) {
            const int length = length_of(r, i);
            if (length == UNKNOWN)
                return UNKNOWN;
            total += length;
        }
        return total < MOST ? total : UNKNOWN;
    }
    return mfm_proto_is(node, "Cast") || mfm_proto_is(node, "Identity") ? length_of(r, 0) : UNKNOWN;
}

/* RULES for an operator that is not known, or of another domain. */
static enum rule rule_of(const Onnx__NodeProto *node)
{
    const char *type = mfm_proto_text(node->op_type);
    int rule = mfm_proto_is(node, type) ? 0 : RULES;
    while (rule < RULES && !mfm_proto_lists(operators[rule], type))
        rule++;
    return (enum rule)rule;
}

/* Second outputs (indices, statistics) are left unknown, but for those that are like the first. */
static void rank_node(ranker *r)
{
    const int found = rank_by(r, rule_of(r->node)), rank = found > MOST ? UNKNOWN : found;
    const int length = rank == 1 ? length_by(r) : UNKNOWN;
    const bool alike = mfm_proto_is(r->node, "Split") || mfm_proto_is(r->node, "Dropout");
    for (size_t k = 0; k < (alike ? r->node->n_output : 1); k++) {
        const mfm_link *value = mfm_links_output(r->links, r->at, k);
        if (!value)
            continue;
        r->links->values[value - r->links->values].rank = rank;
        r->lengths[value - r->links->values] = length;
    }
}

/* What is given to the graph. */
static void rank_given(ranker *r)
{
    const Onnx__GraphProto *graph = r->links->model->proto->graph;
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TypeProto *type = graph->input[i]->type;
        size_t number;
        if (type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
            type->tensor_type->shape && type->tensor_type->shape->n_dim < MOST &&
            mfm_strmap_get(&r->links->map, mfm_proto_text(graph->input[i]->name), &number))
            r->links->values[number].rank = (int)type->tensor_type->shape->n_dim;
    }
    for (size_t i = 0; i < r->links->n_values; i++) {
        mfm_link *value = &r->links->values[i];
        if (!value->initializer || value->initializer->n_dims >= MOST)
            continue;
        value->rank = (int)value->initializer->n_dims;
        if (value->rank == 1 && value->initializer->dims[0] >= 0 &&
            value->initializer->dims[0] < MOST)
            r->lengths[i] = (int)value->initializer->dims[0];
    }
}

int mfm_links_find_ranks(mfm_links *links)
{
    const Onnx__GraphProto *graph = links->model->proto->graph;
    ranker r = {.links = links};
    r.lengths = mfm_alloc(links->model->ctx, links->n_values, sizeof *r.lengths);
    if (!r.lengths)
        return MFM_ENOMEM;
    for (size_t i = 0; i < links->n_values; i++) {
        links->values[i].rank = UNKNOWN;
        r.lengths[i] = UNKNOWN;
    }
    rank_given(&r);
    for (r.at = 0; r.at < graph->n_node; r.at++) {
        r.node = graph->node[r.at];
        rank_node(&r);
    }
    mfm_free(links->model->ctx, r.lengths);
    return MFM_OK;
}
