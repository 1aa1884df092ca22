#include "core/engine/observe.h"

#include <time.h>

#include "core/engine/plan/plan_parts.h"

uint64_t mfm_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void mfm_observers_tell(const mfm_observer *observers, const mfm_plan *plan, int pass, int node,
                        uint64_t begin)
{
    const mfm_event event = {plan, pass, node, begin, mfm_clock()};
    for (const mfm_observer *o = observers; o; o = o->next)
        o->on_event(o->self, &event);
}

/* Whether one of the two factors has the lane; where one input has both, its lane is theirs. */
static bool has_lane(const mfm_node *node, int factor, enum mfm_lane lane)
{
    const bool own = factor < node->n_in && node->in[factor];
    return mfm_in(node, own ? factor : 0, lane) != NULL;
}

/* Products in g' = g against other, for one of the two factors of a bilinear operator. */
static int adjoint_tangent_products(const mfm_node *node, int factor)
{
    if (!has_lane(node, factor, MFM_DG))
        return 0;
    const bool of_tangent = mfm_out(node, 0, MFM_DG) != NULL;
    const bool of_other = mfm_out(node, 0, MFM_G) && has_lane(node, 1 - factor, MFM_DX);
    return of_tangent + of_other;
}

/* How often a pass multiplies as many numbers as the forward pass: operators that count their
 * multiplications are bilinear in inputs 0 and 1 (rules.h). */
static int products(const mfm_node *node, enum mfm_pass_kind kind)
{
    switch (kind) {
    case MFM_FORWARD:
        return 1;
    case MFM_JVP:
        return has_lane(node, 0, MFM_DX) + has_lane(node, 1, MFM_DX);
    case MFM_VJP:
        return has_lane(node, 0, MFM_G) + has_lane(node, 1, MFM_G);
    case MFM_VJP_T:
        return adjoint_tangent_products(node, 0) + adjoint_tangent_products(node, 1);
    case MFM_UPDATE:
        break;
    }
    return 0;
}

mfm_call mfm_plan_call(const mfm_plan *plan, int pass, int index)
{
    const mfm_node *node = &plan->instance.nodes[index];
    const mfm_graph_node *source = &plan->graph->nodes[index];
    const char *output = plan->graph->values[source->out[0]].name;
    mfm_call call = {
        .op = source->op->name, .name = output ? output : "", .shape = &node->out[0]->shape};
    if (source->name && source->name[0])
        call.name = source->name;
    if (node->op->macs)
        call.flop = 2 * (double)node->op->macs(node) * products(node, plan->spec.passes[pass].kind);
    return call;
}

size_t mfm_plan_nodes(const mfm_plan *plan)
{
    return plan->graph->n_nodes;
}

const char *mfm_plan_pass_name(const mfm_plan *plan, int pass)
{
    static const char *const kinds[] = {[MFM_FORWARD] = "forward",
                                        [MFM_JVP] = "tangent",
                                        [MFM_VJP] = "backward",
                                        [MFM_VJP_T] = "tangent of backward",
                                        [MFM_UPDATE] = "running statistics"};
    if (plan->spec.pass_names)
        return plan->spec.pass_names[pass];
    return kinds[plan->spec.passes[pass].kind];
}
