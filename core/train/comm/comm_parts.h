/* What the files of core/train/comm share. */
#ifndef MFM_COMM_PARTS_H
#define MFM_COMM_PARTS_H

#include <pthread.h>

#include "core/train/comm/comm.h"
#include "core/train/comm/transport.h"

/* Bytes of which all ranks get all at once; and, above, those that one rank adds up at a time: no
 * more, because in the network batch statistics stand in line behind such a part of a gradient. */
enum { MFM_SUM_SHORT = 8 << 10, MFM_SUM_PART = 256 << 10 };

/* How a thread sends, receives and waits. */
typedef struct mfm_way {
    enum mfm_channel channel;
    char *rows;  /* [ranks, MFM_SUM_PART] what others send; this rank's own row is not used */
    bool sleeps; /* between looks whether messages have come: others compute meanwhile */
} mfm_way;

/* A row of a sum is added to another. */
typedef struct mfm_addition {
    int to, from;
} mfm_addition;

struct mfm_comm {
    mfm_ctx *ctx;
    const mfm_transport *transport;
    pthread_mutex_t turn; /* held while the transport is called */
    mfm_comm_events events;
    mfm_exchange exchange;
    int rank, ranks;
    char name[MFM_TRANSPORT_TEXT];
    double timeout; /* seconds */
    mfm_addition additions[MFM_CHUNKS];
    int n_additions; /* ranks - 1 */
    mfm_way at_hand;
    struct mfm_behind *behind; /* behind.c */
};

void mfm_comm_set_name(mfm_comm *comm, const char *name);
/* mfm_comm_sum_reals, by messages of that way. */
void mfm_comm_sum_by(mfm_comm *comm, const mfm_way *way, real *values, size_t n);

/* The thread is started by the first sum that is begun. */
int mfm_behind_new(mfm_comm *comm);
void mfm_behind_free(mfm_comm *comm);

#endif
