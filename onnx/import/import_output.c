/*
 * The end of a network: which value holds the logits.
 *
 * Training takes the softmax of the logits as the probabilities of the classes, and its loss is
 * their cross-entropy. So that this is the cross-entropy of what the file says, one Softmax at the
 * end of the file is left out, also behind nodes that only lay its numbers out anew, provided that
 * its sums run over exactly the classes of an image. The softmax of a LogSoftmax, and of the Log of
 * a Softmax, is the softmax of what goes in: these are left out as well. Nothing more is: of two
 * Softmax in a row the first is part of the network.
 *
 * One number z for each image is that of a classifier of two classes: sigmoid(z) is the probability
 * of class 1, which is what the softmax of (0, z) gives. These are its logits, then, and their
 * cross-entropy is the binary one of the file's output.
 */

#include "onnx/import/import_parts.h"

static const mfm_graph_node *producer(const mfm_importer *im, int value)
{
    const mfm_value *v = &im->graph->values[value];
    return v->kind == MFM_VALUE_NODE ? &im->graph->nodes[v->producer] : NULL;
}

static bool has_trait(const mfm_graph_node *node, unsigned any)
{
    return node && mfm_has_trait(node->op, any);
}

/* Only lays its numbers out anew, in inference. */
static bool is_layout(const mfm_graph_node *node)
{
    return has_trait(node, MFM_SAME_ORDER | MFM_OTHER_ORDER);
}

/* Whether each sum of a Softmax or LogSoftmax runs over all numbers of one image: every axis but
 * the batch is among the summed ones or has length 1. */
static bool sums_over_classes(const mfm_graph_node *node, const mfm_shape *shape)
{
    int64_t first = (int64_t)mfm_attr_number(node->op, node->attr, "axis", -1);
    first += first < 0 ? shape->rank : 0;
    const int64_t last = node->opset < 13 ? shape->rank - 1 : first;
    for (int i = 1; i < shape->rank; i++)
        if ((i < first || i > last) && shape->dim[i] != 1)
            return false;
    return first > 0;
}

static const char *node_title(const mfm_importer *im, const mfm_graph_node *node)
{
    return node->name[0] ? node->name : im->graph->values[node->out[0]].name;
}

/* A walk from the file's output towards the image. */
typedef struct ending {
    mfm_importer *im;
    const mfm_shape *shapes; /* at batch PROBE */
    int value;               /* so far */
    int *layouts;            /* the nodes passed that only lay out, from the output on */
    size_t n_layouts;
} ending;

enum { PROBE = 2 };

static void pass_layouts(ending *e)
{
    for (const mfm_graph_node *node; is_layout(node = producer(e->im, e->value));
         e->value = node->in[0])
        e->layouts[e->n_layouts++] = e->im->graph->values[e->value].producer;
}

/* The Softmax, LogSoftmax, or Softmax under a Log (*log for the last two), whose result the value
 * is; NULL. */
static const mfm_graph_node *pass_softmax(ending *e, bool *log)
{
    pass_layouts(e);
    const mfm_graph_node *node = producer(e->im, e->value);
    *log = has_trait(node, MFM_LOGARITHM | MFM_LOG_SOFTMAX);
    if (has_trait(node, MFM_LOGARITHM)) {
        e->value = node->in[0];
        pass_layouts(e);
        node = producer(e->im, e->value);
        return has_trait(node, MFM_SOFTMAX) ? node : NULL;
    }
    return has_trait(node, MFM_SOFTMAX) || *log ? node : NULL;
}

static int refuse_softmax(const ending *e, const mfm_graph_node *node)
{
    char text[MFM_SHAPE_TEXT];
    return mfm_fail(e->im->ctx, MFM_ENOTSUP,
                    "%s: %s '%s' at the end: of %s it does not sum over exactly the classes of an "
                    "image: what it gives are not their probabilities",
                    mfm_model_path(e->im->model), node->op->name, node_title(e->im, node),
                    mfm_shape_text(&e->shapes[node->in[0]], text));
}

