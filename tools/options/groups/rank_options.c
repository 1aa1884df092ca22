#include "tools/options/groups/rank_options.h"

#include "core/train/comm/comm.h"
#include "core/train/training.h"

static const char *const over_names[] = {
    [MFM_STATISTICS_GLOBAL] = "global", [MFM_STATISTICS_LOCAL] = "local", NULL};

static const char *alone(const void *values, const mfm_run_facts *run)
{
    (void)values;
    return mfm_comm_ranks(run->options->comm) > 1 ? NULL : "there is one process";
}

const mfm_rank_arguments mfm_rank_defaults = {.timeout = 1800};

const mfm_option mfm_rank_table[MFM_RANK_OPTIONS] = {
    {.name = "batch-norm",
     .kind = MFM_OPTION_CHOICE,
     .value = "OVER",
     .choices = over_names,
     .offset = offsetof(mfm_rank_arguments, batch_norm),
     .idle = alone,
     .help = "take batch statistics over the images of all processes, so that results are those of "
             "one; or over each process's own, without messages in the layers: results then depend "
             "on the number of processes, and the running statistics are those of rank 0"},
    {.name = "rank-timeout",
     .kind = MFM_OPTION_REAL,
     .value = "SECONDS",
     .min = 0.1,
     .max = 1e7,
     .scope = MFM_OPTION_LOCAL,
     .offset = offsetof(mfm_rank_arguments, timeout),
     .idle = alone,
     .help = "how long a process waits for another before it ends the run: longer than rank 0 "
             "takes to write its files and to evaluate the result"},
};
