#include "core/train/comm/comm.h"

#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/train/comm/comm_parts.h"

/* ---- the tree ---- */

/* The additions that make the sum of chunks [first, end) of what the ranks have; returns the rank
 * whose row it is left in. */
static int plan_sum(mfm_comm *c, int first, int end)
{
    for (int r = 0; r < c->ranks; r++) {
        const mfm_share share = mfm_share_of(MFM_CHUNKS, r, c->ranks, NULL);
        if (share.first == first && share.end == end)
            return r;
    }
    const int middle = (first + end) / 2;
    assert(end - first > 1);
    const int to = plan_sum(c, first, middle), from = plan_sum(c, middle, end);
    c->additions[c->n_additions++] = (mfm_addition){to, from};
    return to;
}

/* ---- opening and closing ---- */

static void sum_doubles(void *self, double *values, size_t n)
{
    mfm_comm_sum_doubles(self, values, n);
}

static void sum_reals(void *self, real *values, size_t n)
{
    mfm_comm_sum_reals(self, values, n);
}

static void release(mfm_comm *c)
{
    mfm_behind_free(c);
    mfm_free_aligned(c->ctx, c->at_hand.rows);
    pthread_mutex_destroy(&c->turn);
    mfm_free(c->ctx, c);
}

int mfm_comm_new(mfm_ctx *ctx, const mfm_transport *transport, int rank, int ranks,
                 const mfm_comm_events *events, mfm_comm **comm)
{
    *comm = NULL;
    if (ranks > MFM_CHUNKS)
        return mfm_fail(ctx, MFM_EINVAL,
                        "%d processes: a batch is cut into %d parts: start at most %d", ranks,
                        MFM_CHUNKS, MFM_CHUNKS);
    mfm_comm *c = mfm_alloc(ctx, 1, sizeof *c);
    if (!c)
        return MFM_ENOMEM;
    *c = (mfm_comm){.ctx = ctx,
                    .transport = transport,
                    .events = *events,
                    .rank = rank,
                    .ranks = ranks,
                    .timeout = 1800,
                    .exchange = {.self = c,
                                 .rank = rank,
                                 .ranks = ranks,
                                 .sum_doubles = sum_doubles,
                                 .sum_reals = sum_reals},
                    .at_hand = {.channel = MFM_AT_HAND}};
    pthread_mutex_init(&c->turn, NULL);
    plan_sum(c, 0, MFM_CHUNKS);
    c->at_hand.rows = mfm_alloc_aligned(ctx, (size_t)ranks, MFM_SUM_PART);
    if (c->at_hand.rows && !mfm_behind_new(c)) {
        *comm = c;
        return MFM_OK;
    }
    release(c);
    return MFM_ENOMEM;
}

void mfm_comm_close(mfm_comm *c)
{
    if (!c)
        return;
    mfm_comm_finish_sums(c);
    mfm_comm_barrier(c);
    c->transport->end();
    release(c);
}

void mfm_comm_set_name(mfm_comm *c, const char *name)
{
    snprintf(c->name, sizeof c->name, "%s", name);
}

int mfm_comm_rank(const mfm_comm *c)
{
    return c ? c->rank : 0;
}

int mfm_comm_ranks(const mfm_comm *c)
{
    return c ? c->ranks : 1;
}

const char *mfm_comm_name(const mfm_comm *c)
{
    return c ? c->name : "";
}

void mfm_comm_set_timeout(mfm_comm *c, double seconds)
{
    if (c)
        c->timeout = seconds;
}

const mfm_exchange *mfm_comm_exchange(const mfm_comm *c)
{
    return c ? &c->exchange : NULL;
}

mfm_share mfm_comm_share(const mfm_comm *c, int64_t samples)
{
    return c ? mfm_share_of(samples, c->rank, c->ranks, &c->exchange) : mfm_share_whole(samples);
}

size_t mfm_comm_bytes(int ranks)
{
    return ranks > 1 ? 2 * (size_t)ranks * MFM_SUM_PART : 0;
}

void mfm_comm_abort(mfm_comm *c, int exit_code)
{
    if (c)
        c->transport->abort(exit_code);
}

