/*
 * What a bilevel step leaves alone: with a modulator that starts as the identity it is the plain
 * step bit for bit, and running statistics follow the plain pass over training data only.
 */
#include <math.h>
#include <string.h>

#include "core/train/bilevel/hyper_training.h"
#include "core/train/methods/method.h"
#include "core/train/training.h"
#include "tests/core/train/support/hand_network.h"
#include "tests/core/train/support/prepared.h"

enum { BATCH = 6, META_BATCH = 4, SEED = 11, STEP = 5 };
static const double alpha = 0.1;
static const mfm_bilevel_spec spec = {.batch = BATCH, .meta_batch = META_BATCH};

#define LENET                                                                                      \
    {                                                                                              \
        .classes = 4, .channels = 1, .height = 20, .width = 20, .seed = 1                          \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = 4, .channels = 3, .height = 16, .width = 16, .seed = 1                          \
    }
#define VGG                                                                                        \
    {                                                                                              \
        .classes = 4, .channels = 3, .height = 32, .width = 32, .seed = 1                          \
    }

/* What one step of a method leaves behind. */
typedef struct outcome {
    mfm_step_losses losses;
    real *w, *state, *gradient; /* gradient: momentum after the first step without decay */
} outcome;

static void run_method(const prepared *p, const char *name, const mfm_batch *train,
                       const mfm_batch *meta, double modulator_lr, outcome *out)
{
    const mfm_modulator_training modulator = {.lr = modulator_lr};
    const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &modulator}, {NULL, NULL}};
    const mfm_train_options options = {.method = mfm_method_find(name),
                                       .chosen = chosen,
                                       .epochs = 1,
                                       .batch = BATCH,
                                       .meta_batch = META_BATCH,
                                       .seed = SEED};
    mfm_training *t;
    must(p->ctx, mfm_training_new(p->ctx, p->problem, &options, &t));
    t->counters.step = STEP;
    const mfm_batch batches[MFM_MAX_STREAMS] = {*train, *meta};
    options.method->step(t, batches, alpha, &out->losses);
    const mfm_graph *graph = p->problem->main;
    out->w = vector_new(p->ctx, graph->params_size);
    out->gradient = vector_new(p->ctx, graph->params_size);
    out->state = vector_new(p->ctx, graph->state_size);
    memcpy(out->w, t->w, graph->params_size * sizeof(real));
    memcpy(out->gradient, t->optimizer.first, graph->params_size * sizeof(real));
    if (graph->state_size)
        memcpy(out->state, t->state, graph->state_size * sizeof(real));
    mfm_training_free(t);
}

static void outcome_clear(const prepared *p, outcome *out)
{
    mfm_free_aligned(p->ctx, out->w);
    mfm_free_aligned(p->ctx, out->gradient);
    mfm_free_aligned(p->ctx, out->state);
}

