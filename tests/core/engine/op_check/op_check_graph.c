/* The node in a graph and a plan of its own, and set-up under failing allocations. */
#include <math.h>
#include <string.h>

#include "core/engine/plan/plan.h"
#include "../support/failing_allocator.h"
#include "op_check.h"
#include "op_check_values.h"

enum { PASSES = 4, MOST_KEPT = MFM_PROBE_TENSORS * MFM_LANES };

static const mfm_pass schedule[PASSES] = {
    {MFM_FORWARD, 1}, {MFM_JVP, 1}, {MFM_VJP, 1}, {MFM_VJP_T, 1}};

typedef struct one_node {
    mfm_checker *checker;
    bool as_params; /* differentiated inputs are parameters of the graph, not inputs */
    bool frozen;    /* forward alone, over parameters that stay */
    mfm_ctx *ctx;
    mfm_graph *graph;
    mfm_plan *plan;
    int values[MFM_PROBE_TENSORS];
    mfm_slot keep[MOST_KEPT];
    int n_keep;
    real *vectors[MFM_LANES]; /* of the parameters, guarded */
} one_node;

static bool is_param(const one_node *n, int tensor)
{
    return n->as_params && mfm_sample_differentiates(n->checker->sample, tensor);
}

static int add_input(one_node *n, int i)
{
    const mfm_sample *sample = n->checker->sample;
    const enum mfm_role role = mfm_sample_role(sample->op, i);
    const mfm_shape *shape = &sample->in[i].shape;
    const real *data = n->checker->probe.given[i][MFM_X];
    n->values[i] = -1;
    if (sample->in[i].absent)
        return MFM_OK;
    if (role == MFM_STATE)
        return mfm_graph_state(n->graph, "state", shape, data, &n->values[i]);
    if (is_param(n, i))
        return mfm_graph_param(n->graph, "param", shape, data, &n->values[i]);
    return mfm_graph_input(n->graph, "input", role, shape, &n->values[i]);
}

static int add_node(one_node *n)
{
    const mfm_sample *sample = n->checker->sample;
    int status = MFM_OK;
    for (int i = 0; i < sample->n_in && !status; i++)
        status = add_input(n, i);
    if (status)
        return status;
    return mfm_graph_add(n->graph, sample->op, sample->opset, "sample", sample->attr, n->values,
                         sample->n_in, NULL, sample->n_out, n->values + MFM_SAMPLE_PORTS);
}

static void keep(one_node *n, int tensor, enum mfm_lane lane)
{
    n->keep[n->n_keep++] = (mfm_slot){n->values[tensor], lane};
}

static void keep_lanes(one_node *n)
{
    const mfm_sample *sample = n->checker->sample;
    const int lanes = n->frozen ? MFM_X + 1 : MFM_LANES;
    for (int i = 0; i < sample->n_in; i++)
        if (mfm_sample_differentiates(sample, i) && !is_param(n, i) && !n->frozen)
            for (int lane = MFM_DX; lane < MFM_LANES; lane++)
                keep(n, i, (enum mfm_lane)lane);
    for (int k = 0; k < sample->n_out; k++)
        for (int lane = 0; lane < lanes; lane++)
            keep(n, MFM_SAMPLE_PORTS + k, (enum mfm_lane)lane);
}

static int make_vectors(one_node *n)
{
    for (int lane = 0; lane < MFM_LANES; lane++) {
        n->vectors[lane] = mfm_guarded_new(n->ctx, n->graph->params_size);
        if (!n->vectors[lane])
            return MFM_ENOMEM;
        mfm_plan_bind_params(n->plan, (enum mfm_lane)lane, n->vectors[lane]);
    }
    return MFM_OK;
}

static int make(one_node *n)
{
    int status = mfm_graph_new(n->ctx, &n->graph);
    if (!status)
        status = add_node(n);
    if (status)
        return status;
    keep_lanes(n);
    const mfm_plan_spec spec = {.batch = 1,
                                .training = n->checker->sample->training,
                                .passes = schedule,
                                .n_passes = n->frozen ? 1 : PASSES,
                                .keep = n->keep,
                                .n_keep = n->n_keep,
                                .param_tangents = n->as_params && !n->frozen,
                                .param_gradients = n->as_params && !n->frozen,
                                .param_gradient_tangents = n->as_params && !n->frozen,
                                .frozen = n->frozen};
    status = mfm_plan_new(n->ctx, n->graph, &spec, &n->plan);
    return status ? status : make_vectors(n);
}

static void clear(one_node *n)
{
    for (int lane = 0; lane < MFM_LANES; lane++)
        mfm_guarded_free(n->ctx, n->vectors[lane]);
    mfm_plan_free(n->plan);
    mfm_graph_free(n->graph);
}

static int attempt_plan(mfm_ctx *ctx, void *self)
{
    one_node n = {.checker = self, .ctx = ctx};
    mfm_ctx_use_backend(ctx, mfm_ctx_backend(n.checker->ctx));
    const int status = make(&n);
    clear(&n);
    return status;
}

static int attempt_infer(mfm_ctx *ctx, void *self)
{
    const mfm_checker *checker = self;
    mfm_probe probe;
    mfm_ctx_use_backend(ctx, mfm_ctx_backend(checker->ctx));
    const int status = mfm_probe_init(ctx, checker->sample, checker->seed, 0, &probe);
    if (!status)
        mfm_probe_clear(&probe);
    return status;
}