/* ---- waiting ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void lose(mfm_comm *c, int from)
{
    char message[256];
    snprintf(message, sizeof message,
             "rank %d of %d: nothing heard from rank %d for %g seconds: it hangs, its machine is "
             "gone, or it is busier than --rank-timeout allows",
             c->rank, c->ranks, from, c->timeout);
    c->events.on_lost(c->events.self, message);
    c->transport->abort(MFM_EXIT_LOST);
}

static void send(mfm_comm *c, const mfm_way *way, size_t to, const void *bytes, size_t size)
{
    pthread_mutex_lock(&c->turn);
    c->transport->send(way->channel, (int)to, bytes, size);
    pthread_mutex_unlock(&c->turn);
}

static void receive(mfm_comm *c, const mfm_way *way, size_t from, void *bytes, size_t size)
{
    pthread_mutex_lock(&c->turn);
    c->transport->receive(way->channel, (int)from, bytes, size);
    pthread_mutex_unlock(&c->turn);
}

static bool done(mfm_comm *c, const mfm_way *way, int *from)
{
    pthread_mutex_lock(&c->turn);
    const bool all = c->transport->done(way->channel, from);
    pthread_mutex_unlock(&c->turn);
    return all;
}

/* Messages are short of microseconds at times, and minutes at others, when rank 0 writes a file:
 * it spins at first, gives way to who shares its processor, and sleeps after a tenth of a second.
 */
static void wait_for_all(mfm_comm *c, const mfm_way *way)
{
    enum { SPINS = 200 };
    const struct timespec nap = {.tv_nsec = 1000000}, blink = {.tv_nsec = 20000};
    int from = 0;
    double start = 0;
    for (unsigned tries = 0; !done(c, way, &from); tries++) {
        if (tries < SPINS && !way->sleeps)
            continue;
        const double at = now();
        if (start == 0)
            start = at;
        if (at - start > c->timeout)
            lose(c, from);
        if (at - start > 0.1)
            nanosleep(&nap, NULL);
        else if (way->sleeps)
            nanosleep(&blink, NULL);
        else
            sched_yield();
    }
}

/* ---- sums ---- */

/* Adds rows of n numbers along the tree; the sum is left in rows[0]. */
static void add_reals(const mfm_comm *c, void *const *rows, size_t n)
{
    for (int i = 0; i < c->n_additions; i++) {
        real *restrict to = rows[c->additions[i].to];
        const real *restrict from = rows[c->additions[i].from];
        for (size_t k = 0; k < n; k++)
            to[k] += from[k];
    }
}

static void add_doubles(const mfm_comm *c, void *const *rows, size_t n)
{
    for (int i = 0; i < c->n_additions; i++) {
        double *restrict to = rows[c->additions[i].to];
        const double *restrict from = rows[c->additions[i].from];
        for (size_t k = 0; k < n; k++)
            to[k] += from[k];
    }
}

typedef void add_fn(const mfm_comm *c, void *const *rows, size_t n);

/* own: this rank's n numbers of `size` bytes, in whose place the sum is put. The other rows have
 * been received. */
static void add_rows(const mfm_comm *c, const mfm_way *way, void *own, size_t n, size_t size,
                     add_fn *add)
{
    void *rows[MFM_CHUNKS];
    for (int r = 0; r < c->ranks; r++)
        rows[r] = r == c->rank ? own : way->rows + (size_t)r * MFM_SUM_PART;
    add(c, rows, n);
    if (c->rank != 0)
        memcpy(own, rows[0], n * size);
}

static void sum_short(mfm_comm *c, const mfm_way *way, void *values, size_t n, size_t size,
                      add_fn *add)
{
    const size_t ranks = (size_t)c->ranks, own = (size_t)c->rank;
    for (size_t k = 1; k < ranks; k++) {
        const size_t from = (own + ranks - k) % ranks, to = (own + k) % ranks;
        receive(c, way, from, way->rows + from * MFM_SUM_PART, n * size);
        send(c, way, to, values, n * size);
    }
    wait_for_all(c, way);
    add_rows(c, way, values, n, size, add);
}

