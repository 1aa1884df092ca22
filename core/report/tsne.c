#include "core/report/tsne.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/random.h"

enum { EXAGGERATED = 250, HALVINGS = 100 };
static const double exaggeration = 12, start_deviation = 1e-4, least = 1e-300;
static const double entropy_tolerance = 1e-6; /* of the logarithm of the perplexity */

const mfm_tsne_options mfm_tsne_defaults = {
    .perplexity = 30, .iterations = 1000, .starts = 2, .seed = 0};

/* ---- similarities ---- */

static double squared_distance(const double *a, const double *b, int d)
{
    double sum = 0;
    for (int k = 0; k < d; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

/* row [n] = exp(-beta (distance - nearest)) over the others, normalised; returns its entropy. */
static double weigh(const double *distance, double nearest, int n, int self, double beta,
                    double *row)
{
    double sum = 0, mean = 0;
    for (int j = 0; j < n; j++) {
        row[j] = j == self ? 0 : exp(-beta * (distance[j] - nearest));
        sum += row[j];
        mean += row[j] * (distance[j] - nearest);
    }
    for (int j = 0; j < n; j++)
        row[j] /= sum;
    return log(sum) + beta * mean / sum;
}

/* The width of the Gaussian whose entropy is that of the perplexity, by halving. */
static void fit_row(const double *x, int n, int d, int i, double wanted, double *distance,
                    double *row)
{
    double nearest = INFINITY, beta = 1, low = 0, high = INFINITY;
    for (int j = 0; j < n; j++) {
        distance[j] = squared_distance(x + (size_t)i * (size_t)d, x + (size_t)j * (size_t)d, d);
        if (j != i)
            nearest = fmin(nearest, distance[j]);
    }
    for (int k = 0; k < HALVINGS; k++) {
        const double apart = weigh(distance, nearest, n, i, beta, row) - wanted;
        if (fabs(apart) < entropy_tolerance)
            return;
        if (apart > 0)
            low = beta;
        else
            high = beta;
        beta = isinf(high) ? beta * 2 : (low + high) / 2;
    }
}

static double largest_perplexity(double perplexity, int n)
{
    return fmin(perplexity, (n - 1) / 3.0);
}

int mfm_tsne_similarities(mfm_ctx *ctx, const double *x, int n, int d, double perplexity, double *p)
{
    const size_t size = (size_t)n;
    double *distance = mfm_alloc(ctx, size, sizeof *distance);
    if (!distance)
        return MFM_ENOMEM;
    const double wanted = log(largest_perplexity(perplexity, n));
    for (int i = 0; i < n; i++)
        fit_row(x, n, d, i, wanted, distance, p + (size_t)i * size);
    mfm_free(ctx, distance);
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < i; j++) {
            const double both = (p[i * size + j] + p[j * size + i]) / (2.0 * n);
            p[i * size + j] = p[j * size + i] = both;
        }
    return MFM_OK;
}

/* ---- descent ---- */

static double kernel(const double *y, size_t i, size_t j)
{
    const double a = y[2 * i] - y[2 * j], b = y[2 * i + 1] - y[2 * j + 1];
    return 1 / (1 + a * a + b * b);
}

/* The sum of the kernel over all pairs; rows [n] is room for its parts, which are added in their
 * order, whatever the threads. */
static double kernel_sum(const double *y, int n, double *rows)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++)
            sum += i == j ? 0 : kernel(y, (size_t)i, (size_t)j);
        rows[i] = sum;
    }
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += rows[i];
    return sum;
}

double mfm_tsne_objective(const double *p, const double *y, int n)
{
    const size_t size = (size_t)n;
    double sum = 0, objective = 0;
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < size; j++)
            sum += i == j ? 0 : kernel(y, i, j);
    for (size_t i = 0; i < size; i++)
        for (size_t j = 0; j < size; j++)
            if (i != j && p[i * size + j] > 0)
                objective +=
                    p[i * size + j] * log(p[i * size + j] / fmax(least, kernel(y, i, j) / sum));
    return objective;
}

