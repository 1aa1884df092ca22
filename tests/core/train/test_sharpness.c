/*
 * Sharpness-aware steps of every method against the same in two plain steps, worked out here:
 *     g1  of a plain step from w           w1 = w + rho g1 / |g1|
 *     g2  of a plain step from w1          the sharp step is w - lr g2
 * where what the objective has beside w (scale and shift of features, weights of samples) is that
 * of w in both. Running statistics follow w alone.
 */
#include <math.h>
#include <string.h>

#include "core/train/problem/branches.h"
#include "core/train/problem/class_weights.h"
#include "core/train/bilevel/meta_step.h"
#include "onnx/surgery/branch.h"
#include "tests/core/train/support/prepared.h"

enum { BATCH = 6, META_BATCH = 4, SAMPLES = 20, SEED = 11, CLASSES = 4 };
static const double rho = 0.3, rate = 0.1;

#define LENET                                                                                      \
    {                                                                                              \
        .classes = CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1                    \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = CLASSES, .channels = 3, .height = 16, .width = 16, .seed = 1                    \
    }

/* A run of a method. */
typedef struct bench {
    prepared p;
    mfm_batch batches[MFM_MAX_STREAMS];
    uint32_t indices[BATCH];
    mfm_train_options options;
    mfm_training *t;
} bench;

static void prepare_branched(prepared *p)
{
    const mfm_model_options options = RESNET;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *model;
    must(ctx, mfm_model_make(ctx, "resnet20", &options, &model));
    must(ctx, mfm_model_branch(ctx, model, NULL));
    prepare_model(ctx, model, p);
}

/* Those of a fresh residual network are so large that softmax saturates: gradients would not move.
 */
static bool on_frozen_features(const char *method)
{
    return strcmp(method, "crt") == 0 || strcmp(method, "lws") == 0;
}

static void bench_init(bench *b, const char *method, double sharpness, const mfm_chosen *chosen)
{
    memset(b, 0, sizeof *b);
    const mfm_method *m = mfm_method_find(method);
    const recipe resnet = {
        "resnet20", RESNET, {m->needs_modulator ? "last_conv" : NULL}, {.hidden = 6}};
    static const recipe lenet = {"lenet", LENET, {NULL}, {0}};
    if (m->branch_layer)
        prepare_branched(&b->p);
    else
        prepare(on_frozen_features(method) ? &lenet : &resnet, &b->p);
    b->options = (mfm_train_options){.method = m,
                                     .chosen = chosen,
                                     .epochs = 10,
                                     .batch = BATCH,
                                     .meta_batch = META_BATCH,
                                     .schedule = {.base = rate},
                                     .sharpness = sharpness,
                                     .seed = SEED};
    prepare_method(&b->p, &b->options, SAMPLES);
    for (int i = 0; i < MFM_MAX_STREAMS; i++) {
        const bool meta = m->streams[i].name && m->streams[i].from == MFM_FROM_META;
        /* images with no value so near a kink that the rounding of w1 takes it across */
        b->batches[i] = batch_new(&b->p, meta ? META_BATCH : BATCH, (uint64_t)i + 2);
        b->batches[i].indices = b->indices;
    }
    for (uint32_t i = 0; i < BATCH; i++)
        b->indices[i] = 3 * i + 1;
    must(b->p.ctx, mfm_training_new(b->p.ctx, b->p.problem, &b->options, &b->t));
    b->t->epoch = 3;
}

static void bench_clear(bench *b)
{
    mfm_training_free(b->t);
    for (int i = 0; i < MFM_MAX_STREAMS; i++)
        batch_clear(&b->p, &b->batches[i]);
    prepared_clear(&b->p);
}

static mfm_step_losses step(bench *b)
{
    mfm_step_losses losses;
    mfm_stream_use uses[MFM_MAX_STREAMS];
    const int streams = mfm_method_streams(&b->options, uses);
    for (int i = 0; i < streams; i++)
        mfm_training_add_features(b->t, i, NULL, &b->batches[i]);
    b->options.method->step(b->t, b->batches, rate, &losses);
    return losses;
}

/* to += length g / |g| over what trains: a whole vector is fixed where it does not. */
static void climb(const mfm_graph *graph, const real *g, real *to)
{
    double square = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *v = &graph->values[i];
        const size_t n =
            v->kind == MFM_VALUE_PARAM && v->trainable ? (size_t)mfm_shape_count(&v->shape) : 0;
        for (size_t k = v->offset; k < v->offset + n; k++)
            square += (double)g[k] * (double)g[k];
    }
    CU_ASSERT_FATAL(square > 0);
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *v = &graph->values[i];
        const size_t n =
            v->kind == MFM_VALUE_PARAM && v->trainable ? (size_t)mfm_shape_count(&v->shape) : 0;
        for (size_t k = v->offset; k < v->offset + n; k++)
            to[k] += (real)(rho / sqrt(square) * (double)g[k]);
    }
}

/* What the three runs of a case share: the vector that steps, of which graph it is, its momentum.
 */
typedef struct stepped {
    const mfm_graph *graph;
    real *at;
    const real *gradient; /* after a first step with momentum, the gradient */
} stepped;