/* Part p of n numbers begins at n p / ranks: no part has more than MFM_SUM_PART bytes. */
static void sum_parts(mfm_comm *c, const mfm_way *way, char *values, size_t n, size_t size,
                      add_fn *add)
{
    const size_t ranks = (size_t)c->ranks, own = (size_t)c->rank;
    size_t at[MFM_CHUNKS + 1];
    for (size_t p = 0; p <= ranks; p++)
        at[p] = n * p / ranks * size;
    const size_t bytes = at[own + 1] - at[own];
    for (size_t k = 1; k < ranks; k++) {
        const size_t from = (own + ranks - k) % ranks, to = (own + k) % ranks;
        receive(c, way, from, way->rows + from * MFM_SUM_PART, bytes);
        send(c, way, to, values + at[to], at[to + 1] - at[to]);
    }
    wait_for_all(c, way);
    add_rows(c, way, values + at[own], bytes / size, size, add);
    for (size_t k = 1; k < ranks; k++) {
        const size_t from = (own + ranks - k) % ranks, to = (own + k) % ranks;
        receive(c, way, from, values + at[from], at[from + 1] - at[from]);
        send(c, way, to, values + at[own], bytes);
    }
    wait_for_all(c, way);
}

static void sum(mfm_comm *c, const mfm_way *way, void *values, size_t n, size_t size, add_fn *add)
{
    const size_t most = (size_t)c->ranks * (MFM_SUM_PART / size);
    if (n * size <= MFM_SUM_SHORT) {
        sum_short(c, way, values, n, size, add);
        return;
    }
    for (size_t at = 0; at < n; at += most)
        sum_parts(c, way, (char *)values + at * size, n - at < most ? n - at : most, size, add);
}

void mfm_comm_sum_by(mfm_comm *c, const mfm_way *way, real *values, size_t n)
{
    sum(c, way, values, n, sizeof *values, add_reals);
}

void mfm_comm_sum_reals(mfm_comm *c, real *values, size_t n)
{
    if (c && n > 0)
        mfm_comm_sum_by(c, &c->at_hand, values, n);
}

void mfm_comm_sum_doubles(mfm_comm *c, double *values, size_t n)
{
    if (c && n > 0)
        sum(c, &c->at_hand, values, n, sizeof *values, add_doubles);
}

/* ---- handing out ---- */

enum { AT_ONCE = 64 << 20 }; /* bytes of one message */

void mfm_comm_broadcast(mfm_comm *c, void *bytes, size_t size)
{
    for (size_t at = 0; c && at < size; at += AT_ONCE) {
        const size_t some = size - at < AT_ONCE ? size - at : AT_ONCE;
        if (c->rank != 0)
            receive(c, &c->at_hand, 0, (char *)bytes + at, some);
        for (int r = 1; c->rank == 0 && r < c->ranks; r++)
            send(c, &c->at_hand, (size_t)r, (const char *)bytes + at, some);
        wait_for_all(c, &c->at_hand);
    }
}

void mfm_comm_gather(mfm_comm *c, void *bytes, const size_t *begin)
{
    if (!c)
        return;
    const size_t ranks = (size_t)c->ranks, own = (size_t)c->rank;
    char *all = bytes;
    size_t most = 0;
    for (size_t r = 0; r < ranks; r++)
        most = begin[r + 1] - begin[r] > most ? begin[r + 1] - begin[r] : most;
    for (size_t at = 0; at < most; at += AT_ONCE) {
        for (size_t k = 1; k < ranks; k++) {
            const size_t from = (own + ranks - k) % ranks, to = (own + k) % ranks;
            const size_t theirs = begin[from + 1] - begin[from], ours = begin[own + 1] - begin[own];
            if (at < theirs)
                receive(c, &c->at_hand, from, all + begin[from] + at,
                        theirs - at < AT_ONCE ? theirs - at : AT_ONCE);
            if (at < ours)
                send(c, &c->at_hand, to, all + begin[own] + at,
                     ours - at < AT_ONCE ? ours - at : AT_ONCE);
        }
        wait_for_all(c, &c->at_hand);
    }
}

