#include "core/train/comm/gradient_sum.h"

#include <assert.h>

#include "core/engine/param_room.h"

enum { LEAST = 256 << 10 }; /* bytes of a part */

typedef struct part {
    size_t begin, end; /* of the vector */
    size_t first;      /* the first node that reads one of its parameters; n_nodes: none */
    bool begun;        /* in this sweep */
} part;

struct mfm_gradient_sum {
    mfm_ctx *ctx;
    mfm_comm *comm;
    part *parts;
    size_t n_parts;
    real *vector;
};

static void find_first_nodes(const mfm_graph *graph, size_t *first)
{
    for (size_t v = 0; v < graph->n_values; v++)
        first[v] = graph->n_nodes;
    for (size_t i = graph->n_nodes; i-- > 0;)
        for (int j = 0; j < graph->nodes[i].n_in; j++)
            if (graph->nodes[i].in[j] >= 0)
                first[graph->nodes[i].in[j]] = i;
}

/* Parts follow each other without gaps, but where a parameter is left out. */
static void cut(mfm_gradient_sum *s, const mfm_graph *graph, const size_t *at, const size_t *first)
{
    part *last = NULL;
    for (size_t v = 0; v < graph->n_values; v++) {
        const mfm_value *value = &graph->values[v];
        if (value->kind != MFM_VALUE_PARAM || (at && at[v] == MFM_NO_ROOM))
            continue;
        const size_t begin = at ? at[v] : value->offset;
        assert(!last || begin >= last->end);
        if (!last || begin > last->end || (begin - last->begin) * sizeof(real) >= LEAST) {
            last = &s->parts[s->n_parts++];
            *last = (part){.begin = begin, .first = graph->n_nodes};
        }
        last->end = begin + mfm_param_extent(graph, v);
        last->first = first[v] < last->first ? first[v] : last->first;
    }
}

int mfm_gradient_sum_new(mfm_ctx *ctx, mfm_comm *comm, const mfm_graph *graph, const size_t *at,
                         mfm_gradient_sum **sum)
{
    *sum = NULL;
    if (!comm)
        return MFM_OK;
    mfm_gradient_sum *s = mfm_alloc(ctx, 1, sizeof *s);
    if (!s)
        return MFM_ENOMEM;
    *s = (mfm_gradient_sum){.ctx = ctx, .comm = comm};
    size_t n_params = 0;
    for (size_t v = 0; v < graph->n_values; v++)
        n_params += graph->values[v].kind == MFM_VALUE_PARAM;
    size_t *first = mfm_alloc(ctx, graph->n_values, sizeof *first);
    s->parts = mfm_alloc(ctx, n_params, sizeof *s->parts);
    if (first && (s->parts || !n_params)) {
        find_first_nodes(graph, first);
        cut(s, graph, at, first);
        *sum = s;
    }
    mfm_free(ctx, first);
    if (!*sum)
        mfm_gradient_sum_free(s);
    return *sum ? MFM_OK : MFM_ENOMEM;
}

void mfm_gradient_sum_free(mfm_gradient_sum *s)
{
    if (!s)
        return;
    mfm_free(s->ctx, s->parts);
    mfm_free(s->ctx, s);
}

static void begin_part(mfm_gradient_sum *s, part *p)
{
    mfm_comm_begin_sum(s->comm, s->vector + p->begin, p->end - p->begin);
    p->begun = true;
}

/* All ranks come past the same nodes in the same order. Of a part whose first node is not in the
 * sweep it is not known when it is whole. */
static void pass_node(void *self, size_t node)
{
    mfm_gradient_sum *s = self;
    for (size_t i = 0; i < s->n_parts; i++)
        if (s->parts[i].first == node)
            begin_part(s, &s->parts[i]);
}

void mfm_gradient_sum_run(mfm_gradient_sum *s, mfm_plan *plan, int pass, real *vector)
{
    if (!s || s->n_parts < 2) {
        mfm_plan_run(plan, pass);
        if (s && s->n_parts)
            mfm_comm_sum_reals(s->comm, vector + s->parts[0].begin,
                               s->parts[0].end - s->parts[0].begin);
        return;
    }
    s->vector = vector;
    for (size_t i = 0; i < s->n_parts; i++)
        s->parts[i].begun = false;
    mfm_plan_run_heard(plan, pass, &(mfm_plan_listener){.self = s, .on_passed = pass_node});
    for (size_t i = 0; i < s->n_parts; i++)
        if (!s->parts[i].begun)
            begin_part(s, &s->parts[i]);
    mfm_comm_finish_sums(s->comm);
}