static bool same_bits(const real *a, const real *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

static bool moved(const real *a, const real *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (a[i] != b[i])
            return true;
    return false;
}

/* The identity modulator, frozen by a learning rate of 0. */
static void check_plain_step(const recipe *from)
{
    prepared p;
    prepare(from, &p);
    mfm_batch train = batch_new(&p, BATCH, 1), meta = batch_new(&p, META_BATCH, 2);
    outcome base, mfm;
    run_method(&p, "base", &train, &meta, 0, &base);
    run_method(&p, "mfm", &train, &meta, 0, &mfm);
    const mfm_graph *graph = p.problem->main;
    CU_ASSERT(same_bits(base.gradient, mfm.gradient, graph->params_size));
    CU_ASSERT(same_bits(base.w, mfm.w, graph->params_size));
    CU_ASSERT(same_bits(base.state, mfm.state, graph->state_size));
    CU_ASSERT(moved(base.w, p.w, graph->params_size));
    CU_ASSERT(graph->state_size == 0 || moved(base.state, p.state, graph->state_size));
    CU_ASSERT_EQUAL(base.losses.train, mfm.losses.train);
    CU_ASSERT_EQUAL(base.losses.meta, 0);
    CU_ASSERT(mfm.losses.meta > 0);
    outcome_clear(&p, &base);
    outcome_clear(&p, &mfm);
    batch_clear(&p, &train);
    batch_clear(&p, &meta);
    prepared_clear(&p);
}

/* The share 1 / C in the file is a float: a softmax in double hits it only where C is a power of 2,
 * as in ResNets. */
#ifdef MFM_DOUBLE
static const mfm_inject_options identity = {.modulation = MFM_FILM};
#else
static const mfm_inject_options identity = {.modulation = MFM_SCALED_SOFTMAX};
#endif

static void test_plain_lenet(void)
{
    check_plain_step(&(recipe){"lenet", LENET, {"last_conv"}, identity});
    check_plain_step(&(recipe){"lenet", LENET, {"first_conv"}, identity});
    check_plain_step(&(recipe){"lenet", LENET, {"conv:1", "conv:3", "fc:1"}, identity});
}

static void test_plain_resnet(void)
{
    check_plain_step(&(recipe){"resnet20", RESNET, {"last_conv"}, {0}});
    check_plain_step(&(recipe){"resnet20", RESNET, {"first_conv", "block:5"}, {0}});
    const mfm_inject_options film = {.modulation = MFM_FILM, .position = MFM_AT_BLOCK};
    check_plain_step(&(recipe){"resnet20", RESNET, {"last_conv"}, film});
}

static void test_plain_dropout(void)
{
    prepared p;
    prepare(&(recipe){"vgg11-bn", VGG, {NULL}, {0}}, &p);
    int dropouts = 0;
    for (size_t i = 0; i < p.problem->main->n_nodes; i++)
        dropouts += strcmp(p.problem->main->nodes[i].op->name, "Dropout") == 0;
    CU_ASSERT_EQUAL(dropouts, 2);
    prepared_clear(&p);
    check_plain_step(&(recipe){"vgg11-bn", VGG, {"conv:7"}, {0}});
}

/* A modulator that does something, trained: still the same running statistics. */
static void test_statistics(void)
{
    prepared p;
    prepare(&(recipe){"resnet20", RESNET, {"conv:4", "last_conv"}, {0}}, &p);
    mfm_graph *modulator = p.modulator;
    perturb(modulator, 3, 0.3, modulator->params);
    mfm_batch train = batch_new(&p, BATCH, 1), other = batch_new(&p, BATCH, 7);
    mfm_batch meta = batch_new(&p, META_BATCH, 2), different = batch_new(&p, META_BATCH, 8);
    outcome base, mfm[3];
    run_method(&p, "base", &train, &meta, 0, &base);
    run_method(&p, "mfm", &train, &meta, 0.1, &mfm[0]);
    run_method(&p, "mfm", &train, &different, 0.1, &mfm[1]);
    run_method(&p, "mfm", &other, &meta, 0.1, &mfm[2]);
    const size_t state = p.problem->main->state_size, params = p.problem->main->params_size;
    CU_ASSERT(state > 0);
    CU_ASSERT(same_bits(base.state, mfm[0].state, state));
    CU_ASSERT(same_bits(base.state, mfm[1].state, state));
    CU_ASSERT(moved(mfm[2].state, base.state, state));
    CU_ASSERT(moved(base.w, mfm[0].w, params));
    CU_ASSERT(moved(mfm[0].w, mfm[1].w, params)); /* the meta batch reaches w through phi */
    for (int i = 0; i < 3; i++)
        outcome_clear(&p, &mfm[i]);
    outcome_clear(&p, &base);
    batch_clear(&p, &train);
    batch_clear(&p, &other);
    batch_clear(&p, &meta);
    batch_clear(&p, &different);
    prepared_clear(&p);
}

/* w^ is one plain SGD step along the gradient that is there; y0 has rows of sum 1; nothing of the
 * caller's but the running statistics changes. */
static void test_virtual_step(void)
{
    prepared p;
    prepare(&(recipe){"lenet", LENET, {"last_conv"}, {0}}, &p);
    perturb(p.modulator, 3, 0.3, p.phi);
    const size_t n = p.problem->main->params_size, n_phi = p.modulator->params_size;
    mfm_batch train = batch_new(&p, BATCH, 1), meta = batch_new(&p, META_BATCH, 2);
    real *w = vector_new(p.ctx, n), *phi = vector_new(p.ctx, n_phi);
    memcpy(w, p.w, n * sizeof *w);
    memcpy(phi, p.phi, n_phi * sizeof *phi);
    mfm_bilevel *b;
    must(p.ctx, mfm_bilevel_new(p.ctx, p.problem, &spec, &b));
    mfm_bilevel_bind(b, p.w, p.state, &p.phi);
    mfm_bilevel_begin(b, &train, NULL, SEED, STEP);
    mfm_bilevel_virtual(b, &meta, &(mfm_virtual_step){.alpha = alpha});
    mfm_bilevel_hypergradients(b);
    const real *g = mfm_bilevel_gradient(b), *moved_w = mfm_bilevel_virtual_weights(b);
    double worst = 0; /* phi is the same, so the gradient is; products may be fused or not */
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)(moved_w[i] - (w[i] - (real)alpha * g[i]))));
    CU_ASSERT(worst < 1e-7);
    CU_ASSERT(same_bits(w, p.w, n));
    CU_ASSERT(same_bits(phi, p.phi, n_phi));
    const real *soft = mfm_bilevel_read(b, 0);
    for (int i = 0; i < BATCH; i++) {
        double sum = 0;
        for (int c = 0; c < 4; c++)
            sum += (double)soft[4 * i + c];
        CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-6);
    }
    CU_ASSERT(mfm_bilevel_bytes(b) > (3 * n + n_phi) * sizeof(real));
    mfm_bilevel_free(b);
    mfm_free_aligned(p.ctx, w);
    mfm_free_aligned(p.ctx, phi);
    batch_clear(&p, &train);
    batch_clear(&p, &meta);
    prepared_clear(&p);
}

