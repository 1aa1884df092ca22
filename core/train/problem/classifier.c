#include "core/train/problem/classifier.h"

#include <math.h>

static const mfm_graph_node *producer(const mfm_graph *graph, int value)
{
    const mfm_value *v = &graph->values[value];
    return v->kind == MFM_VALUE_NODE ? &graph->nodes[v->producer] : NULL;
}

static bool has_trait(const mfm_graph_node *node, enum mfm_trait trait)
{
    return node && mfm_has_trait(node->op, trait);
}

/* Each number goes on as it is, where it is. */
static bool is_identity(const mfm_graph_node *node)
{
    return has_trait(node, MFM_SAME_ORDER) && node->op->batch == MFM_BATCH_ALL && !node->op->random;
}

static bool is_param(const mfm_graph *graph, int value)
{
    return value >= 0 && graph->values[value].kind == MFM_VALUE_PARAM;
}

static bool set_weight(mfm_classifier *c, int weight, bool by_class)
{
    const mfm_shape *shape = &c->graph->values[weight].shape;
    if (!is_param(c->graph, weight) || shape->rank != 2)
        return false;
    c->by_class = by_class;
    c->classes = shape->dim[by_class ? 0 : 1];
    c->width = shape->dim[by_class ? 1 : 0];
    c->weight = weight;
    return true;
}

/* A bias of one number a class; one that is made, or stretched, is no part of the layer. */
static bool set_bias(mfm_classifier *c, int bias)
{
    if (!is_param(c->graph, bias) || mfm_shape_count(&c->graph->values[bias].shape) != c->classes)
        return false;
    c->bias = bias;
    return true;
}

static double number_of(const mfm_graph_node *node, const char *name, double fallback)
{
    return mfm_attr_number(node->op, node->attr, name, fallback);
}

static bool match_product(mfm_classifier *c, const mfm_graph_node *node)
{
    if (number_of(node, "alpha", 1) != 1 || number_of(node, "beta", 1) != 1 ||
        number_of(node, "transA", 0) != 0 || !is_param(c->graph, node->in[1]) ||
        !set_weight(c, node->in[1], number_of(node, "transB", 0) != 0))
        return false;
    c->features = node->in[0];
    return node->n_in < 3 || node->in[2] < 0 || set_bias(c, node->in[2]);
}

static bool match_sum(mfm_classifier *c, const mfm_graph_node *node)
{
    for (int side = 0; side < 2; side++) {
        const mfm_graph_node *product = producer(c->graph, node->in[side]);
        if (has_trait(product, MFM_MATRIX) && match_product(c, product) && c->bias < 0)
            return set_bias(c, node->in[1 - side]);
    }
    return false;
}

mfm_classifier mfm_classifier_find(const mfm_network *network)
{
    const mfm_graph *graph = network->graph;
    const mfm_classifier none = {.graph = graph,
                                 .features = -1,
                                 .weight = -1,
                                 .bias = -1,
                                 .one_number = network->one_number};
    mfm_classifier c = none;
    const mfm_graph_node *node = producer(graph, network->logits);
    while (is_identity(node))
        node = producer(graph, node->in[0]);
    const bool found = (has_trait(node, MFM_MATRIX) && match_product(&c, node)) ||
                       (has_trait(node, MFM_ADDS) && match_sum(&c, node));
    return found ? c : none;
}

mfm_classifier mfm_classifier_in(const mfm_graph *graph, const mfm_classifier *c)
{
    mfm_classifier in = *c;
    in.graph = graph;
    in.features = -1;
    if (c->weight >= 0)
        in.weight = mfm_graph_find(graph, c->graph->values[c->weight].name);
    if (c->bias >= 0)
        in.bias = mfm_graph_find(graph, c->graph->values[c->bias].name);
    return in;
}

int mfm_classifier_need(mfm_ctx *ctx, const mfm_classifier *c, const char *what)
{
    if (c->weight >= 0)
        return MFM_OK;
    if (c->one_number)
        return mfm_fail(ctx, MFM_ENOTSUP,
                        "%s: it changes the weights of each class, and the model gives one number "
                        "for both: onnx-mfm head --classes 2 gives it a layer of two",
                        what);
    return mfm_fail(ctx, MFM_ENOTSUP,
                    "%s: the logits are not made by a fully connected layer (Gemm, or MatMul and "
                    "Add) with weights of its own: it changes that layer",
                    what);
}

size_t mfm_classifier_at(const mfm_classifier *c, int64_t class, int64_t f)
{
    const size_t offset = c->graph->values[c->weight].offset;
    return offset + (size_t)(c->by_class ? class * c->width + f : f * c->classes + class);
}

