/* Linear combinations of streams: every element is read and written once, whatever is gated,
 * added and passed on the way. */
#include "core/engine/kernels/channels.h"
#include "core/engine/kernels/vec.h"

#include <assert.h>
#include <string.h>

/* Short rows are taken several at a time, as rows of up to FOLDED elements. */
enum { FOLDED = 256, PARALLEL_FROM = 16384 };

/* Elements of a block for hooks, unless a row has more: it stays in the first-level cache. */
enum { HOOKED = 512 };

/* Element `at` of the streams, `column` of the coefficients; factor is [n, channels]. */
typedef struct position {
    int64_t channels, at, column;
} position;

enum gating { OPEN, BY_OUTPUT, BY_TERMS };

/* What a combination is made of. Where it is a constant, loops have no branches. */
typedef struct kind {
    int n, first_gated;
    enum gating gating;
    enum mfm_channel_finish finish;
    bool summand, y, add, passed, add_passed;
} kind;

static kind kind_of(const mfm_channel_combination *f)
{
    const bool gated = f->first_gated < f->n || f->finish == MFM_FINISH_GATE;
    return (kind){.n = f->n,
                  .first_gated = f->first_gated,
                  .gating = !gated       ? OPEN
                            : f->gate->y ? BY_OUTPUT
                                         : BY_TERMS,
                  .finish = f->finish,
                  .summand = f->summand != NULL,
                  .y = f->y != NULL || f->finished.run,
                  .add = f->add,
                  .passed = f->passed != NULL,
                  .add_passed = f->add_passed};
}

/* ---- vectors -------------------------------------------------------------------------------- */

static inline mfm_vec_mask open_vector(enum gating gating, const mfm_channel_gate *gate, position p)
{
    if (gating == OPEN)
        return (mfm_vec_mask){0};
    if (gating == BY_OUTPUT)
        return mfm_vec_load(gate->y + p.at) > 0;
    return mfm_vec_load(gate->constant + p.column) +
               mfm_vec_load(gate->factor + p.column) * mfm_vec_load(gate->x + p.at) >
           0;
}

static inline mfm_vec finish_vector(enum mfm_channel_finish finish, mfm_vec sum, mfm_vec_mask open)
{
    if (finish == MFM_FINISH_RELU)
        return mfm_vec_where(~(sum < 0), sum); /* NaN stays NaN */
    return finish == MFM_FINISH_GATE ? mfm_vec_where(open, sum) : sum;
}

/* One vector. */
static inline __attribute__((always_inline)) void combine_vector(kind k,
                                                                 const mfm_channel_combination *f,
                                                                 position p)
{
    const mfm_vec_mask open = open_vector(k.gating, f->gate, p);
    mfm_vec sum = mfm_vec_load(f->constant + p.column), u = mfm_vec_zero();
    for (int j = 0; j < k.n; j++) {
        u = mfm_vec_load(f->streams[j] + p.at);
        if (j >= k.first_gated)
            u = mfm_vec_where(open, u);
        sum += mfm_vec_load(f->factor + j * p.channels + p.column) * u;
    }
    if (k.summand)
        sum += mfm_vec_load(f->summand + p.at);
    if (k.y)
        mfm_vec_store(f->y + p.at,
                      k.add ? mfm_vec_load(f->y + p.at) + sum : finish_vector(k.finish, sum, open));
    if (k.passed)
        mfm_vec_store(f->passed + p.at, k.add_passed ? mfm_vec_load(f->passed + p.at) + u : u);
}

/* ---- single elements, the ends of rows ------------------------------------------------------- */

static bool open_element(const mfm_channel_gate *gate, position p)
{
    return gate->y ? gate->y[p.at] > 0
                   : gate->constant[p.column] + gate->factor[p.column] * gate->x[p.at] > 0;
}

static real finish_element(enum mfm_channel_finish finish, real sum, bool open)
{
    if (finish == MFM_FINISH_RELU)
        return sum < 0 ? 0 : sum;
    return finish == MFM_FINISH_GATE && !open ? 0 : sum;
}

