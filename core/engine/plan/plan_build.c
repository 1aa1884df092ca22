/* Life times and places of a plan's buffers. */
#include <assert.h>
#include <limits.h>

#include "core/engine/plan/plan_parts.h"

/* Buffer numbers: four lanes a value, then the saved block of each node, then the packed block of
 * each, then the scratch of each, then what is lent. */
typedef struct layout {
    mfm_plan *plan;
    mfm_buffer *buffers;
    size_t count;
    int time;
    int pass;        /* under way */
    size_t index;    /* of the node at `time` */
    int *made_in;    /* per value: the pass that made its X last; KEPT: no matter which */
    size_t *waiting; /* nodes that restore, each for the one before it; room for all */
    int status;      /* sticky */
} layout;

enum { KEPT = INT_MAX };

/* The offset of a buffer that never lives. */
static const size_t NOWHERE = SIZE_MAX;

static size_t lane_number(int value, int lane)
{
    return (size_t)value * MFM_LANES + (size_t)lane;
}

static size_t saved_number(const mfm_plan *plan, size_t node)
{
    return plan->graph->n_values * MFM_LANES + node;
}

static size_t packed_number(const mfm_plan *plan, size_t node)
{
    return saved_number(plan, plan->graph->n_nodes + node);
}

static size_t scratch_number(const mfm_plan *plan, size_t node)
{
    return packed_number(plan, plan->graph->n_nodes + node);
}

static size_t lent_number(const mfm_plan *plan)
{
    return scratch_number(plan, plan->graph->n_nodes);
}

static mfm_buffer *lane_buffer(layout *l, int value, enum mfm_lane lane)
{
    return &l->buffers[lane_number(mfm_plan_home(l->plan, value, lane), lane)];
}

static mfm_buffer *saved_buffer(layout *l, size_t node)
{
    return &l->buffers[saved_number(l->plan, node)];
}

static mfm_buffer *packed_buffer(layout *l, size_t node)
{
    return &l->buffers[packed_number(l->plan, node)];
}

static mfm_buffer *lent_buffer(layout *l)
{
    return &l->buffers[lent_number(l->plan)];
}

static mfm_buffer *scratch_buffer(layout *l, size_t node)
{
    return &l->buffers[scratch_number(l->plan, node)];
}

static void touch(layout *l, mfm_buffer *buffer, bool anew)
{
    if (!l->status && buffer->size)
        l->status = anew ? mfm_buffer_write(l->plan->ctx, buffer, l->time)
                         : mfm_buffer_use(l->plan->ctx, buffer, l->time);
}

static void touch_all(layout *l, const int *values, int count, enum mfm_lane lane, bool anew)
{
    for (int i = 0; i < count; i++)
        if (values[i] >= 0)
            touch(l, lane_buffer(l, values[i], lane), anew);
}

/* In the arena are the lanes of node outputs, and adjoints of inputs; the caller owns the rest. */
static bool in_arena(const mfm_plan *plan, size_t value, enum mfm_lane lane)
{
    const enum mfm_value_kind kind = plan->graph->values[value].kind;
    if (!mfm_plan_has(plan, (int)value, lane))
        return false;
    return kind == MFM_VALUE_NODE || (kind == MFM_VALUE_INPUT && lane >= MFM_G);
}

static void size_buffers(layout *l)
{
    const mfm_plan *plan = l->plan;
    for (size_t i = 0; i < plan->graph->n_values; i++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            if (in_arena(plan, i, lane))
                lane_buffer(l, (int)i, lane)->size =
                    (size_t)mfm_shape_count(&plan->instance.tensors[i].shape);
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        const mfm_node *node = &plan->instance.nodes[i];
        saved_buffer(l, i)->size = node->saved_size;
        packed_buffer(l, i)->size = node->packed_size;
        scratch_buffer(l, i)->size = node->scratch_size;
    }
    lent_buffer(l)->size = plan->spec.lend;
}

/* Notes which values may be dropped. */
static void find_restorable(layout *l)
{
    const mfm_graph *graph = l->plan->graph;
    const mfm_node *nodes = l->plan->instance.nodes;
    const mfm_plan_spec *spec = &l->plan->spec;
    for (size_t i = 0; i < graph->n_values; i++)
        l->made_in[i] = KEPT;
    for (size_t i = 0; i < graph->n_nodes && spec->restore; i++)
        for (int j = 0; j < graph->nodes[i].n_out && nodes[i].impl && nodes[i].impl->restore; j++)
            l->made_in[graph->nodes[i].out[j]] = -1;
    for (int i = 0; i < spec->n_keep; i++)
        l->made_in[spec->keep[i].value] = KEPT;
}

static void make_value(layout *l, int value)
{
    touch(l, lane_buffer(l, value, MFM_X), true);
    if (l->made_in[value] != KEPT)
        l->made_in[value] = l->pass;
}

