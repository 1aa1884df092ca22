#include "tools/train/ranks.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/commands/command.h"
#include "tools/exit_code.h"
#include "tools/show/printable.h"

static void on_lost(void *self, const char *message)
{
    (void)self;
    mfm_print(stderr, "onnx-mfm train: %s\n", message);
}

/* Before they begin, ranks find the same to warn of. */
static void on_warning(void *self, const char *line)
{
    const mfm_ranks *r = self;
    if (r->begun)
        mfm_print(stderr, "onnx-mfm train: warning: rank %d: %s\n", mfm_comm_rank(r->comm), line);
}

int mfm_ranks_open(mfm_ctx *ctx, mfm_ranks *r)
{
    const mfm_comm_events events = {.on_lost = on_lost, .self = r};
    *r = (mfm_ranks){.ctx = ctx};
    const int status = mfm_comm_open(ctx, &events, &r->comm);
    if (status == MFM_EINVAL && mfm_launch_of().rank > 0)
        return MFM_HELPED; /* all find the same, and rank 0 tells it */
    if (status || mfm_ranks_lead(r))
        return status;
    mfm_ctx_on_warning(ctx, on_warning, r);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0
               ? MFM_OK
               : mfm_fail(ctx, MFM_EIO, "cannot write /dev/null");
}

int mfm_ranks_refuse(mfm_ctx *ctx, const char *command)
{
    const mfm_launch l = mfm_launch_of();
    if (l.ranks == 1)
        return MFM_OK;
    if (l.rank > 0)
        return MFM_HELPED;
    return mfm_fail(ctx, MFM_EUSAGE,
                    "started as one of several processes: %s is one: start it without mpirun or "
                    "srun, or set MFM_MPI=none if each is to work by itself",
                    command);
}

bool mfm_ranks_lead(const mfm_ranks *r)
{
    return mfm_comm_rank(r->comm) == 0;
}

int mfm_ranks_agree(mfm_ranks *r, int status)
{
    status = mfm_comm_agree(r->comm, r->ctx, status);
    r->agreed = status != MFM_OK;
    return status;
}

int mfm_ranks_alike(mfm_ranks *r, int status)
{
    r->agreed = status != MFM_OK;
    return status;
}

/* ---- threads ---- */

typedef struct place {
    char host[64];
    cpu_set_t processors;
} place;

/* Launchers bind ranks to processors of their own, or let all of a machine have all. */
unsigned mfm_ranks_threads(mfm_ranks *r)
{
    const int ranks = mfm_comm_ranks(r->comm), rank = mfm_comm_rank(r->comm);
    place places[MFM_CHUNKS];
    size_t begin[MFM_CHUNKS + 1];
    int alike = 0;
    if (ranks == 1)
        return 0;
    for (int i = 0; i <= ranks; i++)
        begin[i] = (size_t)i * sizeof *places;
    memset(places, 0, sizeof places);
    gethostname(places[rank].host, sizeof places[rank].host - 1);
    sched_getaffinity(0, sizeof places[rank].processors, &places[rank].processors);
    mfm_comm_gather(r->comm, places, begin);
    for (int i = 0; i < ranks; i++)
        alike += memcmp(&places[i], &places[rank], sizeof *places) == 0;
    const char *asked = getenv("OMP_NUM_THREADS");
    const int processors = CPU_COUNT(&places[rank].processors) / alike;
    return asked && *asked ? 0 : processors > 1 ? (unsigned)processors : 1;
}

/* ---- the end ---- */

/* What befell rank 0 too is told by it, and ends all meanwhile. */
static void end_all(const mfm_ranks *r, int status)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    if (!mfm_ranks_lead(r))
        nanosleep(&pause, NULL);
    fflush(stdout);
    mfm_print(stderr, "onnx-mfm train: rank %d: %s\n", mfm_comm_rank(r->comm), mfm_message(r->ctx));
    mfm_comm_abort(r->comm, mfm_exit_code(r->ctx, status));
}

int mfm_ranks_close(mfm_ranks *r, int status)
{
    const bool leads = mfm_ranks_lead(r);
    if (r->comm && status != MFM_OK && !r->agreed)
        end_all(r, status);
    mfm_comm_close(r->comm);
    return leads || !status ? status : MFM_HELPED;
}