/* Lays a value out as the first `count` of the nodes passed did. A Dropout is none in inference. */
static int lay_out(const ending *e, size_t count, int *value)
{
    int status = MFM_OK;
    for (size_t i = count; i-- > 0 && !status;) {
        const mfm_graph_node node = e->im->graph->nodes[e->layouts[i]];
        if (node.op->random)
            mfm_warn(e->im->ctx, "%s: Dropout '%s' after the Softmax: left out of training",
                     mfm_model_path(e->im->model), node_title(e->im, &node));
        else
            status = mfm_graph_add(e->im->graph, node.op, node.opset, node.name, node.attr, value,
                                   1, NULL, 1, value);
    }
    return status;
}

/* The logits behind the file's output, as the head of this file says; the output itself when there
 * is no Softmax at its end. */
static int before_softmax(ending *e, int *logits)
{
    size_t passed = 0;
    *logits = e->value;
    for (bool first = true;; first = false) {
        bool log;
        const mfm_graph_node *node = pass_softmax(e, &log);
        if (!node)
            break;
        if (!first && !log) {
            mfm_warn(e->im->ctx,
                     "%s: two Softmax in a row: the loss is of the last, as in the file",
                     mfm_model_path(e->im->model));
            break;
        }
        if (!sums_over_classes(node, &e->shapes[node->in[0]])) {
            if (first)
                return refuse_softmax(e, node);
            break;
        }
        *logits = e->value = node->in[0];
        passed = e->n_layouts;
    }
    return lay_out(e, passed, logits);
}

/* ---- one number for each image --------------------------------------------------------------- */

/* (0, z) of z [n, 1]. */
static int add_class_0(mfm_importer *im, int *value)
{
    static const real both[2] = {0, 1};
    const mfm_shape shape = mfm_shape_of(2, 1, 2);
    const char *const names[1] = {"logits.two"};
    int in[2] = {*value, -1};
    const int status = mfm_graph_const(im->graph, "logits.two.factors", &shape, both, &in[1]);
    return status ? status
                  : mfm_graph_add(im->graph, mfm_op_find("", "Mul", 14), 14, "logits.two", NULL, in,
                                  2, names, 1, value);
}

/* The number whose Sigmoid the output is; without one, the output itself. */
static int before_sigmoid(ending *e, int *z)
{
    *z = e->value;
    pass_layouts(e);
    const mfm_graph_node *node = producer(e->im, e->value);
    if (has_trait(node, MFM_SOFTMAX | MFM_LOG_SOFTMAX))
        return mfm_fail(e->im->ctx, MFM_ENOTSUP,
                        "%s: %s '%s' at the end: of one number for each image, it always gives the "
                        "same: a classifier of two classes has two logits, or one and a Sigmoid",
                        mfm_model_path(e->im->model), node->op->name, node_title(e->im, node));
    if (!has_trait(node, MFM_LOGISTIC)) {
        mfm_warn(
            e->im->ctx,
            "%s: output '%s': one number for each image, and no Sigmoid: taken as the logit of "
            "class 1 of two classes, as if one followed",
            mfm_model_path(e->im->model), e->im->output);
        return MFM_OK;
    }
    *z = node->in[0];
    return lay_out(e, e->n_layouts, z);
}

/* ---- outputs that are no logits, as it seems ------------------------------------------------- */

static bool takes_parameters(const mfm_importer *im, const mfm_graph_node *node)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && im->graph->values[node->in[i]].kind == MFM_VALUE_PARAM)
            return true;
    return false;
}

/* Per value: made of results of Softmax or Sigmoid alone, by nodes without parameters. The
 * logarithm of a probability is a logit. */
static void find_probabilities(const mfm_importer *im, bool *probability)
{
    for (size_t i = 0; i < im->graph->n_nodes; i++) {
        const mfm_graph_node *node = &im->graph->nodes[i];
        const bool made = has_trait(node, MFM_PROBABILITIES);
        bool all = !has_trait(node, MFM_LOGARITHM);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0 && im->on_images[node->in[k]])
                all &= probability[node->in[k]];
        all &= im->on_images[node->out[0]] && !takes_parameters(im, node);
        for (int k = 0; k < node->n_out; k++)
            probability[node->out[k]] = made || all;
    }
}