/* The value was dropped, and nothing has made it again. */
static bool is_gone(const layout *l, int value)
{
    const int dropped_after = l->plan->spec.restore_after;
    if (value < 0)
        return false;
    const int made_in = l->made_in[mfm_plan_home(l->plan, value, MFM_X)];
    return made_in <= dropped_after && l->pass > dropped_after;
}

/* The node that makes the numbers of a value. */
static size_t maker(const layout *l, int value)
{
    const int home = mfm_plan_home(l->plan, value, MFM_X);
    return (size_t)l->plan->graph->values[home].producer;
}

/* The node makes its outputs again, from inputs that are all there. */
static void restore(layout *l, size_t index)
{
    mfm_plan *plan = l->plan;
    const mfm_graph_node *node = &plan->graph->nodes[index];
    touch(l, saved_buffer(l, index), false);
    touch(l, scratch_buffer(l, index), true);
    touch_all(l, node->in, node->n_in, MFM_X, false);
    for (int i = 0; i < node->n_out; i++)
        make_value(l, node->out[i]);
    if (!l->status)
        l->status = mfm_grow(plan->ctx, &plan->restores, plan->n_restores, &plan->restores_capacity,
                             sizeof *plan->restores);
    if (!l->status)
        plan->restores[plan->n_restores++] = (mfm_restore){l->pass, l->index, index};
}

/* The producer of a value that is gone waits for those of its own inputs, which wait for theirs: a
 * chain as long as the graph may be. */
static void restore_value(layout *l, int value)
{
    const mfm_graph *graph = l->plan->graph;
    size_t waiting = 0;
    l->waiting[waiting++] = maker(l, value);
    while (waiting) {
        const size_t index = l->waiting[waiting - 1];
        const mfm_graph_node *node = &graph->nodes[index];
        int i = 0;
        while (i < node->n_in && !is_gone(l, node->in[i]))
            i++;
        if (i < node->n_in) {
            assert(waiting < graph->n_nodes); /* inputs come from nodes before: no cycle */
            l->waiting[waiting++] = maker(l, node->in[i]);
        } else {
            restore(l, index);
            waiting--;
        }
    }
}

static void read_value(layout *l, int value)
{
    if (is_gone(l, value))
        restore_value(l, value);
    touch(l, lane_buffer(l, value, MFM_X), false);
}

static void read_lane(layout *l, int value, enum mfm_lane lane)
{
    if (lane == MFM_X)
        read_value(l, value);
    else
        touch(l, lane_buffer(l, value, lane), false);
}

/* Inputs that the passes after forward read. */
static void read_inputs(layout *l, const mfm_graph_node *node, enum mfm_lane lane)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && !mfm_is_additive(node->op, i))
            read_lane(l, node->in[i], lane);
}

static void read_values(layout *l, const mfm_graph_node *node, enum mfm_lane lane)
{
    const unsigned reads = l->plan->instance.nodes[l->index].impl->reads;
    if (reads & MFM_READS_IN)
        read_inputs(l, node, lane);
    for (int i = 0; i < node->n_out && reads & MFM_READS_OUT; i++)
        read_lane(l, node->out[i], lane);
}

static void write_adjoints(layout *l, size_t index, enum mfm_lane lane)
{
    const mfm_graph_node *node = &l->plan->graph->nodes[index];
    for (int i = 0; i < node->n_in; i++)
        if (mfm_plan_has(l->plan, node->in[i], lane)) {
            mfm_buffer *buffer = lane_buffer(l, node->in[i], lane);
            const bool handed_back = buffer == lane_buffer(l, node->out[0], lane);
            touch(l, buffer,
                  !handed_back && !mfm_accumulates(&l->plan->instance.nodes[index], i, lane));
        }
}

static void visit(layout *l, size_t index, enum mfm_pass_kind kind)
{
    const mfm_graph_node *node = &l->plan->graph->nodes[index];
    l->index = index;
    touch(l, saved_buffer(l, index), kind == MFM_FORWARD);
    touch(l, scratch_buffer(l, index), true);
    switch (kind) {
    case MFM_FORWARD:
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] >= 0)
                read_value(l, node->in[i]);
        for (int i = 0; i < node->n_out; i++)
            make_value(l, node->out[i]);
        break;
    case MFM_JVP:
        read_values(l, node, MFM_X);
        touch_all(l, node->in, node->n_in, MFM_DX, false);
        touch_all(l, node->out, node->n_out, MFM_DX, true);
        break;
    case MFM_VJP:
        read_values(l, node, MFM_X);
        touch_all(l, node->out, node->n_out, MFM_G, false);
        write_adjoints(l, index, MFM_G);
        break;
    case MFM_VJP_T:
        read_values(l, node, MFM_X);
        read_values(l, node, MFM_DX);
        if (!node->op->linear)
            read_inputs(l, node, MFM_DX);
        touch_all(l, node->out, node->n_out, MFM_G, false);
        touch_all(l, node->out, node->n_out, MFM_DG, false);
        write_adjoints(l, index, MFM_DG);
        break;
    case MFM_UPDATE:
        break;
    }
    l->time++;
}

