/* What the files of the plan share: plan_lanes.c decides which lanes exist, plan_views.c which
 * of them are one, plan_build.c gives them their places, plan.c runs the passes. */
#ifndef MFM_PLAN_PARTS_H
#define MFM_PLAN_PARTS_H

#include "core/engine/instance.h"
#include "core/engine/plan/memory_plan.h"
#include "core/engine/plan/plan.h"

/* In pass `pass`, node `node` restores its outputs before node `before` is called. */
typedef struct mfm_restore {
    int pass;
    size_t before, node;
} mfm_restore;

struct mfm_plan {
    mfm_ctx *ctx;
    const mfm_graph *graph;
    mfm_graph *frozen;  /* what graph is, where that is the plan's own; NULL: it is the caller's */
    mfm_plan_spec spec; /* its arrays are the plan's own copies */
    mfm_instance instance;
    uint8_t *lanes;        /* per value: bit set of the lanes that exist */
    uint8_t *runs;         /* per node: bit set of the pass kinds that call it */
    int *homes[2];         /* per value: in whose place its X and DX lie, its G and DG */
    mfm_restore *restores; /* in the order of the schedule */
    size_t n_restores, restores_capacity;
    bool is_placed;    /* the lanes have their places in an arena */
    bool alone;        /* its passes run in one thread */
    int next_pass;     /* the least that may run, or 0: a schedule begins anew */
    real *arena;       /* its own; NULL when it borrows */
    size_t arena_size; /* in reals */
    size_t *offsets;   /* of the buffers that plan_build.c numbers */
};

static inline bool mfm_plan_has(const mfm_plan *plan, int value, enum mfm_lane lane)
{
    return value >= 0 && (plan->lanes[value] >> lane & 1);
}

static inline bool mfm_plan_runs(const mfm_plan *plan, size_t node, enum mfm_pass_kind kind)
{
    return plan->runs[node] >> kind & 1;
}

/* The value in whose place a lane lies: its own, or one that holds the same numbers. */
static inline int mfm_plan_home(const mfm_plan *plan, int value, enum mfm_lane lane)
{
    return plan->homes[lane >= MFM_G][value];
}

/* True for DATA and PARAM inputs: the derivative passes go through them. */
bool mfm_plan_differentiates(const mfm_graph_node *node, int input);

/* A copy of the graph whose chains are fused as far as a frozen plan of the spec can have it. NULL
 * where not all of it has shapes at that batch size: then the passes may still have them. */
int mfm_plan_freeze(mfm_ctx *ctx, const mfm_graph *from, const mfm_plan_spec *spec,
                    mfm_graph **graph);
void mfm_plan_free_frozen(mfm_graph *graph); /* accepts NULL */

/* Whether its passes together take too little time for a second thread, by the shapes of its nodes,
 * which are known. */
bool mfm_plan_is_short(const mfm_plan *plan);
/* What lies between the two has one thread in such a plan, whatever OpenMP is set to. */
int mfm_plan_begin_threads(const mfm_plan *plan);
void mfm_plan_end_threads(int threads);

/* Fills plan->lanes and plan->runs. */
int mfm_plan_find_lanes(mfm_plan *plan);
/* Fills plan->homes, and takes out of plan->runs the passes that have nothing left to do. */
int mfm_plan_find_homes(mfm_plan *plan);
/* Sets the nodes' accumulate flags: the first contribution of a sweep overwrites. */
int mfm_plan_find_accumulation(mfm_plan *plan);
/* Finds when every buffer is alive, allocates the arena and binds the lanes into it. */
int mfm_plan_place(mfm_plan *plan);

#endif
