/*
 * Frozen layers: which nodes become a prefix of their own, that it runs in inference form, and that
 * nothing else changes by it: parameters at a rate of 0 give the same bits where no layer has
 * another form in training.
 */
#include <fnmatch.h>
#include <math.h>
#include <string.h>

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
static const recipe lenet_mfm = {"lenet", LENET, {"last_conv"}, {.hidden = 8}};
static const recipe resnet_mfm = {"resnet20", RESNET, {"last_conv"}, {.hidden = 8}};

/* Returns how many parameters the pattern is of. */
static int freeze(mfm_network *network, const char *pattern)
{
    int count = 0;
    for (size_t i = 0; i < network->graph->n_values; i++) {
        mfm_value *value = &network->graph->values[i];
        if (value->kind != MFM_VALUE_PARAM || fnmatch(pattern, value->name, 0) != 0)
            continue;
        value->trainable = false;
        count++;
    }
    CU_ASSERT(count > 0);
    return count;
}

static void set_rate(mfm_network *network, const char *pattern, double rate)
{
    for (size_t i = 0; i < network->graph->n_values; i++)
        if (network->graph->values[i].kind == MFM_VALUE_PARAM &&
            fnmatch(pattern, network->graph->values[i].name, 0) == 0)
            network->graph->values[i].rate = rate;
}

/* ---- which nodes ----------------------------------------------------------------------------- */

static bool has_node(const mfm_graph *graph, const char *op)
{
    for (size_t i = 0; graph && i < graph->n_nodes; i++)
        if (strcmp(graph->nodes[i].op->name, op) == 0)
            return true;
    return false;
}

static const mfm_loss_spec plain_loss = {.loss = NULL};

/* conv1, Relu, conv2, Relu, Dropout, Flatten, fc1, Relu, fc2. */
static void test_nodes(void)
{
    hand h;
    mfm_problem *p;
    hand_new(HAND_DROPOUT, &h);
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, &plain_loss, &p));
    CU_ASSERT_PTR_NULL(p->prefix.graph);
    CU_ASSERT(p->images >= 0);
    mfm_problem_free(p);
    freeze(h.network, "conv*");
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, &plain_loss, &p));
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->prefix.graph);
    CU_ASSERT_EQUAL(p->prefix.graph->n_nodes, 4);
    CU_ASSERT(!has_node(p->prefix.graph, "Dropout"));
    CU_ASSERT(has_node(p->main, "Dropout"));
    CU_ASSERT(!has_node(p->main, "Conv"));
    CU_ASSERT_EQUAL(p->images, -1);
    CU_ASSERT_EQUAL(p->prefix.n, 1);
    mfm_problem_free(p);
    /* Between frozen layers nothing is dropped. */
    freeze(h.network, "fc1*");
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, &plain_loss, &p));
    CU_ASSERT(has_node(p->prefix.graph, "Dropout"));
    CU_ASSERT(!has_node(p->main, "Dropout"));
    mfm_problem_free(p);
    /* Evaluation runs the network as one. */
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, NULL, &p));
    CU_ASSERT_PTR_NULL(p->prefix.graph);
    mfm_problem_free(p);
    hand_clear(&h);
}

/* What lies behind a trained layer is no prefix; nor is a network without frozen parameters. */
static void test_behind(void)
{
    hand h;
    mfm_problem *p;
    hand_new(0, &h);
    freeze(h.network, "conv2*");
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, &plain_loss, &p));
    CU_ASSERT_PTR_NULL(p->prefix.graph);
    mfm_problem_free(p);
    hand_clear(&h);
}

/* A site behind the frozen layers modulates what they give; one among them ends the prefix. */
static void test_sites(void)
{
    hand h;
    mfm_problem *p;
    int hyper, input;
    hand_new(HAND_AT_1, &h);
    freeze(h.network, "conv*");
    must(h.ctx, mfm_problem_of_modulated(h.ctx, h.network, &plain_loss, "m", &p, &hyper, &input));
    CU_ASSERT_EQUAL(p->prefix.graph->n_nodes, 3); /* conv1, Relu, conv2 */
    mfm_problem_free(p);
    hand_clear(&h);
    hand_new(HAND_AT_0, &h);
    freeze(h.network, "conv*");
    must(h.ctx, mfm_problem_of_modulated(h.ctx, h.network, &plain_loss, "m", &p, &hyper, &input));
    CU_ASSERT_EQUAL(p->prefix.graph->n_nodes, 1);
    CU_ASSERT(has_node(p->main, "Conv"));
    mfm_problem_free(p);
    hand_clear(&h);
}

/* How many nodes of a kind there are, and how many of them run in inference form. */
static int count_nodes(const mfm_graph *graph, const char *op, int *inference)
{
    int count = 0;
    *inference = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const bool is = strcmp(graph->nodes[i].op->name, op) == 0;
        count += is;
        *inference += is && graph->nodes[i].inference;
    }
    return count;
}

