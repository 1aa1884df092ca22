#include "tools/threads.h"

#include <omp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Measured on two cores with steps of 5 ms: as fast as spinning on a free machine. */
static const char spin_count[] = "3000";

void mfm_calm_threads(char **argv)
{
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", spin_count, 1) == 0)
        execv("/proc/self/exe", argv);
}

void mfm_assume_threads(unsigned threads)
{
    if (threads)
        omp_set_num_threads((int)threads);
}

enum { STACK = 1 << 20, PAGE = 4096 };

static void reach_down(size_t bytes)
{
    volatile char room[PAGE];
    room[0] = 0;
    if (bytes > PAGE)
        reach_down(bytes - PAGE);
    room[PAGE - 1] = room[0]; /* after the call, so that it is one */
}

/* The stack of this thread grows where it is reached for; that is a signal, and the end, where no
 * address space is left by then. So it is taken while a refusal can be told. */
static int take_stack(mfm_ctx *ctx)
{
    struct rlimit limit;
    const bool limited = getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    const size_t half = limited ? (size_t)limit.rlim_cur / 2 : STACK;
    const size_t bytes = half < STACK ? half : STACK;
    const int status = mfm_require_memory(ctx, 2 * STACK);
    if (!status)
        reach_down(bytes);
    return status;
}

static void *wait_for_all(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many threads besides this one the system lets start, up to wanted: where it refuses one of
 * OpenMP's, the process ends. Their stacks are most of what a limit of the address space counts. */
static int count_startable(mfm_ctx *ctx, int wanted, int *started)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = mfm_alloc(ctx, (size_t)wanted + 1, sizeof *threads);
    *started = 0;
    if (!threads)
        return MFM_ENOMEM;
    pthread_mutex_lock(&gate);
    while (*started < wanted && pthread_create(&threads[*started], NULL, wait_for_all, &gate) == 0)
        ++*started;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < *started; i++)
        pthread_join(threads[i], NULL);
    mfm_free(ctx, threads);
    return MFM_OK;
}

/* The threads that a parallel part really has when `wanted` are asked for. */
static int granted(int wanted)
{
    int team = 1;
    omp_set_num_threads(wanted);
#pragma omp parallel
    {
#pragma omp master
        team = omp_get_num_threads();
    }
    return team;
}

int mfm_use_threads(mfm_ctx *ctx, unsigned threads, int *used)
{
    omp_set_dynamic(0);
    if (omp_get_max_active_levels() < 1)
        omp_set_max_active_levels(1);
    const int wanted = threads ? (int)threads : omp_get_max_threads();
    const int limit = omp_get_thread_limit();
    int others, status = take_stack(ctx);
    if (!status)
        status = count_startable(ctx, (wanted < limit ? wanted : limit) - 1, &others);
    if (status)
        return status;
    *used = granted(1 + others);
    omp_set_num_threads(*used);
    if (*used < wanted)
        mfm_warn(ctx, "%d threads are wanted: OMP_THREAD_LIMIT or the system grants %d", wanted,
                 *used);
    return MFM_OK;
}
