#include "core/train/problem/split_network.h"

#include "core/train/problem/split_parts.h"

void mfm_network_free(mfm_ctx *ctx, mfm_network *network)
{
    if (!network)
        return;
    mfm_graph_free(network->graph);
    mfm_free(ctx, network->sites);
    mfm_free(ctx, network);
}

static void find_dependence(mfm_splitter *s)
{
    const mfm_network *n = s->network;
    s->depends[n->images] = MFM_ON_IMAGES;
    if (n->soft_label >= 0)
        s->depends[n->soft_label] = MFM_ON_MODULATION;
    if (n->toggle >= 0)
        s->depends[n->toggle] = MFM_ON_MODULATION;
    for (size_t i = 0; i < s->from->n_nodes; i++) {
        const mfm_graph_node *node = &s->from->nodes[i];
        uint8_t on = 0;
        for (int j = 0; j < node->n_in; j++)
            on |= node->in[j] >= 0 ? s->depends[node->in[j]] : 0;
        for (int j = 0; j < node->n_out; j++)
            s->depends[node->out[j]] = on;
    }
}

/* On the plain path a modulated value is the unmodulated one, which no other site makes. */
static int plain_source(const mfm_splitter *s, int value)
{
    for (size_t i = 0; i < s->network->n_sites; i++)
        if (s->network->sites[i].modulated == value)
            return s->network->sites[i].value;
    return value;
}

static void find_needs(mfm_splitter *s)
{
    s->plain_needs[plain_source(s, s->network->logits)] = 1;
    s->tail_needs[s->network->logits] = 1;
    for (size_t i = s->from->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &s->from->nodes[i];
        const bool frozen = s->frozen.prefix[i];
        const bool plain = mfm_split_needs(node, s->plain_needs),
                   tail = mfm_split_needs(node, s->tail_needs);
        const bool below = mfm_split_needs(node, s->prefix_needs) || (frozen && (plain || tail));
        for (int j = 0; j < node->n_in; j++) {
            if (node->in[j] < 0)
                continue;
            if (below)
                s->prefix_needs[node->in[j]] = 1;
            if (plain && !frozen)
                s->plain_needs[plain_source(s, node->in[j])] = 1;
            if (tail && !frozen)
                s->tail_needs[node->in[j]] = 1;
        }
    }
}

/* A node that only modulation needs must not bring parameters to where the image has been: they
 * would be trained as the classifier's own. */
static void check_modulation(mfm_splitter *s, const mfm_graph_node *node)
{
    for (int j = 0; j < node->n_in && !s->status; j++) {
        const mfm_value *value = node->in[j] < 0 ? NULL : &s->from->values[node->in[j]];
        if (value && value->kind == MFM_VALUE_PARAM)
            s->status = mfm_fail(s->ctx, MFM_ENOTSUP,
                                 "%s '%s': the modulator's parameter '%s' meets values made from "
                                 "the image: gamma and beta must depend on the soft label alone",
                                 node->op->name, node->name, value->name);
    }
}

/* ---- the plain path -------------------------------------------------------------------------- */

static int plain_argument(mfm_splitter *s, int value)
{
    if (s->depends[value] == MFM_ON_IMAGES)
        return mfm_split_from_images(s, value);
    return s->from->values[value].kind == MFM_VALUE_NODE
               ? s->plain[value]
               : mfm_split_leaf(s, s->to->main, s->plain, value);
}

