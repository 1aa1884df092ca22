/*
 * Whole steps of Meta-Weight-Net and of free modulation, on a ResNet-20, against numbers from an
 * implementation by double backward (tests/data/meta_steps/README.md).
 */
#include <math.h>
#include <string.h>

#include "core/train/bilevel/bilevel.h"
#include "core/train/training.h"
#include "tests/core/train/support/fixture.h"
#include "tests/core/train/support/prepared.h"

typedef struct bench {
    prepared p;
    fixture f;
    const char *kind; /* "weights", "count", "free" */
    mfm_batch train, meta;
    uint32_t indices[64];
    mfm_train_options options;
} bench;

static void copy_tensor(const bench *b, const char *name, const mfm_value *value, real *vector)
{
    mfm_shape shape;
    real *numbers = fixture_tensor(&b->f, name, &shape);
    CU_ASSERT_FATAL(mfm_shape_equal(&shape, &value->shape));
    memcpy(vector + value->offset, numbers, (size_t)mfm_shape_count(&shape) * sizeof *numbers);
    mfm_free_aligned(b->p.ctx, numbers);
}

/* w and the running statistics. */
static void fill_main(const bench *b)
{
    mfm_graph *graph = b->p.problem->main;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind == MFM_VALUE_PARAM)
            copy_tensor(b, value->name, value, graph->params);
        if (value->kind == MFM_VALUE_STATE)
            copy_tensor(b, value->name, value, graph->state);
    }
    memcpy(b->p.w, graph->params, graph->params_size * sizeof(real));
    memcpy(b->p.state, graph->state, graph->state_size * sizeof(real));
}

/* What a give is called in the fixture: the modulated layer has a scale and a shift. */
static const char *give_name(const bench *b, size_t give)
{
    const char *name = b->p.problem->main->values[b->p.problem->gives[give].main].name;
    return strstr(name, "scale") ? "free.scale" : "free.shift";
}

/* phi where a training will start from. */
static void fill_phi(const bench *b, real *phi)
{
    const mfm_problem *problem = b->p.problem;
    char name[64];
    if (strcmp(b->kind, "free") != 0) {
        for (size_t i = 0; i < b->p.modulator->n_values; i++) {
            const mfm_value *value = &b->p.modulator->values[i];
            snprintf(name, sizeof name, "weighting.%s", value->name);
            if (value->kind == MFM_VALUE_PARAM)
                copy_tensor(b, name, value, phi);
        }
        return;
    }
    CU_ASSERT_EQUAL_FATAL(problem->n_gives, 2);
    for (size_t i = 0; i < problem->n_gives; i++) {
        mfm_shape shape;
        real *rows = fixture_tensor(&b->f, give_name(b, i), &shape);
        for (int64_t k = 0; k < shape.dim[0]; k++)
            memcpy(phi + (size_t)k * problem->hypers[0].width + (size_t)problem->gives[i].value,
                   rows + k * shape.dim[1], (size_t)shape.dim[1] * sizeof *rows);
        mfm_free_aligned(b->p.ctx, rows);
    }
}

static void bench_init(bench *b, const char *kind, const char *method, const mfm_chosen *chosen)
{
    memset(b, 0, sizeof *b);
    b->kind = kind;
    prepare(&(recipe){"resnet20", {.seed = 1}, {"last_conv"}, {.hidden = 100}}, &b->p);
    fixture_open(b->p.ctx, "meta_steps", &b->f);
    mfm_shape shape;
    b->train.images = fixture_tensor(&b->f, "train.image", &shape);
    b->train.labels = fixture_tensor(&b->f, "train.label", &shape);
    b->meta.images = fixture_tensor(&b->f, "meta.image", &shape);
    b->meta.labels = fixture_tensor(&b->f, "meta.label", &shape);
    const uint32_t batch = (uint32_t)shape.dim[0];
    CU_ASSERT_FATAL(batch <= 64);
    for (uint32_t i = 0; i < batch; i++)
        b->indices[i] = i;
    b->train.indices = b->indices;
    b->options = (mfm_train_options){.method = mfm_method_find(method),
                                     .chosen = chosen,
                                     .epochs = 1,
                                     .batch = batch,
                                     .meta_batch = batch,
                                     .weight_decay = fixture_number(&b->f, "weight_decay")};
    prepare_method(&b->p, &b->options, batch);
    fill_main(b);
    fill_phi(b, b->p.phi);
}

