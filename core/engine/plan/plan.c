#include "core/engine/plan/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "core/engine/observe.h"
#include "core/engine/plan/plan_parts.h"
#include "core/engine/rules.h"

static void *copy(mfm_ctx *ctx, const void *from, size_t count, size_t size)
{
    void *to = mfm_alloc(ctx, count, size);
    if (to && count)
        memcpy(to, from, count * size);
    return to;
}

static int copy_spec(mfm_plan *plan, const mfm_plan_spec *spec)
{
    plan->spec = *spec;
    plan->spec.passes = copy(plan->ctx, spec->passes, (size_t)spec->n_passes, sizeof *spec->passes);
    plan->spec.keep = copy(plan->ctx, spec->keep, (size_t)spec->n_keep, sizeof *spec->keep);
    return plan->spec.passes && plan->spec.keep ? MFM_OK : MFM_ENOMEM;
}

/* Accumulation is decided once, so every sweep of one kind must cover the same nodes. */
static int check_passes(mfm_ctx *ctx, const mfm_plan_spec *spec)
{
    for (int i = 0; i < spec->n_passes && spec->frozen; i++)
        if (spec->passes[i].kind != MFM_FORWARD)
            return mfm_fail(ctx, MFM_EINVAL, "plan: pass %d: frozen plans run forward only", i);
    for (int i = 0; i < spec->n_passes; i++) {
        assert(spec->passes[i].kind <= MFM_UPDATE);
        for (int j = 0; j < i; j++) {
            const mfm_pass *a = &spec->passes[i], *b = &spec->passes[j];
            if (a->kind == b->kind && a->kind != MFM_FORWARD && a->kind != MFM_UPDATE &&
                a->segments != b->segments)
                return mfm_fail(ctx, MFM_EINVAL,
                                "plan: passes %d and %d: one kind, different segments", j, i);
        }
    }
    return MFM_OK;
}

static uint32_t forward_segments(const mfm_plan_spec *spec)
{
    uint32_t set = 0;
    for (int i = 0; i < spec->n_passes; i++)
        if (spec->passes[i].kind == MFM_FORWARD)
            set |= spec->passes[i].segments;
    return set;
}

/* Whether the caller gives a value that a node outside the passes would make. */
static bool is_given(const mfm_plan *plan, uint32_t segments)
{
    const mfm_graph *graph = plan->graph;
    for (int i = 0; i < plan->spec.n_keep; i++) {
        const mfm_value *value = &graph->values[plan->spec.keep[i].value];
        if (plan->spec.keep[i].lane == MFM_X && value->kind == MFM_VALUE_NODE &&
            !(segments >> graph->nodes[value->producer].segment & 1))
            return true;
    }
    return false;
}

static int make_instance(mfm_plan *plan, const mfm_plan_spec *spec)
{
    mfm_ctx *ctx = plan->ctx;
    const mfm_graph *graph = plan->graph;
    mfm_instance_use use = {.segments = forward_segments(spec),
                            .share = spec->share,
                            .training = spec->training,
                            .frozen = spec->frozen};
    mfm_shape *shapes = NULL;
    int status = MFM_OK;
    if (is_given(plan, use.segments)) {
        shapes = mfm_alloc(ctx, graph->n_values, sizeof *shapes);
        status = shapes ? mfm_graph_shapes(graph, spec->batch, spec->training, shapes) : MFM_ENOMEM;
    }
    use.shapes = shapes;
    if (!status)
        status = mfm_instance_init(ctx, graph, spec->batch, use, &plan->instance);
    mfm_free(ctx, shapes);
    return status;
}

static int setup(mfm_plan *plan)
{
    plan->alone = mfm_plan_is_short(plan);
    const int threads = mfm_plan_begin_threads(plan);
    const int status = mfm_instance_setup(&plan->instance);
    mfm_plan_end_threads(threads);
    return status;
}

