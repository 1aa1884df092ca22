/*
 * A step on two branches. The oracle runs the plain network once over each batch, takes one feature
 * of each, and mixes them, the classifier and the losses by hand.
 */
#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "core/train/problem/branches.h"
#include "onnx/surgery/branch.h"
#include "tests/refusals.h"
#include "tests/core/train/support/prepared.h"

enum { BATCH = 5, CLASSES = 4, EPOCHS = 10, EPOCH = 6 };
static const double share = 1 - 0.36; /* 1 - (6 / 10)^2 */
static const bool in_double = sizeof(real) == sizeof(double);

typedef struct bench {
    prepared p;
    mfm_train_options options;
    mfm_training *t;
    mfm_batch batches[MFM_MAX_STREAMS];
    mfm_plan *plan; /* of the plain path, in training form */
    real *params, *state;
    int features[2]; /* f_c and f_r */
} bench;

enum { FORWARD, UPDATE, PASSES };

static void make_plan(bench *b)
{
    static const mfm_pass passes[PASSES] = {{MFM_FORWARD, MFM_SET_PLAIN},
                                            {MFM_UPDATE, MFM_SET_PLAIN}};
    const mfm_graph *main = b->p.problem->main;
    const mfm_value *both = &main->values[b->p.problem->classifier.features];
    mfm_slot keep[2];
    for (int i = 0; i < 2; i++) {
        b->features[i] = main->nodes[both->producer].in[i];
        keep[i] = (mfm_slot){b->features[i], MFM_X};
    }
    const mfm_plan_spec spec = {.batch = BATCH,
                                .training = true,
                                .passes = passes,
                                .n_passes = PASSES,
                                .keep = keep,
                                .n_keep = 2};
    must(b->p.ctx, mfm_plan_new(b->p.ctx, main, &spec, &b->plan));
    b->params = vector_new(b->p.ctx, main->params_size);
    b->state = vector_new(b->p.ctx, main->state_size);
    memcpy(b->params, b->t->w, main->params_size * sizeof(real));
    memcpy(b->state, b->t->state, main->state_size * sizeof(real));
    mfm_plan_bind_params(b->plan, MFM_X, b->params);
    mfm_plan_bind_state(b->plan, b->state);
}

static void bench_init(bench *b, const char *architecture, int size, const char *layer)
{
    memset(b, 0, sizeof *b);
    const mfm_model_options options = {
        .classes = CLASSES, .channels = 1, .height = size, .width = size, .seed = 1};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *model;
    must(ctx, mfm_model_make(ctx, architecture, &options, &model));
    must(ctx, mfm_model_branch(ctx, model, layer));
    prepare_model(ctx, model, &b->p);
    b->options = (mfm_train_options){.method = mfm_method_find("bbn"),
                                     .epochs = EPOCHS,
                                     .batch = BATCH,
                                     .schedule = {.base = 0.1}};
    prepare_method(&b->p, &b->options, 100);
    /* The branches are copies of each other: now they differ. */
    perturb(b->p.problem->main, 8, 0.05, b->p.problem->main->params);
    must(ctx, mfm_training_new(ctx, b->p.problem, &b->options, &b->t));
    b->t->epoch = EPOCH;
    for (int i = 0; i < 2; i++)
        b->batches[i] = batch_new(&b->p, BATCH, (uint64_t)i + 1);
    make_plan(b);
}

static void bench_clear(bench *b)
{
    for (int i = 0; i < 2; i++)
        batch_clear(&b->p, &b->batches[i]);
    mfm_free_aligned(b->p.ctx, b->params);
    mfm_free_aligned(b->p.ctx, b->state);
    mfm_plan_free(b->plan);
    mfm_training_free(b->t);
    prepared_clear(&b->p);
}

static void run_plain(bench *b, int batch)
{
    mfm_plan_bind_input(b->plan, b->p.problem->images, MFM_X, (real *)b->batches[batch].images);
    mfm_plan_run(b->plan, FORWARD);
}

static double cross_entropy(const double z[CLASSES], int label)
{
    double sum = 0;
    for (int c = 0; c < CLASSES; c++)
        sum += exp(z[c]);
    return log(sum) - z[label];
}

/* z += factor W_half f, of the half of W that reads this feature. */
static void add_half(const bench *b, int half, double factor, double z[BATCH][CLASSES])
{
    const mfm_classifier *c = &b->p.problem->classifier;
    const int64_t width = c->width / 2;
    const real *f = mfm_plan_lane(b->plan, b->features[half], MFM_X);
    for (int i = 0; i < BATCH; i++)
        for (int64_t k = 0; k < CLASSES; k++)
            for (int64_t j = 0; j < width; j++)
                z[i][k] += factor * (double)f[i * width + j] *
                           (double)b->params[mfm_classifier_at(c, k, half * width + j)];
}