static int warn_of_probabilities(mfm_importer *im, int logits)
{
    bool *probability = mfm_alloc(im->ctx, im->graph->n_values, sizeof *probability);
    if (!probability)
        return MFM_ENOMEM;
    find_probabilities(im, probability);
    const mfm_graph_node *node = producer(im, logits);
    if (node && probability[logits])
        mfm_warn(im->ctx,
                 "%s: output '%s' seems to be probabilities (%s '%s'): training takes them as "
                 "logits, its loss is the cross-entropy of their softmax",
                 mfm_model_path(im->model), im->output, node->op->name, node_title(im, node));
    mfm_free(im->ctx, probability);
    return MFM_OK;
}

/* ---- the output ------------------------------------------------------------------------------ */

/* [n, classes, 1, 1] becomes [n, classes], and [n] becomes [n, 1]. */
static int flatten_logits(mfm_importer *im, int *value)
{
    const mfm_op *op = mfm_op_find("", "Flatten", 13);
    const char *const names[1] = {"logits.flat"};
    return mfm_graph_add(im->graph, op, 13, "logits.flat", NULL, value, 1, names, 1, value);
}

static int check_classes(mfm_importer *im, const mfm_shape *shape)
{
    const bool flat = shape->rank == 1 || shape->rank == 2;
    const bool map = shape->rank == 4 && shape->dim[2] == 1 && shape->dim[3] == 1;
    const int64_t numbers = mfm_shape_count(shape) / PROBE; /* of an image */
    char text[MFM_SHAPE_TEXT];
    if ((!flat && !map) || shape->dim[0] != PROBE || numbers < 1)
        return mfm_fail(im->ctx, MFM_ENOTSUP,
                        "%s: output '%s': shape %s at batch 2: a classifier gives [batch, classes]",
                        mfm_model_path(im->model), im->output, mfm_shape_text(shape, text));
    im->network->one_number = numbers == 1;
    im->network->classes = numbers == 1 ? 2 : numbers;
    if (im->info && im->info->classes != im->network->classes)
        return mfm_fail(im->ctx, MFM_EDATA,
                        "%s: the modulator is for %lld classes, the model has %lld",
                        mfm_model_path(im->model), (long long)im->info->classes,
                        (long long)im->network->classes);
    return MFM_OK;
}

static int find_logits(mfm_importer *im, const mfm_shape *shapes, int output)
{
    int *logits = &im->network->logits;
    ending e = {.im = im, .shapes = shapes, .value = output};
    e.layouts = mfm_alloc(im->ctx, im->graph->n_nodes, sizeof *e.layouts);
    if (!e.layouts)
        return MFM_ENOMEM;
    int status = check_classes(im, &shapes[output]);
    const bool one = im->network->one_number;
    if (!status)
        status = one ? before_sigmoid(&e, logits) : before_softmax(&e, logits);
    if (!status && *logits == output)
        status = warn_of_probabilities(im, output);
    if (!status && shapes[output].rank != 2)
        status = flatten_logits(im, logits);
    if (!status && one)
        status = add_class_0(im, logits);
    mfm_free(im->ctx, e.layouts);
    return status;
}

int mfm_import_outputs(mfm_importer *im)
{
    const mfm_binding *output = mfm_import_find(im, im->output);
    if (!output || output->value < 0 || !im->on_images[output->value])
        return mfm_fail(im->ctx, MFM_EDATA, "%s: output '%s': does not depend on the image",
                        mfm_model_path(im->model), im->output);
    mfm_shape *shapes = mfm_alloc(im->ctx, im->graph->n_values, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    int status = mfm_graph_shapes(im->graph, PROBE, false, shapes);
    if (status)
        status = mfm_fail_in(im->ctx, status, "%s", mfm_model_path(im->model));
    else
        status = find_logits(im, shapes, output->value);
    mfm_free(im->ctx, shapes);
    return status;
}