void mfm_comm_gather_rows(mfm_comm *c, int64_t samples, void *rows, size_t size)
{
    size_t begin[MFM_CHUNKS + 1];
    if (!c)
        return;
    for (int r = 0; r < c->ranks; r++) {
        const mfm_share share = mfm_share_of(samples, r, c->ranks, NULL);
        begin[r] = (size_t)mfm_share_first(&share) * size;
    }
    begin[c->ranks] = (size_t)samples * size;
    mfm_comm_gather(c, rows, begin);
}

/* One number of each rank. */
static void gather_numbers(mfm_comm *c, int numbers[MFM_CHUNKS])
{
    size_t begin[MFM_CHUNKS + 1];
    for (int r = 0; r <= c->ranks; r++)
        begin[r] = (size_t)r * sizeof *numbers;
    mfm_comm_gather(c, numbers, begin);
}

int mfm_comm_max(mfm_comm *c, int number)
{
    int numbers[MFM_CHUNKS];
    if (!c)
        return number;
    numbers[c->rank] = number;
    gather_numbers(c, numbers);
    for (int r = 0; r < c->ranks; r++)
        number = numbers[r] > number ? numbers[r] : number;
    return number;
}

void mfm_comm_barrier(mfm_comm *c)
{
    mfm_comm_max(c, 0);
}

/* ---- agreement ---- */

enum { MESSAGE = 2048 };

/* Rank r's text for all. */
static void hand_round(mfm_comm *c, int r, char text[MESSAGE])
{
    size_t begin[MFM_CHUNKS + 1] = {0};
    for (int i = 0; i <= c->ranks; i++)
        begin[i] = i > r ? MESSAGE : 0;
    mfm_comm_gather(c, text, begin);
}

int mfm_comm_agree(mfm_comm *c, mfm_ctx *ctx, int status)
{
    int codes[MFM_CHUNKS], first = 0;
    char text[MESSAGE] = "";
    if (!c)
        return status;
    codes[c->rank] = status;
    gather_numbers(c, codes);
    while (first < c->ranks && codes[first] == MFM_OK)
        first++;
    if (first == c->ranks)
        return MFM_OK;
    if (c->rank == first)
        snprintf(text, sizeof text, "%s", mfm_message(ctx));
    hand_round(c, first, text);
    if (c->rank == first && first == 0)
        return status;
    return first == 0 ? mfm_fail(ctx, codes[first], "%s", text)
                      : mfm_fail(ctx, codes[first], "rank %d: %s", first, text);
}

/* The first line in which two texts differ: "*name: *here here, *there on rank 0". */
static int tell_difference(const mfm_comm *c, mfm_ctx *ctx, const char *here, const char *there)
{
    while (*here && *there) {
        const size_t n = strcspn(here, "\n"), m = strcspn(there, "\n");
        if (n != m || memcmp(here, there, n) != 0)
            break;
        here += n + (here[n] != '\0');
        there += m + (there[m] != '\0');
    }
    const int name = (int)strcspn(here, "\t\n");
    const char *mine = here + name + (here[name] == '\t');
    const char *theirs = there + strcspn(there, "\t\n");
    theirs += *theirs == '\t';
    return mfm_fail(
        ctx, MFM_EINVAL, "ranks must be started alike: %.*s: %.*s on rank %d, %.*s on rank 0", name,
        here, (int)strcspn(mine, "\n"), mine, c->rank, (int)strcspn(theirs, "\n"), theirs);
}

int mfm_comm_compare(mfm_comm *c, mfm_ctx *ctx, const char *lines)
{
    size_t size = strlen(lines) + 1;
    if (!c)
        return MFM_OK;
    mfm_comm_broadcast(c, &size, sizeof size);
    char *theirs = mfm_alloc(ctx, size, 1);
    int status = mfm_comm_agree(c, ctx, theirs ? MFM_OK : MFM_ENOMEM);
    if (!status) {
        if (c->rank == 0)
            memcpy(theirs, lines, size);
        mfm_comm_broadcast(c, theirs, size);
        if (strcmp(theirs, lines) != 0)
            status = tell_difference(c, ctx, lines, theirs);
        status = mfm_comm_agree(c, ctx, status);
    }
    mfm_free(ctx, theirs);
    return status;
}