/* L at b->params. */
static double loss_of(bench *b)
{
    const mfm_classifier *c = &b->p.problem->classifier;
    double z[BATCH][CLASSES], sum = 0;
    for (int i = 0; i < BATCH; i++)
        for (int k = 0; k < CLASSES; k++)
            z[i][k] = (double)b->params[mfm_classifier_bias_at(c, k)];
    for (int half = 0; half < 2; half++) {
        run_plain(b, half);
        add_half(b, half, 2 * (half ? 1 - share : share), z);
    }
    for (int i = 0; i < BATCH; i++)
        sum += share * cross_entropy(z[i], (int)b->batches[0].labels[i]) +
               (1 - share) * cross_entropy(z[i], (int)b->batches[1].labels[i]);
    return sum / BATCH;
}

static double step(bench *b)
{
    mfm_step_losses losses;
    b->options.method->step(b->t, b->batches, 0.1, &losses);
    return losses.train;
}

/* Along random directions; a step within which a Relu switches is halved. */
static void check_gradient(bench *b, const real *gradient)
{
    const mfm_graph *main = b->p.problem->main;
    const size_t n = main->params_size;
    real *way = vector_new(b->p.ctx, n), *start = vector_new(b->p.ctx, n);
    memcpy(start, b->params, n * sizeof *start);
    for (uint64_t draw = 0; draw < 4; draw++) {
        double claimed = 0, best = INFINITY;
        memset(way, 0, n * sizeof *way);
        perturb(main, 50 + draw, 1, way);
        for (size_t i = 0; i < n; i++)
            claimed += (double)gradient[i] * (double)way[i];
        for (double h = 1e-5; h > 1e-8; h /= 4) {
            double side[2];
            for (int s = 0; s < 2; s++) {
                for (size_t i = 0; i < n; i++)
                    b->params[i] = start[i] + (real)((s ? -h : h) * (double)way[i]);
                side[s] = loss_of(b);
            }
            best = fmin(best, fabs((side[0] - side[1]) / (2 * h) - claimed));
        }
        CU_ASSERT(best < 1e-6 * fabs(claimed));
    }
    memcpy(b->params, start, n * sizeof *start);
    mfm_free_aligned(b->p.ctx, way);
    mfm_free_aligned(b->p.ctx, start);
}

static void check_step(const char *architecture, int size, const char *layer)
{
    bench b;
    bench_init(&b, architecture, size, layer);
    const double expected = loss_of(&b), found = step(&b);
    CU_ASSERT(fabs(found - expected) < (in_double ? 1e-11 : 1e-4) * expected);
    if (in_double) /* after a first step, momentum is the gradient */
        check_gradient(&b, b.t->optimizer.first);
    bench_clear(&b);
}

static void test_step(void)
{
    check_step("resnet20", 8, NULL);
    check_step("resnet20", 8, "conv:10");
    check_step("lenet", 20, "conv:2");
    check_step("lenet", 20, "fc:1");
}

/* ---- running statistics ---------------------------------------------------------------------- */

static void update(bench *b, int batch)
{
    run_plain(b, batch);
    mfm_plan_run(b->plan, UPDATE);
}

static const mfm_value *twin(const mfm_graph *graph, const mfm_value *value)
{
    char name[256];
    snprintf(name, sizeof name, "%s.rebalancing", value->name);
    const int found = mfm_graph_find(graph, name);
    return found < 0 ? NULL : &graph->values[found];
}

static bool same(const real *a, const real *b, const mfm_value *value)
{
    return memcmp(a + value->offset, b + value->offset,
                  (size_t)mfm_shape_count(&value->shape) * sizeof *a) == 0;
}

/* The trunk's follow both batches, each branch's own the batch of that branch. */
static void test_statistics(void)
{
    bench b;
    bench_init(&b, "resnet20", 8, NULL);
    const mfm_graph *main = b.p.problem->main;
    const size_t bytes = main->state_size * sizeof(real);
    real *first = vector_new(b.p.ctx, main->state_size);
    real *both = vector_new(b.p.ctx, main->state_size);
    update(&b, 0);
    memcpy(first, b.state, bytes);
    update(&b, 1);
    memcpy(both, b.state, bytes);
    memcpy(b.state, b.t->state, bytes);
    update(&b, 1);
    step(&b);
    int branches = 0, trunk = 0;
    for (size_t i = 0; i < main->n_values; i++) {
        const mfm_value *value = &main->values[i];
        if (value->kind != MFM_VALUE_STATE)
            continue;
        const bool other = strstr(value->name, ".rebalancing") != NULL;
        const bool own = other || twin(main, value);
        CU_ASSERT(same(b.t->state, other ? b.state : own ? first : both, value));
        branches += own;
        trunk += !own;
    }
    CU_ASSERT_EQUAL(branches, 2 * 2 * 2);
    CU_ASSERT_EQUAL(trunk, 2 * (19 - 2));
    mfm_free_aligned(b.p.ctx, first);
    mfm_free_aligned(b.p.ctx, both);
    bench_clear(&b);
}

/* ---- the schedule -----------------------------------------------------------------------------
 */

