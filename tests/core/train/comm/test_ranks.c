/*
 * Run by a launcher as one of several ranks: what the ranks add, hand out and agree on. Rank 0 has
 * the result; another's failure ends all with an exit code.
 *
 * Sums are held against the tree on one process (core/base/share.h, which has a test by hand).
 */
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/train/comm/comm.h"
#include "tests/suite.h"

static mfm_ctx *ctx;
static mfm_comm *comm;

/* Powers of two from 2^-SMALLEST: a rank makes tens of millions of numbers, and ldexp is slow. */
enum { SMALLEST = 11 + MFM_CHUNKS - 1, POWERS = SMALLEST + 12 };
static double powers[POWERS];

static void fill_powers(void)
{
    for (int i = 0; i < POWERS; i++)
        powers[i] = ldexp(1, i - SMALLEST);
}

/* Chunk c of number k: magnitudes far apart, so that another order of additions shows. */
static double part(int chunk, size_t k)
{
    const uint32_t bits = (uint32_t)(k * 2654435761u + (uint32_t)chunk * 40503u);
    return ((double)(bits % 100003) - 50001) * powers[(int)(bits % 23) - 11 - chunk + SMALLEST];
}

/* The partial sum of this rank's chunks, or of all of them. */
static void fill_reals(const mfm_share *share, real *values, size_t n)
{
    const size_t chunks = (size_t)(share->end - share->first);
    real *parts = malloc(chunks * n * sizeof *parts);
    for (size_t c = 0; c < chunks; c++)
        for (size_t k = 0; k < n; k++)
            parts[c * n + k] = (real)part(share->first + (int)c, k);
    mfm_share_add_reals(share, parts, n);
    memcpy(values, parts, n * sizeof *values);
    free(parts);
}

static void fill_doubles(const mfm_share *share, double *values, size_t n)
{
    const size_t chunks = (size_t)(share->end - share->first);
    double *parts = malloc(chunks * n * sizeof *parts);
    for (size_t c = 0; c < chunks; c++)
        for (size_t k = 0; k < n; k++)
            parts[c * n + k] = part(share->first + (int)c, k);
    mfm_share_add_doubles(share, parts, n);
    memcpy(values, parts, n * sizeof *values);
    free(parts);
}

/* Lengths on both sides of what goes in one message, in one round, and in several. */
static const size_t lengths[] = {1, 3, 17, 1000, 1024, 2049, 70000, 1000003};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static void sums_are_those_of_the_tree(void)
{
    const mfm_share whole = mfm_share_whole(1600), own = mfm_comm_share(comm, 1600);
    for (int i = 0; i < LENGTHS; i++) {
        const size_t n = lengths[i];
        real *expected = malloc(n * sizeof *expected), *got = malloc(n * sizeof *got);
        double *expected_wide = malloc(n * sizeof *expected_wide);
        double *got_wide = malloc(n * sizeof *got_wide);
        fill_reals(&whole, expected, n);
        fill_reals(&own, got, n);
        mfm_comm_sum_reals(comm, got, n);
        CU_ASSERT_EQUAL(memcmp(expected, got, n * sizeof *got), 0);
        fill_doubles(&whole, expected_wide, n);
        fill_doubles(&own, got_wide, n);
        mfm_comm_sum_doubles(comm, got_wide, n);
        CU_ASSERT_EQUAL(memcmp(expected_wide, got_wide, n * sizeof *got_wide), 0);
        free(expected);
        free(got);
        free(expected_wide);
        free(got_wide);
    }
}

/* Gradients in the background, of all lengths, and batch statistics meanwhile. */
static void sums_that_were_begun_are_those_of_the_tree(void)
{
    const mfm_share whole = mfm_share_whole(1600), own = mfm_comm_share(comm, 1600);
    real *expected[LENGTHS], *got[LENGTHS];
    for (int i = 0; i < LENGTHS; i++) {
        expected[i] = malloc(lengths[i] * sizeof *expected[i]);
        got[i] = malloc(lengths[i] * sizeof *got[i]);
        fill_reals(&whole, expected[i], lengths[i]);
        fill_reals(&own, got[i], lengths[i]);
    }
    for (int times = 0; times < 3; times++) {
        for (int i = LENGTHS; i-- > 0;) {
            double wide[17], expected_wide[17];
            mfm_comm_begin_sum(comm, got[i], lengths[i]);
            fill_doubles(&whole, expected_wide, 17);
            fill_doubles(&own, wide, 17);
            mfm_comm_sum_doubles(comm, wide, 17);
            CU_ASSERT_EQUAL(memcmp(expected_wide, wide, sizeof wide), 0);
        }
        mfm_comm_finish_sums(comm);
        for (int i = 0; i < LENGTHS; i++) {
            CU_ASSERT_EQUAL(memcmp(expected[i], got[i], lengths[i] * sizeof *got[i]), 0);
            fill_reals(&own, got[i], lengths[i]);
        }
    }
    for (int i = 0; i < LENGTHS; i++) {
        free(expected[i]);
        free(got[i]);
    }
}

