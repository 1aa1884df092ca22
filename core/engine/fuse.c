#include "core/engine/fuse.h"

#include <string.h>

#include "core/engine/fuse_pattern.h"

static void find_readers(mfm_fuse_graph *f, const int *keep, size_t n_keep)
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

/* ---- chains ---------------------------------------------------------------------------------- */

typedef struct patterns {
    mfm_pattern *pattern;
    size_t count, capacity;
} patterns;

/* Those of the operators that are frozen, or of the others. */
static int read_patterns(mfm_ctx *ctx, bool frozen, patterns *all)
{
    int status = MFM_OK;
    for (int i = 0; mfm_ops[i]; i++)
        for (const char *const *text = mfm_ops[i]->fuses;
             text && *text && !status && mfm_ops[i]->frozen == frozen; text++) {
            status = mfm_grow(ctx, &all->pattern, all->count, &all->capacity, sizeof *all->pattern);
            if (!status)
                mfm_pattern_parse(mfm_ops[i], *text, &all->pattern[all->count++]);
        }
    return status;
}

/* Takes a node out, which then has no operator; its place is closed up in the end. */
static void drop(mfm_graph *graph, size_t at)
{
    mfm_graph_node *node = &graph->nodes[at];
    graph->values[node->out[0]].producer = -1;
    mfm_free(graph->ctx, node->name);
    mfm_free(graph->ctx, node->attr);
    mfm_free(graph->ctx, node->in);
    *node = (mfm_graph_node){.op = NULL};
}

/* The last node of a chain becomes the whole chain: by then its inputs are there. Name and key are
 * those of one of its nodes. */
static int become(mfm_graph *graph, const mfm_fusion *chain, void *attr)
{
    const mfm_op *op = chain->pattern->op;
    const int count = chain->pattern->n_statements;
    const size_t last = mfm_fusion_node(chain, count - 1);
    mfm_graph_node *from = &graph->nodes[mfm_fusion_node(chain, chain->pattern->named)];
    const int output = graph->nodes[last].out[0];
    const int *rest = NULL;
    const int n_rest = mfm_fusion_rest(chain, &rest);
    int n_in = 0;
    while (op->inputs[n_in].name)
        n_in++;
    n_in += n_rest ? n_rest - 1 : 0;
    int *slots = mfm_alloc(graph->ctx, (size_t)n_in + 1, sizeof *slots);
    if (!slots)
        return MFM_ENOMEM;
    for (int i = 0; i < n_in - n_rest; i++) {
        const int name = mfm_pattern_find(chain->pattern, op->inputs[i].name);
        slots[i] = name < 0 ? -1 : chain->value[name];
    }
    for (int i = 0; i < n_rest; i++)
        slots[n_in - n_rest + i] = rest[i];
    slots[n_in] = output;
    const mfm_graph_node whole = {.op = op,
                                  .name = from->name,
                                  .attr = attr,
                                  .opset = op->since,
                                  .n_in = n_in,
                                  .n_out = 1,
                                  .in = slots,
                                  .out = slots + n_in,
                                  .segment = from->segment,
                                  .key = from->key,
                                  .inference = from->inference};
    from->name = NULL;
    for (int i = 0; i < count - 1; i++)
        drop(graph, mfm_fusion_node(chain, i));
    drop(graph, last);
    graph->nodes[last] = whole;
    graph->values[output].producer = (int)last;
    return MFM_OK;
}

/* False where what is to stay over many passes is made anew in each. */
static bool owns_parameters(const mfm_fusion *chain)
{
    const mfm_port *port = chain->pattern->op->inputs;
    for (; port->name; port++) {
        const int name = mfm_pattern_find(chain->pattern, port->name);
        if (name < 0 || chain->value[name] < 0 ||
            (port->role != MFM_PARAM && port->role != MFM_STATE))
            continue;
        const enum mfm_value_kind kind = chain->in->graph->values[chain->value[name]].kind;
        if (kind == MFM_VALUE_NODE || kind == MFM_VALUE_INPUT)
            return false;
    }
    return true;
}

/* Whether the operator takes the chain; then *attr, which is the caller's, has its attributes. */
static int ask(mfm_ctx *ctx, const mfm_fusion *chain, void **attr)
{
    const mfm_op *op = chain->pattern->op;
    *attr = mfm_alloc(ctx, 1, op->attr_size);
    if (!*attr)
        return MFM_ENOMEM;
    mfm_attr_defaults(op, *attr);
    if ((op->frozen && !owns_parameters(chain)) || (op->fused && !op->fused(chain, *attr))) {
        mfm_free(ctx, *attr);
        *attr = NULL;
    }
    return MFM_OK;
}

/* Chains that end at a node: the one that begins first, of those the longest. *found: there is one.
 */