/* In the first epoch a is 1: the re-balancing branch and its half of W stay as they are. */
static void test_first_epoch(void)
{
    bench b;
    bench_init(&b, "resnet20", 8, NULL);
    b.t->epoch = 0;
    step(&b);
    const mfm_graph *main = b.p.problem->main;
    int moved = 0;
    for (size_t i = 0; i < main->n_values; i++) {
        const mfm_value *value = &main->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        const bool stays = same(b.t->w, b.params, value);
        if (strstr(value->name, ".rebalancing"))
            CU_ASSERT(stays);
        moved += !stays;
    }
    CU_ASSERT(moved > 0);
    bench_clear(&b);
}

/* ---- frozen layers --------------------------------------------------------------------------- */

/* A LeNet with what the pattern names frozen, or at a rate of 0: the same in training and in
 * inference. */
static void frozen_init(bench *b, const char *layer, const char *pattern, bool frozen)
{
    memset(b, 0, sizeof *b);
    const mfm_model_options options = {
        .classes = CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *model;
    must(ctx, mfm_model_make(ctx, "lenet", &options, &model));
    must(ctx, mfm_model_branch(ctx, model, layer));
    prepare_model(ctx, model, &b->p);
    mfm_graph *graph = b->p.network->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM || fnmatch(pattern, value->name, 0) != 0)
            continue;
        value->trainable = !frozen;
        value->rate = 0;
    }
    b->options = (mfm_train_options){.method = mfm_method_find("bbn"),
                                     .epochs = EPOCHS,
                                     .batch = BATCH,
                                     .schedule = {.base = 0.1}};
    prepare_method(&b->p, &b->options, 100);
    must(ctx, mfm_training_new(ctx, b->p.problem, &b->options, &b->t));
    b->t->epoch = EPOCH;
    for (int i = 0; i < 2; i++)
        b->batches[i] = batch_new(&b->p, BATCH, (uint64_t)i + 1);
}

static double frozen_step(bench *b)
{
    for (int i = 0; i < 2; i++)
        must(b->p.ctx, mfm_training_add_features(b->t, i, NULL, &b->batches[i]));
    return step(b);
}

static void check_frozen(const char *layer, const char *pattern, int outputs)
{
    bench frozen, slow;
    frozen_init(&frozen, layer, pattern, true);
    frozen_init(&slow, layer, pattern, false);
    CU_ASSERT_EQUAL(frozen.p.problem->prefix.n, (size_t)outputs);
    CU_ASSERT_PTR_NULL(slow.p.problem->prefix.graph);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(frozen_step(&frozen), frozen_step(&slow));
    const mfm_graph *main = frozen.p.problem->main, *whole = slow.p.problem->main;
    int compared = 0;
    for (size_t i = 0; i < main->n_values; i++) {
        const mfm_value *value = &main->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        const mfm_value *other = &whole->values[mfm_graph_find(whole, value->name)];
        CU_ASSERT(memcmp(frozen.t->w + value->offset, slow.t->w + other->offset,
                         (size_t)mfm_shape_count(&value->shape) * sizeof(real)) == 0);
        compared++;
    }
    CU_ASSERT(compared > 2);
    bench_clear(&frozen);
    bench_clear(&slow);
}

/* The trunk; with one branch; a layer behind the image alone, where the image goes on. */
static void test_frozen(void)
{
    check_frozen("fc:1", "conv[12]*", 1);
    check_frozen("conv:2", "conv1*", 1);
    check_frozen("conv:2", "*rebalancing*", 0);
    check_frozen("conv:2", "conv*", 2);
}

static void test_refused(void)
{
    prepared p;
    prepare(&(recipe){"lenet",
                      {.classes = CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1},
                      {NULL},
                      {0}},
            &p);
    const mfm_train_options options = {.method = mfm_method_find("bbn")};
    mfm_problem *problem;
    CU_ASSERT_EQUAL(mfm_method_build(p.ctx, p.network, NULL, &options, &problem), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(problem);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(p.ctx), "features of two branches side by side"));
    prepared_clear(&p);
}

static int attempt(mfm_ctx *ctx, void *self)
{
    const bench *b = self;
    mfm_problem *problem;
    mfm_training *t = NULL;
    int status = mfm_method_build(ctx, b->p.network, NULL, &b->options, &problem);
    if (!status)
        status = mfm_training_new(ctx, problem, &b->options, &t);
    mfm_training_free(t);
    mfm_problem_free(problem);
    return status;
}

static void test_memory(void)
{
    bench b;
    bench_init(&b, "lenet", 20, "fc:1");
    mfm_assert_refusals_are_told(attempt, &b);
    bench_clear(&b);
}

static const mfm_case cases[] = {
    {"objective and gradient are those that the formulas give", test_step},
    {"statistics of the trunk follow both batches, those of a branch its own", test_statistics},
    {"the first epoch trains the conventional branch alone", test_first_epoch},
    {"freezing below the branches is a rate of 0", test_frozen},
    {"a model without branches is refused", test_refused},
    {"every refused allocation is told, and nothing leaks", test_memory},
};

MFM_SUITE("core/train/branches", cases)