/* Behind a site, where no prefix is, a Dropout belongs to the layer that reads it: conv1 is
 * modulated, fc1 reads what is dropped, on the plain path and on the modulated one. */
static void test_dropout_behind(void)
{
    static const struct {
        const char *frozen[2];
        bool drops;
    } kinds[] = {{{"conv2", "fc1"}, false}, {{"conv2", NULL}, true}, {{"fc1", NULL}, false}};
    for (int i = 0; i < 3; i++) {
        hand h;
        mfm_problem *p;
        int hyper, input, inference;
        hand_new(HAND_AT_0 | HAND_DROPOUT, &h);
        for (int k = 0; k < 2 && kinds[i].frozen[k]; k++)
            freeze(h.network, kinds[i].frozen[k]);
        must(h.ctx,
             mfm_problem_of_modulated(h.ctx, h.network, &plain_loss, "m", &p, &hyper, &input));
        CU_ASSERT_EQUAL(count_nodes(p->main, "Dropout", &inference), 2);
        CU_ASSERT_EQUAL(inference, kinds[i].drops ? 0 : 2);
        mfm_problem_free(p);
        hand_clear(&h);
    }
}

/* The image also goes around what is frozen: two values of the prefix, or the image itself. */
static void test_around(void)
{
    hand h;
    mfm_problem *p;
    hand_start(&h);
    const mfm_shape kernel = mfm_shape_of(4, 2, 2, 1, 1);
    const int frozen = hand_param(&h, "frozen", kernel), free = hand_param(&h, "free", kernel);
    const int a = network_node(&h, "a", "Conv", h.network->images, frozen, -1);
    const int b = network_node(&h, "b", "Conv", h.network->images, free, -1);
    const int sum = network_node(&h, "sum", "Add", a, b, -1);
    const int flat = network_node(&h, "flat", "Flatten", sum, -1, -1);
    h.network->logits = hand_linear(&h, "fc", flat, 18, HAND_CLASSES);
    freeze(h.network, "frozen");
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, &plain_loss, &p));
    CU_ASSERT_EQUAL(p->prefix.graph->n_nodes, 1);
    CU_ASSERT(p->images >= 0);
    mfm_problem_free(p);
    hand_clear(&h);
}

/* One kernel in a frozen place and in a trained one. */
static void test_tied(void)
{
    hand h;
    mfm_problem *p;
    hand_start(&h);
    const int weight = hand_param(&h, "tied", mfm_shape_of(2, HAND_CLASSES, HAND_CLASSES));
    const int flat = network_node(&h, "flat", "Flatten", h.network->images, -1, -1);
    const int narrow = hand_linear(&h, "narrow", flat, 18, HAND_CLASSES);
    const int once = network_node(&h, "once", "Gemm transB=1", narrow, weight, -1);
    const int last = hand_linear(&h, "last", once, HAND_CLASSES, HAND_CLASSES);
    h.network->logits = network_node(&h, "twice", "Gemm transB=1", last, weight, -1);
    freeze(h.network, "narrow*");
    freeze(h.network, "tied");
    must(h.ctx, mfm_problem_plain(h.ctx, h.network, &plain_loss, &p)); /* frozen in both */
    mfm_problem_free(p);
    hand_clear(&h);
}

/* ---- steps ----------------------------------------------------------------------------------- */

typedef struct run {
    prepared p;
    mfm_train_options options;
    mfm_training *t;
    mfm_batch batch[2];
} run;

enum { BATCH = 5 };

static void run_init(run *r, const recipe *from, const char *method)
{
    memset(r, 0, sizeof *r);
    prepare(from, &r->p);
    r->options = (mfm_train_options){
        .method = mfm_method_find(method), .batch = BATCH, .meta_batch = BATCH, .epochs = 1};
}

static void run_start(run *r)
{
    prepare_method(&r->p, &r->options, 1);
    must(r->p.ctx, mfm_training_new(r->p.ctx, r->p.problem, &r->options, &r->t));
    for (int i = 0; i < 2; i++)
        r->batch[i] = batch_new(&r->p, BATCH, 3 + (uint64_t)i);
}

static double run_step(run *r)
{
    mfm_step_losses losses;
    const int streams = mfm_method_reads_meta(&r->options) ? 2 : 1;
    for (int i = 0; i < streams; i++)
        mfm_training_add_features(r->t, i, NULL, &r->batch[i]);
    r->options.method->step(r->t, r->batch, 0.1, &losses);
    r->t->counters.step++;
    return losses.train;
}

static void run_clear(run *r)
{
    for (int i = 0; i < 2; i++)
        batch_clear(&r->p, &r->batch[i]);
    mfm_training_free(r->t);
    prepared_clear(&r->p);
}

