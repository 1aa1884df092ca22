/*
 * How long ranks take to add a vector: the least of many times, each of some sums in a row, for
 * lengths from one number to that of a large network, as lines "RANKS BYTES SECONDS" of rank 0.
 * docs/scaling.md shows them, and scaling.py has its two measured constants from them.
 *
 *     cmake --build build/release --target sum-ranks
 *     mpirun -n 2 build/release/tools/sum-ranks
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/train/comm/comm.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One sum by itself may find the others' numbers there already; a row of them may not. */
static double least(mfm_comm *comm, real *values, size_t n, int times, int row)
{
    double best = 1e9;
    for (int i = 0; i < times; i++) {
        mfm_comm_barrier(comm);
        const double start = now();
        for (int k = 0; k < row; k++)
            mfm_comm_sum_reals(comm, values, n);
        const double taken = (now() - start) / row;
        best = taken < best ? taken : best;
    }
    return best;
}

static void on_lost(void *self, const char *message)
{
    (void)self;
    fprintf(stderr, "%s\n", message);
}

int main(void)
{
    static const size_t lengths[] = {1, 128, 1024, 4096, 65536, 1 << 20, 8 << 20};
    const mfm_comm_events events = {.on_lost = on_lost};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_comm *comm;
    if (!ctx || mfm_comm_open(ctx, &events, &comm)) {
        fprintf(stderr, "%s\n", ctx ? mfm_message(ctx) : "out of memory");
        return 1;
    }
    real *values = calloc(lengths[sizeof lengths / sizeof lengths[0] - 1], sizeof *values);
    for (size_t i = 0; values && i < sizeof lengths / sizeof lengths[0]; i++) {
        const bool large = lengths[i] > 65536;
        const double seconds = least(comm, values, lengths[i], large ? 6 : 300, large ? 1 : 20);
        if (mfm_comm_rank(comm) == 0)
            printf("%d %zu %.3e\n", mfm_comm_ranks(comm), lengths[i] * sizeof *values, seconds);
    }
    free(values);
    mfm_comm_close(comm);
    mfm_ctx_free(ctx);
    return 0;
}
