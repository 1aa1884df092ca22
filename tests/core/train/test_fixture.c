/*
 * One bilevel step of a ResNet-20 against numbers from an implementation by double backward, which
 * shares no algorithm with the tangent sweep (tests/data/hypergradient/README.md).
 */
#include <math.h>
#include <string.h>

#include "core/train/bilevel/hyper_training.h"
#include "core/train/training.h"
#include "tests/core/train/support/fixture.h"
#include "tests/core/train/support/prepared.h"

/* The numbers are floats; a float engine errs by a few 1e-6 (float_error in the manifest). */
#ifdef MFM_DOUBLE
static const double tolerance = 1e-6;
#else
static const double tolerance = 2e-5;
#endif

typedef struct bench {
    prepared p;
    fixture f;
    mfm_batch train, meta;
    uint32_t batch;
} bench;

/* The fixture's name of a parameter: the modulator's differ. */
static const char *fixture_name(const char *name, char text[128])
{
    static const char *const pairs[4][2] = {{"mfm.hidden.weight", "modulator.fc1.weight"},
                                            {"mfm.hidden.bias", "modulator.fc1.bias"},
                                            {"mfm.output.weight", "modulator.fc2.weight"},
                                            {"mfm.output.bias", "modulator.fc2.bias"}};
    snprintf(text, 128, "%s", name);
    for (int i = 0; i < 4; i++)
        if (strcmp(name, pairs[i][0]) == 0)
            snprintf(text, 128, "%s", pairs[i][1]);
    return text;
}

/* Overwrites a graph's parameters and running statistics. */
static void fill(const fixture *f, mfm_graph *graph)
{
    char text[128];
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM && value->kind != MFM_VALUE_STATE)
            continue;
        mfm_shape shape;
        real *numbers = fixture_tensor(f, fixture_name(value->name, text), &shape);
        CU_ASSERT_FATAL(mfm_shape_equal(&shape, &value->shape));
        real *vector = value->kind == MFM_VALUE_PARAM ? graph->params : graph->state;
        memcpy(vector + value->offset, numbers, (size_t)mfm_shape_count(&shape) * sizeof *numbers);
        mfm_free_aligned(f->ctx, numbers);
    }
}

static void bench_init(bench *b)
{
    prepare(&(recipe){"resnet20", {.seed = 1}, {"last_conv"}, {.hidden = 100}}, &b->p);
    fixture_open(b->p.ctx, "hypergradient", &b->f);
    mfm_problem *problem = b->p.problem;
    const mfm_graph *graph = b->p.network->graph;
    const int producer = graph->values[b->p.network->sites[0].value].producer;
    CU_ASSERT_STRING_EQUAL(graph->nodes[producer].name, "layer3.2.bn2");
    fill(&b->f, problem->main);
    fill(&b->f, b->p.modulator);
    memcpy(b->p.w, problem->main->params, problem->main->params_size * sizeof(real));
    memcpy(b->p.state, problem->main->state, problem->main->state_size * sizeof(real));
    memcpy(b->p.phi, b->p.modulator->params, b->p.modulator->params_size * sizeof(real));
    mfm_shape shape;
    b->train.images = fixture_tensor(&b->f, "train.image", &shape);
    b->train.labels = fixture_tensor(&b->f, "train.label", &shape);
    b->meta.images = fixture_tensor(&b->f, "meta.image", &shape);
    b->meta.labels = fixture_tensor(&b->f, "meta.label", &shape);
    b->batch = (uint32_t)shape.dim[0];
}

static void bench_clear(bench *b)
{
    batch_clear(&b->p, &b->train);
    batch_clear(&b->p, &b->meta);
    fixture_close(&b->f);
    prepared_clear(&b->p);
}

/* Compares numbers with a result. */
static void expect(const bench *b, const char *result, const real *got)
{
    mfm_shape shape;
    real *wanted = fixture_result(&b->f, result, &shape);
    const double error = fixture_error(wanted, got, mfm_shape_count(&shape));
    if (!(error < tolerance))
        printf("\n    %s: relative error %.2e\n", result, error);
    CU_ASSERT(error < tolerance);
    mfm_free_aligned(b->p.ctx, wanted);
}

static void expect_number(const bench *b, const char *result, double got)
{
    const real number = (real)got;
    expect(b, result, &number);
}

/* Each value of a kind in a vector with graph's layout: "PREFIX.NAME". */
static void expect_values(const bench *b, const mfm_graph *graph, enum mfm_value_kind kind,
                          const char *prefix, const real *vector)
{
    char text[128], result[160];
    int compared = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != kind)
            continue;
        snprintf(result, sizeof result, "%s.%s", prefix, fixture_name(value->name, text));
        expect(b, result, vector + value->offset);
        compared++;
    }
    CU_ASSERT(compared >= 4);
}

