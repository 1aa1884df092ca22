/*
 * What an operator gives does not depend on how the work is shared: for 1, 2 and 5 threads its
 * results have the same bits; and for the samples of two ranks, each with its half of the chunks
 * (core/base/share.h), they are those of the whole batch, and the sum of two, for what is added
 * over samples. The ranks run beside each other, with an exchange that waits for both.
 */
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "op_check.h"

enum { RANKS = 2, MOST_EXCHANGED = 4096 };

static bool same_bits(const real *a, const real *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

/* ---- threads -------------------------------------------------------------------------------- */

static int check_threads(mfm_checker *checker, int threads)
{
    char detail[32];
    mfm_probe probe;
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    int status = mfm_probe_init(checker->ctx, checker->sample, checker->seed, 0, &probe);
    if (!status) {
        snprintf(detail, sizeof detail, "%d threads", threads);
        mfm_probe_go(&probe, &(mfm_probe_run){0}, checker->a);
        const bool same = same_bits(checker->a, checker->base, probe.n_results);
        mfm_checker_note(checker, MFM_CHECK_THREADS, same ? 0 : INFINITY, detail);
        mfm_probe_clear(&probe);
    }
    omp_set_num_threads(before);
    return status;
}

/* ---- ranks ---------------------------------------------------------------------------------- */

/* Where the ranks meet. */
typedef struct meeting {
    pthread_barrier_t barrier;
    double doubles[RANKS][MOST_EXCHANGED];
    real reals[RANKS][MOST_EXCHANGED];
} meeting;

typedef struct rank {
    meeting *at;
    int number;
    mfm_exchange exchange;
    mfm_sample sample;
    mfm_probe probe;
    bool made;
    real *results;
    const char *fault;
} rank;

static void sum_doubles(void *self, double *values, size_t n)
{
    rank *r = self;
    meeting *at = r->at;
    memcpy(at->doubles[r->number], values, n * sizeof *values);
    pthread_barrier_wait(&at->barrier);
    for (size_t i = 0; i < n; i++)
        values[i] = at->doubles[0][i] + at->doubles[1][i];
    pthread_barrier_wait(&at->barrier);
}

static void sum_reals(void *self, real *values, size_t n)
{
    rank *r = self;
    meeting *at = r->at;
    memcpy(at->reals[r->number], values, n * sizeof *values);
    pthread_barrier_wait(&at->barrier);
    for (size_t i = 0; i < n; i++)
        values[i] = at->reals[0][i] + at->reals[1][i];
    pthread_barrier_wait(&at->barrier);
}

static void *run_rank(void *argument)
{
    rank *r = argument;
    r->fault = mfm_probe_go(&r->probe, &(mfm_probe_run){0}, r->results);
    return NULL;
}

/* Whether axis 0 of an input has the samples, as far as the operator tells. */
static bool is_batch(const mfm_sample *s, int input)
{
    const mfm_shape *shape = &s->in[input].shape, *first = &s->in[0].shape;
    if (s->in[input].absent || shape->rank == 0)
        return false;
    switch (s->op->batch) {
    case MFM_BATCH_FIRST:
        return input == 0;
    case MFM_BATCH_STACK:
        return input == 0 ||
               (shape->rank > 2 && shape->rank == first->rank && shape->dim[0] == first->dim[0]);
    default:
        return shape->dim[0] == first->dim[0] &&
               (s->op->batch == MFM_BATCH_UNKNOWN || shape->rank == first->rank);
    }
}

/* Samples of which each rank has some, and that the operator does not mix. */
static bool applies(const mfm_checker *checker)
{
    const mfm_sample *s = checker->sample;
    const mfm_shape *x = &s->in[0].shape, *y = &checker->probe.tensors[MFM_SAMPLE_PORTS].shape;
    const bool told = s->op->batch != MFM_BATCH_UNKNOWN;
    const bool loss = strcmp(s->op->domain, "mfm") == 0;
    if (!(told || loss) || s->in[0].absent || x->rank == 0 || x->dim[0] < RANKS)
        return false;
    if (mfm_attr_number(s->op, s->attr, "transA", 0) != 0 ||
        mfm_attr_number(s->op, s->attr, "heads", 0) != 0) /* axis 1 has the samples */
        return false;
    if (s->op->batch == MFM_BATCH_ALL && !mfm_shape_equal(x, y)) /* the batch is another input's */
        return false;
    return y->rank == 0 || y->dim[0] == x->dim[0];
}

/* The numbers of a rank's tensor among those of the whole: where, and how many. */
static size_t place_of(const mfm_checker *checker, const rank *r, int tensor, size_t *count)
{
    const size_t whole = mfm_probe_count(&checker->probe, tensor);
    *count = mfm_probe_count(&r->probe, tensor);
    return *count == whole ? 0
                           : whole / (size_t)r->sample.share.samples *
                                 (size_t)mfm_share_first(&r->sample.share);
}

static int make_rank(mfm_checker *checker, rank *r)
{
    const int64_t samples = checker->sample->in[0].shape.dim[0];
    r->exchange = (mfm_exchange){.self = r,
                                 .rank = r->number,
                                 .ranks = RANKS,
                                 .sum_doubles = sum_doubles,
                                 .sum_reals = sum_reals};
    r->sample = *checker->sample;
    r->sample.share = mfm_share_of(samples, r->number, RANKS, &r->exchange);
    for (int i = 0; i < r->sample.n_in; i++)
        if (is_batch(checker->sample, i))
            r->sample.in[i].shape.dim[0] = mfm_share_count(&r->sample.share);
    int status = mfm_probe_init(checker->ctx, &r->sample, checker->seed, 0, &r->probe);
    if (status)
        return status;
    r->made = true;
    r->results = mfm_alloc(checker->ctx, r->probe.n_results, sizeof(real));
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++) {
            size_t count;
            const real *from = checker->probe.given[t][lane];
            if (!from)
                continue;
            from += place_of(checker, r, t, &count);
            memcpy(r->probe.given[t][lane], from, count * sizeof *from);
        }
    return r->results ? MFM_OK : MFM_ENOMEM;
}