static void visit_pass(layout *l, const mfm_pass *pass)
{
    const mfm_graph *graph = l->plan->graph;
    const bool backward = pass->kind == MFM_VJP || pass->kind == MFM_VJP_T;
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const size_t i = backward ? graph->n_nodes - 1 - k : k;
        if (mfm_plan_runs(l->plan, i, pass->kind) &&
            (pass->segments >> graph->nodes[i].segment & 1))
            visit(l, i, pass->kind);
    }
}

/* Kept lanes, and packed parameters, are alive from the first call to the last. */
static void keep_throughout(layout *l, mfm_buffer *buffer)
{
    const int end = l->time;
    buffer->n_ranges = 0;
    l->time = 0;
    touch(l, buffer, true);
    l->time = end;
    touch(l, buffer, false);
}

static void find_lives(layout *l)
{
    const mfm_plan_spec *spec = &l->plan->spec;
    find_restorable(l);
    for (l->pass = 0; l->pass < spec->n_passes; l->pass++) {
        visit_pass(l, &spec->passes[l->pass]);
        if (l->pass == spec->lend_after)
            touch(l, lent_buffer(l), true); /* beside what is alive across the end of the pass */
        l->time++;
    }
    for (int i = 0; i < spec->n_keep; i++)
        keep_throughout(l, lane_buffer(l, spec->keep[i].value, spec->keep[i].lane));
    for (size_t i = 0; i < l->plan->graph->n_nodes; i++)
        keep_throughout(l, packed_buffer(l, i));
}

static real *place_of(const mfm_plan *plan, size_t number, real *arena)
{
    return plan->offsets[number] == NOWHERE ? NULL : arena + plan->offsets[number];
}

void mfm_plan_bind_arena(mfm_plan *plan, real *arena)
{
    assert(arena && (uintptr_t)arena % 64 == 0);
    plan->is_placed = true;
    for (size_t i = 0; i < plan->graph->n_values; i++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            if (in_arena(plan, i, lane))
                plan->instance.tensors[i].lane[lane] =
                    place_of(plan, lane_number(mfm_plan_home(plan, (int)i, lane), lane), arena);
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        plan->instance.nodes[i].saved = place_of(plan, saved_number(plan, i), arena);
        plan->instance.nodes[i].packed = place_of(plan, packed_number(plan, i), arena);
        plan->instance.nodes[i].scratch = place_of(plan, scratch_number(plan, i), arena);
    }
}

real *mfm_plan_lent(const mfm_plan *plan)
{
    return plan->arena ? place_of(plan, lent_number(plan), plan->arena) : NULL;
}

/* Notes where the buffers lie, and makes the arena unless it is to be borrowed. */
static int settle(layout *l)
{
    mfm_plan *plan = l->plan;
    plan->offsets = mfm_alloc(plan->ctx, l->count, sizeof *plan->offsets);
    if (!plan->offsets)
        return MFM_ENOMEM;
    for (size_t i = 0; i < l->count; i++) {
        const mfm_buffer *buffer = &l->buffers[i];
        plan->offsets[i] = buffer->size && buffer->n_ranges ? buffer->offset : NOWHERE;
    }
    if (plan->spec.borrow)
        return MFM_OK;
    plan->arena = mfm_alloc_aligned(plan->ctx, plan->arena_size, sizeof *plan->arena);
    if (!plan->arena)
        return MFM_ENOMEM;
    mfm_plan_bind_arena(plan, plan->arena);
    return MFM_OK;
}

int mfm_plan_place(mfm_plan *plan)
{
    const mfm_graph *graph = plan->graph;
    layout l = {.plan = plan, .count = lent_number(plan) + 1};
    l.buffers = mfm_alloc(plan->ctx, l.count, sizeof *l.buffers);
    l.made_in = mfm_alloc(plan->ctx, graph->n_values, sizeof *l.made_in);
    l.waiting = mfm_alloc(plan->ctx, graph->n_nodes, sizeof *l.waiting);
    l.status = l.buffers && l.made_in && l.waiting ? MFM_OK : MFM_ENOMEM;
    if (!l.status) {
        size_buffers(&l);
        find_lives(&l);
    }
    if (!l.status)
        l.status = mfm_memory_plan(plan->ctx, l.buffers, l.count, &plan->arena_size);
    if (!l.status)
        l.status = settle(&l);
    for (size_t i = 0; l.buffers && i < l.count; i++)
        mfm_free(plan->ctx, l.buffers[i].ranges);
    mfm_free(plan->ctx, l.waiting);
    mfm_free(plan->ctx, l.made_in);
    mfm_free(plan->ctx, l.buffers);
    return l.status;
}
