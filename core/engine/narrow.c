#include "core/engine/narrow.h"

#include <string.h>

/* Sequences are [samples, tokens, channels]. */
enum { DATA, INDICES, RANK = 3, TOKENS = 1, PROBE_BATCH = 2 };
enum { UNREAD = -2, WHOLE = -1 };

typedef struct narrowing {
    mfm_graph *graph;
    const mfm_op *gather;
    mfm_shape *shapes; /* of the values that there were at first */
    size_t n_values, n_nodes;
    /* Per value: the Gather whose tokens are all that is read of it, or one of the above. */
    int *reads;
    int *narrow;    /* per node: the Gather before which it works, or WHOLE */
    int *list;      /* per node: of a Gather, its places as a list; -1: not needed */
    int *all;       /* per node: of a Gather, the places of what is left */
    size_t *before; /* per node that is added: in front of which */
} narrowing;

/* ---- what is read ---------------------------------------------------------------------------- */

/* Fewer than half of the tokens, at constant places. */
static bool takes_few(const narrowing *w, const mfm_graph_node *node)
{
    if (node->op != w->gather)
        return false;
    const mfm_shape *data = &w->shapes[node->in[DATA]];
    const mfm_value *places = &w->graph->values[node->in[INDICES]];
    const double axis = mfm_attr_number(node->op, node->attr, "axis", 0);
    return data->rank == RANK && places->kind == MFM_VALUE_CONST && places->shape.rank < 2 &&
           (axis == TOKENS || axis == TOKENS - RANK) && mfm_shape_count(&places->shape) > 0 &&
           2 * mfm_shape_count(&places->shape) < data->dim[TOKENS];
}

/* Whether an input has the tokens that the output has. */
static bool has_tokens(const narrowing *w, const mfm_graph_node *node, int input)
{
    const mfm_shape *out = &w->shapes[node->out[0]], *in = &w->shapes[node->in[input]];
    const int axis = in->rank - out->rank + TOKENS;
    return axis >= 0 && in->dim[axis] == out->dim[TOKENS] && in->dim[axis] != 1;
}

/* Every input that has tokens has them where the output does, and all of them are computed. */
static bool are_sequences(const narrowing *w, const mfm_graph_node *node)
{
    bool any = false;
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0 || !has_tokens(w, node, i))
            continue;
        if (w->shapes[node->in[i]].rank != RANK ||
            w->graph->values[node->in[i]].kind != MFM_VALUE_NODE)
            return false;
        any = true;
    }
    return any;
}

static bool works_by_token(const narrowing *w, const mfm_graph_node *node)
{
    const mfm_op *op = node->op;
    if (node->n_out != 1 || op->random || w->shapes[node->out[0]].rank != RANK ||
        !are_sequences(w, node))
        return false;
    if (op->batch == MFM_BATCH_ALL)
        return true;
    if (mfm_has_trait(op, MFM_ALONG_LAST)) {
        const double axis = mfm_attr_number(op, node->attr, "axis", 0);
        return has_tokens(w, node, DATA) && axis != 0 && axis != TOKENS &&
               axis >= TOKENS + 1 - RANK;
    }
    return mfm_has_trait(op, MFM_MATRIX) && has_tokens(w, node, DATA) &&
           w->shapes[node->in[1]].rank == 2 && mfm_attr_number(op, node->attr, "transA", 0) == 0;
}

static void read_as(narrowing *w, int value, int what)
{
    if (value >= 0)
        w->reads[value] = w->reads[value] == UNREAD || w->reads[value] == what ? what : WHOLE;
}

/* From the last node to the first. Sets *any: a node works on fewer tokens. */
static void find_reads(narrowing *w, const int *keep, size_t n_keep, bool *any)
{
    for (size_t i = 0; i < w->n_values; i++)
        w->reads[i] = UNREAD;
    for (size_t i = 0; i < n_keep; i++)
        read_as(w, keep[i], WHOLE);
    *any = false;
    for (size_t i = w->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &w->graph->nodes[i];
        const int from = node->n_out == 1 ? w->reads[node->out[0]] : WHOLE;
        const bool few =
            from >= 0 && w->graph->nodes[from].segment == node->segment && works_by_token(w, node);
        w->narrow[i] = few ? from : WHOLE;
        *any |= few;
        for (int k = 0; k < node->n_in; k++) {
            int what = few && node->in[k] >= 0 && has_tokens(w, node, k) ? from : WHOLE;
            if (k == DATA && takes_few(w, node))
                what = (int)i;
            read_as(w, node->in[k], what);
        }
    }
}

/* ---- the graph without the others ------------------------------------------------------------ */

static int add_places(mfm_graph *graph, const mfm_shape *shape, const real *places, int *value)
{
    const int status = mfm_graph_const(graph, "", shape, places, value);
    if (!status)
        graph->values[*value].role = MFM_INDEX;
    return status;
}

/* For a Gather before which nodes work: its places as a list, and those of all that is left. */
static int make_places(narrowing *w, int gather)
{
    mfm_graph *graph = w->graph;
    const int from = graph->nodes[gather].in[INDICES];
    const mfm_shape shape = graph->values[from].shape;
    const mfm_shape list = {.rank = 1, .dim = {mfm_shape_count(&shape)}};
    if (w->list[gather] >= 0)
        return MFM_OK;
    real *all = mfm_alloc_aligned(graph->ctx, (size_t)list.dim[0] + 1, sizeof *all);
    if (!all)
        return MFM_ENOMEM;
    for (int64_t i = 0; i < list.dim[0]; i++)
        all[i] = (real)i;
    int status = add_places(graph, &shape, all, &w->all[gather]);
    if (!status)
        status = add_places(graph, &list, graph->values[from].data, &w->list[gather]);
    mfm_free_aligned(graph->ctx, all);
    return status;
}

