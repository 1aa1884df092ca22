/*
 * Which lanes a plan needs. A tangent exists where a seed reaches; an adjoint where a path leads
 * from a wanted derivative to the loss; an adjoint's tangent on the part of those paths where it is
 * not identically zero.
 */
#include <string.h>

#include "core/engine/plan/plan_parts.h"

static uint32_t segments_of(const mfm_plan *plan, enum mfm_pass_kind kind)
{
    uint32_t set = 0;
    for (int i = 0; i < plan->spec.n_passes; i++)
        if (plan->spec.passes[i].kind == kind)
            set |= plan->spec.passes[i].segments;
    return set;
}

static bool in_set(uint32_t segments, const mfm_graph_node *node)
{
    return segments >> node->segment & 1;
}

static const mfm_port *port_of(const mfm_port *ports, int i)
{
    while (i-- > 0 && !ports->variadic)
        ports++;
    return ports;
}

static bool is_differentiated(const mfm_port *port)
{
    return port->role == MFM_DATA || port->role == MFM_PARAM;
}

bool mfm_plan_differentiates(const mfm_graph_node *node, int input)
{
    return node->in[input] >= 0 && is_differentiated(port_of(node->op->inputs, input));
}

static bool any_input(const mfm_graph_node *node, const uint8_t *bits, enum mfm_lane lane)
{
    for (int i = 0; i < node->n_in; i++)
        if (mfm_plan_differentiates(node, i) && (bits[node->in[i]] >> lane & 1))
            return true;
    return false;
}

static bool any_output(const mfm_graph_node *node, const uint8_t *bits, enum mfm_lane lane)
{
    for (int i = 0; i < node->n_out; i++)
        if (bits[node->out[i]] >> lane & 1)
            return true;
    return false;
}

/* All of them have an X; what comes of it by derivative, those that are differentiated. */
static void mark_outputs(const mfm_graph_node *node, uint8_t *bits, enum mfm_lane lane)
{
    for (int i = 0; i < node->n_out; i++)
        if (lane == MFM_X || is_differentiated(port_of(node->op->outputs, i)))
            bits[node->out[i]] |= (uint8_t)(1 << lane);
}

/* only NULL: all of them */
static void mark_params(const mfm_graph *graph, const bool *only, uint8_t *bits, enum mfm_lane lane)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_PARAM && graph->values[i].trainable &&
            (!only || only[i]))
            bits[i] |= (uint8_t)(1 << lane);
}

/* Forward: lane `lane` spreads from the seeds in `bits` over the nodes of the segments. */
static void spread(const mfm_graph *graph, uint32_t segments, uint8_t *bits, enum mfm_lane lane)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (in_set(segments, &graph->nodes[i]) && any_input(&graph->nodes[i], bits, lane))
            mark_outputs(&graph->nodes[i], bits, lane);
}

/* Seeds and targets of the caller: kept lanes of inputs, and kept G of node outputs. */
static void mark_kept(const mfm_plan *plan, uint8_t *lanes, uint8_t *depends)
{
    for (int i = 0; i < plan->spec.n_keep; i++) {
        const mfm_slot slot = plan->spec.keep[i];
        const bool input = plan->graph->values[slot.value].kind == MFM_VALUE_INPUT;
        lanes[slot.value] |= (uint8_t)(1 << slot.lane);
        if (input && slot.lane == MFM_DG) /* its path carries adjoints too */
            depends[slot.value] |= 1 << MFM_G | 1 << MFM_DG;
        if (input && slot.lane == MFM_G)
            depends[slot.value] |= 1 << MFM_G;
    }
}

static bool wants_adjoint(const mfm_plan *plan, int value, enum mfm_lane lane)
{
    const mfm_value *v = &plan->graph->values[value];
    if (v->kind == MFM_VALUE_INPUT)
        return mfm_plan_has(plan, value, lane);
    if (v->kind == MFM_VALUE_PARAM)
        return lane == MFM_G ? plan->spec.param_gradients : plan->spec.param_gradient_tangents;
    return true;
}

/* The node has an adjoint (G) or adjoint's tangent (DG) to hand to its inputs. */
static bool hands_down(const mfm_plan *plan, const mfm_graph_node *node, enum mfm_lane lane)
{
    if (any_output(node, plan->lanes, lane))
        return true;
    return lane == MFM_DG && !node->op->linear && any_output(node, plan->lanes, MFM_G) &&
           any_input(node, plan->lanes, MFM_DX);
}

