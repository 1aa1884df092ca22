/* Sums that go on in a thread of their own while the process computes. They have a channel of their
 * own, so that batch statistics do not wait for a gradient that is under way. */
#include <assert.h>
#include <signal.h>
#include <string.h>

#include "core/train/comm/comm_parts.h"

enum { QUEUE = 64 };

typedef struct one_sum {
    real *values;
    size_t n;
} one_sum;

typedef struct mfm_behind {
    mfm_comm *comm;
    mfm_way way;
    pthread_t thread;
    bool runs, ends;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    one_sum queue[QUEUE]; /* a ring: queue[done % QUEUE] is under way */
    size_t begun, done;
} mfm_behind;

static void *run(void *self)
{
    mfm_behind *b = self;
    pthread_mutex_lock(&b->lock);
    for (;;) {
        while (b->done == b->begun && !b->ends)
            pthread_cond_wait(&b->changed, &b->lock);
        if (b->done == b->begun)
            break;
        const one_sum next = b->queue[b->done % QUEUE];
        pthread_mutex_unlock(&b->lock);
        mfm_comm_sum_by(b->comm, &b->way, next.values, next.n);
        pthread_mutex_lock(&b->lock);
        b->done++;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Signals are for the thread that computes. */
static bool start(mfm_behind *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    b->runs = pthread_create(&b->thread, NULL, run, b) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return b->runs;
}

int mfm_behind_new(mfm_comm *c)
{
    mfm_behind *b = c->behind = mfm_alloc(c->ctx, 1, sizeof *b);
    if (!b)
        return MFM_ENOMEM;
    *b = (mfm_behind){.comm = c, .way = {.channel = MFM_BEHIND, .sleeps = true}};
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->way.rows = mfm_alloc_aligned(c->ctx, (size_t)c->ranks, MFM_SUM_PART);
    return b->way.rows ? MFM_OK : MFM_ENOMEM;
}

void mfm_behind_free(mfm_comm *c)
{
    mfm_behind *b = c->behind;
    if (!b)
        return;
    if (b->runs) {
        pthread_mutex_lock(&b->lock);
        b->ends = true;
        pthread_cond_broadcast(&b->changed);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->thread, NULL);
    }
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    mfm_free_aligned(c->ctx, b->way.rows);
    mfm_free(c->ctx, b);
}

/* Without a thread the sum is taken at once, by the same messages: another rank may have one. */
void mfm_comm_begin_sum(mfm_comm *c, real *values, size_t n)
{
    if (!c || n == 0)
        return;
    mfm_behind *b = c->behind;
    if (!b->runs && !start(b)) {
        mfm_comm_sum_by(c, &b->way, values, n);
        return;
    }
    pthread_mutex_lock(&b->lock);
    while (b->begun - b->done == QUEUE)
        pthread_cond_wait(&b->changed, &b->lock);
    b->queue[b->begun++ % QUEUE] = (one_sum){values, n};
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

void mfm_comm_finish_sums(mfm_comm *c)
{
    if (!c)
        return;
    mfm_behind *b = c->behind;
    pthread_mutex_lock(&b->lock);
    while (b->done < b->begun)
        pthread_cond_wait(&b->changed, &b->lock);
    pthread_mutex_unlock(&b->lock);
}
