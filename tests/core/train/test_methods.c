/* What single steps of the methods do beside their hypergradients (test_hyper_methods.c). */
#include <math.h>
#include <string.h>

#include "core/train/bilevel/bilevel.h"
#include "core/train/bilevel/meta_step.h"
#include "tests/core/train/support/prepared.h"

enum { BATCH = 6, META_BATCH = 4, SEED = 11, STEP = 5, SAMPLES = 20 };
static const double alpha = 0.1;

#define LENET                                                                                      \
    {                                                                                              \
        .classes = 4, .channels = 1, .height = 20, .width = 20, .seed = 1                          \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = 4, .channels = 3, .height = 16, .width = 16, .seed = 1                          \
    }

/* A network with batches, and a training of a method on it. */
typedef struct bench {
    prepared p;
    mfm_batch train, meta;
    uint32_t indices[BATCH];
    mfm_train_options options;
    mfm_training *t;
} bench;

static void bench_init(bench *b, const recipe *from, const char *method, const mfm_chosen *chosen)
{
    memset(b, 0, sizeof *b);
    prepare(from, &b->p);
    b->options = (mfm_train_options){.method = mfm_method_find(method),
                                     .chosen = chosen,
                                     .epochs = 3,
                                     .batch = BATCH,
                                     .meta_batch = META_BATCH,
                                     .schedule = {.base = alpha},
                                     .seed = SEED};
    prepare_method(&b->p, &b->options, SAMPLES);
    b->train = batch_new(&b->p, BATCH, 1);
    b->meta = batch_new(&b->p, META_BATCH, 2);
    for (uint32_t i = 0; i < BATCH; i++)
        b->indices[i] = 3 * i + 1;
    b->train.indices = b->indices;
    must(b->p.ctx, mfm_training_new(b->p.ctx, b->p.problem, &b->options, &b->t));
}

static void bench_clear(bench *b)
{
    mfm_training_free(b->t);
    batch_clear(&b->p, &b->train);
    batch_clear(&b->p, &b->meta);
    prepared_clear(&b->p);
}

static mfm_step_losses step(bench *b)
{
    const mfm_batch batches[MFM_MAX_STREAMS] = {b->train, b->meta};
    mfm_step_losses losses;
    b->options.method->step(b->t, batches, alpha, &losses);
    b->t->counters.step++;
    return losses;
}