/* Backward: from the outputs that have the lane to the inputs that depend on a target. */
static void pull(mfm_plan *plan, uint32_t segments, const uint8_t *depends, enum mfm_lane lane,
                 enum mfm_pass_kind kind)
{
    const mfm_graph *graph = plan->graph;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const mfm_graph_node *node = &graph->nodes[i];
        if (!in_set(segments, node) || !hands_down(plan, node, lane))
            continue;
        for (int j = 0; j < node->n_in; j++) {
            const int value = node->in[j];
            if (!mfm_plan_differentiates(node, j) || !(depends[value] >> lane & 1) ||
                !wants_adjoint(plan, value, lane))
                continue;
            plan->lanes[value] |= (uint8_t)(1 << lane);
            plan->runs[i] |= (uint8_t)(1 << kind);
        }
    }
}

static void find_forward(mfm_plan *plan)
{
    const mfm_graph *graph = plan->graph;
    const uint32_t forward = segments_of(plan, MFM_FORWARD), update = segments_of(plan, MFM_UPDATE);
    const uint32_t tangent = segments_of(plan, MFM_JVP);
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind != MFM_VALUE_NODE)
            plan->lanes[i] |= 1 << MFM_X;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        if (in_set(forward, node)) {
            plan->runs[i] |= 1 << MFM_FORWARD;
            mark_outputs(node, plan->lanes, MFM_X);
        }
        const mfm_impl *impl = plan->instance.nodes[i].impl;
        if (in_set(update, node) && impl && impl->update && !node->inference)
            plan->runs[i] |= 1 << MFM_UPDATE;
        if (in_set(tangent, node) && any_output(node, plan->lanes, MFM_DX))
            plan->runs[i] |= 1 << MFM_JVP;
    }
}

int mfm_plan_find_lanes(mfm_plan *plan)
{
    const mfm_graph *graph = plan->graph;
    const mfm_plan_spec *spec = &plan->spec;
    uint8_t *depends = mfm_alloc(plan->ctx, graph->n_values, 1);
    if (!depends)
        return MFM_ENOMEM;
    mark_kept(plan, plan->lanes, depends);
    if (spec->param_tangents)
        mark_params(graph, spec->tangent_params, plan->lanes, MFM_DX);
    spread(graph, segments_of(plan, MFM_JVP), plan->lanes, MFM_DX);
    find_forward(plan);

    if (spec->param_gradients || spec->param_gradient_tangents)
        mark_params(graph, spec->gradient_params, depends, MFM_G);
    if (spec->param_gradient_tangents)
        mark_params(graph, spec->gradient_params, depends, MFM_DG);
    spread(graph, segments_of(plan, MFM_VJP), depends, MFM_G);
    spread(graph, segments_of(plan, MFM_VJP_T), depends, MFM_DG);
    pull(plan, segments_of(plan, MFM_VJP), depends, MFM_G, MFM_VJP);
    pull(plan, segments_of(plan, MFM_VJP_T), depends, MFM_DG, MFM_VJP_T);
    mfm_free(plan->ctx, depends);
    return MFM_OK;
}

static void accumulate(mfm_plan *plan, enum mfm_pass_kind kind, enum mfm_lane lane, uint8_t *seen)
{
    const mfm_graph *graph = plan->graph;
    memset(seen, 0, graph->n_values);
    for (int i = 0; i < plan->spec.n_keep; i++) /* a seed of the caller is added to */
        if (plan->spec.keep[i].lane == lane &&
            graph->values[plan->spec.keep[i].value].kind == MFM_VALUE_NODE)
            seen[plan->spec.keep[i].value] = 1;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        if (!mfm_plan_runs(plan, i, kind))
            continue;
        const mfm_graph_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_in; j++) {
            const int value = node->in[j];
            if (!mfm_plan_has(plan, value, lane) || !mfm_plan_differentiates(node, j))
                continue;
            if (seen[value])
                plan->instance.nodes[i].accumulates[j] |= (uint8_t)(1 << lane);
            seen[value] = 1;
        }
    }
}

/* Adjoints of these outputs are given by the caller. */
static void find_seeded(mfm_plan *plan)
{
    for (int i = 0; i < plan->spec.n_keep; i++) {
        const mfm_slot slot = plan->spec.keep[i];
        const mfm_value *value = &plan->graph->values[slot.value];
        if (value->kind == MFM_VALUE_NODE && (slot.lane == MFM_G || slot.lane == MFM_DG) &&
            plan->graph->nodes[value->producer].out[0] == slot.value)
            plan->instance.nodes[value->producer].seeded = true;
    }
}

int mfm_plan_find_accumulation(mfm_plan *plan)
{
    find_seeded(plan);
    uint8_t *seen = mfm_alloc(plan->ctx, plan->graph->n_values, 1);
    if (!seen)
        return MFM_ENOMEM;
    accumulate(plan, MFM_VJP, MFM_G, seen);
    accumulate(plan, MFM_VJP_T, MFM_DG, seen);
    mfm_free(plan->ctx, seen);
    return MFM_OK;
}