static int build(mfm_plan *plan, const mfm_plan_spec *spec)
{
    mfm_ctx *ctx = plan->ctx;
    for (int i = 0; i < spec->n_keep; i++)
        assert(0 <= spec->keep[i].value && spec->keep[i].value < (int)plan->graph->n_values);
    int status = check_passes(ctx, spec);
    if (!status && spec->share.samples && mfm_share_count(&spec->share) != spec->batch)
        status = mfm_fail(ctx, MFM_EINVAL, "plan: batch %" PRId64 ": the share has %" PRId64,
                          spec->batch, mfm_share_count(&spec->share));
    if (!status)
        status = copy_spec(plan, spec);
    if (!status && spec->frozen && !spec->training)
        status = mfm_plan_freeze(ctx, plan->graph, spec, &plan->frozen);
    if (plan->frozen)
        plan->graph = plan->frozen;
    if (!status)
        status = make_instance(plan, spec);
    if (!status)
        status = setup(plan);
    if (status)
        return status;
    plan->lanes = mfm_alloc(ctx, plan->graph->n_values, 1);
    plan->runs = mfm_alloc(ctx, plan->graph->n_nodes, 1);
    if (!plan->lanes || !plan->runs)
        return MFM_ENOMEM;
    status = mfm_plan_find_lanes(plan);
    if (!status)
        status = mfm_plan_find_homes(plan);
    if (!status)
        status = mfm_plan_find_accumulation(plan);
    if (!status)
        status = mfm_plan_place(plan);
    return status;
}

int mfm_plan_new(mfm_ctx *ctx, const mfm_graph *graph, const mfm_plan_spec *spec, mfm_plan **plan)
{
    *plan = mfm_alloc(ctx, 1, sizeof **plan);
    if (!*plan)
        return MFM_ENOMEM;
    (*plan)->ctx = ctx;
    (*plan)->graph = graph;
    int status = build(*plan, spec);
    if (status) {
        mfm_plan_free(*plan);
        *plan = NULL;
    }
    return status;
}

int mfm_plan_new_forward(mfm_ctx *ctx, const mfm_graph *graph, int64_t batch, const int *values,
                         size_t n, mfm_plan **plan)
{
    static const mfm_pass forward = {MFM_FORWARD, ~0u};
    *plan = NULL;
    mfm_slot *keep = mfm_alloc(ctx, n, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < n; i++)
        keep[i] = (mfm_slot){values[i], MFM_X};
    const mfm_plan_spec spec = {.batch = batch,
                                .passes = &forward,
                                .n_passes = 1,
                                .keep = keep,
                                .n_keep = (int)n,
                                .frozen = true};
    const int status = mfm_plan_new(ctx, graph, &spec, plan);
    mfm_free(ctx, keep);
    return status;
}

void mfm_plan_free(mfm_plan *plan)
{
    if (!plan)
        return;
    mfm_ctx *ctx = plan->ctx;
    if (plan->instance.graph)
        mfm_instance_clear(&plan->instance);
    mfm_plan_free_frozen(plan->frozen);
    mfm_free(ctx, (void *)plan->spec.passes);
    mfm_free(ctx, (void *)plan->spec.keep);
    mfm_free(ctx, plan->lanes);
    mfm_free(ctx, plan->runs);
    mfm_free(ctx, plan->homes[0]);
    mfm_free(ctx, plan->homes[1]);
    mfm_free(ctx, plan->restores);
    mfm_free(ctx, plan->offsets);
    mfm_free_aligned(ctx, plan->arena);
    mfm_free(ctx, plan);
}

static bool is_ready(const mfm_node *node)
{
    for (int i = 0; i < node->n_in; i++) {
        const enum mfm_role role = node->op->inputs[i].role;
        if ((role == MFM_PARAM || role == MFM_STATE) && node->in[i] && !node->in[i]->lane[MFM_X])
            return false;
    }
    return true;
}

static bool has_state(const mfm_node *node)
{
    bool any = false;
    for (int i = 0; i < node->n_in; i++)
        any = any || (node->in[i] && node->op->inputs[i].role == MFM_STATE);
    return any;
}

/* Of nodes that have a state only, or of all: as soon as all that they pack is bound. */
static void prepare(const mfm_plan *plan, bool states)
{
    const int threads = mfm_plan_begin_threads(plan);
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        const mfm_node *node = &plan->instance.nodes[i];
        if (node->packed && (!states || has_state(node)) && is_ready(node))
            node->impl->prepare(node);
    }
    mfm_plan_end_threads(threads);
}

