#include "core/engine/layout.h"

#include <string.h>

/* What the members of a group of values want. */
enum { IMAGES = 1, ROWS = 2, BOTH = IMAGES | ROWS };

typedef struct chooser {
    mfm_graph *graph;
    mfm_shape *shapes; /* per value, at a batch size of 2 */
    int *parent;       /* per value: groups as trees */
    uint8_t *wants;    /* per root */
} chooser;

static int root_of(chooser *c, int value)
{
    while (c->parent[value] != value)
        value = c->parent[value] = c->parent[c->parent[value]];
    return value;
}

static bool concerns(const chooser *c, int value)
{
    return value >= 0 && c->shapes[value].rank == 4;
}

static void want(chooser *c, int value, uint8_t what)
{
    if (concerns(c, value))
        c->wants[root_of(c, value)] |= what;
}

static void join(chooser *c, int a, int b)
{
    const int x = root_of(c, a), y = root_of(c, b);
    c->wants[x] |= c->wants[y];
    c->parent[y] = x;
}

static bool agree(chooser *c, int a, int b)
{
    return (c->wants[root_of(c, a)] | c->wants[root_of(c, b)]) != BOTH;
}

/* Inputs and outputs of a node by one number. */
static int value_at(const mfm_graph_node *node, int i)
{
    return i < node->n_in ? node->in[i] : node->out[i - node->n_in];
}

/* A parameter lies as it does, whoever reads it. */
static bool is_movable(const chooser *c, int value)
{
    const enum mfm_value_kind kind = c->graph->values[value].kind;
    return kind == MFM_VALUE_NODE || kind == MFM_VALUE_CONST;
}

/* Joins what a node wants alike: with its output, or, softly, only where nothing speaks against it.
 */
static void join_values(chooser *c, const mfm_graph_node *node, bool softly)
{
    int first = -1;
    for (int i = node->n_in + node->n_out; i-- > 0;) {
        const int value = value_at(node, i);
        if (!concerns(c, value) || (softly && !is_movable(c, value)))
            continue;
        if (first < 0)
            first = value;
        else if (!softly || agree(c, first, value))
            join(c, first, value);
    }
}

static void choose(chooser *c, const int *keep, size_t n_keep)
{
    const mfm_graph *graph = c->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        c->parent[i] = (int)i;
        c->wants[i] = is_movable(c, (int)i) ? 0 : IMAGES;
    }
    for (size_t i = 0; i < n_keep; i++)
        want(c, keep[i], IMAGES);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        const enum mfm_layout_rule rule = node->op->layout;
        for (int k = 0; k < node->n_in + node->n_out; k++)
            if (rule == MFM_LAYOUT_IMAGES)
                want(c, value_at(node, k), IMAGES);
            else if (rule == MFM_LAYOUT_ROWS && value_at(node, k) >= 0 &&
                     is_movable(c, value_at(node, k)))
                want(c, value_at(node, k), ROWS);
        if (rule == MFM_LAYOUT_ALIKE)
            join_values(c, node, false);
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op->layout == MFM_LAYOUT_NEAR)
            join_values(c, &graph->nodes[i], true);
}

static bool is_row_major(chooser *c, int value)
{
    return concerns(c, value) && !(c->wants[root_of(c, value)] & IMAGES);
}

/* ---- conversions ----------------------------------------------------------------------------- */

/* The nodes anew, with those that convert between them. */
typedef struct rewriter {
    chooser *c;
    mfm_graph_node *nodes;
    size_t count, room;
    int *converted; /* [old n_values][2]: the value in row-major, and the segment it is made in */
} rewriter;

/* Adds a node that converts `from`; it stays at the end of the graph's own until all are there. */
static int convert(mfm_graph *graph, int from, int segment, int *to)
{
    const mfm_op *op = mfm_op_find("mfm", "Layout", 1);
    const char *const name = graph->values[from].name;
    const int status = mfm_graph_add(graph, op, 1, name, NULL, &from, 1, NULL, 1, to);
    if (!status)
        graph->nodes[graph->n_nodes - 1].segment = segment;
    return status;
}

static void take(rewriter *r, size_t node)
{
    r->nodes[r->count++] = r->c->graph->nodes[node];
}

static int convert_inputs(rewriter *r, size_t at)
{
    mfm_graph *graph = r->c->graph;
    for (int i = 0; i < graph->nodes[at].n_in; i++) {
        const int value = graph->nodes[at].in[i], segment = graph->nodes[at].segment;
        if (!concerns(r->c, value) || is_row_major(r->c, value))
            continue;
        int *known = &r->converted[2 * value];
        if (known[0] < 0 || known[1] != segment) {
            const int status = convert(graph, value, segment, &known[0]);
            if (status)
                return status;
            known[1] = segment;
            graph->values[known[0]].shape.layout = MFM_ROW_MAJOR;
            take(r, graph->n_nodes - 1);
        }
        graph->nodes[at].in[i] = known[0];
    }
    return MFM_OK;
}