static void bench_clear(bench *b)
{
    batch_clear(&b->p, &b->train);
    batch_clear(&b->p, &b->meta);
    fixture_close(&b->f);
    prepared_clear(&b->p);
}

/* ---- comparisons ------------------------------------------------------------------------------
 */

/*
 * Numbers are stored as floats, with a unit roundoff of u = 2^-24. In double they are met to that
 * last digit: a norm over several of them is off by less than 16 u = 1e-6.
 *
 * In float a value behind L = 20 layers, whose sums have K = 9 * 64 products, is off by
 *     d = L sqrt(K) u = 2.9e-5
 * of its size: roundings of a sum add in squares, those of the layers at worst as they are. A
 * gradient goes through as many sums backwards: 2 d = 5.7e-5.
 *
 * Second derivatives jump where a Relu switches. Of values of deviation 1 a share 2 d / sqrt(2 pi)
 * = 0.8 d lies closer to the kink than d. Each takes its own, independent part along: the share
 * that switches is off by all of its square, sqrt(0.8 d) = 4.8e-3 of the whole. Half of it is
 * allowed: both programs round, so that a Relu switches in one of them only when their roundings
 * differ.
 */
static double tolerance_of(const char *what)
{
    const double u = 0x1p-24, d = 20 * sqrt(9 * 64) * u;
    if (sizeof(real) == sizeof(double))
        return 16 * u;
    return strcmp(what, "hypergradient") == 0 ? sqrt(0.8 * d) / 2 : 2 * d;
}

static void expect(const bench *b, const char *what, const char *name, const real *got)
{
    char result[160];
    mfm_shape shape;
    snprintf(result, sizeof result, "%s.%s%s%s", b->kind, what, *name ? "." : "", name);
    const double tolerance = tolerance_of(what);
    real *wanted = fixture_result(&b->f, result, &shape);
    const double error = fixture_error(wanted, got, mfm_shape_count(&shape));
    if (!(error < tolerance))
        printf("\n    %s: relative error %.2e, at most %.2e\n", result, error, tolerance);
    CU_ASSERT(error < tolerance);
    mfm_free_aligned(b->p.ctx, wanted);
}

static void expect_number(const bench *b, const char *what, const char *name, double got)
{
    const real number = (real)got;
    expect(b, what, name, &number);
}

/* A vector laid out as phi. */
static void expect_phi(const bench *b, const char *what, const real *phi)
{
    const mfm_problem *problem = b->p.problem;
    const size_t width = problem->hypers[0].width;
    char name[64];
    for (size_t i = 0; !width && i < b->p.modulator->n_values; i++) {
        const mfm_value *value = &b->p.modulator->values[i];
        snprintf(name, sizeof name, "weighting.%s", value->name);
        if (value->kind == MFM_VALUE_PARAM)
            expect(b, what, name, phi + value->offset);
    }
    for (size_t i = 0; width && i < problem->n_gives; i++) {
        const size_t channels = width / problem->n_gives, batch = b->options.batch;
        real *rows = vector_new(b->p.ctx, batch * channels);
        for (size_t k = 0; k < batch; k++)
            memcpy(rows + k * channels, phi + k * width + (size_t)problem->gives[i].value,
                   channels * sizeof *rows);
        expect(b, what, give_name(b, i), rows);
        mfm_free_aligned(b->p.ctx, rows);
    }
}

