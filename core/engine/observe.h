/*
 * Watching plans run: an observer of a context (core/base/context.h) is told of each node call and
 * of each pass of its plans, with their times. Without observers a plan reads no clock.
 */
#ifndef MFM_OBSERVE_H
#define MFM_OBSERVE_H

#include "core/engine/plan/plan.h"

enum { MFM_WHOLE_PASS = -1 };

struct mfm_event {
    const mfm_plan *plan;
    int pass;            /* number in the plan's schedule */
    int node;            /* number in the plan's graph; MFM_WHOLE_PASS comes after its nodes */
    uint64_t begin, end; /* mfm_clock */
};

/* What a node does in a pass; texts and shape are borrowed from the plan's graph and the plan. */
typedef struct mfm_call {
    const char *op;         /* "Conv" */
    const char *name;       /* the node's, else that of its first output */
    const mfm_shape *shape; /* of its first output */
    double flop;            /* two for each multiplication of a matrix product or convolution, by
                             * the textbook's sum whatever the kernel does; 0: not counted */
} mfm_call;

mfm_call mfm_plan_call(const mfm_plan *plan, int pass, int node);
size_t mfm_plan_nodes(const mfm_plan *plan);
const char *mfm_plan_pass_name(const mfm_plan *plan, int pass);

/* Nanoseconds of a clock that never goes back. */
uint64_t mfm_clock(void);
/* Tells all of them what has just ended. */
void mfm_observers_tell(const mfm_observer *observers, const mfm_plan *plan, int pass, int node,
                        uint64_t begin);

#endif
