/* What bench prints of a measurement: tables for people, or JSON. */
#ifndef MFM_BENCH_REPORT_H
#define MFM_BENCH_REPORT_H

#include "core/engine/profile.h"
#include "tools/train/workload.h"

typedef struct mfm_bench_result {
    mfm_ctx *ctx;
    const char *path, *step; /* the step: a method's name, or forward */
    int threads;
    uint64_t batch, steps;
    double *seconds;                      /* of each step, [steps], ascending */
    double import_seconds, first_step_at; /* the latter since the process started, to its end */
    size_t conversions; /* nodes of the graph that only change the layout in memory */
    mfm_memory memory;
    double rss_import_peak;      /* bytes: at most until the model was imported */
    double rss_before, rss_peak; /* bytes: with the model imported, before the step's own; in all */
    mfm_profile profile;         /* of steps after those */
    uint64_t profiled;           /* their number */
    double profiled_seconds;     /* all of them together */
} mfm_bench_result;

/* most: how many nodes the table tells. */
int mfm_bench_print(const mfm_bench_result *result, size_t most);
int mfm_bench_print_json(const mfm_bench_result *result);

#endif