/* One step's results with matrices kept in one way. */
typedef struct by_form {
    real *hypergradient, *gradient;
    mfm_bilevel_losses losses;
    size_t matrices;
} by_form;

static by_form run_form(const prepared *p, enum mfm_bilevel_factors factors, const mfm_batch *train,
                        const mfm_batch *meta)
{
    mfm_bilevel_spec chosen = spec;
    chosen.factors = factors;
    mfm_bilevel *b;
    real *phi = p->phi;
    const size_t n = p->problem->main->params_size, n_phi = p->modulator->params_size;
    by_form result = {.hypergradient = vector_new(p->ctx, n_phi),
                      .gradient = vector_new(p->ctx, n)};
    must(p->ctx, mfm_bilevel_new(p->ctx, p->problem, &chosen, &b));
    mfm_bilevel_bind(b, p->w, p->state, &phi);
    for (uint64_t step = 0; step < 3; step++) { /* the last leaves nothing of those before */
        mfm_bilevel_begin(b, train, NULL, SEED, step);
        if (step != 1)
            mfm_bilevel_virtual(b, meta, &(mfm_virtual_step){.alpha = alpha});
        if (step != 1)
            memcpy(result.hypergradient, mfm_bilevel_hypergradients(b)[0], n_phi * sizeof *phi);
        memcpy(result.gradient, mfm_bilevel_gradient(b), n * sizeof *phi);
    }
    result.losses = mfm_bilevel_last(b);
    result.matrices = mfm_bilevel_factored(b);
    mfm_bilevel_free(b);
    return result;
}

static void by_form_clear(const prepared *p, by_form *f)
{
    mfm_free_aligned(p->ctx, f->hypergradient);
    mfm_free_aligned(p->ctx, f->gradient);
}

static double distance(const real *a, const real *b, size_t n)
{
    double apart = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        apart += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
        size += (double)b[i] * (double)b[i];
    }
    CU_ASSERT(size > 0);
    return sqrt(apart / size);
}