/* More than wait in the queue at a time. */
static void any_number_of_sums_can_be_begun(void)
{
    enum { SUMS = 300 };
    const int ranks = mfm_comm_ranks(comm), all = ranks * (ranks + 1) / 2;
    real values[SUMS];
    int wrong = 0;
    for (int i = 0; i < SUMS; i++) {
        values[i] = (real)((1 + mfm_comm_rank(comm)) * i);
        mfm_comm_begin_sum(comm, &values[i], 1);
    }
    mfm_comm_finish_sums(comm);
    mfm_comm_finish_sums(comm);
    for (int i = 0; i < SUMS; i++)
        wrong += values[i] != (real)(all * i);
    CU_ASSERT_EQUAL(wrong, 0);
}

/* What the tests above would not see if the magnitudes were alike. */
static void another_order_would_show(void)
{
    const size_t n = 1000;
    double *parts = malloc(MFM_CHUNKS * n * sizeof *parts), *flat = calloc(n, sizeof *flat);
    const mfm_share whole = mfm_share_whole(1600);
    for (int c = 0; c < MFM_CHUNKS; c++)
        for (size_t k = 0; k < n; k++) {
            parts[(size_t)c * n + k] = part(c, k) / 3;
            flat[k] += part(c, k) / 3;
        }
    mfm_share_add_doubles(&whole, parts, n);
    CU_ASSERT_NOT_EQUAL(memcmp(parts, flat, n * sizeof *flat), 0);
    free(parts);
    free(flat);
}

static void the_exchange_is_the_sum(void)
{
    const mfm_exchange *x = mfm_comm_exchange(comm);
    double wide = 1 + mfm_comm_rank(comm);
    real narrow = (real)(1 + mfm_comm_rank(comm));
    const int ranks = mfm_comm_ranks(comm), all = ranks * (ranks + 1) / 2;
    if (!x) {
        CU_ASSERT_EQUAL(ranks, 1);
        return;
    }
    CU_ASSERT_EQUAL(x->rank, mfm_comm_rank(comm));
    CU_ASSERT_EQUAL(x->ranks, ranks);
    x->sum_doubles(x->self, &wide, 1);
    x->sum_reals(x->self, &narrow, 1);
    CU_ASSERT_EQUAL(wide, all);
    CU_ASSERT_EQUAL(narrow, (real)all);
}

static void rank_0_hands_out(void)
{
    enum { SIZE = 3000001 };
    char *bytes = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (char)(mfm_comm_rank(comm) == 0 ? i * 7 : 0);
    mfm_comm_broadcast(comm, bytes, SIZE);
    int wrong = 0;
    for (int i = 0; i < SIZE; i++)
        wrong += bytes[i] != (char)(i * 7);
    CU_ASSERT_EQUAL(wrong, 0);
    free(bytes);
}

static void rows_are_gathered(void)
{
    enum { SAMPLES = 37, WIDTH = 5 };
    int rows[SAMPLES * WIDTH], wrong = 0;
    const mfm_share share = mfm_comm_share(comm, SAMPLES);
    const int64_t first = mfm_share_first(&share), end = first + mfm_share_count(&share);
    for (int i = 0; i < SAMPLES * WIDTH; i++)
        rows[i] = i / WIDTH >= first && i / WIDTH < end ? i : -1;
    mfm_comm_gather_rows(comm, SAMPLES, rows, WIDTH * sizeof *rows);
    for (int i = 0; i < SAMPLES * WIDTH; i++)
        wrong += rows[i] != i;
    CU_ASSERT_EQUAL(wrong, 0);
}

