/*
 * Several processes, "ranks", that train one model together: how they add, hand out and agree.
 *
 * A mfm_comm that is NULL is a process by itself: every function takes it, and then has nothing to
 * do. All ranks make the same calls in the same order. What a rank waits for longer than the
 * time-out is told, and ends all ranks.
 *
 * Sums are taken along the tree of core/base/share.h, so they are those of one process, bit for
 * bit: each rank adds up one part of a vector, of all ranks' numbers, and sends the sum to all. In
 * all 2 (R - 1) / R of the vector's bytes leave each of R ranks, the least that is possible; what
 * is short goes to all at once, in a single round.
 */
#ifndef MFM_COMM_H
#define MFM_COMM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/share.h"

MFM_C_BEGIN

struct mfm_transport;
typedef struct mfm_comm mfm_comm;

/* How the process was started, by what its environment tells. */
typedef struct mfm_launch {
    int rank, ranks;  /* 0 of 1: by itself. ranks 0: one of several, it is not told how many */
    const char *mpi;  /* whose launcher it is, as modules are called: "openmpi", "mpich" */
    const char *hint; /* NULL, or what is to be done before it can join the others */
} mfm_launch;
mfm_launch mfm_launch_of(void);

/* What happens where no function can fail: message tells what; then all ranks end. */
typedef struct mfm_comm_events {
    void (*on_lost)(void *self, const char *message);
    void *self;
} mfm_comm_events;

enum { MFM_EXIT_LOST = 4 }; /* exit code after on_lost */

/* Joins the others as the environment tells; *comm NULL: the process is by itself. MFM_ENOTSUP:
 * the program has no module for that MPI. MFM_EINVAL: more than MFM_CHUNKS ranks. One for a
 * process, by its main thread. */
int mfm_comm_open(mfm_ctx *ctx, const mfm_comm_events *events, mfm_comm **comm);
/* The same over a transport that has begun, as rank of ranks; borrowed. */
int mfm_comm_new(mfm_ctx *ctx, const struct mfm_transport *transport, int rank, int ranks,
                 const mfm_comm_events *events, mfm_comm **comm);
/* Waits for all others. */
void mfm_comm_close(mfm_comm *comm);

int mfm_comm_rank(const mfm_comm *comm);
int mfm_comm_ranks(const mfm_comm *comm);
/* "Open MPI v4.1.4"; "" alone. */
const char *mfm_comm_name(const mfm_comm *comm);
/* Seconds that one rank waits for another; 1800 at first. */
void mfm_comm_set_timeout(mfm_comm *comm, double seconds);
/* NULL alone. */
const mfm_exchange *mfm_comm_exchange(const mfm_comm *comm);
/* What this rank has of a batch. */
mfm_share mfm_comm_share(const mfm_comm *comm, int64_t samples);

/* Bytes that one of so many takes to add up. */
size_t mfm_comm_bytes(int ranks);
/* Of each element over the ranks along the tree. */
void mfm_comm_sum_reals(mfm_comm *comm, real *values, size_t n);
void mfm_comm_sum_doubles(mfm_comm *comm, double *values, size_t n);
/* The same, begun: it goes on in a thread of its own while this one computes, and nobody touches
 * values until mfm_comm_finish_sums. Sums are begun in the same order on all ranks. */
void mfm_comm_begin_sum(mfm_comm *comm, real *values, size_t n);
/* Waits for all sums that were begun. */
void mfm_comm_finish_sums(mfm_comm *comm);
/* Rank 0's bytes for all. */
void mfm_comm_broadcast(mfm_comm *comm, void *bytes, size_t size);
/* Rank r has bytes[begin[r] .. begin[r + 1]), begin [ranks + 1]; afterwards all have all. */
void mfm_comm_gather(mfm_comm *comm, void *bytes, const size_t *begin);
/* The same by the shares of a batch: an array of `samples` rows of `size` bytes. */
void mfm_comm_gather_rows(mfm_comm *comm, int64_t samples, void *rows, size_t size);
/* The largest of the ranks' numbers. */
int mfm_comm_max(mfm_comm *comm, int number);
void mfm_comm_barrier(mfm_comm *comm);

/* Whether all have succeeded so far: MFM_OK, or the code of the first that has not, whose message
 * then is that of all: "rank 2: ..." where rank 0 itself had not failed. */
int mfm_comm_agree(mfm_comm *comm, mfm_ctx *ctx, int status);
/* MFM_EINVAL on all ranks when a line "name\tvalue" of one differs from rank 0's: the message tells
 * both values. */
int mfm_comm_compare(mfm_comm *comm, mfm_ctx *ctx, const char *lines);
/* Ends all ranks, after what this one has printed; does not return. Alone it does nothing. */
void mfm_comm_abort(mfm_comm *comm, int exit_code);

MFM_C_END

#endif