static void copy_plain(mfm_splitter *s)
{
    for (size_t i = 0; i < s->from->n_nodes && !s->status; i++) {
        const mfm_graph_node *node = &s->from->nodes[i];
        if (s->frozen.prefix[i])
            continue;
        if (!mfm_split_needs(node, s->plain_needs) &&
            !(s->modulated && mfm_split_needs(node, s->tail_needs) &&
              s->depends[node->out[0]] == MFM_ON_IMAGES))
            continue;
        if (!mfm_split_needs(node, s->plain_needs))
            check_modulation(s, node);
        for (int j = 0; j < node->n_in && !s->status; j++) {
            const int value = node->in[j] < 0 ? -1 : plain_source(s, node->in[j]);
            s->arguments[j] = value < 0 ? -1 : plain_argument(s, value);
        }
        const bool tail = s->modulated && (s->depends[node->out[0]] & MFM_ON_MODULATION);
        if (!s->status)
            s->status = mfm_split_copy(s, s->to->main, node, (int)i,
                                       tail ? MFM_SEGMENT_PLAIN : MFM_SEGMENT_SHARED, s->plain);
    }
}

/* ---- the modulator --------------------------------------------------------------------------- */

static bool is_hyper(const mfm_splitter *s, int value)
{
    return value >= 0 && s->depends[value] == MFM_ON_MODULATION && value != s->network->toggle;
}

/* Training runs with the switch at 1: a product with it is its other factor, unless the switch's
 * own shape shows in it. Returns that factor's slot, -1 for any other node. */
static int switched_slot(const mfm_splitter *s, const mfm_graph_node *node)
{
    const int toggle = s->network->toggle;
    if (!mfm_has_trait(node->op, MFM_SCALES) || toggle < 0 || node->in[0] == node->in[1])
        return -1;
    const int slot = node->in[0] == toggle ? 1 : node->in[1] == toggle ? 0 : -1;
    return slot >= 0 && mfm_shape_equal(&s->shapes[node->out[0]], &s->shapes[node->in[slot]]) ? slot
                                                                                              : -1;
}

/* Parameters of the modulator may pass through nodes of their own (a Reshape of a weight), which
 * depend on nothing: they belong to the modulator when it needs them. A shift without a scale meets
 * the switch before the image: that product belongs to the tail, unless the modulator reads it. */
static void find_hyper_needs(mfm_splitter *s, uint8_t *needs)
{
    for (size_t i = s->from->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &s->from->nodes[i];
        const int slot = switched_slot(s, node);
        if (slot >= 0 && is_hyper(s, node->in[slot]) && !needs[node->out[0]]) {
            needs[node->in[slot]] |= mfm_split_needs(node, s->tail_needs);
            continue;
        }
        const bool wanted = mfm_split_needs(node, needs) ||
                            (is_hyper(s, node->out[0]) && mfm_split_needs(node, s->tail_needs));
        for (int j = 0; j < node->n_in && wanted && !(s->depends[node->out[0]] & MFM_ON_IMAGES);
             j++)
            if (node->in[j] >= 0)
                needs[node->in[j]] = 1;
        for (int j = 0; j < node->n_out && wanted; j++)
            needs[node->out[j]] |= is_hyper(s, node->out[j]);
    }
}

static void copy_modulator(mfm_splitter *s)
{
    uint8_t *needs = mfm_alloc(s->ctx, s->from->n_values, 1);
    if (!needs) {
        s->status = MFM_ENOMEM;
        return;
    }
    find_hyper_needs(s, needs);
    for (size_t i = 0; i < s->from->n_nodes && !s->status; i++) {
        const mfm_graph_node *node = &s->from->nodes[i];
        if (!mfm_split_needs(node, needs))
            continue;
        for (int j = 0; j < node->n_in && !s->status; j++) {
            const int value = node->in[j];
            if (value == s->network->toggle && value >= 0)
                s->status = mfm_fail(s->ctx, MFM_ENOTSUP,
                                     "%s '%s': the switch must only scale what is added to the "
                                     "features",
                                     node->op->name, node->name);
            const bool node_output = value >= 0 && s->from->values[value].kind == MFM_VALUE_NODE;
            s->arguments[j] = value < 0 ? -1
                              : node_output || value == s->network->soft_label
                                  ? s->hyper[value]
                                  : mfm_split_leaf(s, s->modulator, s->hyper, value);
        }
        if (!s->status)
            s->status = mfm_split_copy(s, s->modulator, node, (int)i, 0, s->hyper);
    }
    mfm_free(s->ctx, needs);
}