static stepped of(const bench *b)
{
    const mfm_problem *p = b->t->problem;
    if (p->trains_hypers) /* LWS */
        return (stepped){p->hypers[0].graph, b->t->hypers[0].phi, b->t->hypers[0].optimizer.first};
    return (stepped){p->main, b->t->w, b->t->optimizer.first};
}

static double distance(const real *a, const real *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow((double)a[i] - (double)b[i], 2);
    return sqrt(sum);
}

static double length(const real *a, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)a[i];
    return sqrt(sum);
}

/* The sharp run has stepped along g2, and from where it was; its statistics are the plain run's.
 * Both gradients g2 come from one kernel over weights that differ in the rounding of w1 alone. */
static void check_sharp(const bench *sharp, const bench *plain, const real *start, const real *g1,
                        const real *g2)
{
    const stepped s = of(sharp);
    const size_t n = s.graph->params_size;
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-11 : 1e-4;
    CU_ASSERT(distance(g1, g2, n) > 10 * tolerance * length(g2, n));
    CU_ASSERT(distance(s.gradient, g2, n) <= tolerance * length(g2, n));
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL_FATAL(s.at[i], (real)(start[i] - (real)rate * s.gradient[i]));
    CU_ASSERT_EQUAL(
        memcmp(sharp->t->state, plain->t->state, plain->p.problem->main->state_size * sizeof(real)),
        0);
}

static real *copy_of(const bench *b, const real *from, size_t n)
{
    real *copy = vector_new(b->p.ctx, n);
    memcpy(copy, from, n * sizeof *copy);
    return copy;
}

/* Gives a run what the objective has beside w, so that it does not depend on w. */
typedef void (*fix_hypers)(bench *b);

/* later: settings by which no meta step is due, for the second plain step; NULL where the method
 * has none. */
static void check_method(const char *method, const mfm_chosen *chosen, const mfm_chosen *later,
                         fix_hypers fix)
{
    bench plain, second, sharp;
    bench_init(&plain, method, 0, chosen);
    bench_init(&second, method, 0, later);
    bench_init(&sharp, method, rho, chosen);
    if (fix) {
        fix(&plain);
        fix(&sharp);
    }
    const size_t n = of(&plain).graph->params_size;
    real *start = copy_of(&plain, of(&plain).at, n);
    const mfm_step_losses losses = step(&plain), same = step(&sharp);
    memcpy(of(&second).at, start, n * sizeof *start);
    climb(of(&plain).graph, of(&plain).gradient, of(&second).at);
    if (!plain.t->problem->trains_hypers && plain.t->hypers[0].phi) {
        const mfm_hyper *h = &plain.t->problem->hypers[0];
        CU_ASSERT_EQUAL(memcmp(plain.t->hypers[0].phi, sharp.t->hypers[0].phi,
                               h->graph->params_size * sizeof(real)),
                        0); /* the meta step is the plain one */
        memcpy(second.t->hypers[0].phi, plain.t->hypers[0].phi,
               h->graph->params_size * sizeof(real));
    }
    step(&second);
    CU_ASSERT(losses.train == same.train && losses.meta == same.meta);
    check_sharp(&sharp, &plain, start, of(&plain).gradient, of(&second).gradient);
    mfm_free_aligned(plain.p.ctx, start);
    bench_clear(&plain);
    bench_clear(&second);
    bench_clear(&sharp);
}

static void test_plain_losses(void)
{
    check_method("base", NULL, NULL, NULL);
    check_method("bbn", NULL, NULL, NULL);
    check_method("crt", NULL, NULL, NULL);
    check_method("lws", NULL, NULL, NULL);
}

static const mfm_meta_steps never = {.every = 1, .from = 9};
static const mfm_modulator_training quick = {.lr = 0.1};
static const mfm_chosen without_meta[] = {{&mfm_meta_steps_settings, &never}, {NULL, NULL}};

/* A row for each image: nothing of w in it. */
static void test_free_modulation(void)
{
    static const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &quick}, {NULL, NULL}};
    check_method("mfm-free", chosen, without_meta, NULL);
}

/* The output layer's weights are zero at the start, its biases not any more: scale and shift are
 * the same for every soft label. */
static void give_constants(bench *b)
{
    const mfm_graph *graph = b->t->problem->hypers[0].graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *v = &graph->values[i];
        if (v->kind != MFM_VALUE_PARAM || !v->trainable || v->shape.rank != 1)
            continue;
        const mfm_key key = {.seed = 5, .stream = MFM_STREAM_TEST, .node = (uint32_t)i};
        for (int64_t k = 0; k < mfm_shape_count(&v->shape); k++)
            b->t->hypers[0].phi[v->offset + (size_t)k] +=
                (real)(0.3 * mfm_random_normal(&key, (uint64_t)k));
    }
}

static void test_modulator(void)
{
    check_method("mfm", without_meta, without_meta, give_constants);
}