/* Small ones stay as they are. */
static void check_factors(const recipe *from, size_t all)
{
    prepared p;
    prepare(from, &p);
    perturb(p.modulator, 3, 0.3, p.phi);
    mfm_batch train = batch_new(&p, BATCH, 1), meta = batch_new(&p, META_BATCH, 2);
    static const enum mfm_bilevel_factors forms[] = {MFM_FACTORS_NONE, MFM_FACTORS_ALL,
                                                     MFM_FACTORS_LARGE};
    const size_t matrices[] = {0, all, 0};
    by_form made[3];
    const double rounding = sizeof(real) == 4 ? 1e-5 : 1e-12;
    for (int i = 0; i < 3; i++) {
        made[i] = run_form(&p, forms[i], &train, &meta);
        CU_ASSERT_EQUAL(made[i].matrices, matrices[i]);
        CU_ASSERT(same_bits(made[i].gradient, made[0].gradient, p.problem->main->params_size));
        CU_ASSERT_EQUAL(made[i].losses.train, made[0].losses.train);
        CU_ASSERT_DOUBLE_EQUAL(made[i].losses.meta, made[0].losses.meta, rounding);
        CU_ASSERT(distance(made[i].hypergradient, made[0].hypergradient, p.modulator->params_size) <
                  rounding);
        CU_ASSERT(matrices[i] || same_bits(made[i].hypergradient, made[0].hypergradient,
                                           p.modulator->params_size));
    }
    for (int i = 0; i < 3; i++)
        by_form_clear(&p, &made[i]);
    batch_clear(&p, &train);
    batch_clear(&p, &meta);
    prepared_clear(&p);
}

static void test_factors(void)
{
    check_factors(&(recipe){"lenet", LENET, {"last_conv"}, {0}}, 2);
    check_factors(&(recipe){"vgg11", VGG, {"conv:7", "fc:1"}, {0}}, 3);
}

static size_t bytes_of(const prepared *p, const mfm_bilevel_spec *of)
{
    mfm_bilevel *b;
    must(p->ctx, mfm_bilevel_new(p->ctx, p->problem, of, &b));
    const size_t bytes = mfm_bilevel_bytes(b);
    mfm_bilevel_free(b);
    return bytes;
}

/* Of the matrices, which are the values of rank 2, in a vector where each begins 64 bytes apart or
 * more; *thin: of their factors, and of the room for products of rows. */
static size_t matrix_bytes(const mfm_graph *graph, size_t *thin)
{
    size_t bytes = 0, reals = BATCH * BATCH;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_shape *shape = &graph->values[i].shape;
        if (graph->values[i].kind != MFM_VALUE_PARAM || shape->rank != 2)
            continue;
        bytes += ((size_t)mfm_shape_count(shape) * sizeof(real) + 63) / 64 * 64;
        reals += (BATCH + META_BATCH) * (size_t)(shape->dim[0] + shape->dim[1]);
    }
    *thin = reals * sizeof(real);
    return bytes;
}

/* What has factors has no room in w^ and v; in w^ it has where steps come with momentum. */
static void test_room(void)
{
    prepared p;
    prepare(&(recipe){"lenet", LENET, {"last_conv"}, {0}}, &p);
    mfm_bilevel_spec of = spec;
    size_t thin;
    const size_t matrices = matrix_bytes(p.problem->main, &thin);
    of.factors = MFM_FACTORS_NONE;
    const size_t none = bytes_of(&p, &of);
    of.factors = MFM_FACTORS_ALL;
    const size_t all = bytes_of(&p, &of);
    of.full = true;
    const size_t full = bytes_of(&p, &of);
    CU_ASSERT_EQUAL(full - all, matrices);
    CU_ASSERT(full + matrices > none + thin); /* and the list of them besides */
    CU_ASSERT(full + matrices < none + thin + 1024);
    prepared_clear(&p);
}

