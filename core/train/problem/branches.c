#include "core/train/problem/branches.h"

#include <string.h>

#include "core/train/problem/chain.h"
#include "core/train/problem/split_network.h"

/* The inputs' names; a network's own values cannot take them: they are found as inputs. */
static const char images_name[] = "bbn.images", labels_name[] = "bbn.labels",
                  share_name[] = "bbn.share", features_name[] = "bbn.features";

/* Copies of nodes have masks of their own: keys beyond those of the network. */
enum { COPY_KEY = 1 << 30, MOST_OUTPUTS = MFM_MAX_INTS };

typedef struct builder {
    mfm_problem *p;
    mfm_graph *main;
    size_t n_nodes;                /* of the plain path */
    size_t n_values;               /* likewise */
    int conventional, rebalancing; /* features */
    uint8_t *above;                /* by value: f_c, f_r, or both are made from it */
    int *copy;                     /* by value: what stands for it in the copy under way */
    mfm_branch_inputs inputs;
    int share, rest; /* a and 1 - a */
} builder;

enum { OF_CONVENTIONAL = 1, OF_REBALANCING = 2 };

static int find_input(const mfm_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_INPUT && strcmp(graph->values[i].name, name) == 0)
            return (int)i;
    return -1;
}

mfm_branch_inputs mfm_problem_branch_inputs(const mfm_problem *p)
{
    return (mfm_branch_inputs){.images = find_input(p->main, images_name),
                               .labels = find_input(p->main, labels_name),
                               .share = find_input(p->main, share_name),
                               .features = find_input(p->main, features_name)};
}

static int find_features(builder *b)
{
    const mfm_classifier *c = &b->p->classifier;
    int status = mfm_classifier_need(b->p->ctx, c, "two branches");
    if (status)
        return status;
    const mfm_value *both = &b->main->values[c->features];
    const mfm_graph_node *node =
        both->kind == MFM_VALUE_NODE ? &b->main->nodes[both->producer] : NULL;
    if (!node || !mfm_has_trait(node->op, MFM_JOINS) || node->n_in != 2)
        return mfm_fail(b->p->ctx, MFM_EINVAL,
                        "the classifier does not read the features of two branches side by side");
    b->conventional = node->in[0];
    b->rebalancing = node->in[1];
    return MFM_OK;
}

static void mark(const builder *b, int features, uint8_t bit)
{
    b->above[features] |= bit;
    for (size_t i = b->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &b->main->nodes[i];
        bool needed = false;
        for (int j = 0; j < node->n_out; j++)
            needed |= b->above[node->out[j]] & bit;
        for (int j = 0; needed && j < node->n_in; j++)
            if (node->in[j] >= 0)
                b->above[node->in[j]] |= bit;
    }
}

/* What makes f_c is part of the objective; the rest of the plain path is evaluated only. */
static void set_segments(const builder *b)
{
    for (size_t i = 0; i < b->n_nodes; i++)
        b->main->nodes[i].segment = b->above[b->main->nodes[i].out[0]] & OF_CONVENTIONAL
                                        ? MFM_SEGMENT_SHARED
                                        : MFM_SEGMENT_PLAIN;
}

/* An input like another. */
static int add_like(builder *b, const char *name, int other, int *input)
{
    const mfm_shape shape = b->main->values[other].shape;
    return mfm_graph_input(b->main, name, MFM_DATA, &shape, input);
}

/* The features follow each other. */
static int add_inputs(builder *b)
{
    const mfm_shape labels = mfm_shape_of(1, -1), scalar = mfm_shape_of(0);
    const mfm_prefix *prefix = &b->p->prefix;
    int status = MFM_OK;
    if (b->p->images >= 0)
        status = add_like(b, images_name, b->p->images, &b->inputs.images);
    for (size_t i = 0; i < prefix->n && !status; i++) {
        int input;
        status = add_like(b, features_name, prefix->inputs[i], &input);
        b->inputs.features = i ? b->inputs.features : input;
    }
    if (!status)
        status = mfm_graph_input(b->main, labels_name, MFM_INDEX, &labels, &b->inputs.labels);
    if (!status)
        status = mfm_graph_input(b->main, share_name, MFM_DATA, &scalar, &b->inputs.share);
    return status;
}

/* A copy of node number `at` on the values of b->copy. */
static int copy_node(builder *b, size_t at)
{
    const mfm_graph_node node = b->main->nodes[at];
    int out[MOST_OUTPUTS];
    int *in = mfm_alloc(b->p->ctx, (size_t)node.n_in, sizeof *in);
    int status = !in ? MFM_ENOMEM
                 : node.n_out > MOST_OUTPUTS
                     ? mfm_fail(b->p->ctx, MFM_ENOTSUP, "%s '%s': %d outputs: at most %d",
                                node.op->name, node.name, node.n_out, MOST_OUTPUTS)
                     : MFM_OK;
    for (int j = 0; !status && j < node.n_in; j++)
        in[j] = node.in[j] < 0 ? -1 : b->copy[node.in[j]] >= 0 ? b->copy[node.in[j]] : node.in[j];
    if (!status)
        status = mfm_graph_add(b->main, node.op, node.opset, node.name, node.attr, in, node.n_in,
                               NULL, node.n_out, out);
    mfm_free(b->p->ctx, in);
    if (status)
        return status;
    mfm_graph_node *added = &b->main->nodes[b->main->n_nodes - 1];
    added->segment = MFM_SEGMENT_OBJECTIVE;
    added->key = (uint32_t)(COPY_KEY + at);
    added->inference = node.inference;
    for (int j = 0; j < node.n_out; j++)
        b->copy[node.out[j]] = out[j];
    return MFM_OK;
}