/* The last weights are zero: each sample counts sigmoid(b2). */
static void give_one_weight(bench *b)
{
    const mfm_graph *graph = b->t->problem->hypers[0].graph;
    const mfm_value *last = NULL;
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == MFM_VALUE_PARAM && graph->values[i].shape.rank == 2)
            last = &graph->values[i];
    CU_ASSERT_PTR_NOT_NULL_FATAL(last);
    memset(b->t->hypers[0].phi + last->offset, 0,
           (size_t)mfm_shape_count(&last->shape) * sizeof(real));
}

static void test_weighting(void)
{
    check_method("mw-net", without_meta, without_meta, give_one_weight);
}

/* With meta steps, whose networks read what w gives: these, and phi, are those of a plain step. */
static void check_meta_step(const char *method, const mfm_settings *how)
{
    const mfm_chosen chosen[] = {{how, &quick}, {NULL, NULL}};
    bench plain, sharp;
    bench_init(&plain, method, 0, chosen);
    bench_init(&sharp, method, rho, chosen);
    const size_t m = plain.p.problem->hypers[0].graph->params_size;
    const size_t n = plain.p.problem->main->params_size;
    perturb(plain.p.problem->hypers[0].graph, 3, 0.3, plain.t->hypers[0].phi);
    perturb(sharp.p.problem->hypers[0].graph, 3, 0.3, sharp.t->hypers[0].phi);
    const mfm_step_losses losses = step(&plain), same = step(&sharp);
    CU_ASSERT(losses.meta > 0 && losses.train == same.train && losses.meta == same.meta);
    CU_ASSERT_EQUAL(memcmp(plain.t->hypers[0].phi, sharp.t->hypers[0].phi, m * sizeof(real)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(plain.t->w, sharp.t->w, n * sizeof(real)), 0);
    CU_ASSERT_EQUAL(
        memcmp(plain.t->state, sharp.t->state, plain.p.problem->main->state_size * sizeof(real)),
        0);
    bench_clear(&plain);
    bench_clear(&sharp);
}

static void test_meta_steps(void)
{
    check_meta_step("mfm", &mfm_modulator_training_settings);
    check_meta_step("mw-net", &mfm_weighting_training_settings);
}

/* The weights that the samples have at w, by the sweep that test_methods.c holds against products
 * of gradients; with them the gradient at w and at w1. */
static void test_reweighting(void)
{
    bench plain, sharp;
    bench_init(&plain, "l2rw", 0, NULL);
    bench_init(&sharp, "l2rw", rho, NULL);
    mfm_ctx *ctx = plain.p.ctx;
    const size_t n = plain.p.problem->main->params_size;
    const mfm_bilevel_spec spec = {.batch = BATCH, .meta_batch = META_BATCH, .meta = MFM_META_AT_W};
    real *weights = vector_new(ctx, BATCH), *w = copy_of(&plain, plain.t->w, n);
    real *start = copy_of(&plain, w, n), *g1 = vector_new(ctx, n);
    real *state = copy_of(&plain, plain.t->state, plain.p.problem->main->state_size);
    mfm_bilevel *s;
    must(ctx, mfm_bilevel_new(ctx, plain.p.problem, &spec, &s));
    mfm_bilevel_bind(s, w, state, &weights);
    mfm_bilevel_begin(s, &plain.batches[0], NULL, SEED, 0);
    mfm_bilevel_virtual(s, &plain.batches[1], NULL);
    const real *agreement = mfm_bilevel_hypergradients(s)[0];
    double sum = 0;
    for (int i = 0; i < BATCH; i++)
        sum += fmax((double)agreement[i], 0);
    CU_ASSERT_FATAL(sum > 0);
    for (int i = 0; i < BATCH; i++)
        weights[i] = (real)(BATCH * fmax((double)agreement[i], 0) / sum);
    memcpy(g1, mfm_bilevel_gradient(s), n * sizeof *g1);
    climb(plain.p.problem->main, g1, w);
    mfm_bilevel_begin(s, &plain.batches[0], NULL, SEED, 0);
    mfm_bilevel_virtual(s, &plain.batches[1], NULL);
    mfm_bilevel_hypergradients(s);
    const real *g2 = mfm_bilevel_gradient(s);
    step(&plain);
    step(&sharp);
    check_sharp(&sharp, &plain, start, g1, g2);
    mfm_bilevel_free(s);
    real *const all[] = {weights, w, start, g1, state};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        mfm_free_aligned(ctx, all[i]);
    bench_clear(&plain);
    bench_clear(&sharp);
}

static void test_all_methods_sharpen(void)
{
    for (int i = 0; mfm_methods[i]; i++)
        CU_ASSERT(mfm_methods[i]->sharpens);
}

static const mfm_case cases[] = {
    {"every method takes sharpness-aware steps", test_all_methods_sharpen},
    {"steps without hyper-parameters are two plain ones", test_plain_losses},
    {"parameters of each image are held", test_free_modulation},
    {"what a modulator gives is held", test_modulator},
    {"weights from losses are held", test_weighting},
    {"weights by agreement are held", test_reweighting},
    {"meta steps are the plain ones", test_meta_steps},
};
MFM_SUITE("core/train/sharpness", cases)