/* ---- the modulated tail ---------------------------------------------------------------------- */

/* Marks the batch axis of a modulation value with -1: the first, when it follows the batch. */
static int open_batch(const mfm_splitter *s, int value, mfm_shape *shape)
{
    const mfm_shape *larger = &s->larger[value];
    for (int i = 0; i < shape->rank; i++) {
        if (larger->dim[i] == shape->dim[i])
            continue;
        if (i || shape->dim[0] != MFM_SPLIT_BATCH || larger->dim[0] != MFM_SPLIT_BATCH + 1)
            return mfm_fail(s->ctx, MFM_ENOTSUP,
                            "value '%s': gamma or beta whose axis %d grows from %lld to %lld with "
                            "the batch: only the first may, as the batch itself",
                            s->from->values[value].name, i, (long long)shape->dim[i],
                            (long long)larger->dim[i]);
        shape->dim[0] = -1;
    }
    return MFM_OK;
}

/* The hyper input of the main graph that stands for an output of the modulator. */
static int hyper_input(mfm_splitter *s, int value)
{
    mfm_problem *to = s->to;
    if (s->tail[value] >= 0 || s->status)
        return s->tail[value];
    mfm_shape shape = s->shapes[value];
    s->status = open_batch(s, value, &shape);
    if (s->status)
        return -1;
    s->status =
        mfm_graph_input(to->main, s->from->values[value].name, MFM_DATA, &shape, &s->tail[value]);
    if (!s->status)
        s->status = mfm_problem_give(to, 0, s->hyper[value], s->tail[value]);
    return s->tail[value];
}

static int constant_one(mfm_splitter *s, int value)
{
    const real one = 1;
    const mfm_shape shape = {.rank = 0};
    if (s->tail[value] < 0 && !s->status)
        s->status = mfm_graph_const(s->to->main, "one", &shape, &one, &s->tail[value]);
    return s->tail[value];
}

static int tail_argument(mfm_splitter *s, int value)
{
    if (value < 0)
        return -1;
    if (value == s->network->toggle)
        return constant_one(s, value);
    if (is_hyper(s, value))
        return hyper_input(s, value);
    if (s->depends[value] & MFM_ON_MODULATION)
        return s->tail[value];
    if (s->depends[value] == MFM_ON_IMAGES && mfm_split_from_images(s, value) >= 0)
        return s->plain[value];
    if (s->from->values[value].kind != MFM_VALUE_NODE)
        return mfm_split_leaf(s, s->to->main, s->plain, value);
    if (s->plain[value] < 0 && !s->status)
        s->status = mfm_fail(s->ctx, MFM_ENOTSUP,
                             "value '%s': of a modulator, but made from neither "
                             "the image nor the soft label",
                             s->from->values[value].name);
    return s->plain[value];
}