/* f_r of the other batch. */
static int copy_rebalancing(builder *b)
{
    int status = MFM_OK;
    if (b->p->images >= 0)
        b->copy[b->p->images] = b->inputs.images;
    for (size_t i = 0; i < b->p->prefix.n; i++)
        b->copy[b->p->prefix.inputs[i]] = b->inputs.features + (int)i;
    for (size_t i = 0; i < b->n_nodes && !status; i++)
        if (b->above[b->main->nodes[i].out[0]] & OF_REBALANCING)
            status = copy_node(b, i);
    return status;
}

static int constant(const builder *b, double number, int *value)
{
    const mfm_shape scalar = mfm_shape_of(0);
    const real data = (real)number;
    return mfm_graph_const(b->main, "bbn.constant", &scalar, &data, value);
}

static int product(const builder *b, int a, int c, int *value)
{
    mfm_chain chain = {
        .graph = b->main, .segment = MFM_SEGMENT_OBJECTIVE, .name = "bbn.product", .last = a};
    mfm_chain_add(&chain, "Mul", NULL, c, -1);
    *value = chain.last;
    return chain.status;
}

/* 2 [a f_c ; (1 - a) f_r] takes the place of [f_c ; f_r]. */
static int add_mixture(builder *b, int rebalancing)
{
    int one, two, part[2], factor;
    int status = constant(b, 1, &one);
    if (!status)
        status = constant(b, 2, &two);
    b->share = b->inputs.share;
    mfm_chain c = {.graph = b->main,
                   .segment = MFM_SEGMENT_OBJECTIVE,
                   .name = "bbn.mixture",
                   .last = one,
                   .status = status};
    mfm_chain_add(&c, "Sub", NULL, b->share, -1);
    b->rest = c.last;
    status = c.status ? c.status : product(b, b->share, two, &factor);
    if (!status)
        status = product(b, b->conventional, factor, &part[0]);
    if (!status)
        status = product(b, b->rest, two, &factor);
    if (!status)
        status = product(b, rebalancing, factor, &part[1]);
    if (status)
        return status;
    c.last = part[0];
    mfm_chain_add(&c, "Concat", "axis=1", part[1], -1);
    b->copy[b->p->classifier.features] = c.last;
    return c.status;
}

/* z: what is made of the features, with what is made of its weights alone, on the mixture. */
static int copy_head(builder *b)
{
    const int features = b->p->classifier.features;
    int status = MFM_OK;
    for (size_t i = 0; i < b->n_nodes && !status; i++) {
        const int out = b->main->nodes[i].out[0];
        if (!b->above[out] && out != features)
            status = copy_node(b, i);
    }
    return status;
}

/* E(z, labels), its mean over the batch. */
static int add_loss(builder *b, const char *name, int logits, int labels, mfm_path *path)
{
    mfm_problem *p = b->p;
    *path = (mfm_path){.logits = logits, .adjusted = -1, .losses = -1, .loss = -1};
    int status = mfm_problem_add_losses_on(p, MFM_SEGMENT_OBJECTIVE, name, labels, path);
    return status ? status
                  : mfm_problem_add_mean_on(p, MFM_SEGMENT_OBJECTIVE, name, labels, -1, path);
}

/* L = a E(z, y_c) + (1 - a) E(z, y_r). */
static int add_objective(builder *b)
{
    const int logits = b->copy[b->p->plain.logits];
    mfm_path conventional, rebalancing;
    int part[2] = {-1, -1};
    int status = add_loss(b, "bbn.conventional", logits, -1, &conventional);
    if (!status)
        status = add_loss(b, "bbn.rebalancing", logits, b->inputs.labels, &rebalancing);
    if (!status)
        status = product(b, conventional.loss, b->share, &part[0]);
    if (!status)
        status = product(b, rebalancing.loss, b->rest, &part[1]);
    mfm_chain c = {.graph = b->main,
                   .segment = MFM_SEGMENT_OBJECTIVE,
                   .name = "bbn.loss",
                   .last = part[0],
                   .status = status};
    mfm_chain_add(&c, "Add", NULL, part[1], -1);
    b->p->objective = conventional;
    b->p->objective.loss = c.last;
    return c.status;
}

static int build(builder *b)
{
    int status = find_features(b);
    if (!status)
        status = add_inputs(b);
    if (status)
        return status;
    mark(b, b->conventional, OF_CONVENTIONAL);
    mark(b, b->rebalancing, OF_REBALANCING);
    set_segments(b);
    status = copy_rebalancing(b);
    const int rebalancing = b->copy[b->rebalancing];
    for (size_t i = 0; i < b->n_values; i++)
        b->copy[i] = -1;
    if (!status)
        status = add_mixture(b, rebalancing);
    if (!status)
        status = copy_head(b);
    if (!status)
        status = add_objective(b);
    return status ? status : mfm_problem_finish(b->p);
}

int mfm_problem_of_branches(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                            mfm_problem **problem)
{
    int status = mfm_problem_of_network(ctx, network, spec, problem);
    if (status)
        return status;
    builder b = {.p = *problem, .main = (*problem)->main};
    b.n_nodes = b.main->n_nodes;
    b.n_values = b.main->n_values;
    const size_t values = b.n_values + 3 + b.p->prefix.n;
    b.above = mfm_alloc(ctx, values, 1);
    b.copy = mfm_alloc(ctx, values, sizeof *b.copy);
    for (size_t i = 0; b.copy && i < values; i++)
        b.copy[i] = -1;
    status = b.above && b.copy ? build(&b) : MFM_ENOMEM;
    mfm_free(ctx, b.above);
    mfm_free(ctx, b.copy);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}