/* The node writes a value of its own, of which the one that others read is made. */
static int convert_outputs(rewriter *r, size_t at)
{
    mfm_graph *graph = r->c->graph;
    for (int i = 0; i < graph->nodes[at].n_out; i++) {
        const int value = graph->nodes[at].out[i];
        int fresh;
        if (!concerns(r->c, value) || is_row_major(r->c, value))
            continue;
        const int status = convert(graph, value, graph->nodes[at].segment, &fresh);
        if (status)
            return status;
        graph->nodes[at].out[i] = fresh;
        graph->values[fresh].shape.layout = MFM_ROW_MAJOR;
        graph->nodes[graph->n_nodes - 1].in[0] = fresh;
        graph->nodes[graph->n_nodes - 1].out[0] = value;
        take(r, graph->n_nodes - 1);
    }
    return MFM_OK;
}

static size_t most_conversions(const chooser *c)
{
    size_t most = 0;
    for (size_t i = 0; i < c->graph->n_nodes; i++)
        if (c->graph->nodes[i].op->layout == MFM_LAYOUT_ROWS)
            most += (size_t)(c->graph->nodes[i].n_in + c->graph->nodes[i].n_out);
    return most;
}

static int insert_conversions(chooser *c)
{
    mfm_graph *graph = c->graph;
    const size_t n = graph->n_nodes, n_values = graph->n_values;
    rewriter r = {.c = c, .room = n + most_conversions(c)};
    r.nodes = mfm_alloc(graph->ctx, r.room, sizeof *r.nodes);
    r.converted = mfm_alloc(graph->ctx, 2 * n_values, sizeof *r.converted);
    int status = r.nodes && r.converted ? MFM_OK : MFM_ENOMEM;
    for (size_t i = 0; r.converted && i < 2 * n_values; i++)
        r.converted[i] = -1;
    for (size_t i = 0; i < n && !status; i++) {
        const bool rows = graph->nodes[i].op->layout == MFM_LAYOUT_ROWS;
        if (rows)
            status = convert_inputs(&r, i);
        if (!status)
            take(&r, i); /* with the arrays of its inputs and outputs */
        if (!status && rows)
            status = convert_outputs(&r, i);
    }
    if (!status && graph->n_nodes > n)
        memcpy(graph->nodes, r.nodes, r.count * sizeof *r.nodes);
    if (!status)
        mfm_graph_number_producers(graph);
    mfm_free(graph->ctx, r.nodes);
    mfm_free(graph->ctx, r.converted);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* A constant's numbers in row-major order. */
static int turn_constant(mfm_graph *graph, mfm_value *value)
{
    const size_t count = (size_t)mfm_shape_count(&value->shape);
    real *turned = mfm_alloc_aligned(graph->ctx, count, sizeof *turned);
    if (!turned)
        return MFM_ENOMEM;
    mfm_layout_to_row_major(&value->shape, value->data, turned);
    mfm_free_aligned(graph->ctx, value->data);
    value->data = turned;
    value->shape.layout = MFM_ROW_MAJOR;
    return MFM_OK;
}

static int set_layouts(chooser *c)
{
    mfm_graph *graph = c->graph;
    int status = MFM_OK;
    const size_t n = graph->n_values;
    for (size_t i = 0; i < n && !status; i++) {
        mfm_value *value = &graph->values[i];
        if (!is_row_major(c, (int)i))
            continue;
        if (value->kind == MFM_VALUE_CONST && value->shape.layout == MFM_CHANNELS_LAST)
            status = turn_constant(graph, value);
        else if (value->kind == MFM_VALUE_NODE)
            value->shape.layout = MFM_ROW_MAJOR;
    }
    return status;
}

int mfm_graph_lay_out(mfm_graph *graph, const int *keep, size_t n_keep)
{
    mfm_ctx *ctx = graph->ctx;
    chooser c = {.graph = graph};
    c.shapes = mfm_alloc(ctx, graph->n_values, sizeof *c.shapes);
    c.parent = mfm_alloc(ctx, graph->n_values, sizeof *c.parent);
    c.wants = mfm_alloc(ctx, graph->n_values, sizeof *c.wants);
    int status =
        c.shapes && c.parent && c.wants ? mfm_graph_shapes(graph, 2, true, c.shapes) : MFM_ENOMEM;
    if (!status) {
        choose(&c, keep, n_keep);
        status = set_layouts(&c);
    }
    if (!status)
        status = insert_conversions(&c);
    mfm_free(ctx, c.shapes);
    mfm_free(ctx, c.parent);
    mfm_free(ctx, c.wants);
    return status;
}

size_t mfm_graph_conversions(const mfm_graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        count += mfm_has_trait(graph->nodes[i].op, MFM_CONVERTS);
    return count;
}
