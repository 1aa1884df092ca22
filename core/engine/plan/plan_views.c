/*
 * Values that lie in one place because they hold the same numbers. A view (a Reshape, say) has the
 * place of what it views, and its X and DX are there before it is called. An adjoint that is handed
 * back as it is (by a view, by a sum) lies where it came from, if its value has no other reader,
 * from which it would get another part.
 *
 * Both values must be made in the same passes, so that neither outlives what the other holds, and
 * by nodes: what the caller binds, reads or seeds keeps a place of its own.
 */
#include "core/engine/plan/plan_parts.h"

typedef struct finder {
    mfm_plan *plan;
    int *readers; /* per value: input slots that hold it */
    bool *kept;   /* per value */
} finder;

enum { VALUES = 1 << MFM_FORWARD | 1 << MFM_JVP, ADJOINTS = 1 << MFM_VJP | 1 << MFM_VJP_T };

static bool is_free(const finder *f, int value, int segment)
{
    const mfm_graph *graph = f->plan->graph;
    return value >= 0 && graph->values[value].kind == MFM_VALUE_NODE && !f->kept[value] &&
           graph->values[value].producer >= 0 &&
           graph->nodes[graph->values[value].producer].segment == segment;
}

/* Whether the values of a node's input and output 0 may lie in one place in two lanes. */
static bool may_share(const finder *f, const mfm_graph_node *node, int input, enum mfm_lane lane)
{
    const int in = node->in[input], out = node->out[0];
    const unsigned lanes = 1u << lane | 1u << (lane + 1);
    return is_free(f, in, node->segment) && is_free(f, out, node->segment) &&
           (f->plan->lanes[in] & lanes) == (f->plan->lanes[out] & lanes);
}

static void find_values(finder *f)
{
    mfm_plan *plan = f->plan;
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        const mfm_graph_node *node = &plan->graph->nodes[i];
        const mfm_impl *impl = plan->instance.nodes[i].impl;
        if (!impl || !impl->is_view || !may_share(f, node, 0, MFM_X) ||
            !impl->is_view(&plan->instance.nodes[i]))
            continue;
        plan->homes[0][node->out[0]] = plan->homes[0][node->in[0]];
        plan->runs[i] &= (uint8_t)~VALUES;
    }
}

/* From the last node to the first: an output's home is known before its input's. */
static void find_adjoints(finder *f)
{
    mfm_plan *plan = f->plan;
    for (size_t i = plan->graph->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &plan->graph->nodes[i];
        const mfm_node *made = &plan->instance.nodes[i];
        const bool view = made->impl && made->impl->is_view && made->impl->is_view(made);
        const uint32_t back = view                                   ? 1
                              : made->impl && made->impl->hands_back ? made->impl->hands_back(made)
                                                                     : 0;
        for (int j = 0; j < node->n_in && j < 32; j++) {
            if (!(back >> j & 1) || !may_share(f, node, j, MFM_G) || f->readers[node->in[j]] != 1)
                continue;
            plan->homes[1][node->in[j]] = plan->homes[1][node->out[0]];
            if (view)
                plan->runs[i] &= (uint8_t)~ADJOINTS;
        }
    }
}

static void count(finder *f)
{
    const mfm_graph *graph = f->plan->graph;
    const mfm_plan_spec *spec = &f->plan->spec;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_in; j++)
            if (graph->nodes[i].in[j] >= 0)
                f->readers[graph->nodes[i].in[j]]++;
    for (int i = 0; i < spec->n_keep; i++)
        f->kept[spec->keep[i].value] = true;
}

int mfm_plan_find_homes(mfm_plan *plan)
{
    const size_t n = plan->graph->n_values;
    finder f = {.plan = plan};
    f.readers = mfm_alloc(plan->ctx, n, sizeof *f.readers);
    f.kept = mfm_alloc(plan->ctx, n, sizeof *f.kept);
    for (int i = 0; i < 2; i++)
        plan->homes[i] = mfm_alloc(plan->ctx, n, sizeof *plan->homes[i]);
    const bool made = f.readers && f.kept && plan->homes[0] && plan->homes[1];
    if (made) {
        for (size_t i = 0; i < n; i++)
            plan->homes[0][i] = plan->homes[1][i] = (int)i;
        count(&f);
        find_values(&f);
        find_adjoints(&f);
    }
    mfm_free(plan->ctx, f.readers);
    mfm_free(plan->ctx, f.kept);
    return made ? MFM_OK : MFM_ENOMEM;
}
