/*
 * The second of two stages: what is trained, on which features, and what comes out. The oracle runs
 * the whole network in inference form and takes the cross-entropy of its logits by hand.
 */
#include <math.h>
#include <string.h>

#include "core/train/features/head_training.h"
#include "core/train/problem/split_network.h"
#include "tests/core/train/support/hand_network.h"
#include "tests/core/train/support/session.h"

#define LENET                                                                                      \
    {                                                                                              \
        .classes = TINY_CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1               \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = TINY_CLASSES, .channels = 3, .height = 8, .width = 8, .seed = 1                 \
    }

static const recipe lenet = {"lenet", LENET, {NULL}, {0}};
static const recipe resnet = {"resnet20", RESNET, {NULL}, {0}};
static const bool in_double = sizeof(real) == sizeof(double);

/* ---- gradients ------------------------------------------------------------------------------- */

enum { BATCH = 5 };

/* The network as one. */
typedef struct oracle {
    mfm_problem *whole;
    const mfm_batch *batch;
    mfm_plan *plan;
    real *params; /* laid out as whole */
} oracle;

static double cross_entropy(const real *z, int64_t classes, int label)
{
    double sum = 0;
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)z[c]);
    return log(sum) - (double)z[label];
}

static double loss_of(const oracle *o)
{
    const mfm_problem *problem = o->whole;
    double sum = 0;
    mfm_plan_bind_params(o->plan, MFM_X, o->params);
    mfm_plan_run(o->plan, 0);
    const real *logits = mfm_plan_lane(o->plan, problem->plain.logits, MFM_X);
    for (int i = 0; i < BATCH; i++)
        sum += cross_entropy(logits + i * problem->classes, problem->classes,
                             (int)o->batch->labels[i]);
    return sum / BATCH;
}

/* (L(number + step) - L(number - step)) / 2 step. */
static double slope(const oracle *o, real *number)
{
    const double step = in_double ? 1e-4 : 2e-2;
    const real kept = *number;
    *number = (real)((double)kept + step);
    const double above = loss_of(o);
    *number = (real)((double)kept - step);
    const double below = loss_of(o);
    *number = kept;
    return (above - below) / (2 * step);
}

/* Multiplies what makes the logit of a class by hand: z_c = s (W_c f + b_c). */
static void scale_class(const mfm_problem *problem, real *params, int64_t class, double factor)
{
    const mfm_classifier *c = &problem->classifier;
    for (int64_t f = 0; f < c->width; f++)
        params[mfm_classifier_at(c, class, f)] *= (real)factor;
    params[mfm_classifier_bias_at(c, class)] *= (real)factor;
}

static double slope_of_scale(const oracle *o, int64_t class)
{
    const double step = in_double ? 1e-4 : 2e-2;
    const size_t bytes = o->whole->main->params_size * sizeof(real);
    scale_class(o->whole, o->params, class, 1 + step);
    const double above = loss_of(o);
    memcpy(o->params, o->whole->main->params, bytes);
    scale_class(o->whole, o->params, class, 1 - step);
    const double below = loss_of(o);
    memcpy(o->params, o->whole->main->params, bytes);
    return (above - below) / (2 * step);
}

static double largest(const real *numbers, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)numbers[i]));
    return most;
}

static bool is_near(double a, double b, double scale)
{
    const bool near = fabs(a - b) <= (in_double ? 1e-7 : 5e-3) * scale;
    if (!near)
        printf("\n    %.12g instead of %.12g\n", a, b);
    return near;
}

static bool of_classifier(const mfm_problem *problem, size_t at)
{
    const int own[2] = {problem->classifier.weight, problem->classifier.bias};
    for (int i = 0; i < 2; i++) {
        const mfm_value *v = &problem->main->values[own[i]];
        if (at >= v->offset && at < v->offset + (size_t)mfm_shape_count(&v->shape))
            return true;
    }
    return false;
}

/* Number `at` of the problem's classifier, where the whole network has it. */
static real *in_whole(const oracle *o, const mfm_problem *problem, size_t at)
{
    const int own[2] = {problem->classifier.weight, problem->classifier.bias};
    const int whole[2] = {o->whole->classifier.weight, o->whole->classifier.bias};
    const int i = at >= problem->main->values[own[1]].offset &&
                  problem->main->values[own[1]].offset > problem->main->values[own[0]].offset;
    return o->params + o->whole->main->values[whole[i]].offset + at -
           problem->main->values[own[i]].offset;
}