typedef struct descent {
    const double *p;
    int n;
    double *y, *slope, *step, *gain, *rows; /* [n, 2] each, rows [n] */
} descent;

/* slope_i = 4 sum_j (scale p - q) k (y_i - y_j) with k the kernel and q = k / sum k. */
static void find_slope(const descent *t, double scale)
{
    const size_t n = (size_t)t->n;
    const double sum = kernel_sum(t->y, t->n, t->rows);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        double a = 0, b = 0;
        for (size_t j = 0; j < n; j++) {
            const double k = kernel(t->y, i, j); /* of i itself: nothing, for y_i - y_i is 0 */
            const double pull = (scale * t->p[i * n + j] - k / sum) * k;
            a += pull * (t->y[2 * i] - t->y[2 * j]);
            b += pull * (t->y[2 * i + 1] - t->y[2 * j + 1]);
        }
        t->slope[2 * i] = 4 * a;
        t->slope[2 * i + 1] = 4 * b;
    }
}

/* Gains grow while a coordinate goes on in one direction, and fall when it turns (Jacobs 1988). */
static void take_step(const descent *t, double rate, double momentum)
{
    for (int i = 0; i < 2 * t->n; i++) {
        const bool turns = t->step[i] * t->slope[i] >= 0;
        t->gain[i] = fmax(0.01, turns ? t->gain[i] * 0.8 : t->gain[i] + 0.2);
        t->step[i] = momentum * t->step[i] - rate * t->gain[i] * t->slope[i];
        t->y[i] += t->step[i];
    }
}

static void descend(const descent *t, const mfm_tsne_options *o, int start)
{
    const mfm_key key = {o->seed, MFM_STREAM_INIT, (uint32_t)start, 0};
    const double rate = fmax(50, t->n / exaggeration / 4);
    for (int i = 0; i < 2 * t->n; i++) {
        t->y[i] = start_deviation * mfm_random_normal(&key, (uint64_t)i);
        t->step[i] = 0;
        t->gain[i] = 1;
    }
    for (int k = 0; k < o->iterations; k++) {
        const bool early = k < EXAGGERATED;
        find_slope(t, early ? exaggeration : 1);
        take_step(t, rate, early ? 0.5 : 0.8);
    }
}

static int check(mfm_ctx *ctx, const double *x, int n, int d)
{
    for (size_t i = 0; i < (size_t)n * (size_t)d; i++)
        if (!isfinite(x[i]))
            return mfm_fail(ctx, MFM_EINVAL, "t-SNE: number %zu of point %zu is not finite",
                            i % (size_t)d, i / (size_t)d);
    return n >= 4 ? MFM_OK : mfm_fail(ctx, MFM_EINVAL, "t-SNE: %d points: 4 are the least", n);
}

int mfm_tsne(mfm_ctx *ctx, const double *x, int n, int d, const mfm_tsne_options *options,
             double *y, double *objective)
{
    int status = check(ctx, x, n, d);
    if (status)
        return status;
    const size_t size = (size_t)n;
    double *p = mfm_alloc(ctx, size * size, sizeof *p);
    double *room = mfm_alloc(ctx, 9 * size, sizeof *room);
    status = p && room ? mfm_tsne_similarities(ctx, x, n, d, options->perplexity, p) : MFM_ENOMEM;
    if (!status) {
        const descent t = {
            p, n, room, room + 2 * size, room + 4 * size, room + 6 * size, room + 8 * size};
        *objective = INFINITY;
        for (int start = 0; start < options->starts; start++) {
            descend(&t, options, start);
            const double reached = mfm_tsne_objective(p, t.y, n);
            if (reached < *objective)
                memcpy(y, t.y, 2 * size * sizeof *y);
            *objective = fmin(*objective, reached);
        }
    }
    mfm_free(ctx, p);
    mfm_free(ctx, room);
    return status;
}
