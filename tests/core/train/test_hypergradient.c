/*
 * The hypergradient against central differences of L_meta(w^(phi)), in double. The oracle moves phi
 * and runs the virtual step and the meta loss alone: first-order code that shares nothing with the
 * tangent sweep.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/engine/random.h"
#include "tests/core/train/hand_network.h"
#include "tests/core/train/prepared.h"

enum { TRAIN_BATCH = 5, META_BATCH = 4, DIRECTIONS = 2 };
enum { MASK_SEED = 7, STEP = 3 };
static const double alpha = 0.1, tolerance = 1e-6;

typedef struct bench {
    prepared p;
    mfm_bilevel *bilevel;
    mfm_batch train, meta;
    size_t n;       /* of phi */
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

/* b->p is there already. */
static void bench_init(bench *b, uint64_t seed)
{
    mfm_ctx *ctx = b->p.ctx;
    const mfm_split_graph *split = b->p.split;
    must(ctx, mfm_bilevel_new(ctx, split, TRAIN_BATCH, META_BATCH, &b->bilevel));
    b->train = batch_new(&b->p, TRAIN_BATCH, 2 * seed);
    b->meta = batch_new(&b->p, META_BATCH, 2 * seed + 1);
    b->n = split->modulator->params_size;
    b->phi = vector_new(ctx, b->n);
    b->gradient = vector_new(ctx, b->n);
    b->way = vector_new(ctx, b->n);
    perturb(split->modulator, seed, 0.2, b->p.phi);
    memcpy(b->phi, b->p.phi, b->n * sizeof *b->phi);
    mfm_bilevel_bind(b->bilevel, b->p.w, b->p.state, b->p.phi);
}

static void bench_clear(bench *b)
{
    mfm_ctx *ctx = b->p.ctx;
    batch_clear(&b->p, &b->train);
    batch_clear(&b->p, &b->meta);
    mfm_free_aligned(ctx, b->phi);
    mfm_free_aligned(ctx, b->gradient);
    mfm_free_aligned(ctx, b->way);
    mfm_bilevel_free(b->bilevel);
    prepared_clear(&b->p);
}

static double meta_loss(bench *b, double step)
{
    for (size_t i = 0; i < b->n; i++)
        b->p.phi[i] = b->phi[i] + (real)step * b->way[i];
    mfm_bilevel_virtual(b->bilevel, &b->train, &b->meta, alpha, MASK_SEED, STEP);
    memcpy(b->p.phi, b->phi, b->n * sizeof *b->phi);
    return mfm_bilevel_last(b->bilevel).meta;
}

static double central(bench *b, double step)
{
    return (meta_loss(b, step) - meta_loss(b, -step)) / (2 * step);
}

/* The slope along b->way, with Richardson's extrapolation. *doubt is by how much two step sizes
 * disagree, which a Relu or a maximum that switches within the step brings about, together with
 * what rounding of the loss alone may do to the difference; the least doubtful step is taken. */
static double slope(bench *b, double *doubt)
{
    double step = 1.28e-3, wide = central(b, step), best = 0;
    *doubt = INFINITY;
    for (int halving = 0; halving < 12; halving++, step /= 2) {
        const double narrow = central(b, step / 2);
        const double rounding = 4 * DBL_EPSILON * mfm_bilevel_last(b->bilevel).meta / step;
        const double doubtful = fabs(wide - narrow) + rounding;
        if (doubtful < *doubt) {
            *doubt = doubtful;
            best = (4 * narrow - wide) / 3;
        }
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
    const bool sure = doubt < tolerance * fabs(measured) / 3;
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

/* Along each parameter's own part of the gradient: no small tensor hides behind a large one. */
static void check_parameters(bench *b)
{
    const mfm_graph *graph = b->p.split->modulator;
    int compared = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        memset(b->way, 0, b->n * sizeof *b->way);
        memcpy(b->way + value->offset, b->gradient + value->offset,
               (size_t)mfm_shape_count(&value->shape) * sizeof *b->way);
        normalise(b);
        CU_ASSERT(decides(b));
        compared++;
    }
    CU_ASSERT(compared >= 3);
}

/* A direction that a Relu spoils is drawn anew; it must not happen to most. */
static void check_directions(bench *b, uint64_t seed)
{
    int decided = 0;
    for (uint64_t draw = 0; draw < 2 * DIRECTIONS && decided < DIRECTIONS; draw++) {
        memset(b->way, 0, b->n * sizeof *b->way);
        perturb(b->p.split->modulator, 1000 * seed + draw, 1, b->way);
        normalise(b);
        decided += decides(b);
    }
    CU_ASSERT_EQUAL(decided, DIRECTIONS);
}

static void check_prepared(bench *b, uint64_t seed)
{
    bench_init(b, seed);
    mfm_bilevel_virtual(b->bilevel, &b->train, &b->meta, alpha, MASK_SEED, STEP);
    const real *hypergradient = mfm_bilevel_hypergradient(b->bilevel);
    for (size_t i = 0; i < b->n; i++)
        b->gradient[i] = (real)-alpha * hypergradient[i];
    check_norm(b);
    check_parameters(b);
    check_directions(b, seed);
    bench_clear(b);
}

static void check(const recipe *from, uint64_t seeds)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        bench b;
        prepare(from, &b.p);
        check_prepared(&b, seed);
    }
}

