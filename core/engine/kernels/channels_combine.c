/* Linear combinations of streams, a piece of a row at a time: what one sweep does to a piece, it
 * does while the piece is in the first-level cache. */
#include <string.h>

#include "core/engine/kernels/channels.h"

/* Elements of a piece; short rows are taken several at a time to make one. */
enum { PIECE = 256, PARALLEL_FROM = 16384, MAX_GATED = 2 };

/* With n a constant the inner loop unrolls and the outer one vectorises. factor is [n, stride]. */
static inline void combine_row(int n, int64_t width, int64_t stride, const real *constant,
                               const real *factor, const real *const *streams, real *restrict y,
                               bool add)
{
    for (int64_t c = 0; c < width; c++) {
        real sum = constant[c];
        for (int j = 0; j < n; j++)
            sum += factor[j * stride + c] * streams[j][c];
        y[c] = add ? y[c] + sum : sum;
    }
}

static void combine_any(int n, int64_t width, int64_t stride, const real *constant,
                        const real *factor, const real *const *streams, real *y, bool add)
{
    switch (n) {
    case 0:
        combine_row(0, width, stride, constant, factor, streams, y, add);
        break;
    case 1:
        combine_row(1, width, stride, constant, factor, streams, y, add);
        break;
    case 2:
        combine_row(2, width, stride, constant, factor, streams, y, add);
        break;
    case 3:
        combine_row(3, width, stride, constant, factor, streams, y, add);
        break;
    default:
        combine_row(MFM_MAX_STREAMS, width, stride, constant, factor, streams, y, add);
        break;
    }
}

/* to = u where y > 0, and 0 elsewhere. u may be `to`, which simd allows. */
static void gate_by_output(int64_t width, const real *y, const real *u, real *to)
{
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
        to[c] = y[c] > 0 ? u[c] : 0;
}

static void gate_by_terms(int64_t width, const real *constant, const real *factor, const real *x,
                          const real *u, real *to)
{
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
        to[c] = constant[c] + factor[c] * x[c] > 0 ? u[c] : 0;
}

static void add_row(int64_t width, const real *u, real *to)
{
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
        to[c] += u[c];
}

static void rectify(int64_t width, real *y)
{
    for (int64_t c = 0; c < width; c++)
        y[c] = y[c] < 0 ? 0 : y[c]; /* NaN stays NaN */
}

/* `width` elements from element `at` on, which lies in column `column`. */
typedef struct piece {
    int64_t at, column, width;
} piece;

static void pass_gate(const mfm_channel_gate *gate, piece p, const real *u, real *to)
{
    if (gate->y)
        gate_by_output(p.width, gate->y + p.at, u, to);
    else
        gate_by_terms(p.width, gate->constant + p.column, gate->factor + p.column, gate->x + p.at,
                      u, to);
}

static void finish(const mfm_channel_combination *f, piece p)
{
    real *y = f->y + p.at;
    if (f->summand)
        add_row(p.width, f->summand + p.at, y);
    if (f->finish == MFM_FINISH_RELU)
        rectify(p.width, y);
    else if (f->finish == MFM_FINISH_GATE)
        pass_gate(f->gate, p, y, y);
}

static void combine_piece(const mfm_channel_combination *f, int64_t channels, piece p)
{
    real gated[MAX_GATED][PIECE];
    const real *streams[MFM_MAX_STREAMS];
    for (int j = 0; j < f->n; j++) {
        streams[j] = f->streams[j] + p.at;
        if (j >= f->first_gated) {
            pass_gate(f->gate, p, streams[j], gated[j - f->first_gated]);
            streams[j] = gated[j - f->first_gated];
        }
    }
    if (f->y)
        combine_any(f->n, p.width, channels, f->constant + p.column, f->factor + p.column, streams,
                    f->y + p.at, f->add);
    if (f->y && !f->add)
        finish(f, p);
    if (f->passed && f->add_passed)
        add_row(p.width, streams[f->n - 1], f->passed + p.at);
    else if (f->passed)
        memcpy(f->passed + p.at, streams[f->n - 1], (size_t)p.width * sizeof(real));
}

/* Rows from element `start` on. */
static void combine_rows(mfm_channels size, int64_t start, const mfm_channel_combination *f)
{
    const int64_t channels = size.channels;
#pragma omp parallel for schedule(static) if (size.rows * channels >= PARALLEL_FROM)
    for (int64_t r = 0; r < size.rows; r++)
        for (int64_t c = 0; c < channels; c += PIECE) {
            const int64_t width = channels - c < PIECE ? channels - c : PIECE;
            combine_piece(f, channels, (piece){start + r * channels + c, c, width});
        }
}

/* to[folds][channels]: a row of coefficients for each fold. */
static void repeat(int64_t folds, int64_t channels, const real *row, real *to)
{
    for (int64_t f = 0; f < folds; f++)
        memcpy(to + f * channels, row, (size_t)channels * sizeof *to);
}

void mfm_channels_combine(mfm_channels size, const mfm_channel_combination *f)
{
    const int64_t channels = size.channels;
    const int64_t folds = channels ? PIECE / channels : 1;
    if (folds < 2) {
        combine_rows(size, 0, f);
        return;
    }
    const int64_t width = folds * channels;
    real constant[PIECE], factor[MFM_MAX_STREAMS * PIECE], shift[PIECE], scale[PIECE];
    mfm_channel_combination folded = *f;
    mfm_channel_gate gate;
    repeat(folds, channels, f->constant, constant);
    for (int j = 0; j < f->n; j++)
        repeat(folds, channels, f->factor + j * channels, factor + j * width);
    folded.constant = constant;
    folded.factor = factor;
    if (f->gate && !f->gate->y) {
        repeat(folds, channels, f->gate->constant, shift);
        repeat(folds, channels, f->gate->factor, scale);
        gate = (mfm_channel_gate){.x = f->gate->x, .constant = shift, .factor = scale};
        folded.gate = &gate;
    }
    combine_rows((mfm_channels){size.rows / folds, width}, 0, &folded);
    combine_rows((mfm_channels){size.rows % folds, channels}, size.rows / folds * width, f);
}
