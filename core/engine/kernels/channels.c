#include "core/engine/kernels/channels.h"

#include <string.h>

/* A part is what one thread sums at a time; within it, blocks of rows that stay in the first-level
 * caches are summed in `real` and then added up in double. */
enum { MAX_PARTS = 32, PART_ELEMENTS = 8192, BLOCK_ELEMENTS = 2048, BLOCK_ROWS = 16 };

/* Short rows are taken several at a time, as rows of about these lengths: in sums, in
 * combinations. */
enum { LONG_ROW = 64, COMBINED_ROW = 256 };

static int64_t count_parts(mfm_channels size)
{
    int64_t parts = size.rows * size.channels / PART_ELEMENTS;
    parts = parts > MAX_PARTS ? MAX_PARTS : parts;
    parts = parts > size.rows ? size.rows : parts;
    return parts < 1 ? 1 : parts;
}

static int64_t part_begin(mfm_channels size, int64_t part)
{
    return size.rows * part / count_parts(size);
}

/* Rows that are taken as one. */
static int64_t count_folds(mfm_channels size)
{
    return size.channels && size.channels < LONG_ROW ? LONG_ROW / size.channels : 1;
}

static int64_t block_rows(mfm_channels size)
{
    const int64_t folds = count_folds(size);
    const int64_t rows = size.channels ? BLOCK_ELEMENTS / (folds * size.channels) : BLOCK_ROWS;
    return (rows < BLOCK_ROWS ? BLOCK_ROWS : rows) * folds;
}

/* Scratch: [parts, sums, channels] of double, then [parts, sums + 1, folds * channels] of real: one
 * row for the centre. */
size_t mfm_channels_scratch(mfm_channels size, int sums)
{
    const size_t row = (size_t)(count_parts(size) * size.channels);
    return row * (size_t)sums * (sizeof(double) / sizeof(real)) +
           row * (size_t)((sums + 1) * count_folds(size));
}

/* The partial sums of a part: `sums` rows of doubles; reals for the centre and for the sums of the
 * block at hand. */
typedef struct partial {
    double *total;
    real *center, *block;
} partial;

