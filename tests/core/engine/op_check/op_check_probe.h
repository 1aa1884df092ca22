/*
 * One node on hand-made buffers: its passes run straight from the rule, so that lanes can be taken
 * away, accumulate flags set and buffers poisoned one by one.
 *
 * Every buffer has guard words on both sides and is filled with NaN wherever the operator may not
 * rely on what lies there: outputs, overwritten adjoints, scratch before each pass, saved before
 * forward.
 */
#ifndef MFM_OP_CHECK_PROBE_H
#define MFM_OP_CHECK_PROBE_H

#include "op_check_sample.h"

enum { MFM_PROBE_TENSORS = 2 * MFM_SAMPLE_PORTS };

/* How a run departs from: forward, jvp, vjp, vjp_t over every lane, results overwritten. The sets
 * have bit i for input i, bit k for output k. */
typedef struct mfm_probe_run {
    double shift;           /* evaluated at X + shift DX and G + shift DG */
    double scale;           /* DX and DG times this; 0 counts as 1 */
    uint32_t no_dx;         /* inputs without a tangent */
    uint32_t no_g, no_dg;   /* outputs without adjoint, without adjoint's tangent */
    bool zeros;             /* what the three sets name is there, and zero */
    bool swapped;           /* the tangents DX are replaced by a second set of directions */
    uint32_t unwanted_g;    /* inputs whose adjoint nobody wants */
    uint32_t unwanted_dg;   /* inputs whose adjoint's tangent nobody wants */
    uint32_t accumulate_g;  /* inputs whose G already holds a number */
    uint32_t accumulate_dg; /* inputs whose DG already holds a number */
    bool poison;            /* NaN in every lane that the operator says it does not read */
    bool jvp_last;          /* forward, vjp, jvp, vjp_t */
    double prefill;         /* where results go, when not 0; NaN otherwise */
    int tie_from, tie_to;   /* tie_to > 0: input tie_to has the values of input tie_from ... */
    bool tie_same;          /* ... because it is the same tensor */
} mfm_probe_run;

typedef struct mfm_probe {
    mfm_ctx *ctx;
    const mfm_sample *sample;
    uint64_t row_major;
    mfm_node node;
    /* Inputs first, outputs from MFM_SAMPLE_PORTS on; so too in the arrays below. */
    mfm_tensor tensors[MFM_PROBE_TENSORS];
    mfm_tensor *in[MFM_SAMPLE_PORTS], *out[MFM_SAMPLE_PORTS];
    uint8_t accumulates[MFM_SAMPLE_PORTS];
    real *buffer[MFM_PROBE_TENSORS][MFM_LANES]; /* guarded */
    /* Given numbers: X, DX of inputs, G, DG of outputs, and what G, DG of inputs start from. */
    real *given[MFM_PROBE_TENSORS][MFM_LANES];
    real *other_dx[MFM_SAMPLE_PORTS];
    size_t n_results;
    size_t offset[MFM_PROBE_TENSORS][MFM_LANES]; /* of a lane among the results */
    char fault[64];
} mfm_probe;

/* Infers the node, checks the shapes it reports, draws the given numbers from seed. The sample must
 * outlive the probe. On failure nothing is left to clear. row_major: the tensors of rank 4 that lie
 * in row-major order, bit t for tensor t; they have the same numbers at the same indices. */
int mfm_probe_init(mfm_ctx *ctx, const mfm_sample *sample, uint64_t seed, uint64_t row_major,
                   mfm_probe *probe);
void mfm_probe_clear(mfm_probe *probe);

/* Runs the passes and copies the results: X and DX of outputs, G and DG of inputs; lanes that a run
 * does not have are 0. Returns NULL, or what the operator did to memory that is not its own. */
const char *mfm_probe_go(mfm_probe *probe, const mfm_probe_run *run, real *results);
/* A plain run, then the operator's update. The results are those that lie there afterwards. */
const char *mfm_probe_update(mfm_probe *probe, real *results);
/* A plain run, then NaN for the outputs' values and the operator's restore. */
const char *mfm_probe_restore(mfm_probe *probe, real *results);

/* Elements of a tensor. */
size_t mfm_probe_count(const mfm_probe *probe, int tensor);
/* True for the lanes that the passes write: X, DX of outputs, G, DG of differentiated inputs. */
bool mfm_probe_is_result(const mfm_probe *probe, int tensor, enum mfm_lane lane);
/* The tensor is there. */
bool mfm_probe_has(const mfm_probe *probe, int tensor);

#endif
