#include <math.h>
#include <stdlib.h>

#include "core/engine/kernels/channels.h"
#include "core/base/random.h"
#include "tests/suite.h"

static const double tolerance = sizeof(real) == sizeof(float) ? 2e-6 : 1e-14;
static const mfm_share of_70 = {.samples = 70, .first = 0, .end = MFM_CHUNKS};
static const mfm_share of_3 = {.samples = 3, .first = 0, .end = MFM_CHUNKS};
#define SIZE(r, c, of)                                                                             \
    {                                                                                              \
        .rows = r, .channels = c, .share = of                                                      \
    }
static const mfm_channels sizes[] = {
    SIZE(1, 1, NULL),      SIZE(7, 1, NULL),      SIZE(5000, 3, NULL), SIZE(700, 64, NULL),
    SIZE(33, 513, NULL),   SIZE(20000, 16, NULL), SIZE(3, 9000, NULL), SIZE(700, 64, &of_70),
    SIZE(5250, 3, &of_70), SIZE(3, 9000, &of_3)};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Streams of random numbers around `offset`. */
typedef struct data {
    mfm_channels size;
    size_t count;
    real *stream[MFM_MAX_STREAMS];
    real *y, *constant, *factor;
    double *total;
    void *scratch;
} data;

static void *space(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    return memory;
}

static data make(mfm_channels size, double offset)
{
    const size_t channels = (size_t)size.channels;
    data d = {.size = size, .count = (size_t)size.rows * channels};
    for (int j = 0; j < MFM_MAX_STREAMS; j++) {
        const mfm_key key = {.seed = 1, .stream = MFM_STREAM_TEST, .node = (uint32_t)j};
        d.stream[j] = space(d.count * sizeof(real));
        for (size_t i = 0; i < d.count; i++)
            d.stream[j][i] = (real)(offset + mfm_random_normal(&key, i));
    }
    d.y = space(d.count * sizeof(real));
    d.constant = space(channels * sizeof(real));
    d.factor = space(MFM_MAX_STREAMS * channels * sizeof(real));
    for (size_t c = 0; c < channels; c++)
        d.constant[c] = (real)(0.01 * (double)c);
    for (size_t c = 0; c < MFM_MAX_STREAMS * channels; c++)
        d.factor[c] = (real)(1 - 0.03 * (double)(c % 71));
    d.total = space(7 * channels * sizeof(double));
    d.scratch = space(mfm_channels_scratch(size, 7) * sizeof(real));
    return d;
}

static void discard(data *d)
{
    for (int j = 0; j < MFM_MAX_STREAMS; j++)
        free(d->stream[j]);
    free(d->y);
    free(d->constant);
    free(d->factor);
    free(d->total);
    free(d->scratch);
}