static int fuse_at(mfm_fuse_graph *f, const patterns *all, size_t end, bool *found)
{
    mfm_ctx *ctx = f->graph->ctx;
    mfm_fusion best = {.pattern = NULL};
    void *best_attr = NULL;
    int status = MFM_OK;
    for (size_t i = 0; i < all->count && !status; i++) {
        mfm_fusion chain;
        void *attr = NULL;
        if (!mfm_pattern_match(f, &all->pattern[i], end, &chain))
            continue;
        if (best.pattern && (mfm_fusion_first(&chain) > mfm_fusion_first(&best) ||
                             (mfm_fusion_first(&chain) == mfm_fusion_first(&best) &&
                              chain.pattern->n_statements <= best.pattern->n_statements)))
            continue;
        status = ask(ctx, &chain, &attr);
        if (!attr)
            continue;
        mfm_free(ctx, best_attr);
        best = chain;
        best_attr = attr;
    }
    *found = best.pattern && !status;
    if (*found)
        status = become(f->graph, &best, best_attr);
    if (status)
        mfm_free(ctx, best_attr);
    const mfm_graph_node *whole = &f->graph->nodes[end];
    for (int i = 0; *found && !status && i < whole->n_in; i++)
        if (whole->in[i] >= 0)
            f->reader[whole->in[i]] = (int)end;
    return status;
}

static void close_up(mfm_graph *graph)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].op)
            graph->nodes[count++] = graph->nodes[i];
    graph->n_nodes = count;
    mfm_graph_number_producers(graph);
}

/* The node that reads what this one gives, if one alone does; else the node itself. */
static size_t reader_of(const mfm_fuse_graph *f, size_t at)
{
    const int value = f->graph->nodes[at].out[0];
    return f->readers[value] == 1 && f->reader[value] >= 0 ? (size_t)f->reader[value] : at;
}

/* From the last node to the first: a chain is tried before those that it continues. What it has
 * become may be the end of another, or the beginning of one that ends behind it. */
static int fuse_chains(mfm_fuse_graph *f, bool frozen)
{
    patterns all = {.pattern = NULL};
    int status = read_patterns(f->graph->ctx, frozen, &all);
    for (size_t i = f->graph->n_nodes; i-- > 0 && !status;) {
        bool again = f->graph->nodes[i].op != NULL, fused = false;
        while (again && !status) {
            status = fuse_at(f, &all, i, &again);
            fused |= again;
        }
        if (fused)
            i = reader_of(f, i) + 1;
    }
    mfm_free(f->graph->ctx, all.pattern);
    close_up(f->graph);
    return status;
}

/* ---- the largest first ----------------------------------------------------------------------- */

/* The node that alone reads the only output of this one, in the same segment; NULL: there is none.
 */
static mfm_graph_node *follower(const mfm_fuse_graph *f, const mfm_graph_node *node)
{
    if (node->n_out != 1 || f->readers[node->out[0]] != 1 || f->reader[node->out[0]] < 0)
        return NULL;
    mfm_graph_node *next = &f->graph->nodes[f->reader[node->out[0]]];
    return next->segment == node->segment ? next : NULL;
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
static void largest_first(const mfm_fuse_graph *f)
{
    for (size_t i = 0; i < f->graph->n_nodes; i++) {
        mfm_graph_node *node = &f->graph->nodes[i];
        mfm_graph_node *next = mfm_has_trait(node->op, MFM_MONOTONE) ? follower(f, node) : NULL;
        if (next && mfm_has_trait(next->op, MFM_LARGEST) && next->n_out == 1)
            exchange(node, next);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* A batch size at which what is broadcast along the batch differs from what is not. */
enum { PROBE_BATCH = 2 };

static int begin(mfm_fuse_graph *f, int64_t batch, bool training)
{
    mfm_graph *graph = f->graph;
    f->shapes = mfm_alloc(graph->ctx, graph->n_values, sizeof *f->shapes);
    f->readers = mfm_alloc(graph->ctx, graph->n_values, sizeof *f->readers);
    f->reader = mfm_alloc(graph->ctx, graph->n_values, sizeof *f->reader);
    return f->shapes && f->readers && f->reader
               ? mfm_graph_shapes(graph, batch, training, f->shapes)
               : MFM_ENOMEM;
}

static void end(mfm_fuse_graph *f)
{
    mfm_free(f->graph->ctx, f->shapes);
    mfm_free(f->graph->ctx, f->readers);
    mfm_free(f->graph->ctx, f->reader);
}

int mfm_graph_fuse(mfm_graph *graph, const int *keep, size_t n_keep)
{
    mfm_fuse_graph f = {.graph = graph};
    int status = begin(&f, PROBE_BATCH, true);
    if (!status) {
        find_readers(&f, keep, n_keep);
        status = fuse_chains(&f, false);
    }
    if (!status) {
        find_readers(&f, keep, n_keep); /* the nodes have new places */
        largest_first(&f);
    }
    end(&f);
    return status;
}

int mfm_graph_fuse_frozen(mfm_graph *graph, int64_t batch, const int *keep, size_t n_keep)
{
    mfm_fuse_graph f = {.graph = graph};
    int status = begin(&f, batch, false);
    if (!status) {
        find_readers(&f, keep, n_keep);
        status = fuse_chains(&f, true);
    }
    end(&f);
    return status;
}