/* What is not moved has no room in either; the rest of the plan is no larger for that. */
static void test_room_of_moved(void)
{
    prepared p;
    prepare(&(recipe){"lenet", LENET, {"last_conv"}, {0}}, &p);
    const mfm_graph *graph = p.problem->main;
    const mfm_classifier *classifier = &p.problem->classifier;
    bool *moved = mfm_alloc(p.ctx, graph->n_values, sizeof *moved);
    CU_ASSERT_PTR_NOT_NULL_FATAL(moved);
    moved[classifier->weight] = true;
    mfm_bilevel_spec of = spec;
    const size_t whole = bytes_of(&p, &of);
    of.moved = moved;
    const size_t left = mfm_param_extent(graph, (size_t)classifier->weight);
    CU_ASSERT(bytes_of(&p, &of) <= whole - 2 * (graph->params_size - left) * sizeof(real));
    mfm_free(p.ctx, moved);
    prepared_clear(&p);
}

static void test_no_modulator(void)
{
    prepared p;
    prepare(&(recipe){"lenet", LENET, {NULL}, {0}}, &p);
    mfm_bilevel *b;
    CU_ASSERT_EQUAL(mfm_bilevel_new(p.ctx, p.problem, &spec, &b), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(b);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "no hyper graph"));
    const mfm_train_options options = {
        .method = mfm_method_find("mfm"), .batch = BATCH, .meta_batch = META_BATCH};
    mfm_problem *problem;
    CU_ASSERT_EQUAL(mfm_method_build(p.ctx, p.network, NULL, &options, &problem), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(problem);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "no modulator"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "method mfm"));
    prepared_clear(&p);
}

/* Mean cross-entropy of a batch from its soft labels. */
static double loss_of(const real *soft, const mfm_batch *batch)
{
    double sum = 0;
    for (int i = 0; i < BATCH; i++)
        sum -= log((double)soft[i * HAND_CLASSES + (int)batch->labels[i]]);
    return sum / BATCH;
}

/* The same images and weights, once as training batch, once as meta batch: their losses would be
 * equal under equal masks. */
static void test_meta_masks(void)
{
    hand h;
    hand_new(HAND_AT_2 | HAND_DROPOUT, &h);
    prepared p;
    prepare_network(h.ctx, h.network, &p);
    mfm_bilevel *b;
    const mfm_bilevel_spec equal = {.batch = BATCH, .meta_batch = BATCH};
    must(p.ctx, mfm_bilevel_new(p.ctx, p.problem, &equal, &b));
    mfm_bilevel_bind(b, p.w, p.state, &p.phi);
    const mfm_batch batch = batch_new(&p, BATCH, 1);
    double train[4], meta[4];
    for (uint64_t seed = 0; seed < 4; seed++) {
        mfm_bilevel_begin(b, &batch, NULL, seed, STEP);
        mfm_bilevel_virtual(b, &batch, &(mfm_virtual_step){.alpha = 0});
        train[seed] = loss_of(mfm_bilevel_read(b, 0), &batch);
        meta[seed] = mfm_bilevel_last(b).meta;
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            CU_ASSERT(fabs(train[i] - meta[j]) > 1e-4);
            CU_ASSERT(i == j || fabs(meta[i] - meta[j]) > 1e-4);
        }
    mfm_batch taken = batch;
    batch_clear(&p, &taken);
    mfm_bilevel_free(b);
    prepared_clear(&p);
}

static const mfm_case cases[] = {
    {"LeNet: with gamma 1 and beta 0 a step is the plain step, bit for bit", test_plain_lenet},
    {"ResNet-20: the same, running statistics included", test_plain_resnet},
    {"VGG with Dropout: the same, masks included", test_plain_dropout},
    {"running statistics follow the plain pass over training data alone", test_statistics},
    {"the virtual step is a plain gradient step and leaves w and phi alone", test_virtual_step},
    {"matrices by factors: the same hypergradient, and the gradient bit for bit", test_factors},
    {"matrices by factors have no room in the vectors of the virtual step", test_room},
    {"nor have weights that it does not move", test_room_of_moved},
    {"a model without modulator is refused", test_no_modulator},
    {"neighbouring seeds do not exchange masks between training and meta batch", test_meta_masks},
};

MFM_SUITE("core/train/bilevel", cases)