/* Running statistics as no batch has them: features that were normalised by a batch would show. */
static void set_state(const mfm_graph *graph)
{
    const mfm_key key = {.seed = 4, .stream = MFM_STREAM_TEST};
    for (size_t i = 0; i < graph->state_size; i++)
        graph->state[i] += (real)(0.1 * mfm_random_uniform(&key, i));
}

typedef struct run {
    prepared p;
    mfm_train_options options;
    mfm_training *training;
    mfm_batch batch;
    oracle o;
} run;

static void run_init(run *r, const recipe *from, const char *method)
{
    memset(r, 0, sizeof *r);
    prepare(from, &r->p);
    r->options = (mfm_train_options){.method = mfm_method_find(method), .batch = BATCH};
    set_state(r->p.network->graph);
    prepare_method(&r->p, &r->options, 1);
    must(r->p.ctx, mfm_training_new(r->p.ctx, r->p.problem, &r->options, &r->training));
    r->batch = batch_new(&r->p, BATCH, 3);
    mfm_training_add_features(r->training, 0, NULL, &r->batch);
    oracle *o = &r->o;
    must(r->p.ctx, mfm_problem_plain(r->p.ctx, r->p.network, NULL, &o->whole));
    const mfm_graph *whole = o->whole->main;
    o->batch = &r->batch;
    o->params = vector_new(r->p.ctx, whole->params_size);
    memcpy(o->params, whole->params, whole->params_size * sizeof(real));
    must(r->p.ctx, mfm_inference_plan(r->p.ctx, o->whole, BATCH, &o->plan));
    mfm_plan_bind_state(o->plan, whole->state);
    mfm_plan_bind_input(o->plan, o->whole->images, MFM_X, (real *)r->batch.images);
}

static void run_clear(run *r)
{
    mfm_plan_free(r->o.plan);
    mfm_free_aligned(r->p.ctx, r->o.params);
    mfm_problem_free(r->o.whole);
    batch_clear(&r->p, &r->batch);
    mfm_training_free(r->training);
    prepared_clear(&r->p);
}

static void check_crt_gradient(const recipe *from)
{
    run r;
    run_init(&r, from, "crt");
    const mfm_problem *problem = r.p.problem;
    const double loss = mfm_head_run(r.training, &r.batch);
    CU_ASSERT(is_near(loss, loss_of(&r.o), 1));
    const real *gradient = mfm_head_gradient(r.training);
    const double scale = largest(gradient, problem->main->params_size);
    CU_ASSERT(scale > 0);
    for (size_t i = 0; i < problem->main->params_size; i++)
        if (!of_classifier(problem, i))
            CU_ASSERT_EQUAL_FATAL(gradient[i], 0)
        else
            CU_ASSERT_FATAL(
                is_near((double)gradient[i], slope(&r.o, in_whole(&r.o, problem, i)), scale));
    run_clear(&r);
}

static void check_lws_gradient(const recipe *from)
{
    run r;
    run_init(&r, from, "lws");
    const double loss = mfm_head_run(r.training, &r.batch);
    CU_ASSERT(is_near(loss, loss_of(&r.o), 1));
    const real *gradient = mfm_head_give_gradient(r.training, 0);
    const double scale = largest(gradient, TINY_CLASSES);
    CU_ASSERT(scale > 0);
    for (int64_t c = 0; c < TINY_CLASSES; c++)
        CU_ASSERT(is_near((double)gradient[c], slope_of_scale(&r.o, c), scale));
    run_clear(&r);
}

/* One step at rate 0.1: the classifier follows its slope at a fifth of that, the scales at all of
 * it. */
static void check_mislas_step(const recipe *from)
{
    const double rate = 0.1, within = in_double ? 1e-7 : 5e-3;
    run r;
    run_init(&r, from, "mislas");
    mfm_training *t = r.training;
    mfm_step_losses losses;
    t->options.method->step(t, &r.batch, rate, &losses);
    CU_ASSERT(is_near(losses.train, loss_of(&r.o), 1));
    const mfm_graph *graph = t->problem->main;
    const double scale = largest(mfm_head_gradient(t), graph->params_size);
    CU_ASSERT(scale > 0);
    for (size_t i = 0; i < graph->params_size; i++) {
        const double moved = (double)t->w[i] - (double)graph->params[i];
        const double wanted = of_classifier(t->problem, i)
                                  ? -rate / 5 * slope(&r.o, in_whole(&r.o, t->problem, i))
                                  : 0;
        CU_ASSERT_FATAL(fabs(moved - wanted) <= within * rate * scale);
    }
    for (int64_t c = 0; c < TINY_CLASSES; c++) {
        const double moved = (double)t->hypers[0].phi[c] - 1;
        CU_ASSERT(fabs(moved + rate * slope_of_scale(&r.o, c)) <= within * rate);
    }
    run_clear(&r);
}

