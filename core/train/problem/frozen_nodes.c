#include "core/train/problem/frozen_nodes.h"

/* What a value carries: the images; the soft label or the switch; a parameter that is trained, or
 * one that is frozen, with nodes between that only bring it into another form. */
enum { IMAGES = 1, MODULATION = 2, TRAINED = 4, FIXED = 8 };
enum { REACHED = IMAGES | MODULATION, PARAMETERS = TRAINED | FIXED };

typedef struct finder {
    const mfm_network *network;
    const mfm_graph *graph;
    uint8_t *carries; /* by value */
    bool *needed;     /* by node: some frozen layer reads what it makes, or it is one */
    mfm_frozen_nodes *nodes;
} finder;

static void mark_leaves(const finder *f)
{
    for (size_t i = 0; i < f->graph->n_values; i++)
        if (f->graph->values[i].kind == MFM_VALUE_PARAM)
            f->carries[i] = f->graph->values[i].trainable ? TRAINED : FIXED;
    f->carries[f->network->images] = IMAGES;
    if (f->network->soft_label >= 0)
        f->carries[f->network->soft_label] = MODULATION;
    if (f->network->toggle >= 0)
        f->carries[f->network->toggle] = MODULATION;
}

/* Of all inputs. */
static uint8_t read_by(const finder *f, const mfm_graph_node *node)
{
    uint8_t all = 0;
    for (int j = 0; j < node->n_in; j++)
        all |= node->in[j] >= 0 ? f->carries[node->in[j]] : 0;
    return all;
}

static void spread(const finder *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const mfm_graph_node *node = &f->graph->nodes[i];
        uint8_t all = read_by(f, node);
        if (all & REACHED)
            all &= REACHED;
        for (int j = 0; j < node->n_out; j++)
            f->carries[node->out[j]] = all;
    }
}

static bool has_state(const finder *f, const mfm_graph_node *node)
{
    for (int j = 0; j < node->n_in; j++)
        if (node->in[j] >= 0 && f->graph->values[node->in[j]].kind == MFM_VALUE_STATE)
            return true;
    return false;
}

/* Whether what the images have reached among the inputs is the images, or made by frozen nodes. */
static bool reads_frozen(const finder *f, const mfm_graph_node *node)
{
    for (int j = 0; j < node->n_in; j++) {
        const int value = node->in[j];
        if (value < 0 || !(f->carries[value] & REACHED))
            continue;
        if (f->carries[value] != IMAGES ||
            (value != f->network->images && !f->nodes->prefix[f->graph->values[value].producer]))
            return false;
    }
    return true;
}

static bool only_images(const finder *f, const mfm_graph_node *node)
{
    return (read_by(f, node) & REACHED) == IMAGES;
}

/* Marks what node i reads. */
static void need_inputs(const finder *f, size_t i)
{
    const mfm_graph_node *node = &f->graph->nodes[i];
    for (int j = 0; j < node->n_in; j++)
        if (node->in[j] >= 0 && f->graph->values[node->in[j]].kind == MFM_VALUE_NODE)
            f->needed[f->graph->values[node->in[j]].producer] = true;
}

static void find_prefix(const finder *f)
{
    bool *prefix = f->nodes->prefix;
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const mfm_graph_node *node = &f->graph->nodes[i];
        prefix[i] = only_images(f, node) && !(read_by(f, node) & TRAINED) && reads_frozen(f, node);
    }
    bool any = false;
    for (size_t i = f->graph->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &f->graph->nodes[i];
        const bool layer = prefix[i] && (read_by(f, node) & FIXED || has_state(f, node));
        any |= prefix[i] && (read_by(f, node) & FIXED);
        f->needed[i] |= layer;
        if (prefix[i] && f->needed[i])
            need_inputs(f, i);
    }
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const mfm_graph_node *node = &f->graph->nodes[i];
        prefix[i] =
            any && prefix[i] && (f->needed[i] || (!node->op->random && reads_frozen(f, node)));
        f->nodes->any |= prefix[i];
    }
}

static void find_makers(const finder *f, int features)
{
    if (f->graph->values[features].kind == MFM_VALUE_NODE)
        f->needed[f->graph->values[features].producer] = true;
    for (size_t i = f->graph->n_nodes; i-- > 0;) {
        if (!f->needed[i])
            continue;
        need_inputs(f, i);
        f->nodes->prefix[i] = only_images(f, &f->graph->nodes[i]);
        f->nodes->any |= f->nodes->prefix[i];
    }
}

/* serves: by value, of which layers it is the input, with nodes between that have no parameters. A
 * Dropout belongs to the layers that it serves. */
static void find_inference(const finder *f, uint8_t *serves)
{
    for (size_t i = f->graph->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &f->graph->nodes[i];
        const uint8_t own = read_by(f, node) & PARAMETERS;
        uint8_t reader = own & TRAINED ? TRAINED : own;
        f->nodes->inference[i] = has_state(f, node) && own == FIXED;
        for (int j = 0; j < node->n_out; j++)
            reader |= own ? 0 : serves[node->out[j]];
        if (node->op->random && reader == FIXED)
            f->nodes->inference[i] = true;
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] >= 0 && f->carries[node->in[j]] & REACHED)
                serves[node->in[j]] |= reader;
    }
}

int mfm_frozen_nodes_find(mfm_ctx *ctx, const mfm_network *network, int features,
                          mfm_frozen_nodes *nodes)
{
    const mfm_graph *graph = network->graph;
    finder f = {.network = network, .graph = graph, .nodes = nodes};
    *nodes = (mfm_frozen_nodes){.prefix = mfm_alloc(ctx, 2 * graph->n_nodes, sizeof(bool))};
    f.carries = mfm_alloc(ctx, graph->n_values, 1);
    f.needed = mfm_alloc(ctx, graph->n_nodes, sizeof *f.needed);
    uint8_t *serves = mfm_alloc(ctx, graph->n_values, 1);
    const bool made = nodes->prefix && f.carries && f.needed && serves;
    if (made) {
        nodes->inference = nodes->prefix + graph->n_nodes;
        mark_leaves(&f);
        spread(&f);
        if (features >= 0)
            find_makers(&f, features);
        else
            find_prefix(&f);
        find_inference(&f, serves);
    }
    mfm_free(ctx, serves);
    mfm_free(ctx, f.carries);
    mfm_free(ctx, f.needed);
    return made ? MFM_OK : MFM_ENOMEM;
}
