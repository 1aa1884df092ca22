#include "core/engine/fuse.h"

#include <string.h>

/* What is known of the graph while chains are looked for. */
typedef struct fuser {
    mfm_graph *graph;
    int *readers;      /* per value: input slots that hold it, and one for a caller that keeps it */
    int *reader;       /* per value: the node that reads it last; -1: none does */
    mfm_shape *shapes; /* per value, at PROBE_BATCH */
} fuser;

static void find_readers(fuser *f, const int *keep, size_t n_keep)
{
    for (size_t i = 0; i < f->graph->n_values; i++) {
        f->readers[i] = 0;
        f->reader[i] = -1;
    }
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

/* Nodes that were taken out have no operator. */
static bool is(const mfm_graph_node *node, const char *name)
{
    return node->op && node->op->domain[0] == 0 && strcmp(node->op->name, name) == 0;
}

/* The node that alone reads the only output of this one, in the same segment; NULL: there is none.
 */
static mfm_graph_node *follower(const fuser *f, const mfm_graph_node *node)
{
    if (node->n_out != 1 || f->readers[node->out[0]] != 1 || f->reader[node->out[0]] < 0)
        return NULL;
    mfm_graph_node *next = &f->graph->nodes[f->reader[node->out[0]]];
    return next->segment == node->segment ? next : NULL;
}

/* The other input of a node of two. */
static int other(const mfm_graph_node *node, int value)
{
    return node->in[node->in[0] == value];
}

/* [Add] Relu behind a node, by their numbers; relu 0: no such chain, add 0: Relu alone. */
typedef struct ending {
    size_t add, relu;
    int summand; /* of the Add */
} ending;

static ending ending_of(const fuser *f, const mfm_graph_node *node)
{
    const mfm_graph_node *nodes = f->graph->nodes, *next = follower(f, node);
    ending end = {.summand = -1};
    if (next && is(next, "Add")) {
        end.add = (size_t)(next - nodes);
        end.summand = other(next, node->out[0]);
        if (!mfm_shape_equal(&f->shapes[end.summand], &f->shapes[node->out[0]]))
            return (ending){.summand = -1};
        next = follower(f, next);
    }
    if (!next || !is(next, "Relu"))
        return (ending){.summand = -1};
    end.relu = (size_t)(next - nodes);
    return end;
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

/* The last node of a chain becomes the whole chain: by then its inputs are there. From `named`, one
 * of the chain, it takes name, attributes and key. */
static int become(fuser *f, const char *op_name, const int *in, int n_in, size_t named, size_t last)
{
    mfm_graph_node *from = &f->graph->nodes[named], *node = &f->graph->nodes[last];
    int *slots = mfm_alloc(f->graph->ctx, (size_t)n_in + 1, sizeof *slots);
    if (!slots)
        return MFM_ENOMEM;
    memcpy(slots, in, (size_t)n_in * sizeof *slots);
    const int output = node->out[0];
    slots[n_in] = output;
    const mfm_graph_node fused = {.op = mfm_op_find("mfm", op_name, 1),
                                  .name = from->name,
                                  .attr = from->attr,
                                  .opset = 1,
                                  .n_in = n_in,
                                  .n_out = 1,
                                  .in = slots,
                                  .out = slots + n_in,
                                  .segment = node->segment,
                                  .key = from->key,
                                  .inference = from->inference};
    from->name = NULL;
    from->attr = NULL;
    drop(f, last);
    *node = fused;
    f->graph->values[output].producer = (int)last;
    return MFM_OK;
}

/* ---- BatchNormalization ---------------------------------------------------------------------- */

enum { NORM_INPUTS = 5 };

static int fuse_norm(fuser *f, size_t at)
{
    const mfm_graph_node *nodes = f->graph->nodes, *node = &nodes[at];
    if (!is(node, "BatchNormalization") || node->n_in != NORM_INPUTS)
        return MFM_OK;
    const ending end = ending_of(f, node);
    if (!end.relu)
        return MFM_OK;
    int in[NORM_INPUTS + 1];
    memcpy(in, node->in, sizeof in - sizeof in[0]);
    in[NORM_INPUTS] = end.summand;
    const int status = become(f, end.add ? "BatchNormalizationAddRelu" : "BatchNormalizationRelu",
                              in, NORM_INPUTS + (end.add != 0), at, end.relu);
    if (!status) {
        drop(f, at);
        if (end.add)
            drop(f, end.add);
    }
    return status;
}

/* ---- modulation ------------------------------------------------------------------------------ */

/* [n, c, 1, 1] beside images [n, c, h, w]. Without pixels the sweeps that would be saved are short.
 */
static bool is_by_sample(const mfm_shape *coefficient, const mfm_shape *x)
{
    const mfm_shape wanted = {.rank = 4, .dim = {x->dim[0], x->dim[1], 1, 1}};
    return x->rank == 4 && mfm_shape_equal(coefficient, &wanted);
}

/* Mul of x and scale, Add of shift, Add of x. */
static int fuse_modulation(fuser *f, size_t at)
{
    const mfm_graph_node *nodes = f->graph->nodes, *mul = &nodes[at];
    if (!is(mul, "Mul"))
        return MFM_OK;
    const mfm_graph_node *shifted = follower(f, mul);
    const mfm_graph_node *sum = shifted && is(shifted, "Add") ? follower(f, shifted) : NULL;
    if (!sum || !is(sum, "Add"))
        return MFM_OK;
    const int x = other(sum, shifted->out[0]), scale = other(mul, x);
    const int shift = other(shifted, mul->out[0]);
    if ((mul->in[0] != x && mul->in[1] != x) || !is_by_sample(&f->shapes[scale], &f->shapes[x]) ||
        !is_by_sample(&f->shapes[shift], &f->shapes[x]))
        return MFM_OK;
    const ending end = ending_of(f, sum);
    const int in[] = {scale, shift, x, end.summand};
    const char *name = !end.relu ? "Modulate" : end.add ? "ModulateAddRelu" : "ModulateRelu";
    const size_t last = end.relu ? end.relu : (size_t)(sum - nodes);
    const int status = become(f, name, in, 3 + (end.add != 0), (size_t)(sum - nodes), last);
    if (!status) {
        drop(f, at);
        drop(f, (size_t)(shifted - nodes));
        if (end.relu)
            drop(f, (size_t)(sum - nodes));
        if (end.add)
            drop(f, end.add);
    }
    return status;
}

/* ---- all chains ------------------------------------------------------------------------------ */

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

static int fuse_chains(fuser *f)
{
    int status = MFM_OK;
    for (size_t i = 0; i < f->graph->n_nodes && !status; i++) {
        status = fuse_norm(f, i);
        if (!status)
            status = fuse_modulation(f, i);
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
    fuser f = {.graph = graph};
    f.shapes = mfm_alloc(ctx, graph->n_values, sizeof *f.shapes);
    f.readers = mfm_alloc(ctx, graph->n_values, sizeof *f.readers);
    f.reader = mfm_alloc(ctx, graph->n_values, sizeof *f.reader);
    int status = f.shapes && f.readers && f.reader
                     ? mfm_graph_shapes(graph, PROBE_BATCH, true, f.shapes)
                     : MFM_ENOMEM;
    if (!status) {
        find_readers(&f, keep, n_keep);
        status = fuse_chains(&f);
    }
    if (!status) {
        find_readers(&f, keep, n_keep); /* the nodes have new places */
        pool_first(&f);
    }
    mfm_free(ctx, f.shapes);
    mfm_free(ctx, f.readers);
    mfm_free(ctx, f.reader);
    return status;
}