/* The adjoint of what is not divided is the sum of the ranks'; all else a rank has as the whole. */
static void compare(mfm_checker *checker, rank *ranks, int t, enum mfm_lane lane)
{
    static const char *const names[] = {"forward, two ranks", "jvp, two ranks", "vjp, two ranks",
                                        "vjp_t, two ranks"};
    const real *whole = checker->base + checker->probe.offset[t][lane];
    const size_t all = mfm_probe_count(&checker->probe, t);
    const bool added = t < MFM_SAMPLE_PORTS && !is_batch(checker->sample, t);
    bool same = true;
    size_t count;
    for (int k = 0; k < RANKS && !added; k++) {
        const size_t at = place_of(checker, &ranks[k], t, &count);
        same =
            same && same_bits(ranks[k].results + ranks[k].probe.offset[t][lane], whole + at, count);
    }
    real *sum = ranks[0].results + ranks[0].probe.offset[t][lane];
    const real *second = ranks[1].results + ranks[1].probe.offset[t][lane];
    double worst = 0;
    for (size_t i = 0; i < all && added; i++) {
        sum[i] += second[i];
        worst = fmax(worst, fabs((double)sum[i] - (double)whole[i]));
    }
    if (added) /* tangents of adjoints are sums of two terms; nobody adds them over ranks */
        same = lane == MFM_DG ? worst < 1e-4 : same_bits(sum, whole, all);
    mfm_checker_note(checker, MFM_CHECK_RANKS, same ? 0 : INFINITY, names[lane]);
}

static void run_ranks(mfm_checker *checker, rank *ranks)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_rank, &ranks[1])) {
        mfm_checker_note(checker, MFM_CHECK_RANKS, INFINITY, "no thread");
        return;
    }
    run_rank(&ranks[0]);
    pthread_join(thread, NULL);
    for (int k = 0; k < RANKS; k++)
        if (ranks[k].fault)
            mfm_checker_note(checker, MFM_CHECK_RANKS, INFINITY, ranks[k].fault);
    for (int t = 0; t < MFM_PROBE_TENSORS; t++)
        for (int lane = 0; lane < MFM_LANES; lane++)
            if (mfm_probe_is_result(&checker->probe, t, (enum mfm_lane)lane))
                compare(checker, ranks, t, (enum mfm_lane)lane);
}

static int check_ranks(mfm_checker *checker)
{
    meeting *at = mfm_alloc(checker->ctx, 1, sizeof *at);
    rank ranks[RANKS] = {{.at = at, .number = 0}, {.at = at, .number = 1}};
    if (!at)
        return MFM_ENOMEM;
    pthread_barrier_init(&at->barrier, NULL, RANKS);
    int status = MFM_OK;
    for (int k = 0; k < RANKS && !status; k++)
        status = make_rank(checker, &ranks[k]);
    if (!status) /* else there are samples in other inputs, too: the sample is not for this */
        run_ranks(checker, ranks);
    for (int k = 0; k < RANKS; k++) {
        mfm_free(checker->ctx, ranks[k].results);
        if (ranks[k].made)
            mfm_probe_clear(&ranks[k].probe);
    }
    pthread_barrier_destroy(&at->barrier);
    mfm_free(checker->ctx, at);
    return status == MFM_ENOMEM ? status : MFM_OK;
}

int mfm_check_shares(mfm_checker *checker)
{
    static const int threads[] = {1, 2, 5};
    int status = MFM_OK;
    mfm_checker_go(checker, &(mfm_probe_run){0}, checker->base);
    for (int i = 0; i < 3 && !status; i++)
        status = check_threads(checker, threads[i]);
    return !status && applies(checker) ? check_ranks(checker) : status;
}