static void test_gradients(void)
{
    check_crt_gradient(&lenet);
    check_crt_gradient(&resnet);
    check_lws_gradient(&lenet);
    check_lws_gradient(&resnet);
    check_mislas_step(&lenet);
    check_mislas_step(&resnet);
}

/* The weights that are evaluated and written: scales are in them, W and b alike. */
static void test_folded(void)
{
    run r;
    run_init(&r, &lenet, "lws");
    const size_t size = r.p.problem->main->params_size;
    real *written = vector_new(r.p.ctx, size), *by_hand = vector_new(r.p.ctx, size);
    memcpy(by_hand, r.training->w, size * sizeof *by_hand);
    for (int c = 0; c < TINY_CLASSES; c++) {
        r.training->hypers[0].phi[c] = (real)(0.5 * (c + 1));
        scale_class(r.p.problem, by_hand, c, 0.5 * (c + 1));
    }
    CU_ASSERT(mfm_training_finishes(r.training) && mfm_training_evaluates_copy(r.training));
    mfm_training_finish(r.training, true, written);
    CU_ASSERT_EQUAL(memcmp(written, by_hand, size * sizeof *written), 0);
    mfm_free_aligned(r.p.ctx, written);
    mfm_free_aligned(r.p.ctx, by_hand);
    run_clear(&r);
}

/* ---- whole runs ------------------------------------------------------------------------------ */

static void stage_init(session *s, const recipe *from, const char *method, double memory)
{
    session_init(s, from, method);
    s->options.sampler = mfm_sampler_find(s->options.method->sampler);
    s->data.preprocess.augment = (mfm_augment){.count = 0};
    s->options.feature_memory = memory;
}

static void stage_run(session *s)
{
    session_start(s);
    must(s->p.ctx, session_run(s));
}

static void check_memory(const recipe *from, const char *method)
{
    session with, without;
    stage_init(&with, from, method, 1);
    stage_init(&without, from, method, 0);
    stage_run(&with);
    stage_run(&without);
    CU_ASSERT_PTR_NOT_NULL(strstr(with.note, "features of 28 training, "));
    CU_ASSERT_STRING_EQUAL(without.note, "");
    CU_ASSERT(session_same(&with, &without));
    for (int e = 0; e < SESSION_EPOCHS; e++) {
        CU_ASSERT_EQUAL(with.train_loss[e], without.train_loss[e]);
        CU_ASSERT_EQUAL(with.test_error[e], without.test_error[e]);
    }
    session_clear(&with);
    session_clear(&without);
}

static void test_memory(void)
{
    check_memory(&lenet, "crt");
    check_memory(&resnet, "crt");
    check_memory(&lenet, "lws");
    check_memory(&resnet, "lws");
    check_memory(&resnet, "mislas");
}

/* 28 rows of 84 numbers do not fit into a KiB. */
static void test_no_room(void)
{
    session s;
    stage_init(&s, &lenet, "crt", 1.0 / 1024);
    stage_run(&s);
    CU_ASSERT_STRING_EQUAL(s.note, "");
    session_clear(&s);
}

static void test_augmented(void)
{
    session plain, shifted;
    stage_init(&plain, &lenet, "crt", 1);
    stage_init(&shifted, &lenet, "crt", 1);
    CU_ASSERT_EQUAL(mfm_augment_read(shifted.p.ctx, "erasing", MFM_BORDER_ZERO,
                                     &shifted.data.preprocess.augment),
                    MFM_OK);
    stage_run(&plain);
    stage_run(&shifted);
    CU_ASSERT_PTR_NULL(strstr(shifted.note, "training"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shifted.note, " test images are computed once"));
    CU_ASSERT(!session_same(&plain, &shifted));
    session_clear(&plain);
    session_clear(&shifted);
}

/* What lies below the classifier is what it was, running statistics included. */
static void check_frozen(const char *method, bool classifier)
{
    session s;
    stage_init(&s, &resnet, method, 1);
    stage_run(&s);
    const mfm_training *t = s.training;
    const mfm_graph *graph = t->problem->main;
    bool changed = false;
    for (size_t i = 0; i < graph->params_size; i++)
        if (t->w[i] != graph->params[i]) {
            changed = true;
            CU_ASSERT_FATAL(of_classifier(t->problem, i));
        }
    CU_ASSERT_EQUAL(changed, classifier);
    CU_ASSERT(graph->state_size == 0 ||
              memcmp(t->state, graph->state, graph->state_size * sizeof(real)) == 0);
    session_clear(&s);
}