static void copy_tail(mfm_splitter *s)
{
    for (size_t i = 0; i < s->from->n_nodes && !s->status; i++) {
        const mfm_graph_node *node = &s->from->nodes[i];
        const uint8_t on = s->depends[node->out[0]];
        const int slot = switched_slot(s, node);
        if (!mfm_split_needs(node, s->tail_needs))
            continue;
        if (slot >= 0 && is_hyper(s, node->in[slot]) && s->hyper[node->out[0]] < 0)
            s->tail[node->out[0]] = hyper_input(s, node->in[slot]);
        if (on != (MFM_ON_IMAGES | MFM_ON_MODULATION))
            continue;
        if (!mfm_split_needs(node, s->plain_needs))
            check_modulation(s, node);
        for (int j = 0; j < node->n_in && !s->status; j++)
            s->arguments[j] = tail_argument(s, node->in[j]);
        if (slot >= 0 && !s->status)
            s->tail[node->out[0]] = s->arguments[slot];
        else if (!s->status)
            s->status =
                mfm_split_copy(s, s->to->main, node, (int)i, MFM_SEGMENT_OBJECTIVE, s->tail);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int prepare(mfm_splitter *s)
{
    mfm_ctx *ctx = s->ctx;
    const size_t n = s->from->n_values;
    size_t widest = 1;
    for (size_t i = 0; i < s->from->n_nodes; i++)
        if ((size_t)s->from->nodes[i].n_in > widest)
            widest = (size_t)s->from->nodes[i].n_in;
    s->depends = mfm_alloc(ctx, 4 * n, 1);
    s->plain = mfm_alloc(ctx, 4 * n, sizeof *s->plain);
    s->shapes = mfm_alloc(ctx, 2 * n, sizeof *s->shapes);
    s->arguments = mfm_alloc(ctx, widest, sizeof *s->arguments);
    if (!s->depends || !s->plain || !s->shapes || !s->arguments)
        return MFM_ENOMEM;
    s->plain_needs = s->depends + n;
    s->tail_needs = s->plain_needs + n;
    s->prefix_needs = s->tail_needs + n;
    s->tail = s->plain + n;
    s->hyper = s->tail + n;
    s->prefix = s->hyper + n;
    s->larger = s->shapes + n;
    for (size_t i = 0; i < 4 * n; i++)
        s->plain[i] = -1;
    const int status = mfm_graph_shapes(s->network->graph, MFM_SPLIT_BATCH, true, s->shapes);
    return status ? status
                  : mfm_graph_shapes(s->network->graph, MFM_SPLIT_BATCH + 1, true, s->larger);
}

static void split_plain(mfm_splitter *s)
{
    mfm_problem *to = s->to;
    const mfm_value *images = &s->from->values[s->network->images];
    find_dependence(s);
    find_needs(s);
    if (s->frozen.any)
        mfm_split_prefix(s);
    else
        s->status = mfm_graph_input(to->main, images->name, MFM_DATA, &images->shape, &to->images);
    if (s->status)
        return;
    s->plain[s->network->images] = to->images;
    copy_plain(s);
    const int logits = plain_source(s, s->network->logits);
    to->plain.logits = s->frozen.any && !s->status && s->depends[logits] == MFM_ON_IMAGES
                           ? mfm_split_from_images(s, logits) /* all of it may be frozen */
                           : s->plain[logits];
}

/* The hyper graph is the problem's first. */
static void split_modulation(mfm_splitter *s, const char *name, int *hyper, int *input)
{
    const mfm_value *soft_label = &s->from->values[s->network->soft_label];
    s->status = mfm_graph_new(s->ctx, &s->modulator);
    if (!s->status)
        s->status = mfm_problem_add_hyper(s->to, name, MFM_HYPER_GRAPH, s->modulator, 0, hyper);
    if (!s->status)
        s->status =
            mfm_graph_input(s->modulator, soft_label->name, MFM_DATA, &soft_label->shape, input);
    if (s->status)
        return;
    s->to->hypers[*hyper].in_model = true;
    s->hyper[s->network->soft_label] = *input;
    copy_modulator(s);
    if (!s->status)
        copy_tail(s);
    s->to->objective.logits = s->tail[s->network->logits];
}

/* The classifier that the loss wants; its parameters are known by name from here on. */
static int prepare_network(const mfm_splitter *s, mfm_classifier *classifier)
{
    const mfm_loss_spec *spec = &s->to->spec;
    *classifier = mfm_classifier_find(s->network);
    if (spec->task && spec->task->classes != s->to->classes)
        return mfm_fail(s->ctx, MFM_EINVAL, "loss: %lld classes: the model has %lld",
                        (long long)spec->task->classes, (long long)s->to->classes);
    return spec->loss->prepare ? spec->loss->prepare(s->ctx, s->network, spec->chosen) : MFM_OK;
}

/* The network's classifier as the plain path has it. */
static void keep_classifier(const mfm_splitter *s, const mfm_classifier *classifier)
{
    s->to->classifier = mfm_classifier_in(s->to->main, classifier);
    if (classifier->weight >= 0)
        s->to->classifier.features = s->plain[plain_source(s, classifier->features)];
}

/* What is asked of a problem. */
typedef struct wish {
    const char *modulator; /* name of the hyper graph; NULL: the plain path alone */
    const char *features;  /* who wants the classifier's features frozen; NULL: nobody does */
} wish;

/* Evaluation, which has no loss to minimise, runs the network as one. */
static int find_frozen(mfm_splitter *s, const wish *asked, const mfm_loss_spec *spec,
                       const mfm_classifier *classifier)
{
    int status =
        asked->features ? mfm_classifier_need(s->ctx, classifier, asked->features) : MFM_OK;
    if (!status)
        status = mfm_frozen_nodes_find(s->ctx, s->network,
                                       asked->features ? classifier->features : -1, &s->frozen);
    for (size_t i = 0; !status && !spec && i < s->from->n_nodes; i++)
        s->frozen.prefix[i] = s->frozen.inference[i] = false;
    s->frozen.any &= spec != NULL;
    return status;
}

void mfm_problem_fix_features(const mfm_problem *p)
{
    for (size_t i = 0; i < p->main->n_values; i++)
        if ((int)i != p->classifier.weight && (int)i != p->classifier.bias)
            p->main->values[i].trainable = false;
}

static void clear(mfm_splitter *s)
{
    mfm_free(s->ctx, s->frozen.prefix);
    mfm_free(s->ctx, s->depends);
    mfm_free(s->ctx, s->plain);
    mfm_free(s->ctx, s->shapes);
    mfm_free(s->ctx, s->arguments);
}

static int split(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec, const wish *asked,
                 mfm_problem **problem, int *hyper, int *input)
{
    mfm_classifier classifier;
    mfm_splitter s = {.ctx = ctx,
                      .network = network,
                      .from = network->graph,
                      .modulated = asked->modulator != NULL};
    s.status = mfm_problem_new(ctx, network->classes, spec, problem);
    if (s.status)
        return s.status;
    s.to = *problem;
    s.status = prepare_network(&s, &classifier);
    if (!s.status)
        s.status = find_frozen(&s, asked, spec, &classifier);
    if (!s.status)
        s.status = prepare(&s);
    if (!s.status)
        split_plain(&s);
    if (!s.status && asked->modulator)
        split_modulation(&s, asked->modulator, hyper, input);
    if (!s.status)
        keep_classifier(&s, &classifier);
    if (!s.status && asked->features)
        mfm_problem_fix_features(*problem);
    if (!s.status && s.frozen.any)
        mfm_split_check_prefix(&s);
    clear(&s);
    if (s.status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return s.status;
}

int mfm_problem_of_network(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                           mfm_problem **problem)
{
    return split(ctx, network, spec, &(wish){.modulator = NULL}, problem, NULL, NULL);
}

int mfm_problem_of_features(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                            const char *what, mfm_problem **problem)
{
    return split(ctx, network, spec, &(wish){.features = what}, problem, NULL, NULL);
}

int mfm_problem_of_modulated(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                             const char *name, mfm_problem **problem, int *hyper, int *input)
{
    *problem = NULL;
    if (network->soft_label < 0 || !network->n_sites)
        return mfm_fail(ctx, MFM_EINVAL, "the model has no modulator: inject one");
    return split(ctx, network, spec, &(wish){.modulator = name}, problem, hyper, input);
}

int mfm_problem_plain(mfm_ctx *ctx, mfm_network *network, const mfm_loss_spec *spec,
                      mfm_problem **problem)
{
    int status = mfm_problem_of_network(ctx, network, spec, problem);
    if (!status)
        status = mfm_problem_finish(*problem);
    if (status) {
        mfm_problem_free(*problem);
        *problem = NULL;
    }
    return status;
}