static const real *weight_of(const run *r, const mfm_value *value)
{
    const int at = mfm_graph_find(r->p.problem->main, value->name);
    return at < 0 ? NULL : r->t->w + r->p.problem->main->values[at].offset;
}

/* The greatest difference of a parameter that both runs train, relative to the greatest number. */
static double difference(const run *a, const run *b)
{
    const mfm_graph *graph = a->p.problem->main;
    double worst = 0, most = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const mfm_value *value = &graph->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        const real *x = weight_of(a, value), *y = weight_of(b, value);
        CU_ASSERT_PTR_NOT_NULL_FATAL(y);
        for (int64_t k = 0; k < mfm_shape_count(&value->shape); k++) {
            worst = fmax(worst, fabs((double)x[k] - (double)y[k]));
            most = fmax(most, fabs((double)x[k]));
        }
    }
    return worst / most;
}

/* LeNet is the same in training and in inference: freezing is a rate of 0. */
static void check_rate(const recipe *from, const char *method, double bound)
{
    run frozen, slow;
    run_init(&frozen, from, method);
    run_init(&slow, from, method);
    freeze(frozen.p.network, "conv[12]*");
    set_rate(slow.p.network, "conv[12]*", 0);
    run_start(&frozen);
    run_start(&slow);
    CU_ASSERT_PTR_NOT_NULL(frozen.p.problem->prefix.graph);
    CU_ASSERT_PTR_NULL(slow.p.problem->prefix.graph);
    CU_ASSERT(frozen.p.problem->main->params_size < slow.p.problem->main->params_size);
    for (int i = 0; i < 3; i++) {
        const double x = run_step(&frozen), y = run_step(&slow);
        CU_ASSERT(fabs(x - y) <= bound * fmax(fabs(y), 1));
        if (fabs(x - y) > bound * fmax(fabs(y), 1))
            printf("\n    %s: loss %.9g instead of %.9g\n", method, x, y);
    }
    const double found = difference(&frozen, &slow);
    CU_ASSERT(found <= bound);
    if (!(found <= bound))
        printf("\n    %s: %g\n", method, found);
    run_clear(&frozen);
    run_clear(&slow);
}

static void test_rates(void)
{
    const double rounding = sizeof(real) == sizeof(double) ? 1e-13 : 1e-5;
    check_rate(&lenet, "base", 0); /* the same bits */
    check_rate(&lenet, "mw-net", rounding);
    check_rate(&lenet, "l2rw", rounding);
    check_rate(&lenet_mfm, "mfm", rounding);
}

/* One step of plain gradient descent moves a parameter at half the rate half as far. */
static void test_half_rate(void)
{
    run whole, half;
    run_init(&whole, &lenet, "base");
    run_init(&half, &lenet, "base");
    set_rate(half.p.network, "fc1*", 0.5);
    run_start(&whole);
    run_start(&half);
    run_step(&whole);
    run_step(&half);
    const mfm_graph *graph = whole.p.problem->main;
    for (size_t k = 0; k < graph->n_values; k++) {
        const mfm_value *value = &half.p.problem->main->values[k];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        for (size_t i = value->offset; i < value->offset + (size_t)mfm_shape_count(&value->shape);
             i++) {
            const double start = (double)graph->params[i];
            const double full = (double)whole.t->w[i] - start, own = (double)half.t->w[i] - start;
            CU_ASSERT_FATAL(fabs(own - value->rate * full) <= 1e-6 * (fabs(full) + fabs(start)));
        }
    }
    run_clear(&whole);
    run_clear(&half);
}

/* ---- inference form -------------------------------------------------------------------------- */

static void set_state(const mfm_graph *graph)
{
    const mfm_key key = {.seed = 4, .stream = MFM_STREAM_TEST};
    for (size_t i = 0; i < graph->state_size; i++)
        graph->state[i] += (real)(0.1 * mfm_random_uniform(&key, i));
}

static double cross_entropy(const real *z, int64_t classes, int label)
{
    double sum = 0;
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)z[c]);
    return log(sum) - (double)z[label];
}

/* The loss of the whole network in inference form, as evaluation runs it. */
static double inference_loss(const run *r)
{
    mfm_problem *whole;
    mfm_plan *plan;
    double sum = 0;
    must(r->p.ctx, mfm_problem_plain(r->p.ctx, r->p.network, NULL, &whole));
    must(r->p.ctx, mfm_inference_plan(r->p.ctx, whole, BATCH, &plan));
    mfm_plan_bind_params(plan, MFM_X, whole->main->params);
    mfm_plan_bind_state(plan, whole->main->state);
    mfm_plan_bind_input(plan, whole->images, MFM_X, (real *)r->batch[0].images);
    mfm_plan_run(plan, 0);
    const real *logits = mfm_plan_lane(plan, whole->plain.logits, MFM_X);
    for (int i = 0; i < BATCH; i++)
        sum +=
            cross_entropy(logits + i * whole->classes, whole->classes, (int)r->batch[0].labels[i]);
    mfm_plan_free(plan);
    mfm_problem_free(whole);
    return sum / BATCH;
}

