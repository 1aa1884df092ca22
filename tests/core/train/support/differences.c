#include "tests/core/train/support/differences.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/train/features/frozen_features.h"

enum { META_BATCH = 4, DIRECTIONS = 2 };
enum { MASK_SEED = 7, STEP = 3 };
static const double tolerance = 1e-6;
static const uint32_t rows[DIFFERENCE_BATCH] = {0, 1, 2, 3, 4};

typedef struct bench {
    prepared p;
    mfm_bilevel *bilevel;
    mfm_batch train, meta;
    mfm_frozen_features *features; /* of a prefix; NULL */
    real **train_room, **meta_room;
    size_t n; /* of phi */
    difference_case what;
    real *phi;      /* where the derivative is taken */
    real *gradient; /* the hypergradient with its factor */
    real *way;      /* a direction of length 1 */
} bench;

static double dot(const real *a, const real *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Of a problem with a prefix: what it makes of both batches, which stays as it is. */
static void make_features(bench *b)
{
    const mfm_problem *p = b->p.problem;
    if (!p->prefix.graph)
        return;
    must(b->p.ctx, mfm_frozen_features_new(b->p.ctx, p, DIFFERENCE_BATCH, &b->features));
    must(b->p.ctx, mfm_feature_room_new(b->features, DIFFERENCE_BATCH, &b->train_room));
    must(b->p.ctx, mfm_feature_room_new(b->features, META_BATCH, &b->meta_room));
    mfm_frozen_features_make(b->features, b->train.images, DIFFERENCE_BATCH, b->train_room);
    mfm_frozen_features_make(b->features, b->meta.images, META_BATCH, b->meta_room);
    b->train.features = (const real *const *)b->train_room;
    b->meta.features = (const real *const *)b->meta_room;
}

static void bench_init(bench *b, const prepared *p, uint64_t seed)
{
    mfm_ctx *ctx = p->ctx;
    b->p = *p;
    const mfm_bilevel_spec spec = {.batch = DIFFERENCE_BATCH,
                                   .meta_batch = META_BATCH,
                                   .factors = b->what.factors,
                                   .full = !mfm_virtual_step_is_plain(&b->what.step),
                                   .moved = b->what.moved};
    must(ctx, mfm_bilevel_new(ctx, b->p.problem, &spec, &b->bilevel));
    b->train = batch_new(&b->p, DIFFERENCE_BATCH, 2 * seed);
    b->meta = batch_new(&b->p, META_BATCH, 2 * seed + 1);
    make_features(b);
    b->n = b->p.modulator->params_size;
    b->phi = vector_new(ctx, b->n);
    b->gradient = vector_new(ctx, b->n);
    b->way = vector_new(ctx, b->n);
    perturb(b->p.modulator, seed, 0.2, b->p.phi);
    memcpy(b->phi, b->p.phi, b->n * sizeof *b->phi);
    mfm_bilevel_bind(b->bilevel, b->p.w, b->p.state, &b->p.phi);
}

static void bench_clear(bench *b)
{
    mfm_ctx *ctx = b->p.ctx;
    mfm_feature_room_free(ctx, b->train_room);
    mfm_feature_room_free(ctx, b->meta_room);
    mfm_frozen_features_free(b->features);
    batch_clear(&b->p, &b->train);
    batch_clear(&b->p, &b->meta);
    mfm_free_aligned(ctx, b->phi);
    mfm_free_aligned(ctx, b->gradient);
    mfm_free_aligned(ctx, b->way);
    mfm_bilevel_free(b->bilevel);
}

static double meta_loss(bench *b, double step)
{
    for (size_t i = 0; i < b->n; i++)
        b->p.phi[i] = b->phi[i] + (real)step * b->way[i];
    mfm_bilevel_begin(b->bilevel, &b->train, rows, MASK_SEED, STEP);
    mfm_bilevel_virtual(b->bilevel, &b->meta, &b->what.step);
    memcpy(b->p.phi, b->phi, b->n * sizeof *b->phi);
    return mfm_bilevel_last(b->bilevel).meta;
}

static double central(bench *b, double step)
{
    return (meta_loss(b, step) - meta_loss(b, -step)) / (2 * step);
}

/* Differences in less doubt than this decide. */
static double doubtless(double slope)
{
    return tolerance * fabs(slope) / 3;
}

/* The slope along b->way, with Richardson's extrapolation. *doubt is by how much two step sizes
 * disagree, which a Relu or a maximum that switches within the step brings about, together with
 * what rounding of the loss alone may do to the difference; the least doubtful step is taken. Where
 * kinks are far apart, larger steps and the first one that decides will do, and the extrapolated
 * values are compared. */
static double slope(bench *b, double *doubt)
{
    double step = b->what.few_kinks ? 2.56e-2 : 1.28e-3, wide = central(b, step), best = 0;
    double last = INFINITY;
    *doubt = INFINITY;
    for (int halving = 0; halving < 12; halving++, step /= 2) {
        const double narrow = central(b, step / 2), value = (4 * narrow - wide) / 3;
        const double rounding = 4 * DBL_EPSILON * mfm_bilevel_last(b->bilevel).meta / step;
        const double doubtful = fabs(b->what.few_kinks ? value - last : narrow - wide) + rounding;
        if (doubtful < *doubt) {
            *doubt = doubtful;
            best = value;
        }
        if (b->what.few_kinks && *doubt < doubtless(best))
            break;
        last = value;
        wide = narrow;
    }
    return best;
}

static void normalise(bench *b)
{
    const double length = sqrt(dot(b->way, b->way, b->n));
    for (size_t i = 0; i < b->n; i++)
        b->way[i] /= (real)length;
}

/* Compares along b->way. False when the differences themselves are in doubt: no answer. */
static bool decides(bench *b)
{
    double doubt;
    const double measured = slope(b, &doubt), claimed = dot(b->gradient, b->way, b->n);
    const bool sure = doubt < doubtless(measured);
    const bool right = fabs(claimed - measured) < tolerance * fabs(measured);
    if (sure && !right)
        printf("\n    claimed %.12g measured %.12g doubt %.2g\n", claimed, measured, doubt);
    CU_ASSERT(!sure || right);
    return sure;
}

/* Along the gradient the slope is its norm. */
static void check_norm(bench *b)
{
    memcpy(b->way, b->gradient, b->n * sizeof *b->way);
    normalise(b);
    CU_ASSERT(decides(b));
}

/* A part that is zero but for rounding: a shift that is the same for all samples, ahead of a
 * BatchNormalization. Then nothing moves along it, either. */
static bool is_nothing(bench *b)
{
    const double whole = sqrt(dot(b->gradient, b->gradient, b->n));
    if (sqrt(dot(b->way, b->way, b->n)) > 1e-11 * whole)
        return false;
    for (size_t i = 0; i < b->n; i++)
        b->way[i] = b->way[i] != 0;
    normalise(b);
    CU_ASSERT(fabs(central(b, 1e-3)) < tolerance * whole);
    return true;
}

/* Along each parameter's own part of the gradient: no small tensor hides behind a large one. */
static void check_parameters(bench *b)
{
    const mfm_graph *graph = b->p.modulator;
    int compared = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        memset(b->way, 0, b->n * sizeof *b->way);
        memcpy(b->way + value->offset, b->gradient + value->offset,
               (size_t)mfm_shape_count(&value->shape) * sizeof *b->way);
        compared++;
        if (is_nothing(b))
            continue;
        normalise(b);
        CU_ASSERT(decides(b));
    }
    CU_ASSERT(compared > 0);
}

