/*
 * One training as several processes ("ranks") that a launcher has started, as seen from the command
 * line: who speaks, what ends all, and how many threads each has. Rank 0 prints and writes; another
 * says only what befalls it alone. What all fail at rank 0 tells, by its exit code too: the others
 * end as after help (MFM_HELPED), because a launcher stops all as soon as one has another code.
 */
#ifndef MFM_RANKS_H
#define MFM_RANKS_H

#include <stdbool.h>

#include "core/train/comm/comm.h"

typedef struct mfm_ranks {
    mfm_ctx *ctx;
    mfm_comm *comm; /* NULL: alone */
    bool agreed;    /* the last failure is one that all ranks know */
    bool begun;     /* from here on a warning is not that of all */
} mfm_ranks;

int mfm_ranks_open(mfm_ctx *ctx, mfm_ranks *ranks);
/* MFM_EUSAGE for a command that runs by itself, and has been started as one of several. */
int mfm_ranks_refuse(mfm_ctx *ctx, const char *command);
/* Whether this process prints and writes. */
bool mfm_ranks_lead(const mfm_ranks *ranks);
/* mfm_comm_agree: a failure that this returns is known to all. */
int mfm_ranks_agree(mfm_ranks *ranks, int status);
/* A failure that befalls all ranks alike, by what they have computed together. */
int mfm_ranks_alike(mfm_ranks *ranks, int status);
/* Threads for each of the ranks that share this one's processors; 0: as many as there are. */
unsigned mfm_ranks_threads(mfm_ranks *ranks);
/* With how the command ended; returns how this process ends. What only this rank knows of is
 * printed, and ends all. */
int mfm_ranks_close(mfm_ranks *ranks, int status);

#endif