static double dot(const real *a, const real *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* ---- Learning to reweight -------------------------------------------------------------------- */

/* <grad l_i, v> by one backward pass for each sample, with weights that leave the others out. */
static void products(bench *b, double g[BATCH])
{
    mfm_ctx *ctx = b->p.ctx;
    const size_t n = b->p.problem->main->params_size;
    const mfm_bilevel_spec spec = {.batch = BATCH, .meta_batch = META_BATCH, .meta = MFM_META_AT_W};
    real *weights = vector_new(ctx, BATCH);
    mfm_bilevel *s;
    must(ctx, mfm_bilevel_new(ctx, b->p.problem, &spec, &s));
    mfm_bilevel_bind(s, b->p.w, b->p.state, &weights);
    for (int i = 0; i < BATCH; i++) {
        memset(weights, 0, BATCH * sizeof *weights);
        weights[i] = BATCH;
        mfm_bilevel_begin(s, &b->train, NULL, SEED, 0);
        mfm_bilevel_virtual(s, &b->meta, NULL);
        mfm_bilevel_hypergradients(s);
        g[i] = dot(mfm_bilevel_gradient(s), mfm_bilevel_meta_gradient(s), n);
    }
    mfm_bilevel_free(s);
    mfm_free_aligned(ctx, weights);
}

static void check_weights(const recipe *from)
{
    bench b;
    bench_init(&b, from, "l2rw", NULL);
    double g[BATCH], sum = 0, largest = 0;
    products(&b, g);
    for (int i = 0; i < BATCH; i++) {
        sum += fmax(g[i], 0);
        largest = fmax(largest, fabs(g[i]));
    }
    CU_ASSERT_FATAL(sum > 0);
    step(&b);
    /* Momentum is the gradient after a first step: the sum of w_i grad l_i, along v. */
    const mfm_bilevel_spec spec = {.batch = BATCH, .meta_batch = META_BATCH, .meta = MFM_META_AT_W};
    real *weights = vector_new(b.p.ctx, BATCH);
    mfm_bilevel *s;
    must(b.p.ctx, mfm_bilevel_new(b.p.ctx, b.p.problem, &spec, &s));
    mfm_bilevel_bind(s, b.p.w, b.p.state, &weights);
    mfm_bilevel_begin(s, &b.train, NULL, SEED, 0);
    mfm_bilevel_virtual(s, &b.meta, NULL);
    const real *agreement = mfm_bilevel_hypergradients(s)[0];
    const double tolerance = sizeof(real) == sizeof(double) ? 1e-10 : 2e-4;
    for (int i = 0; i < BATCH; i++) {
        CU_ASSERT(fabs((double)agreement[i] * BATCH - g[i]) < tolerance * largest);
        weights[i] = (real)(BATCH * fmax(g[i], 0) / sum);
    }
    const size_t n = b.p.problem->main->params_size;
    const real *expected = mfm_bilevel_gradient(s);
    double difference = 0;
    for (size_t i = 0; i < n; i++)
        difference += pow((double)(b.t->optimizer.first[i] - expected[i]), 2);
    CU_ASSERT(sqrt(difference) < 10 * tolerance * sqrt(dot(expected, expected, n)));
    mfm_bilevel_free(s);
    mfm_free_aligned(b.p.ctx, weights);
    bench_clear(&b);
}

static void test_reweighting(void)
{
    check_weights(&(recipe){"lenet", LENET, {NULL}, {0}});
    check_weights(&(recipe){"resnet20", RESNET, {NULL}, {0}});
}

/* ---- when hyper-parameters are stepped --------------------------------------------------------
 */

/* The steps of three epochs of four that move phi, as bits. */
static unsigned moving_steps(const mfm_meta_steps *steps)
{
    static const mfm_modulator_training modulator = {.lr = 0.1};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator},
                                 {&mfm_meta_steps_settings, steps},
                                 {NULL, NULL}};
    bench b;
    bench_init(&b, &(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 6}}, "mfm", chosen);
    const size_t n = b.p.modulator->params_size;
    real *before = vector_new(b.p.ctx, n);
    unsigned moved = 0;
    for (unsigned i = 0; i < 12; i++) {
        b.t->epoch = i / 4;
        memcpy(before, b.t->hypers[0].phi, n * sizeof *before);
        const bool reads = b.options.method->reads(b.t, MFM_META_STEP_META);
        const mfm_step_losses losses = step(&b);
        const bool moves = memcmp(before, b.t->hypers[0].phi, n * sizeof *before) != 0;
        CU_ASSERT_EQUAL(reads, moves);
        CU_ASSERT_EQUAL(losses.meta > 0, moves);
        CU_ASSERT(losses.train > 0);
        moved |= moves ? 1u << i : 0;
    }
    mfm_free_aligned(b.p.ctx, before);
    bench_clear(&b);
    return moved;
}

static void test_schedule_of_meta_steps(void)
{
    CU_ASSERT_EQUAL(moving_steps(&(mfm_meta_steps){.every = 1, .from = 1}), 0xFFF);
    CU_ASSERT_EQUAL(moving_steps(&(mfm_meta_steps){.every = 3, .from = 1}), 0x249);
    CU_ASSERT_EQUAL(moving_steps(&(mfm_meta_steps){.every = 1, .from = 2}), 0xFF0);
    CU_ASSERT_EQUAL(moving_steps(&(mfm_meta_steps){.every = 1, .from = 1, .until = 2}), 0x0FF);
    CU_ASSERT_EQUAL(moving_steps(&(mfm_meta_steps){.every = 2, .from = 2, .until = 2}), 0x050);
}

