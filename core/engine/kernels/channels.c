#include "core/engine/kernels/channels.h"

#include <string.h>

#include "core/engine/kernels/channel_sums.h"

/* A part is what one thread sums at a time; within it, blocks of rows that stay in the first-level
 * caches are summed in `real` and then added up in double. */
enum { MAX_PARTS = 32, PART_ELEMENTS = 8192, BLOCK_ELEMENTS = 4096, BLOCK_ROWS = 16 };

/* Short rows are taken several at a time, as rows of about this length. */
enum { LONG_ROW = 64 };

static bool by_chunks(mfm_channels size)
{
    return size.share && mfm_share_has_chunks(size.share);
}

static int64_t count_parts(mfm_channels size)
{
    if (by_chunks(size))
        return size.share->end - size.share->first;
    int64_t parts = size.rows * size.channels / PART_ELEMENTS;
    parts = parts > MAX_PARTS ? MAX_PARTS : parts;
    parts = parts > size.rows ? size.rows : parts;
    return parts < 1 ? 1 : parts;
}

static int64_t part_begin(mfm_channels size, int64_t part)
{
    return by_chunks(size) ? mfm_share_row(size.share, size.rows, (int)part)
                           : size.rows * part / count_parts(size);
}

static bool is_parallel(mfm_channels size)
{
    return size.rows * size.channels >= 2 * PART_ELEMENTS;
}