void mfm_check_memory(mfm_checker *checker)
{
    const char *what = mfm_failing_attempts(attempt_infer, checker);
    mfm_checker_note(checker, MFM_CHECK_MEMORY, what ? INFINITY : 0, what ? what : "");
    what = mfm_failing_attempts(attempt_plan, checker);
    mfm_checker_note(checker, MFM_CHECK_MEMORY, what ? INFINITY : 0, what ? what : "");
}

/* Where a lane of a tensor lies: parameters in the caller's vectors, inputs in the probe's buffers,
 * the rest in the plan. */
static real *place(const one_node *n, int tensor, enum mfm_lane lane)
{
    if (tensor < MFM_SAMPLE_PORTS && is_param(n, tensor))
        return n->vectors[lane] + n->graph->values[n->values[tensor]].offset;
    if (tensor < MFM_SAMPLE_PORTS && lane <= MFM_DX)
        return n->checker->probe.buffer[tensor][lane];
    return mfm_plan_lane(n->plan, n->values[tensor], lane);
}

/* Everything the passes read goes in; false when the plan has no place for it. */
static bool load(one_node *n)
{
    mfm_probe *probe = &n->checker->probe;
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++) {
            const real *given = probe->given[t][lane];
            if (!given || mfm_probe_is_result(probe, t, (enum mfm_lane)lane) ||
                (n->frozen && lane != MFM_X))
                continue;
            real *to = place(n, t, (enum mfm_lane)lane);
            if (!to)
                return false;
            memcpy(to, given, mfm_probe_count(probe, t) * sizeof *to);
            if (t < MFM_SAMPLE_PORTS && !is_param(n, t) &&
                mfm_sample_role(probe->sample->op, t) != MFM_STATE)
                mfm_plan_bind_input(n->plan, n->values[t], (enum mfm_lane)lane, to);
        }
    mfm_plan_bind_state(n->plan, n->graph->state);
    if (n->frozen) /* until here others were bound: what was made of them must not be used */
        mfm_plan_bind_params(n->plan, MFM_X, n->vectors[MFM_X]);
    return true;
}

static void gather(const one_node *n, real *results)
{
    const mfm_probe *probe = &n->checker->probe;
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++) {
            if (!mfm_probe_is_result(probe, t, (enum mfm_lane)lane))
                continue;
            real *to = results + probe->offset[t][lane];
            const size_t bytes = mfm_probe_count(probe, t) * sizeof *to;
            const real *from = place(n, t, (enum mfm_lane)lane);
            if (from)
                memcpy(to, from, bytes);
            else
                memset(to, 0, bytes); /* identically zero */
        }
}

static const char *run(one_node *n, real *results)
{
    if (!load(n))
        return "no place for a kept lane";
    mfm_plan_set_step(n->plan, MFM_STREAM_DROPOUT, n->checker->probe.node.key.seed,
                      n->checker->probe.node.key.step);
    for (int pass = 0; pass < (n->frozen ? 1 : PASSES); pass++)
        mfm_plan_run(n->plan, pass);
    gather(n, results);
    for (int lane = 0; lane < MFM_LANES; lane++)
        if (!mfm_guarded_intact(n->vectors[lane], n->graph->params_size))
            return "writes outside a parameter vector";
    return NULL;
}

static int check_variant(mfm_checker *checker, bool as_params)
{
    one_node n = {.checker = checker, .ctx = checker->ctx, .as_params = as_params};
    const int status = make(&n);
    if (status) {
        mfm_checker_note(checker, MFM_CHECK_PLAN, INFINITY, mfm_message(checker->ctx));
    } else {
        const char *what = run(&n, checker->a);
        const double error =
            what ? INFINITY : mfm_checker_difference_all(checker, checker->a, checker->base, 0);
        mfm_checker_note(checker, MFM_CHECK_PLAN, error,
                         what        ? what
                         : as_params ? "with parameters"
                                     : "with inputs alone");
    }
    clear(&n);
    return status == MFM_ENOMEM ? status : MFM_OK;
}

int mfm_check_plan(mfm_checker *checker)
{
    const int status = check_variant(checker, false);
    return status ? status : check_variant(checker, true);
}

int mfm_check_frozen(mfm_checker *checker)
{
    one_node n = {.checker = checker, .ctx = checker->ctx, .as_params = true, .frozen = true};
    const int status = make(&n);
    const char *what = status ? mfm_message(checker->ctx) : run(&n, checker->a);
    const double error =
        what ? INFINITY : mfm_checker_difference(checker, checker->a, checker->base, MFM_X, 0);
    mfm_checker_note(checker, MFM_CHECK_FROZEN, error, what ? what : "prepared");
    clear(&n);
    return status == MFM_ENOMEM ? status : MFM_OK;
}

void mfm_check_update(mfm_checker *checker)
{
    if (!checker->probe.node.impl->update || !checker->sample->training)
        return;
    const char *what = mfm_probe_update(&checker->probe, checker->a);
    mfm_checker_note(checker, MFM_CHECK_UPDATE, what ? INFINITY : 0, what ? what : "");
    mfm_checker_note(checker, MFM_CHECK_UPDATE,
                     mfm_checker_difference_all(checker, checker->a, checker->base, 0),
                     "results after update");
}

void mfm_check_restore(mfm_checker *checker)
{
    if (!checker->probe.node.impl->restore)
        return;
    const char *what = mfm_probe_restore(&checker->probe, checker->a);
    mfm_checker_note(checker, MFM_CHECK_RESTORE, what ? INFINITY : 0, what ? what : "");
    mfm_checker_note(checker, MFM_CHECK_RESTORE,
                     mfm_checker_difference_all(checker, checker->a, checker->base, 0),
                     "values restored");
}