/* A rate that follows is the classifier's in proportion: at half its start, half a step. */
static void test_rate_follows(void)
{
    real moved[2] = {0, 0};
    for (int follow = 0; follow < 2; follow++) {
        const mfm_modulator_training modulator = {.lr = 0.1, .follow = follow};
        const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator}, {NULL, NULL}};
        bench b;
        bench_init(&b, &(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 6}}, "mfm", chosen);
        b.t->options.schedule.base = 2 * alpha;
        step(&b);
        for (size_t i = 0; i < b.p.modulator->params_size; i++)
            moved[follow] = (real)fmax((double)moved[follow],
                                       fabs((double)(b.t->hypers[0].phi[i] - b.p.phi[i])));
        bench_clear(&b);
    }
    CU_ASSERT(moved[0] > 0);
    CU_ASSERT_DOUBLE_EQUAL((double)moved[1] / (double)moved[0], 0.5, 1e-3);
}

/* ---- where the last biases start ---------------------------------------------------------------
 */

/* Nothing moves the weights but their decay: these biases keep their start, the others shrink. */
static void check_bias(const char *method, const char *loss, double expected)
{
    static const struct {
        int start;
    } by_classes = {1};
    const mfm_settings *settings = mfm_loss_find("sigmoid")->settings[0];
    const mfm_chosen chosen[] = {{settings, &by_classes}, {NULL, NULL}};
    bench b;
    bench_init(&b, &(recipe){"lenet", LENET, {NULL}, {0}}, method, NULL);
    mfm_training_free(b.t);
    b.options.chosen = chosen;
    b.options.loss = mfm_loss_find(loss);
    b.options.weight_decay = 0.5;
    prepare_method(&b.p, &b.options, SAMPLES);
    must(b.p.ctx, mfm_training_new(b.p.ctx, b.p.problem, &b.options, &b.t));
    const mfm_classifier *c = &b.p.problem->classifier;
    CU_ASSERT_DOUBLE_EQUAL(mfm_training_bias_start(b.t), expected, 1e-12);
    const real first = b.t->w[mfm_classifier_at(c, 0, 0)];
    real *still = vector_new(b.p.ctx, b.p.problem->main->params_size);
    mfm_optimizer_step(&b.t->optimizer, alpha, 1, still, b.t->w);
    CU_ASSERT(fabs((double)b.t->w[mfm_classifier_at(c, 0, 0)]) < fabs((double)first));
    for (int64_t k = 0; k < c->classes && expected != 0; k++)
        CU_ASSERT_EQUAL(b.t->w[mfm_classifier_bias_at(c, k)], (real)expected);
    mfm_free_aligned(b.p.ctx, still);
    bench_clear(&b);
}

/* Four classes: sigmoid(-log 3) = 1/4. */
static void test_bias(void)
{
    check_bias("base", "sigmoid", -log(3));
    check_bias("crt", "sigmoid", -log(3));
    check_bias("base", "focal", 0); /* over softmax, when nothing else is chosen */
    check_bias("base", "cross-entropy", 0);
}

/* ---- a modulator that stays as it is ----------------------------------------------------------
 */

static const mfm_settings *own_settings(const char *method, const char *title)
{
    const mfm_settings *const *s = mfm_method_find(method)->settings;
    while (*s && strcmp((*s)->title, title) != 0)
        s++;
    CU_ASSERT_PTR_NOT_NULL_FATAL(*s);
    return *s;
}

/* As core/train/methods/mfm.c has it. */
typedef struct modulation {
    int soft_label;
    bool adjusted, freeze;
} modulation;

