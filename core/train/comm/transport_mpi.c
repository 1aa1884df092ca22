/* Messages by MPI (MPI Forum, "MPI: A Message-Passing Interface Standard", version 3.1): the one
 * file that knows it, compiled once for each MPI. Errors are MPI's own: they end all processes. */
#include <mpi.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/linkage.h"
#include "core/base/share.h"
#include "core/train/comm/transport.h"

enum { MOST = 4 * MFM_CHUNKS, TAG = 1 };

/* Those that are under way, and whom each is from or to. MPI itself is one for a process. */
static struct {
    MPI_Request requests[MOST];
    int peers[MOST], count;
} ways[MFM_CHANNELS];

static bool begin(int *rank, int *ranks, char name[MFM_TRANSPORT_TEXT],
                  char message[MFM_TRANSPORT_TEXT])
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length, provided;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS) {
        snprintf(message, MFM_TRANSPORT_TEXT, "MPI does not start");
        return false;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, ranks);
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = '\0';
    snprintf(name, MFM_TRANSPORT_TEXT, "%.200s", version);
    for (char *c = name; *c; c++)
        *c = *c == '\t' ? ' ' : *c;
    if (provided >= MPI_THREAD_SERIALIZED)
        return true;
    snprintf(message, MFM_TRANSPORT_TEXT, "%s takes no program with threads", name);
    return false;
}

static void send(enum mfm_channel channel, int to, const void *bytes, size_t size)
{
    const int i = ways[channel].count++;
    ways[channel].peers[i] = to;
    MPI_Isend(bytes, (int)size, MPI_BYTE, to, TAG + (int)channel, MPI_COMM_WORLD,
              &ways[channel].requests[i]);
}

static void receive(enum mfm_channel channel, int from, void *bytes, size_t size)
{
    const int i = ways[channel].count++;
    ways[channel].peers[i] = from;
    MPI_Irecv(bytes, (int)size, MPI_BYTE, from, TAG + (int)channel, MPI_COMM_WORLD,
              &ways[channel].requests[i]);
}

/* What is done has become MPI_REQUEST_NULL. */
static bool done(enum mfm_channel channel, int *from)
{
    int all;
    MPI_Status statuses[MOST];
    MPI_Testall(ways[channel].count, ways[channel].requests, &all, statuses);
    if (all) {
        ways[channel].count = 0;
        return true;
    }
    for (int i = 0; i < ways[channel].count; i++) {
        int one;
        MPI_Request_get_status(ways[channel].requests[i], &one, &statuses[i]);
        if (!one)
            *from = ways[channel].peers[i];
    }
    return false;
}

static sigjmp_buf out;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(out, 1);
}

/* All has been said and received. MPICH 4.0 over UCX and TCP at times waits in MPI_Finalize for a
 * rank that waits there for it: neither has anything to lose by leaving. */
static void end(void)
{
    enum { PATIENCE = 10 }; /* seconds */
    MPI_Barrier(MPI_COMM_WORLD);
    if (sigsetjmp(out, 1) == 0) {
        signal(SIGALRM, leave);
        alarm(PATIENCE);
        MPI_Finalize();
    }
    alarm(0);
}

/* Whether the launcher has not yet read all that was written to it. */
static bool is_unread(int file)
{
    struct stat s;
    int bytes;
    return fstat(file, &s) == 0 && S_ISFIFO(s.st_mode) && ioctl(file, FIONREAD, &bytes) == 0 &&
           bytes > 0;
}

/* Launchers hand on what a rank prints, but not what they still have to read when one ends all:
 * MPICH's ends by itself as soon as it reads of that, which comes by another way and overtakes. */
static void let_it_through(void)
{
    enum { TIMES = 300 };
    const struct timespec nap = {.tv_nsec = 10000000}, moment = {.tv_nsec = 100000000};
    fflush(NULL);
    for (int i = 0; i < TIMES && (is_unread(STDOUT_FILENO) || is_unread(STDERR_FILENO)); i++)
        nanosleep(&nap, NULL);
    nanosleep(&moment, NULL); /* from where it reads to where it prints */
}

/* Where the network is gone, ending all may hang too: then this process alone ends, by SIGALRM. */
static void stop(int exit_code)
{
    enum { PATIENCE = 10 }; /* seconds */
    signal(SIGALRM, SIG_DFL);
    alarm(PATIENCE);
    let_it_through();
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    exit(exit_code);
}

extern const mfm_transport mfm_transport_module;
__attribute__((visibility("default")))
const mfm_transport mfm_transport_module = {.version = MFM_TRANSPORT_VERSION,
                                            .begin = begin,
                                            .send = send,
                                            .receive = receive,
                                            .done = done,
                                            .end = end,
                                            .abort = stop};