size_t mfm_classifier_bias_at(const mfm_classifier *c, int64_t class)
{
    return c->graph->values[c->bias].offset + (size_t) class;
}

double mfm_classifier_norm(const mfm_classifier *c, const real *params, int64_t class)
{
    double sum = 0;
    for (int64_t f = 0; f < c->width; f++) {
        const double w = (double)params[mfm_classifier_at(c, class, f)];
        sum += w * w;
    }
    return sqrt(sum);
}

void mfm_classifier_scale(const mfm_classifier *c, real *params, int64_t class, double scale)
{
    for (int64_t f = 0; f < c->width; f++) {
        real *w = &params[mfm_classifier_at(c, class, f)];
        *w = (real)((double)*w * scale);
    }
}

void mfm_classifier_drop_bias(const mfm_classifier *c, real *params)
{
    for (int64_t k = 0; c->bias >= 0 && k < c->classes; k++)
        params[mfm_classifier_bias_at(c, k)] = 0;
}

/* ---- cosines ----------------------------------------------------------------------------------
 */

/* Nodes at the end of a network. */
typedef struct writer {
    mfm_graph *graph;
    int status; /* sticky */
} writer;

static int add(writer *w, const char *op_type, const char *name, const char *const *attrs, int a,
               int b, int c)
{
    enum { OPSET = 13 };
    const mfm_op *op = mfm_op_find("", op_type, OPSET);
    const int in[3] = {a, b, c}, n_in = c >= 0 ? 3 : b >= 0 ? 2 : 1;
    int out = -1;
    void *attr = NULL;
    if (w->status)
        return -1;
    if (op->attr_size) {
        attr = mfm_alloc(w->graph->ctx, 1, op->attr_size);
        w->status = attr ? MFM_OK : MFM_ENOMEM;
        if (attr)
            mfm_attr_defaults(op, attr);
    }
    for (; attrs && *attrs && !w->status; attrs += 2)
        w->status = mfm_attr_parse(w->graph->ctx, op, attr, attrs[0], attrs[1]);
    if (!w->status)
        w->status = mfm_graph_add(w->graph, op, OPSET, name, attr, in, n_in, NULL, 1, &out);
    mfm_free(w->graph->ctx, attr);
    return out;
}

static int constant(writer *w, const char *name, double number)
{
    const mfm_shape scalar = mfm_shape_of(0);
    const real data = (real)number;
    int value = -1;
    if (!w->status)
        w->status = mfm_graph_const(w->graph, name, &scalar, &data, &value);
    return value;
}

/* x / sqrt(mean of x^2 along the axis + epsilon): its length is the root of the width, and a zero
 * vector stays one. */
static int normalise(writer *w, int x, const char *axis)
{
    const char *const attrs[] = {"axes", axis, "keepdims", "1", NULL};
    const int square = add(w, "Mul", "cosine.square", NULL, x, x, -1);
    const int mean = add(w, "ReduceMean", "cosine.mean", attrs, square, -1, -1);
    const int epsilon = constant(w, "cosine.epsilon", 1e-12);
    const int shifted = add(w, "Add", "cosine.shifted", NULL, mean, epsilon, -1);
    const int length = add(w, "Sqrt", "cosine.length", NULL, shifted, -1, -1);
    return add(w, "Div", "cosine.unit", NULL, x, length, -1);
}

int mfm_network_use_cosines(mfm_ctx *ctx, mfm_network *network, double scale)
{
    writer w = {.graph = network->graph};
    const mfm_classifier c = mfm_classifier_find(network);
    w.status = mfm_classifier_need(ctx, &c, "cosine classifier");
    if (w.status)
        return w.status;
    const char *const by_class[] = {"transB", "1", NULL};
    const int features = normalise(&w, c.features, "1");
    const int weight = normalise(&w, c.weight, c.by_class ? "1" : "0");
    const int factor = constant(&w, "cosine.scale", scale / (double)c.width);
    const int product =
        add(&w, "Gemm", "cosine.product", c.by_class ? by_class : NULL, features, weight, -1);
    int logits = add(&w, "Mul", "cosine.logits", NULL, product, factor, -1);
    if (c.bias >= 0) { /* the parameter stays one of the graph, without effect */
        const int none = constant(&w, "cosine.no_bias", 0);
        const int bias = add(&w, "Mul", "cosine.bias", NULL, c.bias, none, -1);
        logits = add(&w, "Add", "cosine.logits", NULL, logits, bias, -1);
    }
    if (!w.status)
        network->logits = logits;
    return w.status;
}