static void test_frozen(void)
{
    const modulation freeze = {.freeze = true};
    const mfm_modulator_training still = {.lr = 0};
    const mfm_chosen frozen[] = {{own_settings("mfm", "Modulation"), &freeze}, {NULL, NULL}};
    const mfm_chosen learning[] = {{&mfm_modulator_training_settings, &still}, {NULL, NULL}};
    const recipe from = {"resnet20", RESNET, {"last_conv"}, {.hidden = 6}};
    bench a, b;
    bench_init(&a, &from, "mfm", frozen);
    bench_init(&b, &from, "mfm", learning);
    perturb(a.p.modulator, 3, 0.3, a.t->hypers[0].phi);
    perturb(b.p.modulator, 3, 0.3, b.t->hypers[0].phi);
    const size_t n = a.p.problem->main->params_size, m = a.p.modulator->params_size;
    real *phi = vector_new(a.p.ctx, m);
    memcpy(phi, a.t->hypers[0].phi, m * sizeof *phi);
    const mfm_step_losses lone = step(&a), whole = step(&b);
    CU_ASSERT_EQUAL(memcmp(a.t->w, b.t->w, n * sizeof(real)), 0);
    CU_ASSERT_EQUAL(memcmp(a.t->state, b.t->state, a.p.problem->main->state_size * sizeof(real)),
                    0);
    CU_ASSERT_EQUAL(memcmp(a.t->hypers[0].phi, phi, m * sizeof(real)), 0);
    CU_ASSERT(lone.train == whole.train && lone.meta == 0 && whole.meta > 0);
    mfm_stream_use uses[MFM_MAX_STREAMS];
    CU_ASSERT_EQUAL(mfm_method_streams(&a.options, uses), 1);
    CU_ASSERT(!mfm_method_reads_meta(&a.options));
    CU_ASSERT(mfm_method_reads_meta(&b.options));
    CU_ASSERT(a.options.method->bytes(a.t) < b.options.method->bytes(b.t) * 2 / 3);
    CU_ASSERT_PTR_NULL(mfm_training_kept(a.t, "modulator.first"));
    mfm_free_aligned(a.p.ctx, phi);
    bench_clear(&a);
    bench_clear(&b);
}

/* ---- what the modulator reads -----------------------------------------------------------------
 */

/* Rows of the soft label and of the logits it is made from: [BATCH, 4] each. */
static void read_soft_label(const modulation *m, const char *loss, real *soft, real *logits)
{
    const mfm_chosen chosen[] = {{own_settings("mfm", "Modulation"), m}, {NULL, NULL}};
    bench b;
    bench_init(&b, &(recipe){"lenet", LENET, {"fc:1"}, {.hidden = 6}}, "mfm", chosen);
    mfm_training_free(b.t);
    b.t = NULL;
    b.options.loss = mfm_loss_find(loss);
    prepare_method(&b.p, &b.options, SAMPLES);
    mfm_problem *problem = b.p.problem;
    must(b.p.ctx, mfm_problem_read(problem, problem->plain.logits, 3, 0)); /* of nobody: to look */
    const mfm_bilevel_spec spec = {.batch = BATCH, .meta_batch = META_BATCH};
    mfm_bilevel *s;
    must(b.p.ctx, mfm_bilevel_new(b.p.ctx, problem, &spec, &s));
    mfm_bilevel_bind(s, b.p.w, b.p.state, &b.p.phi);
    mfm_bilevel_begin(s, &b.train, NULL, SEED, STEP);
    memcpy(soft, mfm_bilevel_read(s, 0), BATCH * 4 * sizeof *soft);
    memcpy(logits, mfm_bilevel_read(s, 1), BATCH * 4 * sizeof *logits);
    mfm_bilevel_free(s);
    bench_clear(&b);
}

static void test_unit_logits(void)
{
    real soft[BATCH * 4], logits[BATCH * 4];
    read_soft_label(&(modulation){.soft_label = 1}, "cross-entropy", soft, logits);
    for (int i = 0; i < BATCH; i++) {
        const double length = sqrt(dot(logits + 4 * i, logits + 4 * i, 4));
        for (int c = 0; c < 4; c++)
            CU_ASSERT_DOUBLE_EQUAL((double)soft[4 * i + c], (double)logits[4 * i + c] / length,
                                   1e-6);
    }
}

/* Logit adjustment adds log of the share: all SAMPLES images are of class 0, the others count as
 * one each (core/train/task.h). */
static void check_softmax(bool adjusted)
{
    real soft[BATCH * 4], logits[BATCH * 4];
    read_soft_label(&(modulation){.adjusted = adjusted}, "logit-adjustment", soft, logits);
    for (int i = 0; i < BATCH; i++) {
        double e[4], sum = 0;
        for (int c = 0; c < 4; c++) {
            const double share = c == 0 ? 1 : 1.0 / SAMPLES;
            e[c] = exp((double)logits[4 * i + c]) * (adjusted ? share : 1);
            sum += e[c];
        }
        for (int c = 0; c < 4; c++)
            CU_ASSERT_DOUBLE_EQUAL((double)soft[4 * i + c], e[c] / sum, 1e-5);
    }
}