/* room NULL: the graph's own form. */
static void bind_params(mfm_plan *plan, enum mfm_lane lane, real *vector,
                        const mfm_param_room *room)
{
    assert((uintptr_t)vector % 64 == 0);
    for (size_t i = 0; i < plan->graph->n_values; i++) {
        const mfm_value *value = &plan->graph->values[i];
        if (value->kind == MFM_VALUE_PARAM && mfm_plan_has(plan, (int)i, lane) &&
            (!room || room->at[i] != MFM_NO_ROOM))
            plan->instance.tensors[i].lane[lane] = vector + (room ? room->at[i] : value->offset);
    }
    if (lane == MFM_X && plan->spec.frozen)
        prepare(plan, false);
}

void mfm_plan_bind_params(mfm_plan *plan, enum mfm_lane lane, real *vector)
{
    bind_params(plan, lane, vector, NULL);
}

void mfm_plan_bind_params_at(mfm_plan *plan, enum mfm_lane lane, real *vector,
                             const mfm_param_room *room)
{
    bind_params(plan, lane, vector, room);
}

void mfm_plan_bind_factors(mfm_plan *plan, int value, enum mfm_lane lane,
                           const mfm_factors *factors)
{
    assert(0 <= value && value < (int)plan->graph->n_values);
    assert(plan->graph->values[value].kind == MFM_VALUE_PARAM);
    plan->instance.tensors[value].factors[lane] = factors;
}

static bool is_outer(const mfm_node *node, mfm_outer *sizes)
{
    if (!node->op || node->impl->rule != &mfm_rule_bilinear)
        return false;
    const mfm_bilinear *f = node->impl->parts;
    return f->outer && f->outer(node, sizes);
}

int mfm_plan_outer(const mfm_plan *plan, int param, uint32_t segments, mfm_outer *sizes)
{
    const mfm_graph *graph = plan->graph;
    int readers = 0, from = -1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_in && segments >> node->segment & 1; j++) {
            if (node->in[j] != param)
                continue;
            readers++;
            if (j == 1 && is_outer(&plan->instance.nodes[i], sizes))
                from = node->in[0];
        }
    }
    return readers == 1 ? from : -1;
}

void mfm_plan_bind_state(mfm_plan *plan, real *vector)
{
    for (size_t i = 0; i < plan->graph->n_values; i++)
        if (plan->graph->values[i].kind == MFM_VALUE_STATE)
            plan->instance.tensors[i].lane[MFM_X] = vector + plan->graph->values[i].offset;
    if (plan->spec.frozen)
        prepare(plan, true);
}

void mfm_plan_bind_input(mfm_plan *plan, int value, enum mfm_lane lane, real *data)
{
    assert(0 <= value && value < (int)plan->graph->n_values);
    assert(plan->graph->values[value].kind == MFM_VALUE_INPUT);
    if (mfm_plan_has(plan, value, lane))
        plan->instance.tensors[value].lane[lane] = data;
}

void mfm_plan_set_step(mfm_plan *plan, enum mfm_stream stream, uint64_t seed, uint64_t step)
{
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        mfm_key *key = &plan->instance.nodes[i].key;
        key->seed = seed;
        key->stream = stream;
        key->step = step;
    }
}

/* A lane that the plan has is there, or something stands for it, or its tensor is empty. */
static bool is_there(const mfm_plan *plan, int value, enum mfm_lane lane)
{
    const mfm_tensor *tensor = value < 0 ? NULL : &plan->instance.tensors[value];
    return !mfm_plan_has(plan, value, lane) || tensor->lane[lane] || tensor->factors[lane] ||
           !mfm_shape_count(&tensor->shape);
}

/* The lanes of inputs that a call must find; adjoints, which it writes, are among them. */
static inline bool inputs_are_there(const mfm_plan *plan, size_t node, enum mfm_pass_kind kind)
{
    const mfm_graph_node *n = &plan->graph->nodes[node];
    for (int i = 0; i < n->n_in; i++) {
        const int value = n->in[i];
        const bool derived = mfm_plan_differentiates(n, i);
        if (!is_there(plan, value, MFM_X) ||
            (kind == MFM_JVP && derived && !is_there(plan, value, MFM_DX)) ||
            (kind == MFM_VJP && derived && !is_there(plan, value, MFM_G)) ||
            (kind == MFM_VJP_T && derived && !is_there(plan, value, MFM_DG)))
            return false;
    }
    return true;
}