int64_t mfm_channels_rows(mfm_channels size)
{
    const bool all = size.share && size.share->exchange;
    return all ? size.rows / mfm_share_count(size.share) * size.share->samples : size.rows;
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

static int64_t block_elements(mfm_channels size)
{
    return block_rows(size) * size.channels;
}

/* Rows of coefficients a part: the centre, and the two of a gate. */
enum { COEFFICIENTS = 3 };

/* Scratch: [parts, sums, channels] of double, then [parts, COEFFICIENTS + sums, folds * channels]
 * of real. */
size_t mfm_channels_scratch(mfm_channels size, int sums)
{
    const size_t row = (size_t)(count_parts(size) * size.channels);
    return row * (size_t)sums * (sizeof(double) / sizeof(real)) +
           row * (size_t)((COEFFICIENTS + sums) * count_folds(size));
}

/* The partial sums of a part: `sums` rows of doubles; reals for the coefficients and for the sums
 * of the block at hand. */
typedef struct partial {
    double *total;
    real *center, *constant, *factor, *block;
    real *made; /* a block of each stream, where one is made */
} partial;

static partial partial_of(mfm_channels size, int sums, int64_t part, void *scratch)
{
    const int64_t length = sums * size.channels, width = count_folds(size) * size.channels;
    double *totals = scratch;
    real *rows =
        (real *)(totals + count_parts(size) * length) + part * (COEFFICIENTS + sums) * width;
    return (partial){.total = totals + part * length,
                     .center = rows,
                     .constant = rows + width,
                     .factor = rows + 2 * width,
                     .block = rows + COEFFICIENTS * width};
}

/* total[k] = the partial sums of all parts, in their order or along the tree. */
static void add_parts(mfm_channels size, int sums, void *scratch, double *total)
{
    const int64_t length = sums * size.channels, parts = count_parts(size);
    double *partials = scratch;
    if (by_chunks(size))
        mfm_share_add_doubles(size.share, partials, (size_t)length);
    memcpy(total, partials, (size_t)length * sizeof *total);
    for (int64_t p = 1; p < parts && !by_chunks(size); p++)
        for (int64_t k = 0; k < length; k++)
            total[k] += partials[p * length + k];
    if (size.share && size.share->exchange)
        size.share->exchange->sum_doubles(size.share->exchange->self, total, (size_t)length);
}

/* The rows from `row` on that make whole rows of the block, up to `left`; else those left over, as
 * one. */
static mfm_block next_block(mfm_channels size, int64_t left)
{
    const int64_t folds = count_folds(size), most = block_rows(size);
    const int64_t rows = left < most ? left : most;
    return rows < folds ? (mfm_block){1, rows * size.channels}
                        : (mfm_block){rows / folds, folds * size.channels};
}

/* ---- moments -------------------------------------------------------------------------------- */

/* Centred at its first row m, no float sees more than differences within the block:
 *     sum x = n m + sum d,   sum x^2 = n m^2 + 2 m sum d + sum d^2
 * go to total[0] and total[1] in double, as if all of it had been summed in double. */
static void add_block_moments(int64_t channels, mfm_block b, const real *x, partial to)
{
    real *first = to.block, *second = first + b.width;
    mfm_block_powers(b, x, x, first, second);
    for (int64_t i = 0; i < b.width; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            const double m = (double)x[i + c], n = (double)b.rows;
            const double d = (double)first[i + c];
            to.total[c] += n * m + d;
            to.total[channels + c] += n * m * m + 2 * m * d + (double)second[i + c];
        }
}

/* x NULL: it is made, in `room`. */
static void find_moments(mfm_channels size, const real *x, mfm_channel_hook made, real *room,
                         double *moments, void *scratch)
{
    const int64_t parts = count_parts(size), channels = size.channels;
    const double n = (double)mfm_channels_rows(size);
#pragma omp parallel for schedule(static) if (is_parallel(size))
    for (int64_t p = 0; p < parts; p++) {
        const partial to = partial_of(size, 2, p, scratch);
        memset(to.total, 0, 2 * (size_t)channels * sizeof *to.total);
        const int64_t end = part_begin(size, p + 1) * channels;
        real *block = x ? NULL : room + p * block_elements(size);
        for (int64_t at = part_begin(size, p) * channels; at < end;) {
            const mfm_block b = next_block(size, (end - at) / channels);
            if (!x)
                made.run(made.self, at, b.rows * b.width, block);
            add_block_moments(channels, b, x ? x + at : block, to);
            at += b.rows * b.width;
        }
    }
    add_parts(size, 2, scratch, moments);
    for (int64_t c = 0; c < channels; c++) {
        const double mean = moments[c] / n;
        const double variance = moments[channels + c] / n - mean * mean;
        moments[c] = mean;
        moments[channels + c] = variance < 0 ? 0 : variance; /* NaN stays NaN */
    }
}

void mfm_channels_moments(mfm_channels size, const real *x, double *moments, void *scratch)
{
    find_moments(size, x, (mfm_channel_hook){NULL}, NULL, moments, scratch);
}

void mfm_channels_made_moments(mfm_channels size, mfm_channel_hook x, real *room, double *moments,
                               void *scratch)
{
    find_moments(size, NULL, x, room, moments, scratch);
}

/* ---- sums of streams ------------------------------------------------------------------------ */

static int count_sums(const mfm_channel_sums *wanted)
{
    return 2 * wanted->n + (wanted->pair != NULL);
}

size_t mfm_channels_room(mfm_channels size, int streams)
{
    return (size_t)(count_parts(size) * streams * block_elements(size));
}

static bool is_made(const mfm_channel_sums *wanted, int j)
{
    return wanted->made && wanted->made[j].run;
}

/* Streams that are made have room in their order, x behind them. */
static real *room_of(mfm_channels size, partial part, int j)
{
    return part.made + j * block_elements(size);
}

/* Where the block of a made stream from element `at` on is written. */
static real *made_at(mfm_channels size, const mfm_channel_sums *wanted, int j, int64_t at,
                     partial part)
{
    return wanted->kept[j] ? wanted->kept[j] + at : room_of(size, part, j);
}

static const real *stream_at(mfm_channels size, const mfm_channel_sums *wanted, int j, int64_t at,
                             partial part)
{
    return is_made(wanted, j) ? made_at(size, wanted, j, at, part) : wanted->streams[j] + at;
}

static const real *pair_at(mfm_channels size, const mfm_channel_sums *wanted, int64_t at,
                           partial part)
{
    for (int j = 0; j < wanted->n; j++)
        if (wanted->streams[j] == wanted->pair)
            return stream_at(size, wanted, j, at, part);
    return wanted->pair + at;
}

/* x from element `at` on, where it lies or has been made. */
static const real *x_at(mfm_channels size, const mfm_channel_sums *wanted, const real *x,
                        int64_t at, partial part)
{
    return wanted->made_x.run ? room_of(size, part, wanted->n) : x + at;
}

/* Stream j from element `at` on. */
static mfm_gated gated_stream(mfm_channels size, const mfm_channel_sums *wanted, int j, int64_t at,
                              partial part)
{
    mfm_gated s = {.gating = MFM_OPEN, .u = stream_at(size, wanted, j, at, part)};
    if (j >= wanted->n_gated)
        return s;
    const mfm_channel_gate *gate = wanted->gate;
    s.gating = gate->y ? MFM_BY_OUTPUT : MFM_BY_TERMS;
    if (gate->y)
        s.y = gate->y + at;
    else
        s.x = x_at(size, wanted, gate->x, at, part);
    s.constant = part.constant;
    s.factor = part.factor;
    return s;
}

/* The block of elements from `at` on. */
static void add_block(mfm_channels size, mfm_block b, const mfm_channel_sums *wanted, int64_t at,
                      partial to)
{
    const int64_t channels = size.channels;
    const int sums = count_sums(wanted);
    real *sum = to.block;
    if (wanted->made_x.run)
        wanted->made_x.run(wanted->made_x.self, at, b.rows * b.width, room_of(size, to, wanted->n));
    const real *x = x_at(size, wanted, wanted->x, at, to);
    for (int j = 0; j < wanted->n; j++, sum += 2 * b.width) {
        if (is_made(wanted, j))
            wanted->made[j].run(wanted->made[j].self, at, b.rows * b.width,
                                made_at(size, wanted, j, at, to));
        const mfm_gated s = gated_stream(size, wanted, j, at, to);
        mfm_block_sums(b, &s, x, to.center, sum, sum + b.width);
    }
    if (wanted->pair) {
        const mfm_gated s = gated_stream(size, wanted, 0, at, to);
        mfm_block_products(b, &s, pair_at(size, wanted, at, to), sum);
    }
    for (int k = 0; k < sums; k++)
        for (int64_t i = 0; i < b.width; i += channels)
            for (int64_t c = 0; c < channels; c++)
                to.total[k * channels + c] += (double)to.block[k * b.width + i + c];
}

/* The coefficients of a channel, once for every fold. */
static void set_coefficients(mfm_channels size, const mfm_channel_sums *wanted, partial to)
{
    const bool by_terms = wanted->n_gated && !wanted->gate->y;
    const size_t row = (size_t)size.channels * sizeof(real);
    for (int64_t f = 0; f < count_folds(size); f++) {
        memcpy(to.center + f * size.channels, wanted->center, row);
        if (by_terms) {
            memcpy(to.constant + f * size.channels, wanted->gate->constant, row);
            memcpy(to.factor + f * size.channels, wanted->gate->factor, row);
        }
    }
}

void mfm_channels_sums(mfm_channels size, const mfm_channel_sums *wanted, double *total,
                       void *scratch)
{
    const int64_t parts = count_parts(size), channels = size.channels;
    const int sums = count_sums(wanted), made = wanted->n + (wanted->made_x.run != NULL);
#pragma omp parallel for schedule(static) if (is_parallel(size))
    for (int64_t p = 0; p < parts; p++) {
        partial to = partial_of(size, sums, p, scratch);
        to.made = wanted->room ? wanted->room + p * made * block_elements(size) : NULL;
        memset(to.total, 0, (size_t)(sums * channels) * sizeof *to.total);
        set_coefficients(size, wanted, to);
        const int64_t end = part_begin(size, p + 1) * channels;
        for (int64_t at = part_begin(size, p) * channels; at < end;) {
            const mfm_block b = next_block(size, (end - at) / channels);
            add_block(size, b, wanted, at, to);
            at += b.rows * b.width;
        }
    }
    add_parts(size, sums, scratch, total);
}