/* g1 and v, of which norms and some elements are stored. */
static void expect_sampled(const bench *b, const char *kind, const real *vector)
{
    const mfm_graph *graph = b->p.problem->main;
    char result[160];
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        real samples[256];
        CU_ASSERT_FATAL(fixture_number(&b->f, "samples") <= 256);
        double square = 0;
        for (int64_t j = 0; j < mfm_shape_count(&value->shape); j++)
            square += pow((double)vector[value->offset + (size_t)j], 2);
        snprintf(result, sizeof result, "%s_norm.%s", kind, value->name);
        expect_number(b, result, sqrt(square));
        fixture_sample(&b->f, value->name, &value->shape, vector + value->offset, samples);
        snprintf(result, sizeof result, "%s_samples.%s", kind, value->name);
        expect(b, result, samples);
    }
}

static void test_parts(void)
{
    bench b;
    bench_init(&b);
    mfm_ctx *ctx = b.p.ctx;
    const mfm_problem *problem = b.p.problem;
    const double alpha = fixture_number(&b.f, "lr");
    mfm_bilevel *step;
    const mfm_bilevel_spec spec = {.batch = b.batch, .meta_batch = b.batch};
    must(ctx, mfm_bilevel_new(ctx, problem, &spec, &step));
    mfm_bilevel_bind(step, b.p.w, b.p.state, &b.p.phi);
    mfm_bilevel_begin(step, &b.train, NULL, 0, 0);
    mfm_bilevel_virtual(step, &b.meta, &(mfm_virtual_step){.alpha = alpha});
    expect(&b, "soft_label", mfm_bilevel_read(step, 0));
    expect_number(&b, "meta_loss", mfm_bilevel_last(step).meta);
    expect_sampled(&b, "v", mfm_bilevel_meta_gradient(step));

    const size_t n = b.p.modulator->params_size;
    const real *unscaled = mfm_bilevel_hypergradients(step)[0];
    real *hypergradient = vector_new(ctx, n);
    for (size_t i = 0; i < n; i++)
        hypergradient[i] = (real)-alpha * unscaled[i];
    expect_values(&b, b.p.modulator, MFM_VALUE_PARAM, "hypergradient", hypergradient);
    mfm_free_aligned(ctx, hypergradient);

    const real *g1 = mfm_bilevel_gradient(step); /* phi is still the old one */
    expect_sampled(&b, "g1", g1);
    expect_number(&b, "train_loss", mfm_bilevel_last(step).train);
    mfm_bilevel_free(step);
    bench_clear(&b);
}

static void test_step(void)
{
    bench b;
    bench_init(&b);
    const fixture *f = &b.f;
    const mfm_modulator_training modulator = {.lr = fixture_number(f, "modulator_lr"),
                                              .momentum = 0.9};
    const mfm_momentum_values momentum = {fixture_number(f, "momentum")};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator},
                                 {&mfm_momentum_settings, &momentum},
                                 {NULL, NULL}};
    const mfm_train_options options = {.method = mfm_method_find("mfm"),
                                       .chosen = chosen,
                                       .epochs = 1,
                                       .batch = b.batch,
                                       .meta_batch = b.batch,
                                       .weight_decay = fixture_number(f, "weight_decay")};
    mfm_training *t;
    must(b.p.ctx, mfm_training_new(b.p.ctx, b.p.problem, &options, &t));
    mfm_step_losses losses;
    const double lr = fixture_number(f, "lr");
    const mfm_batch batches[MFM_MAX_STREAMS] = {b.train, b.meta};
    options.method->step(t, batches, lr, &losses);
    expect_number(&b, "meta_loss", losses.meta);
    expect_number(&b, "final_loss", losses.train);
    expect_values(&b, b.p.modulator, MFM_VALUE_PARAM, "new", t->hypers[0].phi);
    expect_values(&b, b.p.problem->main, MFM_VALUE_STATE, "new", t->state);
    expect_values(&b, b.p.problem->main, MFM_VALUE_PARAM, "momentum", t->optimizer.first);
    double worst = 0;
    for (size_t i = 0; i < b.p.problem->main->params_size; i++)
        worst =
            fmax(worst, fabs((double)(t->w[i] - (b.p.w[i] - (real)lr * t->optimizer.first[i]))));
    CU_ASSERT(worst < 1e-6);
    mfm_training_free(t);
    bench_clear(&b);
}

static const mfm_case cases[] = {
    {"soft label, virtual gradient, meta gradient and hypergradient are those of double backward",
     test_parts},
    {"so are the modulator, running statistics and momentum after the step", test_step},
};

MFM_SUITE("core/train/fixture", cases)