/* A direction that a Relu spoils is drawn anew; it must not happen to most. */
static void check_directions(bench *b, uint64_t seed)
{
    int decided = 0;
    for (uint64_t draw = 0; draw < 2 * DIRECTIONS && decided < DIRECTIONS; draw++) {
        memset(b->way, 0, b->n * sizeof *b->way);
        perturb(b->p.modulator, 1000 * seed + draw, 1, b->way);
        normalise(b);
        decided += decides(b);
    }
    CU_ASSERT_EQUAL(decided, DIRECTIONS);
}

/* Of the parameters alone: rows of samples end with the last, and have no room behind. */
static void take_gradient(bench *b, const real *hypergradient)
{
    const mfm_graph *graph = b->p.modulator;
    for (size_t v = 0; v < graph->n_values; v++) {
        const mfm_value *value = &graph->values[v];
        const size_t count = (size_t)mfm_shape_count(&value->shape);
        for (size_t i = 0; value->kind == MFM_VALUE_PARAM && i < count; i++)
            b->gradient[value->offset + i] =
                (real)-b->what.step.alpha * hypergradient[value->offset + i];
    }
}

void check_hypergradient(const prepared *p, const difference_case *what, uint64_t seed)
{
    bench b = {.what = *what};
    if (b.what.step.alpha == 0)
        b.what.step.alpha = 0.1;
    bench_init(&b, p, seed);
    mfm_bilevel_begin(b.bilevel, &b.train, rows, MASK_SEED, STEP);
    mfm_bilevel_virtual(b.bilevel, &b.meta, &b.what.step);
    take_gradient(&b, mfm_bilevel_hypergradients(b.bilevel)[0]);
    check_norm(&b);
    check_parameters(&b);
    check_directions(&b, seed);
    bench_clear(&b);
}
