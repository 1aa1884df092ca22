/*
 * The generic checks of an operator, run from its samples. Central differences are taken in double
 * builds only: in float they drown.
 */
#ifndef MFM_OP_CHECK_H
#define MFM_OP_CHECK_H

#include <stdio.h>

#include "op_check_probe.h"

enum mfm_check {
    MFM_CHECK_SAMPLES,  /* there are samples, they parse, infer takes them */
    MFM_CHECK_WRITES,   /* results are written whole, whatever lay there; nothing else is touched */
    MFM_CHECK_ADJOINT,  /* <y', J x'> = <J^T y', x'> */
    MFM_CHECK_JVP,      /* jvp = (f(x + h x') - f(x - h x')) / 2h */
    MFM_CHECK_VJP_T,    /* vjp_t = the same of vjp, x and y' moving together */
    MFM_CHECK_SYMMETRY, /* u^T H v = v^T H u for H the second derivative of <y', f> */
    MFM_CHECK_LINEARITY, /* jvp and vjp_t double with their tangents */
    MFM_CHECK_NULL,      /* a NULL lane counts as zero, in every combination */
    MFM_CHECK_UNWANTED,  /* results that nobody wants change no other */
    MFM_CHECK_ADD,       /* accumulating adds to what lies there */
    MFM_CHECK_TIED,      /* one tensor at two inputs gets the sum */
    MFM_CHECK_READS,     /* passes after forward read what `reads` says, no more */
    MFM_CHECK_ORDER,     /* jvp may come after vjp */
    MFM_CHECK_UPDATE,    /* update writes STATE, and nothing else */
    MFM_CHECK_RESTORE,   /* restore gives the bits that forward gave */
    MFM_CHECK_LAYOUTS,   /* tensors of rank 4 may lie as `layout` says, with the same results */
    MFM_CHECK_ALONG,     /* it works along the axes that it says, alike at all places of others */
    MFM_CHECK_THREADS,   /* the same bits for any number of threads */
    MFM_CHECK_RANKS,  /* the same bits for the samples of two ranks; parameters' adjoints add up */
    MFM_CHECK_MEMORY, /* every refused allocation is MFM_ENOMEM and leaks nothing */
    MFM_CHECK_PLAN,   /* a plan of this one node gives the same numbers */
    MFM_CHECK_FROZEN, /* so does one whose parameters are prepared when they are bound */
    MFM_CHECKS
};

typedef struct mfm_op_report {
    FILE *out; /* failures are told here as they come; NULL: nowhere */
    int samples;
    int failures;
    int failed[MFM_CHECKS];
    double worst[MFM_CHECKS]; /* -1: not run */
} mfm_op_report;

void mfm_op_report_init(mfm_op_report *report, FILE *out);
const char *mfm_check_name(enum mfm_check check);
/* The largest error that passes. */
double mfm_check_limit(enum mfm_check check);

/* Every check on every sample. Fails only where the checks themselves do (MFM_ENOMEM). */
int mfm_op_check(mfm_ctx *ctx, const mfm_op *op, uint64_t seed, mfm_op_report *report);

/* What the files of the checks share: one sample at work. */
typedef struct mfm_checker {
    mfm_ctx *ctx;
    const mfm_sample *sample;
    uint64_t seed;
    mfm_probe probe;
    mfm_op_report *report;
    real *base;  /* results of the plain run */
    real *a, *b; /* room for two more */
} mfm_checker;

/* Runs the probe; damage is recorded under MFM_CHECK_WRITES. */
void mfm_checker_go(mfm_checker *checker, const mfm_probe_run *run, real *results);
/* Records an error, and tells of it when it is too large; NaN is. */
void mfm_checker_note(mfm_checker *checker, enum mfm_check check, double error, const char *detail);
/* The largest difference between two runs over the tensors' lane, relative to the largest number of
 * the second; inputs in `skip` do not count. */
double mfm_checker_difference(const mfm_checker *checker, const real *a, const real *b,
                              enum mfm_lane lane, uint32_t skip);
/* The same over all lanes. */
double mfm_checker_difference_all(const mfm_checker *checker, const real *a, const real *b,
                                  uint32_t skip);
/* The differentiated inputs, as a set. */
uint32_t mfm_checker_inputs(const mfm_checker *checker);

void mfm_check_derivatives(mfm_checker *checker);
void mfm_check_lanes(mfm_checker *checker);
void mfm_check_update(mfm_checker *checker);
void mfm_check_restore(mfm_checker *checker);
int mfm_check_layouts(mfm_checker *checker);
int mfm_check_along(mfm_checker *checker);
int mfm_check_shares(mfm_checker *checker);
void mfm_check_memory(mfm_checker *checker);
int mfm_check_plan(mfm_checker *checker);
int mfm_check_frozen(mfm_checker *checker);

#endif
