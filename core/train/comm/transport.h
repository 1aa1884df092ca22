/*
 * What comm.c needs of whatever carries messages between processes. MPI's (transport_mpi.c) is a
 * module of its own, one for each MPI that was found when the program was built, and loaded when a
 * launcher has started the process as one of several: a plain run needs none.
 */
#ifndef MFM_TRANSPORT_H
#define MFM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

enum { MFM_TRANSPORT_VERSION = 2, MFM_TRANSPORT_TEXT = 512 };

/* Messages of one channel do not wait for those of another. */
enum mfm_channel { MFM_AT_HAND, MFM_BEHIND, MFM_CHANNELS };

/* Functions cannot fail but where they say so: what the network refuses ends all processes. They
 * are called by one thread at a time. */
typedef struct mfm_transport {
    int version; /* MFM_TRANSPORT_VERSION */
    /* Joins the others; false, with a message, when that is not possible. name: "Open MPI 4.1.4" */
    bool (*begin)(int *rank, int *ranks, char name[MFM_TRANSPORT_TEXT],
                  char message[MFM_TRANSPORT_TEXT]);
    /* Start to send, and to receive, size <= INT_MAX bytes. Between two ranks the messages of a
     * channel arrive in the order in which they were sent. */
    void (*send)(enum mfm_channel channel, int to, const void *bytes, size_t size);
    void (*receive)(enum mfm_channel channel, int from, void *bytes, size_t size);
    /* Whether all that was started in the channel is done; else *from is a rank that is waited for.
     */
    bool (*done)(enum mfm_channel channel, int *from);
    /* Waits for all others, and leaves. */
    void (*end)(void);
    /* Ends all processes, when what this one has printed is on its way; does not return. */
    void (*abort)(int exit_code);
} mfm_transport;

/* The name by which a module gives its transport: const mfm_transport. */
#define MFM_TRANSPORT_SYMBOL "mfm_transport_module"

#endif