static void test_frozen(void)
{
    check_frozen("crt", true);
    check_frozen("lws", false);
    check_frozen("mislas", true);
}

/* Steps that shift: running statistics are those that the same batches leave behind in plain
 * training at rate 0, weights below the classifier are what they were. */
static void test_shifted(void)
{
    session shifted, plain;
    stage_init(&shifted, &resnet, "mislas", 1);
    const mfm_settings *settings = shifted.options.method->settings[0];
    unsigned char *values = mfm_alloc(shifted.p.ctx, 1, settings->size);
    memcpy(values, settings->defaults, settings->size);
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->options[i].name, "statistics") == 0)
            *(int *)(void *)(values + settings->options[i].offset) = 1;
    shifted.chosen[4] = (mfm_chosen){settings, values};
    stage_run(&shifted);
    session_init(&plain, &resnet, "base");
    plain.data.preprocess.augment = (mfm_augment){.count = 0};
    plain.options.sampler = shifted.options.sampler;
    plain.options.schedule.base = 0;
    stage_run(&plain);
    const mfm_training *t = shifted.training;
    const mfm_graph *graph = t->problem->main;
    CU_ASSERT_FATAL(graph->state_size > 0 &&
                    graph->state_size == plain.training->problem->main->state_size);
    const size_t bytes = graph->state_size * sizeof(real);
    CU_ASSERT(memcmp(t->state, graph->state, bytes) != 0);
    CU_ASSERT_EQUAL(memcmp(t->state, plain.training->state, bytes), 0);
    bool changed = false;
    for (size_t i = 0; i < graph->params_size; i++)
        if (t->w[i] != graph->params[i]) {
            changed = true;
            CU_ASSERT_FATAL(of_classifier(t->problem, i));
        }
    CU_ASSERT(changed);
    CU_ASSERT_STRING_EQUAL(shifted.note, "");
    session_clear(&plain);
    mfm_free(shifted.p.ctx, values);
    session_clear(&shifted);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(hand *h, const char *method, const char *text)
{
    const mfm_train_options options = {.method = mfm_method_find(method)};
    mfm_problem *problem;
    CU_ASSERT_EQUAL(mfm_method_build(h->ctx, h->network, NULL, &options, &problem), MFM_ENOTSUP);
    CU_ASSERT_PTR_NULL(problem);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(h->ctx), text));
    if (!strstr(mfm_message(h->ctx), text))
        printf("\n    %s\n", mfm_message(h->ctx));
    mfm_network_free(h->ctx, h->network);
    mfm_ctx_free(h->ctx);
}

/* A convolution makes the logits, as in SqueezeNet. */
static void test_no_layer(void)
{
    const char *const methods[] = {"crt", "lws"};
    for (int i = 0; i < 2; i++) {
        hand h;
        hand_start(&h);
        const int weight = hand_param(&h, "conv", mfm_shape_of(4, HAND_CLASSES, 2, 1, 1));
        const int conv = network_node(&h, "conv", "Conv", h.network->images, weight, -1);
        const int pooled = network_node(&h, "pool", "GlobalAveragePool", conv, -1, -1);
        h.network->logits = network_node(&h, "flat", "Flatten", pooled, -1, -1);
        check_refused(&h, methods[i], "not made by a fully connected layer");
    }
}

/* One matrix serves twice. */
static void test_tied(void)
{
    hand h;
    hand_start(&h);
    const int flat = network_node(&h, "flat", "Flatten", h.network->images, -1, -1);
    const int narrow = hand_linear(&h, "narrow", flat, 18, HAND_CLASSES);
    const int weight = hand_param(&h, "tied", mfm_shape_of(2, HAND_CLASSES, HAND_CLASSES));
    const int once = network_node(&h, "once", "Gemm transB=1", narrow, weight, -1);
    const int relu = network_node(&h, "relu", "Relu", once, -1, -1);
    h.network->logits = network_node(&h, "twice", "Gemm transB=1", relu, weight, -1);
    check_refused(&h, "crt", "'tied' is part of what is frozen");
}

static const mfm_case cases[] = {
    {"gradients are those of the whole network in inference form", test_gradients},
    {"scales are folded into what is evaluated and written", test_folded},
    {"features in memory give the same bits as features made anew", test_memory},
    {"features that do not fit are made anew", test_no_room},
    {"so are those of augmented images", test_augmented},
    {"nothing below the classifier changes", test_frozen},
    {"statistics below it may follow the batches", test_shifted},
    {"a model without a fully connected layer at its end is refused", test_no_layer},
    {"so is one whose last weights also make the features", test_tied},
};

MFM_SUITE("core/train/stages", cases)