static bool is_narrow(const narrowing *w, int value, int gather)
{
    const int producer = w->graph->values[value].producer;
    return producer >= 0 && w->narrow[producer] == gather;
}

/* Whether an input of a narrow node has tokens of which it reads those that are taken. */
static bool is_taken(const narrowing *w, const mfm_graph_node *node, int input, int gather)
{
    return node->in[input] >= 0 && has_tokens(w, node, input) &&
           !is_narrow(w, node->in[input], gather);
}

/* The node that takes a Gather's tokens of a value that is whole; 0: there is none yet. */
static size_t taker(const narrowing *w, int value, int gather)
{
    for (size_t i = w->n_nodes; i < w->graph->n_nodes; i++)
        if (w->graph->nodes[i].in[DATA] == value &&
            w->graph->nodes[i].in[INDICES] == w->list[gather])
            return i;
    return 0;
}

/* Adds one, for node `at` and those behind it. */
static int add_taker(narrowing *w, int value, int gather, size_t at)
{
    mfm_graph *graph = w->graph;
    const mfm_graph_node like = graph->nodes[gather];
    const int in[] = {value, w->list[gather]};
    int out;
    const int status =
        mfm_graph_add(graph, like.op, like.opset, like.name, like.attr, in, 2, NULL, 1, &out);
    if (status)
        return status;
    mfm_graph_node *added = &graph->nodes[graph->n_nodes - 1];
    added->segment = like.segment;
    added->inference = like.inference;
    w->before[graph->n_nodes - 1 - w->n_nodes] = at;
    return MFM_OK;
}

/* All that the narrow nodes will read, behind the graph: nothing reads it yet. */
static int add_takers(narrowing *w)
{
    int status = MFM_OK;
    for (size_t i = 0; i < w->n_nodes && !status; i++) {
        const mfm_graph_node node = w->graph->nodes[i]; /* they move when one is added */
        const int gather = w->narrow[i];
        if (gather < 0)
            continue;
        status = make_places(w, gather);
        for (int k = 0; k < node.n_in && !status; k++)
            if (is_taken(w, &node, k, gather) && !taker(w, node.in[k], gather))
                status = add_taker(w, node.in[k], gather, i);
    }
    return status;
}

static void read_fewer(narrowing *w)
{
    mfm_graph *graph = w->graph;
    for (size_t i = 0; i < w->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        for (int k = 0; k < node->n_in && w->narrow[i] >= 0; k++)
            if (is_taken(w, node, k, w->narrow[i]))
                node->in[k] = graph->nodes[taker(w, node->in[k], w->narrow[i])].out[0];
        if (w->list[i] >= 0 && is_narrow(w, node->in[DATA], (int)i))
            node->in[INDICES] = w->all[i];
    }
}

/* What was added comes before what reads it. */
static void put_in_order(narrowing *w, mfm_graph_node *ordered)
{
    mfm_graph *graph = w->graph;
    size_t count = 0;
    for (size_t i = 0; i < w->n_nodes; i++) {
        for (size_t k = w->n_nodes; k < graph->n_nodes; k++)
            if (w->before[k - w->n_nodes] == i)
                ordered[count++] = graph->nodes[k];
        ordered[count++] = graph->nodes[i];
    }
    memcpy(graph->nodes, ordered, count * sizeof *ordered);
    mfm_graph_number_producers(graph);
}

static int rewrite(narrowing *w)
{
    mfm_ctx *ctx = w->graph->ctx;
    size_t most = w->n_nodes;
    for (size_t i = 0; i < w->n_nodes; i++) {
        w->list[i] = -1;
        most += w->narrow[i] < 0 ? 0 : (size_t)w->graph->nodes[i].n_in;
    }
    mfm_graph_node *ordered = mfm_alloc(ctx, most, sizeof *ordered);
    w->before = mfm_alloc(ctx, most, sizeof *w->before);
    const int status = ordered && w->before ? add_takers(w) : MFM_ENOMEM;
    if (!status) {
        read_fewer(w);
        put_in_order(w, ordered);
    }
    mfm_free(ctx, ordered);
    mfm_free(ctx, w->before);
    return status;
}

int mfm_graph_narrow(mfm_graph *graph, const int *keep, size_t n_keep)
{
    mfm_ctx *ctx = graph->ctx;
    const size_t n_values = graph->n_values, n_nodes = graph->n_nodes;
    narrowing w = {.graph = graph, .n_values = n_values, .n_nodes = n_nodes};
    bool any = false;
    w.gather = mfm_op_find("", "Gather", 13);
    w.shapes = mfm_alloc(ctx, n_values, sizeof *w.shapes);
    w.reads = mfm_alloc(ctx, n_values, sizeof *w.reads);
    w.narrow = mfm_alloc(ctx, 3 * n_nodes, sizeof *w.narrow);
    int status = w.shapes && w.reads && w.narrow
                     ? mfm_graph_shapes(graph, PROBE_BATCH, true, w.shapes)
                     : MFM_ENOMEM;
    if (!status) {
        w.list = w.narrow + n_nodes;
        w.all = w.list + n_nodes;
        find_reads(&w, keep, n_keep, &any);
    }
    if (any)
        status = rewrite(&w);
    mfm_free(ctx, w.shapes);
    mfm_free(ctx, w.reads);
    mfm_free(ctx, w.narrow);
    return status;
}