static void combine_element(kind k, const mfm_channel_combination *f, position p)
{
    const bool open = k.gating != OPEN && open_element(f->gate, p);
    real sum = f->constant[p.column], u = 0;
    for (int j = 0; j < k.n; j++) {
        u = j < k.first_gated || open ? f->streams[j][p.at] : 0;
        sum += f->factor[j * p.channels + p.column] * u;
    }
    if (k.summand)
        sum += f->summand[p.at];
    if (k.y)
        f->y[p.at] = k.add ? f->y[p.at] + sum : finish_element(k.finish, sum, open);
    if (k.passed)
        f->passed[p.at] = k.add_passed ? f->passed[p.at] + u : u;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The row from element `start` on. Fields that a store might change are read once. */
static inline __attribute__((always_inline)) void combine_row(kind k,
                                                              const mfm_channel_combination *from,
                                                              int64_t channels, int64_t start)
{
    mfm_channel_combination f = *from;
    const mfm_channel_gate gate = k.gating == OPEN ? (mfm_channel_gate){0} : *f.gate;
    f.gate = &gate;
    const int64_t whole = channels / MFM_VEC_LANES * MFM_VEC_LANES;
    for (int64_t c = 0; c < whole; c += MFM_VEC_LANES)
        combine_vector(k, &f, (position){channels, start + c, c});
    for (int64_t c = whole; c < channels; c++)
        combine_element(k, from, (position){channels, start + c, c});
}

typedef void row_fn(const mfm_channel_combination *f, int64_t channels, int64_t start);

static void any_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(kind_of(f), f, channels, start);
}

/* y = max(a + b x, 0): BatchNormalization, Relu */
static const kind relu = {.n = 1, .first_gated = 1, .finish = MFM_FINISH_RELU, .y = true};
static void relu_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(relu, f, channels, start);
}

/* y = max(a + b x + z, 0): with a sum between */
static const kind sum_relu = {
    .n = 1, .first_gated = 1, .finish = MFM_FINISH_RELU, .summand = true, .y = true};
static void sum_relu_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(sum_relu, f, channels, start);
}

/* Their adjoints, and their tangents. */
static const kind relu_adjoint = {.n = 2, .first_gated = 1, .gating = BY_TERMS, .y = true};
static void relu_adjoint_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(relu_adjoint, f, channels, start);
}

static const kind sum_relu_adjoint = {
    .n = 2, .first_gated = 1, .gating = BY_OUTPUT, .y = true, .passed = true};
static void sum_relu_adjoint_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(sum_relu_adjoint, f, channels, start);
}

static const kind relu_tangent = {
    .n = 2, .first_gated = 2, .gating = BY_TERMS, .finish = MFM_FINISH_GATE, .y = true};
static void relu_tangent_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(relu_tangent, f, channels, start);
}

static const kind sum_relu_tangent = {.n = 2,
                                      .first_gated = 2,
                                      .gating = BY_OUTPUT,
                                      .finish = MFM_FINISH_GATE,
                                      .summand = true,
                                      .y = true};
static void sum_relu_tangent_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(sum_relu_tangent, f, channels, start);
}

/* y = a + b x, its adjoint, and that added: no Relu. */
static const kind line = {.n = 1, .first_gated = 1, .y = true};
static void line_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(line, f, channels, start);
}

static const kind line_adjoint = {.n = 2, .first_gated = 2, .y = true};
static void line_adjoint_row(const mfm_channel_combination *f, int64_t channels, int64_t start)
{
    combine_row(line_adjoint, f, channels, start);
}

static const kind line_adjoint_added = {.n = 2, .first_gated = 2, .y = true, .add = true};
static void line_adjoint_added_row(const mfm_channel_combination *f, int64_t channels,
                                   int64_t start)
{
    combine_row(line_adjoint_added, f, channels, start);
}

/* y = max(a + b x + z, 0) with coefficients of a sample: what follows a modulation (sum_relu), its
 * adjoint and its tangent. */
static const kind scaled_sum_adjoint = {
    .n = 1, .first_gated = 0, .gating = BY_OUTPUT, .y = true, .passed = true};
static void scaled_sum_adjoint_row(const mfm_channel_combination *f, int64_t channels,
                                   int64_t start)
{
    combine_row(scaled_sum_adjoint, f, channels, start);
}

static const kind scaled_sum_tangent = {.n = 1,
                                        .first_gated = 1,
                                        .gating = BY_OUTPUT,
                                        .finish = MFM_FINISH_GATE,
                                        .summand = true,
                                        .y = true};
static void scaled_sum_tangent_row(const mfm_channel_combination *f, int64_t channels,
                                   int64_t start)
{
    combine_row(scaled_sum_tangent, f, channels, start);
}

static bool same_kind(kind a, kind b)
{
    return a.n == b.n && a.first_gated == b.first_gated && a.gating == b.gating &&
           a.finish == b.finish && a.summand == b.summand && a.y == b.y && a.add == b.add &&
           a.passed == b.passed && a.add_passed == b.add_passed;
}