static void the_largest_is_found(void)
{
    CU_ASSERT_EQUAL(mfm_comm_max(comm, 10 - mfm_comm_rank(comm)), 10);
    CU_ASSERT_EQUAL(mfm_comm_max(comm, mfm_comm_rank(comm)), mfm_comm_ranks(comm) - 1);
}

static void one_failure_is_everyones(void)
{
    const int last = mfm_comm_ranks(comm) - 1;
    char expected[64];
    CU_ASSERT_EQUAL(mfm_comm_agree(comm, ctx, MFM_OK), MFM_OK);
    int status = MFM_OK;
    if (mfm_comm_rank(comm) == last)
        status = mfm_fail(ctx, MFM_EDATA, "a.onnx: broken");
    CU_ASSERT_EQUAL(mfm_comm_agree(comm, ctx, status), MFM_EDATA);
    snprintf(expected, sizeof expected, last ? "rank %d: a.onnx: broken" : "a.onnx: broken", last);
    CU_ASSERT_STRING_EQUAL(mfm_message(ctx), expected);
}

static void differences_are_told(void)
{
    const bool last = mfm_comm_rank(comm) == mfm_comm_ranks(comm) - 1;
    const char *same = "version\t1\n--lr\t0.1\nmodel\tabc\n";
    const char *other = "version\t1\n--lr\t0.05\nmodel\tabc\n";
    CU_ASSERT_EQUAL(mfm_comm_compare(comm, ctx, same), MFM_OK);
    if (!comm)
        return;
    CU_ASSERT_EQUAL(mfm_comm_compare(comm, ctx, last ? other : same), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "--lr: 0.05 on rank "));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), ", 0.1 on rank 0"));
    CU_ASSERT_EQUAL(mfm_comm_compare(comm, ctx, last ? "version\t1\n" : same), MFM_EINVAL);
}

static const mfm_case cases[] = {
    {"a sum over ranks has the bits of the tree on one process", sums_are_those_of_the_tree},
    {"a sum that was begun has them too, with other sums in between",
     sums_that_were_begun_are_those_of_the_tree},
    {"more sums than the queue holds can be begun", any_number_of_sums_can_be_begun},
    {"numbers of another order of additions differ", another_order_would_show},
    {"the engine's exchange adds over all ranks", the_exchange_is_the_sum},
    {"rank 0's bytes reach all", rank_0_hands_out},
    {"each rank's rows of a batch reach all", rows_are_gathered},
    {"the largest of the ranks' numbers is known to all", the_largest_is_found},
    {"one rank's failure is that of all, with its message", one_failure_is_everyones},
    {"a line that differs is told with both values", differences_are_told},
};

static void on_lost(void *self, const char *message)
{
    (void)self;
    fprintf(stderr, "%s\n", message);
}

/* A busy launcher: it stands still for two seconds, and what ranks do meanwhile is there for it all
 * at once. */
static void hold_launcher(void)
{
    const pid_t launcher = getppid();
    if (fork() == 0) {
        sleep(2);
        kill(launcher, SIGCONT);
        _exit(0);
    }
    kill(launcher, SIGSTOP);
}

int main(int argc, char **argv)
{
    const mfm_comm_events events = {.on_lost = on_lost};
    fill_powers();
    ctx = mfm_ctx_new(NULL);
    if (mfm_comm_open(ctx, &events, &comm)) {
        fprintf(stderr, "%s\n", mfm_message(ctx));
        return 1;
    }
    if (argc > 1 && mfm_comm_ranks(comm) != atoi(argv[1])) {
        fprintf(stderr, "%d ranks instead of %s\n", mfm_comm_ranks(comm), argv[1]);
        return 1;
    }
    if (argc > 2) /* nobody answers rank 0 */ {
        mfm_comm_set_timeout(comm, atof(argv[2]));
        if (mfm_comm_rank(comm) == 0) {
            hold_launcher();
            mfm_comm_barrier(comm);
        }
        for (;;)
            ;
    }
    const int failed =
        mfm_suite_run("core/train/comm/ranks", cases, sizeof cases / sizeof cases[0]);
    const int any = mfm_comm_max(comm, failed);
    mfm_comm_close(comm);
    mfm_ctx_free(ctx);
    return any;
}
