/* The threads of the process: how many there are, and how they wait for each other. */
#ifndef MFM_THREADS_H
#define MFM_THREADS_H

#include "core/base/context.h"

/* libgomp's threads wait by spinning for milliseconds, which on a machine with other work slows
 * every step down many times; a few microseconds are enough. The library reads its setting when it
 * is loaded, so the program starts itself once more with it set. GOMP_SPINCOUNT or OMP_WAIT_POLICY
 * in the environment are left as they are. Returns when there is nothing to do, or it cannot be
 * done: the program works all the same. */
void mfm_calm_threads(char **argv);

/* Makes `threads` of them (0: as many as the system says) what every parallel part has. Where
 * OMP_THREAD_LIMIT, OMP_DYNAMIC or the system grants fewer, those are used, with a warning:
 * libraries that count on the others would wait for them for ever. *used is the number. A limit of
 * the address space (ulimit -v) grants as many as it has room for the stacks of. MFM_ENOMEM. */
int mfm_use_threads(mfm_ctx *ctx, unsigned threads, int *used);
/* The number that would be asked for, for plans that are not carried out. */
void mfm_assume_threads(unsigned threads);

#endif
