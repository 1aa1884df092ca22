/*
 * A plan: a graph at one batch size, the passes that will run over it, and one arena in which every
 * buffer has its place for exactly the part of that schedule in which it is alive. Making a plan
 * can fail; running it cannot, and allocates nothing.
 */
#ifndef MFM_PLAN_H
#define MFM_PLAN_H

#include "core/engine/factors.h"
#include "core/engine/graph.h"
#include "core/base/linkage.h"
#include "core/engine/param_room.h"
#include "core/base/share.h"

MFM_C_BEGIN

enum mfm_pass_kind {
    MFM_FORWARD,
    MFM_JVP,
    MFM_VJP,
    MFM_VJP_T,
    MFM_UPDATE /* running statistics, from the forward that ran last */
};

/* One sweep over the nodes whose segment is in the set (bit s for segment s). Passes of one kind
 * other than FORWARD and UPDATE must all have the same set: lanes add up over a whole sweep. */
typedef struct mfm_pass {
    enum mfm_pass_kind kind;
    uint32_t segments;
} mfm_pass;

typedef struct mfm_slot {
    int value;
    enum mfm_lane lane;
} mfm_slot;

typedef struct mfm_plan_spec {
    int64_t batch;   /* samples at hand */
    mfm_share share; /* of a larger batch, if it is part of one; all zero: it is not */
    bool training;
    const mfm_pass *passes; /* in the order in which the caller will run them */
    int n_passes;
    const char *const *pass_names; /* for reports, outlive the plan; NULL: named by their kinds */
    /* Lanes that the caller reads or seeds: they stay in place over the whole schedule. A kept G or
     * DG of a node output is a seed, which sweeps add to; a kept G or DG of an input is a target; a
     * kept DX of an input is a seed of JVP. A kept X that no pass writes is given by the caller. */
    const mfm_slot *keep;
    int n_keep;
    bool param_tangents;          /* DX of the parameters is bound: JVP runs along it */
    bool param_gradients;         /* VJP writes G of the trainable parameters */
    bool param_gradient_tangents; /* VJP_T writes DG of the trainable parameters */
    /* [n_values] which trainable parameters those are; NULL: all. Read by mfm_plan_new only. */
    const bool *tangent_params, *gradient_params;
    /* Only forward passes run, over parameters and states that do not change from
     * mfm_plan_bind_params and mfm_plan_bind_state on. */
    bool frozen;
    /* Values that can be restored are dropped at the end of pass restore_after, and made again by
     * the first later pass that reads them. */
    bool restore;
    int restore_after;
    /* Reals of the arena that another plan may use between pass lend_after and the next; 0: none.
     */
    size_t lend;
    int lend_after;
    bool borrow; /* no arena of its own: mfm_plan_bind_arena gives one before the first run */
} mfm_plan_spec;

typedef struct mfm_plan mfm_plan;

/* The graph must outlive the plan. */
int mfm_plan_new(mfm_ctx *ctx, const mfm_graph *graph, const mfm_plan_spec *spec, mfm_plan **plan);
/* For one forward pass over all of the graph, in inference form and over parameters that do not
 * change, which leaves values[n] to be read. */
int mfm_plan_new_forward(mfm_ctx *ctx, const mfm_graph *graph, int64_t batch, const int *values,
                         size_t n, mfm_plan **plan);
void mfm_plan_free(mfm_plan *plan);

/* Parameter lanes live in vectors of the caller (graph->params_size reals, 64-byte aligned). A
 * sweep writes only the gradients that a path reaches: callers zero their G and DG vectors once. */
void mfm_plan_bind_params(mfm_plan *plan, enum mfm_lane lane, real *vector);
/* To a vector of this form; the lanes of parameters that it does not hold stay as they are. */
void mfm_plan_bind_params_at(mfm_plan *plan, enum mfm_lane lane, real *vector,
                             const mfm_param_room *room);
/* A parameter's lane by factors instead (core/engine/factors.h), until factors NULL is bound. Only
 * where passes over the segments that bring the lane in find the parameter as mfm_plan_outer has
 * it.
 */
void mfm_plan_bind_factors(mfm_plan *plan, int value, enum mfm_lane lane,
                           const mfm_factors *factors);
/* The value that the one node of the segments which reads a parameter multiplies by it, as a matrix
 * product that can take factors, of these sizes; -1: it is read otherwise. */
int mfm_plan_outer(const mfm_plan *plan, int param, uint32_t segments, mfm_outer *sizes);
void mfm_plan_bind_state(mfm_plan *plan, real *vector);
/* A graph input reads (X, DX) from the caller's buffer, in storage order. */
void mfm_plan_bind_input(mfm_plan *plan, int value, enum mfm_lane lane, real *data);
/* For a plan that borrows: mfm_plan_reals reals, 64-byte aligned. What lies in kept lanes is lost
 * whenever the lender uses its memory. */
void mfm_plan_bind_arena(mfm_plan *plan, real *arena);
/* What a plan lends; NULL when that is nothing. */
real *mfm_plan_lent(const mfm_plan *plan);
/* For callers that bind what others name: MFM_EINVAL when a forward pass reads an input, parameter
 * or state that nothing is bound to. Running such a plan is undefined. */
int mfm_plan_check_bound(const mfm_plan *plan);
/* Randomness of the passes from now on: one stream for each use of a step (its training batch, its
 * meta batch). */
void mfm_plan_set_step(mfm_plan *plan, enum mfm_stream stream, uint64_t seed, uint64_t step);

/* Runs pass number `pass` of the schedule, after those before it, of which some may be left out.
 * All that it reads and writes has been bound. */
void mfm_plan_run(mfm_plan *plan, int pass);

/* Told after each node of the graph that a pass has run. */
typedef struct mfm_plan_listener {
    void (*on_passed)(void *self, size_t node);
    void *self;
} mfm_plan_listener;
void mfm_plan_run_heard(mfm_plan *plan, int pass, const mfm_plan_listener *listener);

/* A kept lane, or any lane of an input or parameter; NULL when it is not there. */
real *mfm_plan_lane(const mfm_plan *plan, int value, enum mfm_lane lane);
const mfm_shape *mfm_plan_shape(const mfm_plan *plan, int value);
/* Size of the arena, own or borrowed. */
size_t mfm_plan_reals(const mfm_plan *plan);
/* Bytes of the plan's own arena; 0 for one that borrows. */
size_t mfm_plan_bytes(const mfm_plan *plan);
/* Multiplications of one forward pass over all nodes. */
int64_t mfm_plan_macs(const mfm_plan *plan);

MFM_C_END

#endif
