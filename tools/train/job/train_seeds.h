/*
 * Several runs of one training command that differ in their seed, and what they have in common:
 *     DIR/seed-N        the run folder of seed N
 *     OUT-seed-N.onnx   its model, for -o OUT.onnx
 *     DIR/summary.json  each run's results, their means and standard deviations
 */
#ifndef MFM_TRAIN_SEEDS_H
#define MFM_TRAIN_SEEDS_H

#include "tools/train/job/train_job.h"

/* What a run of several has of its own. */
typedef struct mfm_train_place {
    uint64_t seed;
    const char *output, *run;
    bool resume;      /* the run has begun */
    const char *like; /* run.json of one that has begun, where this one has not; NULL: none */
} mfm_train_place;

/* Runs the training for one place, or as the command line says (NULL); *results is filled in when
 * the run came to its end, on rank 0. */
typedef int mfm_train_one_fn(mfm_ranks *ranks, int argc, const char **argv,
                             const mfm_train_place *place, mfm_train_results *results);

/* asked: the command line's. MFM_EUSAGE: --seeds is no list of seeds, or lacks what it needs. A run
 * that diverges (its numbers are no longer finite, or its last error is no lower than that of
 * always giving the most frequent class) is counted and left out of the means; MFM_ENAN when all
 * do. Any other failure ends it. */
int mfm_train_seeds(mfm_ranks *ranks, int argc, const char **argv, const mfm_train_arguments *asked,
                    bool seed_given, mfm_train_one_fn *train_one);

#endif