/* The sum of u (v - center) over channel c in double; v NULL: of u. */
static double naive_sum(const data *d, const real *u, const real *v, double center, int64_t c,
                        double *magnitude)
{
    double sum = 0;
    *magnitude = 0;
    for (int64_t r = 0; r < d->size.rows; r++) {
        const int64_t i = r * d->size.channels + c;
        const double term = (double)u[i] * (v ? (double)v[i] - center : 1);
        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

static void check_moments(const data *d, double mean_tolerance, double variance_tolerance)
{
    mfm_channels_moments(d->size, d->stream[0], d->total, d->scratch);
    for (int64_t c = 0; c < d->size.channels; c++) {
        double magnitude, squares = 0;
        const double mean =
            naive_sum(d, d->stream[0], NULL, 0, c, &magnitude) / (double)d->size.rows;
        for (int64_t r = 0; r < d->size.rows; r++) {
            const double from_mean = (double)d->stream[0][r * d->size.channels + c] - mean;
            squares += from_mean * from_mean;
        }
        const double variance = squares / (double)d->size.rows;
        CU_ASSERT_DOUBLE_EQUAL(d->total[c], mean, mean_tolerance);
        CU_ASSERT_DOUBLE_EQUAL(d->total[d->size.channels + c], variance, variance_tolerance);
    }
}

static void moments(void)
{
    for (int k = 0; k < SIZES; k++) {
        data d = make(sizes[k], 0);
        check_moments(&d, tolerance, 10 * tolerance);
        discard(&d);
    }
}

/* A mean of 1000 standard deviations: the difference of raw second moments would lose the variance
 * altogether in float (10^6 has a spacing of 0.06). Here it is taken in double, at a spacing of
 * 1e-10 for each of some hundred blocks. */
static void far_moments(void)
{
    data d = make((mfm_channels){.rows = 20000, .channels = 16}, 1000);
    check_moments(&d, tolerance > 1e-10 ? tolerance : 1e-10, tolerance > 1e-8 ? tolerance : 1e-8);
    discard(&d);
}

static void check_sum(const data *d, int row, const real *u, const real *v, const real *center)
{
    for (int64_t c = 0; c < d->size.channels; c++) {
        double magnitude;
        const double expected = naive_sum(d, u, v, center ? (double)center[c] : 0, c, &magnitude);
        CU_ASSERT_DOUBLE_EQUAL(d->total[row * d->size.channels + c], expected,
                               tolerance * magnitude);
    }
}

static void sums(void)
{
    for (int k = 0; k < SIZES; k++) {
        data d = make(sizes[k], 0.5);
        const mfm_channel_sums wanted = {.x = d.stream[0],
                                         .center = d.constant,
                                         .streams = {d.stream[1], d.stream[2], d.stream[3]},
                                         .n = 3,
                                         .pair = d.stream[3]};
        mfm_channels_sums(d.size, &wanted, d.total, d.scratch);
        for (int j = 0; j < 3; j++) {
            check_sum(&d, 2 * j, d.stream[j + 1], NULL, NULL);
            check_sum(&d, 2 * j + 1, d.stream[j + 1], d.stream[0], d.constant);
        }
        check_sum(&d, 6, d.stream[1], d.stream[3], NULL);
        discard(&d);
    }
}

static void check_combination(const data *d, int n, bool add)
{
    for (size_t i = 0; i < d->count; i++)
        d->y[i] = add ? (real)0.25 : (real)NAN;
    mfm_channel_combination f = {.constant = d->constant,
                                 .factor = d->factor,
                                 .n = n,
                                 .first_gated = n,
                                 .y = d->y,
                                 .add = add};
    for (int j = 0; j < n; j++)
        f.streams[j] = d->stream[j];
    mfm_channels_combine(d->size, &f);
    double worst = 0;
    for (size_t i = 0; i < d->count; i++) {
        const size_t channels = (size_t)d->size.channels, c = i % channels;
        double expected = (double)d->constant[c] + (add ? 0.25 : 0);
        for (int j = 0; j < n; j++)
            expected += (double)d->factor[(size_t)j * channels + c] * (double)d->stream[j][i];
        const double error = fabs((double)d->y[i] - expected) / (1 + fabs((double)d->constant[c]));
        worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
    }
    CU_ASSERT(worst < 5 * tolerance);
}

static void combinations(void)
{
    for (int k = 0; k < SIZES; k++) {
        data d = make(sizes[k], 0);
        for (int n = 0; n <= MFM_MAX_STREAMS; n++) {
            check_combination(&d, n, false);
            check_combination(&d, n, true);
        }
        discard(&d);
    }
}

/* The gate of stream 0 (as output) or of terms over it. */
static bool lets_through(const data *d, const mfm_channel_gate *gate, size_t i)
{
    const size_t c = i % (size_t)d->size.channels;
    return gate->y ? gate->y[i] > 0 : gate->constant[c] + gate->factor[c] * gate->x[i] > 0;
}

static void check_gated_sums(data *d, const mfm_channel_gate *gate)
{
    const mfm_channel_sums wanted = {.x = d->stream[1],
                                     .center = d->constant,
                                     .streams = {d->stream[2], d->stream[3]},
                                     .n = 2,
                                     .pair = d->stream[3],
                                     .gate = gate,
                                     .n_gated = 1};
    mfm_channels_sums(d->size, &wanted, d->total, d->scratch);
    for (size_t i = 0; i < d->count; i++)
        d->y[i] = lets_through(d, gate, i) ? d->stream[2][i] : 0;
    check_sum(d, 0, d->y, NULL, NULL);
    check_sum(d, 1, d->y, d->stream[1], d->constant);
    check_sum(d, 2, d->stream[3], NULL, NULL);
    check_sum(d, 4, d->y, d->stream[3], NULL);
}

/* With streams 1 (open) and 2 (gated), y is added to 0.25 and what passes overwrites stream 3. */
static void check_gated_combination(data *d, const mfm_channel_gate *gate)
{
    for (size_t i = 0; i < d->count; i++)
        d->y[i] = (real)0.25;
    const mfm_channel_combination f = {.constant = d->constant,
                                       .factor = d->factor,
                                       .streams = {d->stream[1], d->stream[2]},
                                       .n = 2,
                                       .first_gated = 1,
                                       .gate = gate,
                                       .y = d->y,
                                       .add = true,
                                       .passed = d->stream[3]};
    mfm_channels_combine(d->size, &f);
    double worst = 0;
    const size_t channels = (size_t)d->size.channels;
    for (size_t i = 0; i < d->count; i++) {
        const size_t c = i % channels;
        const double passed = lets_through(d, gate, i) ? (double)d->stream[2][i] : 0;
        const double expected = 0.25 + (double)d->constant[c] +
                                (double)d->factor[c] * (double)d->stream[1][i] +
                                (double)d->factor[channels + c] * passed;
        const double error = fabs((double)d->y[i] - expected) / (1 + fabs((double)d->constant[c])) +
                             fabs((double)d->stream[3][i] - passed);
        worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
    }
    CU_ASSERT(worst < 5 * tolerance);
}

/* y = max(constant + factor x + summand, 0), then its tangent through the gate. */
static void check_finish(data *d, enum mfm_channel_finish finish, const mfm_channel_gate *gate)
{
    const mfm_channel_combination f = {.constant = d->constant,
                                       .factor = d->factor,
                                       .streams = {d->stream[1]},
                                       .n = 1,
                                       .first_gated = 1,
                                       .gate = gate,
                                       .summand = d->stream[2],
                                       .finish = finish,
                                       .y = d->y};
    mfm_channels_combine(d->size, &f);
    double worst = 0;
    for (size_t i = 0; i < d->count; i++) {
        const size_t c = i % (size_t)d->size.channels;
        const double sum = (double)d->constant[c] + (double)d->factor[c] * (double)d->stream[1][i] +
                           (double)d->stream[2][i];
        const bool open = finish == MFM_FINISH_RELU ? sum > 0 : lets_through(d, gate, i);
        const double error =
            fabs((double)d->y[i] - (open ? sum : 0)) / (1 + fabs((double)d->constant[c]));
        worst = error <= worst ? worst : isnan(error) ? INFINITY : error;
    }
    CU_ASSERT(worst < 5 * tolerance);
}

static void gates(void)
{
    for (int k = 0; k < SIZES; k++)
        for (int by_output = 0; by_output < 2; by_output++) {
            data d = make(sizes[k], 0);
            const mfm_channel_gate gate = {.y = by_output ? d.stream[0] : NULL,
                                           .x = d.stream[0],
                                           .constant = d.constant,
                                           .factor = d.factor};
            check_gated_sums(&d, &gate);
            check_finish(&d, MFM_FINISH_RELU, &gate);
            check_finish(&d, MFM_FINISH_GATE, &gate);
            check_gated_combination(&d, &gate);
            discard(&d);
        }
}

static const mfm_case cases[] = {
    {"means and variances are those of the definition", moments},
    {"the variance survives a mean a thousand times the deviation", far_moments},
    {"sums, centred sums and products are those of the definition", sums},
    {"combinations of any number of streams are overwritten or added", combinations},
    {"the gate of a Relu closes streams, sums and results", gates},
};
MFM_SUITE("core/engine/channels", cases)