static partial partial_of(mfm_channels size, int sums, int64_t part, void *scratch)
{
    const int64_t length = sums * size.channels, width = count_folds(size) * size.channels;
    double *totals = scratch;
    real *blocks = (real *)(totals + count_parts(size) * length) + part * (sums + 1) * width;
    return (partial){totals + part * length, blocks, blocks + width};
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

/* Rows of `width` columns, folds of the channels side by side. */
typedef struct block {
    int64_t rows, width;
} block;

/* The rows from `row` on that make whole rows of the block, up to `left`; else those left over, as
 * one. */
static block next_block(mfm_channels size, int64_t left)
{
    const int64_t folds = count_folds(size), most = block_rows(size);
    const int64_t rows = left < most ? left : most;
    return rows < folds ? (block){1, rows * size.channels}
                        : (block){rows / folds, folds * size.channels};
}

/* ---- moments -------------------------------------------------------------------------------- */

/* sum[c] += x */
static void sum_rows(block b, const real *x, real *restrict sum)
{
    for (int64_t r = 0; r < b.rows; r++)
        for (int64_t c = 0; c < b.width; c++)
            sum[c] += x[r * b.width + c];
}

/* With d = x - center[c]:  first[c] += d,  second[c] += d^2 */
static void sum_powers(block b, const real *x, const real *center, real *restrict first,
                       real *restrict second)
{
    for (int64_t r = 0; r < b.rows; r++)
        for (int64_t c = 0; c < b.width; c++) {
            const real d = x[r * b.width + c] - center[c];
            first[c] += d;
            second[c] += d * d;
        }
}

/* Centred at m, the mean of the block as float finds it, no float sees more than deviations:
 *     sum x = n m + sum d,   sum x^2 = n m^2 + 2 m sum d + sum d^2
 * go to total[0] and total[1] in double, as if all of it had been summed in double. */
static void add_block_moments(int64_t channels, block b, const real *x, partial to)
{
    real *first = to.block, *second = first + b.width;
    memset(to.center, 0, (size_t)b.width * sizeof *to.center);
    memset(to.block, 0, 2 * (size_t)b.width * sizeof *to.block);
    sum_rows(b, x, to.center);
    for (int64_t i = 0; i < b.width; i++)
        to.center[i] /= (real)b.rows;
    sum_powers(b, x, to.center, first, second);
    for (int64_t i = 0; i < b.width; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            const double m = (double)to.center[i + c], n = (double)b.rows;
            const double d = (double)first[i + c];
            to.total[c] += n * m + d;
            to.total[channels + c] += n * m * m + 2 * m * d + (double)second[i + c];
        }
}

void mfm_channels_moments(mfm_channels size, const real *x, double *moments, void *scratch)
{
    const int64_t parts = count_parts(size), channels = size.channels;
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int64_t p = 0; p < parts; p++) {
        const partial to = partial_of(size, 2, p, scratch);
        memset(to.total, 0, 2 * (size_t)channels * sizeof *to.total);
        const int64_t end = part_begin(size, p + 1) * channels;
        for (int64_t at = part_begin(size, p) * channels; at < end;) {
            const block b = next_block(size, (end - at) / channels);
            add_block_moments(channels, b, x + at, to);
            at += b.rows * b.width;
        }
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

/* plain[c] += u,  centred[c] += u (x - center[c]) */
static void sum_stream(block b, const real *u, const real *x, const real *center,
                       real *restrict plain, real *restrict centred)
{
    for (int64_t r = 0; r < b.rows; r++)
        for (int64_t c = 0; c < b.width; c++) {
            const int64_t i = r * b.width + c;
            plain[c] += u[i];
            centred[c] += u[i] * (x[i] - center[c]);
        }
}

static void sum_products(block b, const real *u, const real *v, real *restrict sum)
{
    for (int64_t r = 0; r < b.rows; r++)
        for (int64_t c = 0; c < b.width; c++)
            sum[c] += u[r * b.width + c] * v[r * b.width + c];
}

static int count_sums(const mfm_channel_sums *wanted)
{
    return 2 * wanted->n + (wanted->pair != NULL);
}

/* The block of elements from `at` on. */
static void add_block(int64_t channels, block b, const mfm_channel_sums *wanted, int64_t at,
                      partial to)
{
    const int sums = count_sums(wanted);
    real *sum = to.block;
    memset(sum, 0, (size_t)(sums * b.width) * sizeof *sum);
    for (int j = 0; j < wanted->n; j++, sum += 2 * b.width)
        sum_stream(b, wanted->streams[j] + at, wanted->x + at, to.center, sum, sum + b.width);
    if (wanted->pair)
        sum_products(b, wanted->streams[0] + at, wanted->pair + at, sum);
    for (int k = 0; k < sums; k++)
        for (int64_t i = 0; i < b.width; i += channels)
            for (int64_t c = 0; c < channels; c++)
                to.total[k * channels + c] += (double)to.block[k * b.width + i + c];
}

void mfm_channels_sums(mfm_channels size, const mfm_channel_sums *wanted, double *total,
                       void *scratch)
{
    const int64_t parts = count_parts(size), channels = size.channels;
    const int sums = count_sums(wanted);
#pragma omp parallel for schedule(static) if (parts > 1)
    for (int64_t p = 0; p < parts; p++) {
        const partial to = partial_of(size, sums, p, scratch);
        memset(to.total, 0, (size_t)(sums * channels) * sizeof *to.total);
        for (int64_t i = 0; i < count_folds(size) * channels; i++)
            to.center[i] = wanted->center[i % channels];
        const int64_t end = part_begin(size, p + 1) * channels;
        for (int64_t at = part_begin(size, p) * channels; at < end;) {
            const block b = next_block(size, (end - at) / channels);
            add_block(channels, b, wanted, at, to);
            at += b.rows * b.width;
        }
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

/* Rows from element `start` on. */
static void combine_rows(mfm_channels size, int64_t start, const real *constant, const real *factor,
                         const real *const *streams, int n, real *y, bool add)
{
    const int64_t channels = size.channels;
#pragma omp parallel for schedule(static) if (count_parts(size) > 1)
    for (int64_t r = 0; r < size.rows; r++) {
        const int64_t at = start + r * channels;
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

void mfm_channels_combine(mfm_channels size, const real *constant, const real *factor,
                          const real *const *streams, int n, real *y, bool add)
{
    const int64_t channels = size.channels;
    if (channels == 0 || channels >= LONG_ROW / 2) {
        combine_rows(size, 0, constant, factor, streams, n, y, add);
        return;
    }
    real repeated[(1 + MFM_MAX_STREAMS) * COMBINED_ROW];
    const int64_t folds = COMBINED_ROW / channels, width = folds * channels;
    for (int64_t i = 0; i < width; i++)
        repeated[i] = constant[i % channels];
    for (int64_t i = 0; i < n * width; i++)
        repeated[width + i] = factor[i / width * channels + i % channels];
    const mfm_channels folded = {size.rows / folds, width}, rest = {size.rows % folds, channels};
    combine_rows(folded, 0, repeated, repeated + width, streams, n, y, add);
    combine_rows(rest, folded.rows * width, constant, factor, streams, n, y, add);
}
