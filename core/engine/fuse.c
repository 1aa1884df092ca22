#include "core/engine/fuse.h"

#include <string.h>

/* What is known of the graph while chains are looked for. */
typedef struct fuser {
    mfm_graph *graph;
    int *readers; /* per value: input slots that hold it, and one for a caller that keeps it */
    int *reader;  /* per value: the node that reads it last */
} fuser;

static void find_readers(fuser *f, const int *keep, size_t n_keep)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        const mfm_graph_node *node = &f->graph->nodes[i];
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] >= 0) {
                f->readers[node->in[j]]++;
                f->reader[node->in[j]] = (int)i;
            }
    }
    for (size_t i = 0; i < n_keep; i++)
        if (keep[i] >= 0)
            f->readers[keep[i]]++;
}

static bool is(const mfm_graph_node *node, const char *name)
{
    return node->op->domain[0] == 0 && strcmp(node->op->name, name) == 0;
}

/* The node that alone reads the only output of this one, in the same segment; NULL: there is none.
 */
static mfm_graph_node *follower(const fuser *f, const mfm_graph_node *node)
{
    if (node->n_out != 1 || f->readers[node->out[0]] != 1)
        return NULL;
    mfm_graph_node *next = &f->graph->nodes[f->reader[node->out[0]]];
    return next->segment == node->segment ? next : NULL;
}

/* BatchNormalization [Add] Relu, by their numbers. */
typedef struct chain {
    size_t norm, add, relu;
    int summand; /* -1: none, and no add */
} chain;

static bool find_chain(const fuser *f, const mfm_shape *shapes, size_t at, chain *found)
{
    const mfm_graph_node *nodes = f->graph->nodes, *node = &nodes[at];
    if (!node->op || !is(node, "BatchNormalization"))
        return false;
    const mfm_graph_node *next = follower(f, node);
    *found = (chain){.norm = at, .summand = -1};
    if (next && next->op && is(next, "Add")) {
        found->summand = next->in[next->in[0] == node->out[0]];
        if (!mfm_shape_equal(&shapes[found->summand], &shapes[node->out[0]]))
            return false;
        found->add = (size_t)(next - nodes);
        next = follower(f, next);
    }
    if (!next || !next->op || !is(next, "Relu"))
        return false;
    found->relu = (size_t)(next - nodes);
    return true;
}

/* Takes a node out; its place is closed up in the end. */
static void drop(fuser *f, size_t at)
{
    mfm_graph_node *node = &f->graph->nodes[at];
    f->graph->values[node->out[0]].producer = -1;
    mfm_free(f->graph->ctx, node->name);
    mfm_free(f->graph->ctx, node->attr);
    mfm_free(f->graph->ctx, node->in);
    *node = (mfm_graph_node){.op = NULL};
}

/* The last node of the chain becomes the whole chain: by then its inputs are there. */
static int fuse_chain(fuser *f, const chain *c)
{
    mfm_graph_node *norm = &f->graph->nodes[c->norm], *relu = &f->graph->nodes[c->relu];
    const bool sum = c->summand >= 0;
    const mfm_op *op =
        mfm_op_find("mfm", sum ? "BatchNormalizationAddRelu" : "BatchNormalizationRelu", 1);
    const int n_in = norm->n_in + sum;
    int *slots = mfm_alloc(f->graph->ctx, (size_t)n_in + 1, sizeof *slots);
    if (!slots)
        return MFM_ENOMEM;
    memcpy(slots, norm->in, (size_t)norm->n_in * sizeof *slots);
    if (sum)
        slots[norm->n_in] = c->summand;
    slots[n_in] = relu->out[0];
    const int output = relu->out[0], segment = relu->segment;
    const mfm_graph_node fused = {.op = op,
                                  .name = norm->name,
                                  .attr = norm->attr,
                                  .opset = 1,
                                  .n_in = n_in,
                                  .n_out = 1,
                                  .in = slots,
                                  .out = slots + n_in,
                                  .segment = segment,
                                  .key = norm->key};
    norm->name = NULL;
    norm->attr = NULL;
    drop(f, c->norm);
    if (sum)
        drop(f, c->add);
    drop(f, c->relu);
    *relu = fused;
    f->graph->values[output].producer = (int)c->relu;
    return MFM_OK;
}

static void close_up(mfm_graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (!graph->nodes[i].op)
            continue;
        const mfm_graph_node node = graph->nodes[i];
        for (int j = 0; j < node.n_out; j++)
            graph->values[node.out[j]].producer = (int)count;
        graph->nodes[count++] = node;
    }
    graph->n_nodes = count;
}

static int fuse_chains(fuser *f, const mfm_shape *shapes)
{
    int status = MFM_OK;
    for (size_t i = 0; i < f->graph->n_nodes && !status; i++) {
        chain found;
        if (find_chain(f, shapes, i, &found))
            status = fuse_chain(f, &found);
    }
    close_up(f->graph);
    return status;
}

static void exchange(mfm_graph_node *a, mfm_graph_node *b)
{
    const mfm_graph_node relu = *a, pool = *b;
    *a = pool;
    *b = relu;
    a->in = relu.in;
    a->out = relu.out;
    b->in = pool.in;
    b->out = pool.out;
}

/* Every node keeps its place and its values; what is done there is exchanged. */
static void pool_first(const fuser *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        mfm_graph_node *node = &f->graph->nodes[i];
        if (!is(node, "Relu"))
            continue;
        mfm_graph_node *next = follower(f, node);
        if (next && is(next, "MaxPool") && next->n_out == 1)
            exchange(node, next);
    }
}

/* A batch size at which what is broadcast along the batch differs from what is not. */
enum { PROBE_BATCH = 2 };

int mfm_graph_fuse(mfm_graph *graph, const int *keep, size_t n_keep)
{
    mfm_ctx *ctx = graph->ctx;
    mfm_shape *shapes = mfm_alloc(ctx, graph->n_values, sizeof *shapes);
    fuser f = {.graph = graph};
    f.readers = mfm_alloc(ctx, graph->n_values, sizeof *f.readers);
    f.reader = mfm_alloc(ctx, graph->n_values, sizeof *f.reader);
    int status = shapes && f.readers && f.reader
                     ? mfm_graph_shapes(graph, PROBE_BATCH, true, shapes)
                     : MFM_ENOMEM;
    if (!status) {
        find_readers(&f, keep, n_keep);
        status = fuse_chains(&f, shapes);
    }
    if (!status) {
        memset(f.readers, 0, graph->n_values * sizeof *f.readers);
        find_readers(&f, keep, n_keep); /* the nodes have new places */
        pool_first(&f);
    }
    mfm_free(ctx, shapes);
    mfm_free(ctx, f.readers);
    mfm_free(ctx, f.reader);
    return status;
}