/* The kinds that fill a training step have loops of their own. */
static row_fn *row_of(kind k)
{
    const struct {
        kind kind;
        row_fn *row;
    } rows[] = {{relu, relu_row},
                {sum_relu, sum_relu_row},
                {line, line_row},
                {line_adjoint, line_adjoint_row},
                {line_adjoint_added, line_adjoint_added_row},
                {relu_adjoint, relu_adjoint_row},
                {sum_relu_adjoint, sum_relu_adjoint_row},
                {relu_tangent, relu_tangent_row},
                {sum_relu_tangent, sum_relu_tangent_row},
                {scaled_sum_adjoint, scaled_sum_adjoint_row},
                {scaled_sum_tangent, scaled_sum_tangent_row}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (same_kind(k, rows[i].kind))
            return rows[i].row;
    return any_row;
}

/* ---- with hooks ------------------------------------------------------------------------------ */

static bool is_made(const mfm_channel_combination *f, int j)
{
    return f->made && f->made[j].run;
}

static bool gates(const mfm_channel_combination *f)
{
    return kind_of(f).gating != OPEN;
}

static bool has_hooks(const mfm_channel_combination *f)
{
    bool any = f->finished.run != NULL || (gates(f) && f->gate->made.run);
    for (int j = 0; j < f->n; j++)
        any = any || is_made(f, j);
    return any;
}

/* The gate of n elements from `at` on, whose x is made unless it is one of the streams. */
static mfm_channel_gate gate_at(const mfm_channel_combination *f, int64_t at, int64_t n,
                                const real *const *streams, real *x)
{
    mfm_channel_gate gate = *f->gate;
    gate.x = gate.made.run ? x : gate.x + at;
    for (int j = 0; j < f->n && gate.x == x; j++)
        if (is_made(f, j) && f->made[j].self == gate.made.self)
            gate.x = streams[j];
    if (gate.x == x)
        gate.made.run(gate.made.self, at, n, x);
    return gate;
}

/* The rows of n elements from `at` on, which fit into a block. */
static void combine_block(const mfm_channel_combination *f, row_fn *row, int64_t channels,
                          int64_t at, int64_t n)
{
    real made[MFM_MAX_STREAMS][MFM_MOST_HOOKED], gated[MFM_MOST_HOOKED], y[MFM_MOST_HOOKED];
    mfm_channel_combination block = *f;
    mfm_channel_gate gate;
    for (int j = 0; j < f->n; j++) {
        block.streams[j] = is_made(f, j) ? made[j] : f->streams[j] + at;
        if (is_made(f, j))
            f->made[j].run(f->made[j].self, at, n, made[j]);
    }
    if (gates(f)) {
        gate = gate_at(f, at, n, block.streams, gated);
        block.gate = &gate;
    }
    block.y = f->y ? f->y + at : y;
    for (int64_t i = 0; i < n; i += channels)
        row(&block, channels, i);
    if (f->finished.run)
        f->finished.run(f->finished.self, at, n, block.y);
}

/* Rows from element `start` on. Neither outputs' gates nor summands nor what is passed go with
 * hooks. */
static void combine_blocks(mfm_channels size, int64_t start, const mfm_channel_combination *f)
{
    assert(size.channels <= MFM_MOST_HOOKED && !f->summand && !f->passed);
    assert((f->y || (f->finished.run && !f->add)) && (!gates(f) || !f->gate->y));
    row_fn *const row = row_of(kind_of(f));
    const int64_t most = f->long_blocks ? MFM_MOST_HOOKED : HOOKED;
    const int64_t rows = size.channels < most ? most / size.channels : 1;
#pragma omp parallel for schedule(static) if (size.rows * size.channels >= PARALLEL_FROM)
    for (int64_t r = 0; r < size.rows; r += rows) {
        const int64_t n = size.rows - r < rows ? size.rows - r : rows;
        combine_block(f, row, size.channels, start + r * size.channels, n * size.channels);
    }
}

/* Rows from element `start` on. */
static void combine_rows(mfm_channels size, int64_t start, const mfm_channel_combination *f)
{
    if (has_hooks(f)) {
        combine_blocks(size, start, f);
        return;
    }
    row_fn *const row = row_of(kind_of(f));
#pragma omp parallel for schedule(static) if (size.rows * size.channels >= PARALLEL_FROM)
    for (int64_t r = 0; r < size.rows; r++)
        row(f, size.channels, start + r * size.channels);
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
    const int64_t folds = channels ? FOLDED / channels : 1;
    if (folds < 2) {
        combine_rows(size, 0, f);
        return;
    }
    const int64_t width = folds * channels;
    real constant[FOLDED], factor[MFM_MAX_STREAMS * FOLDED], shift[FOLDED], scale[FOLDED];
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
        gate = *f->gate;
        gate.constant = shift;
        gate.factor = scale;
        folded.gate = &gate;
    }
    combine_rows((mfm_channels){.rows = size.rows / folds, .channels = width}, 0, &folded);
    combine_rows((mfm_channels){.rows = size.rows % folds, .channels = channels},
                 size.rows / folds * width, f);
}
