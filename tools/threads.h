/* How the threads of the process wait for each other. */
#ifndef MFM_THREADS_H
#define MFM_THREADS_H

/* libgomp's threads wait by spinning for milliseconds, which on a machine with other work slows
 * every step down many times; a few microseconds are enough. The library reads its setting when it
 * is loaded, so the program starts itself once more with it set. GOMP_SPINCOUNT or OMP_WAIT_POLICY
 * in the environment are left as they are. Returns when there is nothing to do, or it cannot be
 * done: the program works all the same. */
void mfm_calm_threads(char **argv);

#endif
