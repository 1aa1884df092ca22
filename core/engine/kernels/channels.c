#include "core/engine/kernels/channels.h"

#include <string.h>

/* A part is what one thread sums at a time; within it, blocks of rows that stay in the first-level
 * caches are summed in `real` and then added up in double. */
enum { MAX_PARTS = 32, PART_ELEMENTS = 8192, BLOCK_ELEMENTS = 2048, BLOCK_ROWS = 16 };

static int64_t count_parts(mfm_channels size)
{
    int64_t parts = size.rows * size.channels / PART_ELEMENTS;
    parts = parts > MAX_PARTS ? MAX_PARTS : parts;
    parts = parts > size.rows ? size.rows : parts;
    return parts < 1 ? 1 : parts;
}

static int64_t block_rows(mfm_channels size)
{
    const int64_t rows = size.channels ? BLOCK_ELEMENTS / size.channels : BLOCK_ROWS;
    return rows < BLOCK_ROWS ? BLOCK_ROWS : rows;
}

static int64_t part_begin(mfm_channels size, int64_t part)
{
    return size.rows * part / count_parts(size);
}

/* Scratch: [parts, sums, channels] of double, then [parts, sums + 1, channels] of real: the moments
 * need one row more than they have results. */
size_t mfm_channels_scratch(mfm_channels size, int sums)
{
    const size_t row = (size_t)(count_parts(size) * size.channels);
    return row * (size_t)sums * (sizeof(double) / sizeof(real)) + row * (size_t)(sums + 1);
}

/* The partial sums of a part: `sums` rows of doubles, and as many of reals for the block at hand.
 */
typedef struct partial {
    double *total;
    real *block;
} partial;

static partial partial_of(mfm_channels size, int sums, int64_t part, void *scratch)
{
    const int64_t length = sums * size.channels;
    double *totals = scratch;
    real *blocks = (real *)(totals + count_parts(size) * length);
    return (partial){totals + part * length, blocks + part * (length + size.channels)};
}

/* total[k] = the partial sums of all parts, in their order. */
static void add_parts(mfm_channels size, int sums, void *scratch, double *total)
{
    const int64_t length = sums * size.channels, parts = count_parts(size);
    const double *partials = scratch;
    memcpy(total, partials, (size_t)length * sizeof *total);
    for (int64_t p = 1; p < parts; p++)
        for (int64_t k = 0; k < length; k++)
            total[k] += partials[p * length + k];
}

/* ---- moments -------------------------------------------------------------------------------- */

/* sum[c] += x, over a block */
static void sum_rows(int64_t rows, int64_t channels, const real *x, real *restrict sum)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < channels; c++)
            sum[c] += x[r * channels + c];
}

/* With d = x - center[c]:  first[c] += d,  second[c] += d^2, over a block. */
static void sum_powers(int64_t rows, int64_t channels, const real *x, const real *center,
                       real *restrict first, real *restrict second)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < channels; c++) {
            const real d = x[r * channels + c] - center[c];
            first[c] += d;
            second[c] += d * d;
        }
}

/* Centred at m, the mean of the block as float finds it, no float sees more than deviations:
 *     sum x = n m + sum d,   sum x^2 = n m^2 + 2 m sum d + sum d^2
 * go to total[0] and total[1] in double, as if all of it had been summed in double. */
static void add_block_moments(mfm_channels size, int64_t rows, const real *x, partial to)
{
    const int64_t channels = size.channels;
    real *center = to.block, *first = center + channels, *second = first + channels;
    memset(to.block, 0, 3 * (size_t)channels * sizeof *to.block);
    sum_rows(rows, channels, x, center);
    for (int64_t c = 0; c < channels; c++)
        center[c] /= (real)rows;
    sum_powers(rows, channels, x, center, first, second);
    for (int64_t c = 0; c < channels; c++) {
        const double m = (double)center[c], n = (double)rows, d = (double)first[c];
        to.total[c] += n * m + d;
        to.total[channels + c] += n * m * m + 2 * m * d + (double)second[c];
    }
}