static void test_adjusted(void)
{
    check_softmax(false);
    check_softmax(true);
}

/* ---- parameters of each image -----------------------------------------------------------------
 */

/* Rows of images outside the batch stay, moments included; an image that is there twice has the sum
 * of both gradients, once. */
static void test_rows(void)
{
    static const mfm_modulator_training how = {
        .optimizer = MFM_ADAM, .lr = 0.01, .weight_decay = 0.1};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &how}, {NULL, NULL}};
    bench b;
    bench_init(&b, &(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 6}}, "mfm-free", chosen);
    const size_t width = b.p.problem->hypers[0].width;
    const mfm_hyper_state *h = &b.t->hypers[0];
    CU_ASSERT_EQUAL_FATAL(b.p.modulator->params_size >= SAMPLES * width, true);
    for (size_t i = 0; i < SAMPLES * width; i++)
        CU_ASSERT_EQUAL_FATAL(h->phi[i], 0);
    perturb(b.p.modulator, 3, 0.3, h->phi);
    memcpy(b.p.phi, h->phi, SAMPLES * width * sizeof(real));
    b.indices[4] = b.indices[1];
    step(&b);
    for (uint32_t row = 0; row < SAMPLES; row++) {
        bool in_batch = false;
        for (int i = 0; i < BATCH; i++)
            in_batch |= b.indices[i] == row;
        const size_t at = row * width;
        const bool same = memcmp(h->phi + at, b.p.phi + at, width * sizeof(real)) == 0;
        CU_ASSERT_EQUAL(same, !in_batch);
        CU_ASSERT_EQUAL(dot(h->optimizer.first + at, h->optimizer.first + at, width) == 0,
                        !in_batch);
    }
    bench_clear(&b);
}

static void test_image_twice(void)
{
    static const mfm_modulator_training how = {.lr = 0.01};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &how}, {NULL, NULL}};
    bench b;
    bench_init(&b, &(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 6}}, "mfm-free", chosen);
    const size_t width = b.p.problem->hypers[0].width;
    mfm_bilevel *s;
    const mfm_bilevel_spec spec = {.batch = BATCH, .meta_batch = META_BATCH};
    must(b.p.ctx, mfm_bilevel_new(b.p.ctx, b.p.problem, &spec, &s));
    mfm_bilevel_bind(s, b.p.w, b.p.state, &b.p.phi);
    b.indices[4] = b.indices[1];
    mfm_bilevel_begin(s, &b.train, b.indices, SEED, 0);
    mfm_bilevel_virtual(s, &b.meta, &(mfm_virtual_step){.alpha = alpha});
    const real *g = mfm_bilevel_hypergradients(s)[0];
    step(&b);
    const real *moved = b.t->hypers[0].phi + b.indices[1] * width;
    for (size_t k = 0; k < width; k++) {
        const double sum = (double)g[width + k] + (double)g[4 * width + k];
        CU_ASSERT_DOUBLE_EQUAL((double)moved[k], how.lr * alpha * sum, 1e-4 * how.lr * alpha);
    }
    mfm_bilevel_free(s);
    bench_clear(&b);
}

static const mfm_case cases[] = {
    {"the last biases start where each class has its share, and do not decay", test_bias},
    {"weights of Learning to reweight are products of gradients, sample by sample",
     test_reweighting},
    {"meta steps come every k steps, from and until an epoch, and read meta batches only then",
     test_schedule_of_meta_steps},
    {"a modulator's rate may follow that of the weights", test_rate_follows},
    {"a frozen modulator: the weights' step is the same, without a meta set", test_frozen},
    {"the modulator may read logits of length 1", test_unit_logits},
    {"the soft label is that of the plain logits, or of the adjusted ones", test_adjusted},
    {"only the rows of a batch's images are stepped", test_rows},
    {"an image that is twice in a batch is stepped once, by the sum", test_image_twice},
};

MFM_SUITE("core/train/methods", cases)