/* A network of a test's own, with parameter `frozen` left out of training. */
static void check_hand(int what, const char *frozen)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        hand h;
        hand_new(what, &h);
        mfm_graph *graph = h.network->graph;
        for (size_t i = 0; i < graph->n_values && frozen; i++)
            if (graph->values[i].kind == MFM_VALUE_PARAM &&
                strcmp(graph->values[i].name, frozen) == 0)
                graph->values[i].trainable = false;
        bench b;
        prepare_network(h.ctx, h.network, &b.p);
        check_prepared(&b, seed);
    }
}

#define LENET                                                                                      \
    {                                                                                              \
        .classes = 4, .channels = 1, .height = 20, .width = 20, .seed = 1                          \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = 4, .channels = 3, .height = 16, .width = 16, .seed = 1                          \
    }

static void test_lenet_early(void)
{
    check(&(recipe){"lenet", LENET, {"first_conv"}, {.hidden = 12}}, 2);
}

static void test_lenet_middle(void)
{
    check(&(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 12}}, 2);
}

static void test_lenet_last(void)
{
    check(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, 2);
}

static void test_lenet_several(void)
{
    check(&(recipe){"lenet", LENET, {"conv:1", "last_conv", "fc:1"}, {.hidden = 12}}, 2);
}

static void test_resnet_early(void)
{
    check(&(recipe){"resnet20", RESNET, {"first_conv"}, {.hidden = 12}}, 1);
}

static void test_resnet_middle(void)
{
    check(&(recipe){"resnet20", RESNET, {"block:4"}, {.hidden = 12}}, 1);
}

static void test_resnet_last(void)
{
    check(&(recipe){"resnet20", RESNET, {"last_conv"}, {.hidden = 12}}, 1);
}

static void test_resnet_several(void)
{
    check(&(recipe){"resnet20", RESNET, {"conv:2", "conv:9", "last_conv"}, {.hidden = 12}}, 1);
}

static void test_positions(void)
{
    for (int position = 0; position < MFM_POSITIONS; position++) {
        const mfm_inject_options inject = {.hidden = 12, .position = (mfm_position)position};
        check(&(recipe){"resnet20", RESNET, {"conv:14"}, inject}, 1);
    }
}

static void test_modulations(void)
{
    for (int kind = MFM_FILM; kind < MFM_MODULATIONS; kind++) {
        const mfm_inject_options inject = {.hidden = 12, .modulation = (mfm_modulation)kind};
        check(&(recipe){"lenet", LENET, {"conv:2"}, inject}, 2);
    }
    check(&(recipe){"lenet", LENET, {"conv:2", "last_conv"}, {.hidden = 12, .hash_dim = 7}}, 2);
}

static void test_dropout(void)
{
    check_hand(HAND_AT_0 | HAND_DROPOUT, NULL);
    check_hand(HAND_AT_0 | HAND_AT_1 | HAND_AT_2 | HAND_DROPOUT, NULL);
}

static void test_frozen(void)
{
    check_hand(HAND_AT_0 | HAND_AT_2, "conv2");
    check_hand(HAND_AT_1, "fc2");
}

static const mfm_case cases[] = {
    {"LeNet, modulated after its first convolution", test_lenet_early},
    {"LeNet, modulated in the middle", test_lenet_middle},
    {"LeNet, modulated after its last convolution", test_lenet_last},
    {"LeNet, modulated at three layers, one of them linear", test_lenet_several},
    {"ResNet-20 with batch statistics, modulated at the start", test_resnet_early},
    {"ResNet-20, modulated in the middle", test_resnet_middle},
    {"ResNet-20, modulated after its last convolution", test_resnet_last},
    {"ResNet-20, modulated at three layers", test_resnet_several},
    {"every position around a layer", test_positions},
    {"every form of modulation, and weight hashing", test_modulations},
    {"Dropout, with one mask in all passes", test_dropout},
    {"frozen parameters, which no pass moves", test_frozen},
};

MFM_SUITE("core/train/hypergradient", cases)
