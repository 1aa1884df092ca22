/*
 * Interrupted, written to a file, read back and continued: bit for bit what an uninterrupted run
 * gives. Files hold floats, so the promise is the float build's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx/surgery/branch.h"
#include "onnx/checkpoint.h"
#include "tests/core/train/support/session.h"
#include "tests/scratch.h"

#define LENET                                                                                      \
    {                                                                                              \
        .classes = TINY_CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1               \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = TINY_CLASSES, .channels = 3, .height = 8, .width = 8, .seed = 1                 \
    }

typedef struct plan {
    recipe from;
    const char *method;
    int modulator_optimizer;
    uint64_t meta_every; /* 0: each step */
    const char *loss;    /* NULL: cross-entropy */
} plan;

/* What the run is asked for beside its model. */
static void choose(session *s, const plan *what)
{
    s->modulator.optimizer = what->modulator_optimizer;
    s->meta_steps.every = what->meta_every ? what->meta_every : 1;
    s->options.loss = what->loss ? mfm_loss_find(what->loss) : NULL;
}

/* For a method that trains two branches, on a model that has them. */
static void init(session *s, const plan *what)
{
    session_init(s, &what->from, what->method);
    if (!s->options.method->branch_layer)
        return;
    session plain = *s;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *model;
    must(ctx, mfm_model_make(ctx, what->from.architecture, &what->from.options, &model));
    must(ctx, mfm_model_branch(ctx, model, NULL));
    session_init_model(s, ctx, model, &plain);
    session_clear(&plain);
}

static void begin(session *s, const plan *what)
{
    init(s, what);
    choose(s, what);
    session_start(s);
}

static void remove_checkpoint(const char *path)
{
    CU_ASSERT_EQUAL(unlink(path), 0);
}

static void temporary(char path[SCRATCH])
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(scratch_file(path, "resume"));
}

/* Trains up to a step, as a process that is stopped there. */
static void interrupt(const plan *what, uint64_t at, const char *path)
{
    session s;
    begin(&s, what);
    s.stop_at = at;
    s.checkpoint = path;
    CU_ASSERT_EQUAL(session_run(&s), MFM_EINTR);
    CU_ASSERT_EQUAL(s.last_saved, at);
    session_clear(&s);
}

/* Reads the file into a session of its own. */
static void resume(session *s, const plan *what, const char *path)
{
    session options;
    session_init(&options, &what->from, what->method);
    choose(&options, what);
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_model *model;
    must(ctx, mfm_model_load(ctx, path, &model));
    session_init_model(s, ctx, model, &options);
    session_start(s);
    must(ctx, mfm_checkpoint_restore(ctx, model, s->training));
    session_clear(&options);
}

static void check(const plan *what, const uint64_t *stops, size_t n_stops)
{
    session whole;
    begin(&whole, what);
    must(whole.p.ctx, session_run(&whole));
    for (size_t i = 0; i < n_stops; i++) {
        char path[SCRATCH];
        temporary(path);
        interrupt(what, stops[i], path);
        session rest;
        resume(&rest, what, path);
        CU_ASSERT_EQUAL(rest.training->counters.step, stops[i]);
        CU_ASSERT(!session_same(&whole, &rest));
        must(rest.p.ctx, session_run(&rest));
        CU_ASSERT(session_same(&whole, &rest));
        for (int e = (int)(stops[i] / 4); e < SESSION_EPOCHS; e++) {
            CU_ASSERT_EQUAL(rest.train_loss[e], whole.train_loss[e]);
            CU_ASSERT(rest.meta_loss[e] == whole.meta_loss[e] ||
                      (isnan(rest.meta_loss[e]) && isnan(whole.meta_loss[e])));
            CU_ASSERT_EQUAL(rest.test_error[e], whole.test_error[e]);
        }
        session_clear(&rest);
        remove_checkpoint(path);
    }
    session_clear(&whole);
}

