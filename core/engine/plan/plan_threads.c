/*
 * How many threads a plan has. A thread that has nothing to do falls asleep after some 50 us, and
 * takes as long to wake: where a whole step is little longer than that, as of a last layer on
 * features that are kept, one thread is faster than two. In longer steps the parallel parts follow
 * each other so closely that nobody falls asleep, and even short ones gain.
 */
#include <omp.h>

#include "core/engine/plan/plan_parts.h"

/* Nanoseconds, of one thread of a processor of our time: orders of magnitude. */
static const double a_product = 0.03, a_number = 0.15, a_draw = 1.5, short_plan = 400e3;

static double numbers_of(const mfm_node *node)
{
    double numbers = 0;
    for (int i = 0; i < node->n_in; i++)
        numbers += node->in[i] ? (double)mfm_shape_count(&node->in[i]->shape) : 0;
    for (int i = 0; i < node->n_out; i++)
        numbers += (double)mfm_shape_count(&node->out[i]->shape);
    return numbers;
}

/* Backward and tangent passes have two products for one. */
static double time_of(const mfm_node *node, enum mfm_pass_kind kind)
{
    const int products = kind == MFM_FORWARD ? 1 : kind == MFM_VJP_T ? 4 : 2;
    double time = a_number * numbers_of(node);
    if (node->op->macs && kind != MFM_UPDATE)
        time += products * a_product * (double)node->op->macs(node);
    if (node->op->random && node->training && kind == MFM_FORWARD)
        time += a_draw * (double)mfm_shape_count(&node->in[0]->shape);
    return time;
}

bool mfm_plan_is_short(const mfm_plan *plan)
{
    double time = 0;
    for (int p = 0; p < plan->spec.n_passes; p++)
        for (size_t i = 0; i < plan->graph->n_nodes; i++)
            if (plan->spec.passes[p].segments >> plan->graph->nodes[i].segment & 1 &&
                plan->instance.nodes[i].op)
                time += time_of(&plan->instance.nodes[i], plan->spec.passes[p].kind);
    return time < short_plan;
}

int mfm_plan_begin_threads(const mfm_plan *plan)
{
    const int threads = omp_get_max_threads();
    if (plan->alone)
        omp_set_num_threads(1);
    return threads;
}

void mfm_plan_end_threads(int threads)
{
    if (threads != omp_get_max_threads())
        omp_set_num_threads(threads);
}