static void expect_main(const bench *b, const mfm_training *t)
{
    const mfm_graph *graph = b->p.problem->main;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        const size_t count = (size_t)mfm_shape_count(&value->shape);
        if (value->kind == MFM_VALUE_STATE)
            expect(b, "new", value->name, t->state + value->offset);
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        const real *momentum = t->optimizer.first + value->offset;
        real samples[256];
        CU_ASSERT_FATAL(fixture_number(&b->f, "samples") <= 256);
        double square = 0;
        for (size_t k = 0; k < count; k++)
            square += pow((double)momentum[k], 2);
        expect_number(b, "momentum_norm", value->name, sqrt(square));
        fixture_sample(&b->f, value->name, &value->shape, momentum, samples);
        expect(b, "momentum_samples", value->name, samples);
    }
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static void check_hypergradient(const bench *b)
{
    const double lr = fixture_number(&b->f, "lr");
    const size_t n = b->p.problem->hypers[0].width
                         ? b->options.batch * b->p.problem->hypers[0].width
                         : b->p.modulator->params_size;
    const mfm_bilevel_spec spec = {.batch = b->options.batch, .meta_batch = b->options.batch};
    mfm_bilevel *s;
    must(b->p.ctx, mfm_bilevel_new(b->p.ctx, b->p.problem, &spec, &s));
    real *state = vector_new(b->p.ctx, b->p.problem->main->state_size);
    real *hypergradient = vector_new(b->p.ctx, n);
    mfm_bilevel_bind(s, b->p.w, state, &b->p.phi);
    mfm_bilevel_begin(s, &b->train, b->indices, 0, 0);
    mfm_bilevel_virtual(s, &b->meta, &(mfm_virtual_step){.alpha = lr});
    const real *unscaled = mfm_bilevel_hypergradients(s)[0];
    for (size_t i = 0; i < n; i++)
        hypergradient[i] = (real)-lr * unscaled[i];
    expect_phi(b, "hypergradient", hypergradient);
    mfm_bilevel_gradient(s); /* phi is still the old one */
    expect_number(b, "train_loss", "", mfm_bilevel_last(s).train);
    mfm_free_aligned(b->p.ctx, hypergradient);
    mfm_free_aligned(b->p.ctx, state);
    mfm_bilevel_free(s);
}

static void check_step(const char *kind, const char *method, const mfm_settings *trainer,
                       mfm_chosen extra)
{
    static const double rates[] = {0.001, 0.001, 1}; /* as in the manifest */
    mfm_modulator_training how = {.momentum = 0.9};
    const mfm_chosen chosen[] = {{trainer, &how}, extra, {NULL, NULL}};
    how.lr = rates[strcmp(kind, "free") == 0 ? 2 : 0];
    bench b;
    bench_init(&b, kind, method, chosen);
    char rate[32];
    snprintf(rate, sizeof rate, "rate.%s", kind);
    CU_ASSERT_EQUAL_FATAL(how.lr, fixture_number(&b.f, rate));
    check_hypergradient(&b);
    mfm_training *t;
    must(b.p.ctx, mfm_training_new(b.p.ctx, b.p.problem, &b.options, &t));
    memcpy(t->hypers[0].phi, b.p.phi, b.p.modulator->params_size * sizeof(real));
    const mfm_batch batches[MFM_MAX_STREAMS] = {b.train, b.meta};
    mfm_step_losses losses;
    b.options.method->step(t, batches, fixture_number(&b.f, "lr"), &losses);
    expect_number(&b, "meta_loss", "", losses.meta);
    expect_number(&b, "final_loss", "", losses.train);
    expect_phi(&b, "new", t->hypers[0].phi);
    expect_main(&b, t);
    mfm_training_free(t);
    bench_clear(&b);
}

/* The settings of Meta-Weight-Net's norm: 0 by count, 1 by weights. */
static const mfm_settings *norm_settings(void)
{
    const mfm_settings *const *s = mfm_method_find("mw-net")->settings;
    while (*s && strcmp((*s)->title, "Weighting") != 0)
        s++;
    CU_ASSERT_PTR_NOT_NULL_FATAL(*s);
    return *s;
}

static void test_weights(void)
{
    const int by_weights = 1;
    check_step("weights", "mw-net", &mfm_weighting_training_settings,
               (mfm_chosen){norm_settings(), &by_weights});
}

static void test_count(void)
{
    const int by_count = 0;
    check_step("count", "mw-net", &mfm_weighting_training_settings,
               (mfm_chosen){norm_settings(), &by_count});
}

static void test_free(void)
{
    check_step("free", "mfm-free", &mfm_modulator_training_settings,
               (mfm_chosen){.settings = NULL});
}

static const mfm_case cases[] = {
    {"Meta-Weight-Net, divided by the sum of the weights: a step is that of double backward",
     test_weights},
    {"the same divided by the samples", test_count},
    {"free modulation: a step is that of double backward", test_free},
};

MFM_SUITE("core/train/step_fixture", cases)