/* All normalisations of ResNet-20 are frozen, and of the convolutions those before `last`: each
 * step is of the network in inference form, and running statistics stay. */
static void check_inference(const char *convolutions)
{
    run r;
    run_init(&r, &resnet, "base");
    set_state(r.p.network->graph);
    freeze(r.p.network, "*bn*");
    if (convolutions)
        freeze(r.p.network, convolutions);
    run_start(&r);
    CU_ASSERT_EQUAL(r.p.problem->prefix.graph != NULL, convolutions != NULL);
    const double expected = inference_loss(&r);
    const double found = run_step(&r);
    CU_ASSERT(fabs(found - expected) <= 1e-5 * expected);
    if (!(fabs(found - expected) <= 1e-5 * expected))
        printf("\n    %.9g instead of %.9g\n", found, expected);
    const mfm_graph *main = r.p.problem->main;
    CU_ASSERT(main->state_size == 0 ||
              memcmp(r.t->state, main->state, main->state_size * sizeof(real)) == 0);
    for (size_t i = 0; i < main->n_values; i++) {
        const mfm_value *value = &main->values[i];
        if (value->kind == MFM_VALUE_PARAM)
            CU_ASSERT_EQUAL(memcmp(r.t->w + value->offset, main->params + value->offset,
                                   (size_t)mfm_shape_count(&value->shape) * sizeof(real)) == 0,
                            !value->trainable);
    }
    run_clear(&r);
}

static void test_inference(void)
{
    check_inference(NULL);
    check_inference("conv1*");
    check_inference("*conv*");
}

/* ---- whole runs ------------------------------------------------------------------------------ */

static void keep_session(session *s, const recipe *from, const char *method, const char *frozen,
                         double memory)
{
    session_init(s, from, method);
    s->data.preprocess.augment = (mfm_augment){.count = 0};
    s->options.feature_memory = memory;
    freeze(s->p.network, frozen);
    session_start(s);
    session_validate(s, 2);
    must(s->p.ctx, session_run(s));
}

static void check_kept(const recipe *from, const char *method, const char *frozen)
{
    session with, without;
    keep_session(&with, from, method, frozen, 4);
    keep_session(&without, from, method, frozen, 0);
    CU_ASSERT_PTR_NOT_NULL(with.p.problem->prefix.graph);
    CU_ASSERT_PTR_NOT_NULL(strstr(with.note, "training"));
    CU_ASSERT_PTR_NOT_NULL(strstr(with.note, "validation"));
    CU_ASSERT_PTR_NOT_NULL(strstr(with.note, "test images are computed once"));
    CU_ASSERT_EQUAL(strstr(with.note, "meta") != NULL, strcmp(method, "base") != 0);
    CU_ASSERT_STRING_EQUAL(without.note, "");
    CU_ASSERT(session_same(&with, &without));
    for (int e = 0; e < SESSION_EPOCHS; e++) {
        CU_ASSERT_EQUAL(with.train_loss[e], without.train_loss[e]);
        CU_ASSERT_EQUAL(with.test_error[e], without.test_error[e]);
        CU_ASSERT_EQUAL(with.validation_loss[e], without.validation_loss[e]);
    }
    session_clear(&with);
    session_clear(&without);
}

static void test_kept(void)
{
    check_kept(&lenet, "base", "conv*");
    check_kept(&lenet_mfm, "mfm", "conv[12]*");
    check_kept(&lenet, "mw-net", "conv*");
    check_kept(&lenet, "l2rw", "conv*");
}

static void test_kept_resnet(void)
{
    check_kept(&resnet, "base", "[!f]*");
    check_kept(&resnet_mfm, "mfm", "[!fm]*");
}

static const mfm_case cases[] = {
    {"frozen layers from the image on become a prefix, without a Dropout behind them", test_nodes},
    {"a frozen layer behind a trained one does not", test_behind},
    {"a prefix ends where features are modulated", test_sites},
    {"behind a modulated site, a Dropout in front of frozen layers drops nothing",
     test_dropout_behind},
    {"the image may go around it", test_around},
    {"a parameter in two frozen places is frozen in both", test_tied},
    {"freezing is a rate of 0 where training has no form of its own", test_rates},
    {"half the rate moves half as far", test_half_rate},
    {"frozen normalisations read their running statistics and leave them", test_inference},
    {"features that are kept give the same bits: LeNet", test_kept},
    {"features that are kept give the same bits: ResNet-20", test_kept_resnet},
};

MFM_SUITE("core/train/frozen", cases)