int mfm_plan_check_bound(const mfm_plan *plan)
{
    const mfm_graph *graph = plan->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const mfm_graph_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_in && mfm_plan_runs(plan, i, MFM_FORWARD); j++)
            if (!is_there(plan, node->in[j], MFM_X))
                return mfm_fail(plan->ctx, MFM_EINVAL,
                                "plan: '%s', which %s '%s' reads: nothing is bound to it",
                                graph->values[node->in[j]].name, node->op->name, node->name);
    }
    return MFM_OK;
}

static void call(const mfm_node *node, enum mfm_pass_kind kind)
{
    switch (kind) {
    case MFM_FORWARD:
        node->impl->rule->forward(node);
        break;
    case MFM_JVP:
        node->impl->rule->jvp(node);
        break;
    case MFM_VJP:
        node->impl->rule->vjp(node);
        break;
    case MFM_VJP_T:
        node->impl->rule->vjp_t(node);
        break;
    case MFM_UPDATE:
        node->impl->update(node);
        break;
    }
}

/* The first restoration of a pass, or of those that follow. */
static size_t first_restore(const mfm_plan *plan, int pass)
{
    size_t first = 0;
    while (first < plan->n_restores && plan->restores[first].pass < pass)
        first++;
    return first;
}

/* Restores what node i reads in the pass; *next goes past it. */
static void restore_for(const mfm_plan *plan, int pass, size_t i, size_t *next,
                        const mfm_observer *observers)
{
    for (; *next < plan->n_restores; ++*next) {
        const mfm_restore *r = &plan->restores[*next];
        if (r->pass != pass || r->before != i)
            return;
        const uint64_t from = observers ? mfm_clock() : 0;
        const mfm_node *node = &plan->instance.nodes[r->node];
        node->impl->restore(node);
        if (observers)
            mfm_observers_tell(observers, plan, pass, (int)r->node, from);
    }
}

void mfm_plan_run(mfm_plan *plan, int pass)
{
    mfm_plan_run_heard(plan, pass, NULL);
}

void mfm_plan_run_heard(mfm_plan *plan, int pass, const mfm_plan_listener *listener)
{
    assert(0 <= pass && pass < plan->spec.n_passes);
    assert(plan->is_placed); /* mfm_plan_bind_arena comes before */
    assert(pass == 0 || pass >= plan->next_pass);
    plan->next_pass = pass + 1;
    const mfm_graph *graph = plan->graph;
    const mfm_pass *p = &plan->spec.passes[pass];
    const bool backward = p->kind == MFM_VJP || p->kind == MFM_VJP_T;
    const mfm_observer *observers = mfm_ctx_observers(plan->ctx);
    const uint64_t begin = observers ? mfm_clock() : 0;
    const int threads = mfm_plan_begin_threads(plan);
    size_t next = first_restore(plan, pass);
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const size_t i = backward ? graph->n_nodes - 1 - k : k;
        if (!mfm_plan_runs(plan, i, p->kind) || !(p->segments >> graph->nodes[i].segment & 1))
            continue;
        restore_for(plan, pass, i, &next, observers);
        assert(inputs_are_there(plan, i, p->kind));
        const uint64_t from = observers ? mfm_clock() : 0;
        call(&plan->instance.nodes[i], p->kind);
        if (observers)
            mfm_observers_tell(observers, plan, pass, (int)i, from);
        if (listener)
            listener->on_passed(listener->self, i);
    }
    mfm_plan_end_threads(threads);
    if (observers)
        mfm_observers_tell(observers, plan, pass, MFM_WHOLE_PASS, begin);
}

real *mfm_plan_lane(const mfm_plan *plan, int value, enum mfm_lane lane)
{
    return plan->instance.tensors[value].lane[lane];
}

const mfm_shape *mfm_plan_shape(const mfm_plan *plan, int value)
{
    return &plan->instance.tensors[value].shape;
}

size_t mfm_plan_reals(const mfm_plan *plan)
{
    return plan->arena_size;
}

size_t mfm_plan_bytes(const mfm_plan *plan)
{
    return plan->spec.borrow ? 0 : plan->arena_size * sizeof(real);
}

int64_t mfm_plan_macs(const mfm_plan *plan)
{
    int64_t macs = 0;
    for (size_t i = 0; i < plan->graph->n_nodes; i++) {
        const mfm_node *node = &plan->instance.nodes[i];
        if (node->op && node->op->macs)
            macs = mfm_count_sum(macs, node->op->macs(node));
    }
    return macs;
}