void mfm_channels_moments(mfm_channels size, const real *x, double *moments, void *scratch)
{
    const int64_t parts = count_parts(size), step = block_rows(size), channels = size.channels;
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int64_t p = 0; p < parts; p++) {
        const partial to = partial_of(size, 2, p, scratch);
        memset(to.total, 0, 2 * (size_t)channels * sizeof *to.total);
        const int64_t end = part_begin(size, p + 1);
        for (int64_t r = part_begin(size, p); r < end; r += step)
            add_block_moments(size, end - r < step ? end - r : step, x + r * channels, to);
    }
    add_parts(size, 2, scratch, moments);
    for (int64_t c = 0; c < channels; c++) {
        const double mean = moments[c] / (double)size.rows;
        const double variance = moments[channels + c] / (double)size.rows - mean * mean;
        moments[c] = mean;
        moments[channels + c] = variance < 0 ? 0 : variance; /* NaN stays NaN */
    }
}

/* ---- sums of streams ------------------------------------------------------------------------ */

/* plain[c] += u,  centred[c] += u (x - center[c]), over a block */
static void sum_stream(int64_t rows, int64_t channels, const real *u, const real *x,
                       const real *center, real *restrict plain, real *restrict centred)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < channels; c++) {
            const int64_t i = r * channels + c;
            plain[c] += u[i];
            centred[c] += u[i] * (x[i] - center[c]);
        }
}

static void sum_products(int64_t rows, int64_t channels, const real *u, const real *v,
                         real *restrict sum)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < channels; c++)
            sum[c] += u[r * channels + c] * v[r * channels + c];
}

static int count_sums(const mfm_channel_sums *wanted)
{
    return 2 * wanted->n + (wanted->pair != NULL);
}

static void add_block(mfm_channels size, const mfm_channel_sums *wanted, int64_t row, int64_t rows,
                      partial to)
{
    const int64_t channels = size.channels, at = row * channels;
    const int64_t length = count_sums(wanted) * channels;
    memset(to.block, 0, (size_t)length * sizeof *to.block);
    for (int j = 0; j < wanted->n; j++)
        sum_stream(rows, channels, wanted->streams[j] + at, wanted->x + at, wanted->center,
                   to.block + 2 * j * channels, to.block + (2 * j + 1) * channels);
    if (wanted->pair)
        sum_products(rows, channels, wanted->streams[0] + at, wanted->pair + at,
                     to.block + 2 * wanted->n * channels);
    for (int64_t k = 0; k < length; k++)
        to.total[k] += (double)to.block[k];
}

void mfm_channels_sums(mfm_channels size, const mfm_channel_sums *wanted, double *total,
                       void *scratch)
{
    const int64_t parts = count_parts(size), step = block_rows(size);
    const int sums = count_sums(wanted);
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int64_t p = 0; p < parts; p++) {
        const partial to = partial_of(size, sums, p, scratch);
        memset(to.total, 0, (size_t)(sums * size.channels) * sizeof *to.total);
        const int64_t end = part_begin(size, p + 1);
        for (int64_t r = part_begin(size, p); r < end; r += step)
            add_block(size, wanted, r, end - r < step ? end - r : step, to);
    }
    add_parts(size, sums, scratch, total);
}

/* ---- combinations --------------------------------------------------------------------------- */

/* One row; with n a constant the inner loop unrolls and the outer one vectorises. */
static inline void combine_row(int n, int64_t channels, const real *constant, const real *factor,
                               const real *const *streams, int64_t at, real *restrict y, bool add)
{
    for (int64_t c = 0; c < channels; c++) {
        real sum = constant[c];
        for (int j = 0; j < n; j++)
            sum += factor[j * channels + c] * streams[j][at + c];
        y[at + c] = add ? y[at + c] + sum : sum;
    }
}

void mfm_channels_combine(mfm_channels size, const real *constant, const real *factor,
                          const real *const *streams, int n, real *y, bool add)
{
    const int64_t channels = size.channels;
#pragma omp parallel for schedule(static) if (count_parts(size) > 1)
    for (int64_t r = 0; r < size.rows; r++) {
        const int64_t at = r * channels;
        switch (n) {
        case 0:
            combine_row(0, channels, constant, factor, streams, at, y, add);
            break;
        case 1:
            combine_row(1, channels, constant, factor, streams, at, y, add);
            break;
        case 2:
            combine_row(2, channels, constant, factor, streams, at, y, add);
            break;
        case 3:
            combine_row(3, channels, constant, factor, streams, at, y, add);
            break;
        default:
            combine_row(MFM_MAX_STREAMS, channels, constant, factor, streams, at, y, add);
            break;
        }
    }
}