static void test_lenet(void)
{
    const uint64_t stops[] = {1, 4, 6, 11}; /* 4 steps an epoch: the second ends one */
    check(&(plan){{"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "mfm", MFM_SGD, 0, NULL}, stops,
          4);
}

static void test_adam(void)
{
    const uint64_t stops[] = {5};
    check(
        &(plan){
            {"lenet", LENET, {"conv:2", "last_conv"}, {.hidden = 12}}, "mfm", MFM_ADAM, 0, NULL},
        stops, 1);
}

static void test_resnet(void)
{
    const uint64_t stops[] = {3, 8};
    check(&(plan){{"resnet20", RESNET, {"last_conv"}, {.hidden = 12}}, "mfm", MFM_SGD, 0, NULL},
          stops, 2);
}

/* Costs change between two epochs: once, wherever the run is stopped. */
static void test_costs(void)
{
    const uint64_t stops[] = {3, 4, 5, 8, 9}; /* 4 steps an epoch */
    const plan what = {.from = {"lenet", LENET, {NULL}, {0}}, .method = "base", .loss = "cosen"};
    session s;
    begin(&s, &what);
    must(s.p.ctx, session_run(&s));
    const mfm_kept *costs = mfm_training_kept(s.training, "costs");
    CU_ASSERT_PTR_NOT_NULL_FATAL(costs);
    for (size_t i = 0; i < costs->count; i++)
        CU_ASSERT(costs->data[i] > 0 && costs->data[i] < 1);
    session_clear(&s);
    check(&what, stops, 5);
}

/* Hyper-parameters that the model file does not hold. */
static void test_outside_the_model(void)
{
    const uint64_t stops[] = {2, 7};
    const recipe plain = {"lenet", LENET, {NULL}, {0}};
    const recipe modulated = {"lenet", LENET, {"conv:2", "fc:1"}, {.hidden = 12}};
    check(&(plan){plain, "mw-net", MFM_ADAM, 0, NULL}, stops, 2);
    check(&(plan){modulated, "mfm-free", MFM_SGD, 0, NULL}, stops, 2);
    check(&(plan){modulated, "mfm-free", MFM_ADAM, 0, NULL}, stops, 1);
    check(&(plan){plain, "l2rw", MFM_SGD, 0, NULL}, stops, 1);
}

/* The classifier alone, or what scales it. */
static void test_second_stage(void)
{
    const uint64_t stops[] = {1, 6};
    check(&(plan){{"resnet20", RESNET, {NULL}, {0}}, "crt", MFM_SGD, 0, NULL}, stops, 2);
    check(&(plan){{"lenet", LENET, {NULL}, {0}}, "lws", MFM_SGD, 0, NULL}, stops, 2);
}

/* Two branches that the model has got before: both streams of batches go on where they were. */
static void test_branches(void)
{
    const uint64_t stops[] = {3, 8};
    check(&(plan){{"resnet20", RESNET, {NULL}, {0}}, "bbn", MFM_SGD, 0, NULL}, stops, 2);
}

/* The meta batches go on where they were, also where not every step reads one. */
static void test_meta_every(void)
{
    const uint64_t stops[] = {1, 3, 4, 7};
    check(&(plan){{"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "mfm", MFM_SGD, 3, NULL}, stops,
          4);
}

static void test_base(void)
{
    const uint64_t stops[] = {2};
    check(&(plan){{"resnet20", RESNET, {NULL}, {0}}, "base", MFM_SGD, 0, NULL}, stops, 1);
}

/* Stopped at every step, so that each process does one. */
static void test_every_step(void)
{
    const plan what = {{"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "mfm", MFM_SGD, 0, NULL};
    session whole;
    begin(&whole, &what);
    must(whole.p.ctx, session_run(&whole));
    char path[SCRATCH];
    temporary(path);
    interrupt(&what, 1, path);
    for (uint64_t at = 2; at <= 12; at++) {
        session s;
        resume(&s, &what, path);
        s.stop_at = at;
        s.checkpoint = path;
        CU_ASSERT_EQUAL(session_run(&s), at < 12 ? MFM_EINTR : MFM_OK);
        CU_ASSERT_EQUAL(s.steps, 1);
        CU_ASSERT(session_same(&whole, &s) == (at == 12));
        session_clear(&s);
    }
    remove_checkpoint(path);
    session_clear(&whole);
}

/* Stopped at the first and second of an evaluation's three batches: it is repeated as a whole. */
static void test_evaluation(void)
{
    const plan what = {{"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "mfm", MFM_SGD, 0, NULL};
    session whole;
    begin(&whole, &what);
    session_repeat_tests(&whole, 250);
    must(whole.p.ctx, session_run(&whole));
    for (uint32_t evaluated = 1; evaluated <= 200; evaluated += 100) {
        char path[SCRATCH];
        temporary(path);
        session s, rest;
        begin(&s, &what);
        session_repeat_tests(&s, 250);
        s.stop_evaluated = evaluated;
        s.checkpoint = path;
        CU_ASSERT_EQUAL(session_run(&s), MFM_EINTR);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s.p.ctx), "epoch 1, in its evaluation:"));
        CU_ASSERT_EQUAL(s.last_saved, 4);
        CU_ASSERT_EQUAL(s.epochs, 0);
        CU_ASSERT_EQUAL(mfm_epochs_finished(s.training, s.data.split), 0);
        resume(&rest, &what, path);
        session_repeat_tests(&rest, 250);
        CU_ASSERT_EQUAL(mfm_epochs_finished(rest.training, rest.data.split), 0);
        must(rest.p.ctx, session_run(&rest));
        CU_ASSERT_EQUAL(rest.epochs, SESSION_EPOCHS);
        CU_ASSERT_EQUAL(rest.steps, 8);
        CU_ASSERT(session_same(&whole, &rest));
        for (int e = 0; e < SESSION_EPOCHS; e++) {
            CU_ASSERT_EQUAL(rest.train_loss[e], whole.train_loss[e]);
            CU_ASSERT_EQUAL(rest.test_error[e], whole.test_error[e]);
        }
        session_clear(&s);
        session_clear(&rest);
        remove_checkpoint(path);
    }
    session_clear(&whole);
}

static const mfm_case cases[] = {
    {"costs of the loss go on bit for bit", test_costs},
    {"LeNet: stopped within an epoch and at its end, it goes on bit for bit", test_lenet},
    {"so it does with Adam for the modulator, and two modulated layers", test_adam},
    {"ResNet-20 with running statistics goes on bit for bit", test_resnet},
    {"so does a plain model", test_base},
    {"so do hyper-parameters that the model file does not hold, and methods without any",
     test_outside_the_model},
    {"so does the second of two stages", test_second_stage},
    {"so does a run on two branches", test_branches},
    {"so do meta batches that not every step reads", test_meta_every},
    {"stopped within an evaluation, it repeats the evaluation", test_evaluation},
    {"one step a process gives what one process gives", test_every_step},
};

MFM_SUITE("core/train/resume", cases)
