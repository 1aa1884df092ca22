/* The loop: what it repeats exactly, when it stops, what it tells. */
#include <math.h>
#include <string.h>

#include "core/train/evaluate.h"
#include "tests/core/train/support/session.h"

#define TINY                                                                                       \
    {                                                                                              \
        .classes = TINY_CLASSES, .channels = 1, .height = 20, .width = 20, .seed = 1               \
    }

static const recipe lenet = {"lenet", TINY, {"last_conv"}, {.hidden = 12}};

static void finish(session *s)
{
    must(s->p.ctx, session_run(s));
}

static void check_repeats(const char *method)
{
    session a, b, other;
    session_init(&a, &lenet, method);
    session_init(&b, &lenet, method);
    session_init(&other, &lenet, method);
    other.options.seed++;
    session_start(&a);
    session_start(&b);
    session_start(&other);
    CU_ASSERT(session_same(&a, &b));
    finish(&a);
    CU_ASSERT(!session_same(&a, &b));
    finish(&b);
    finish(&other);
    CU_ASSERT(session_same(&a, &b));
    CU_ASSERT(!session_same(&a, &other));
    session_clear(&a);
    session_clear(&b);
    session_clear(&other);
}

static void test_repeats(void)
{
    check_repeats("base");
    check_repeats("mfm");
}

/* 4 classes of 10 thinned to 10, 7, 6 and 5 images: 28 images, 4 steps of 7 an epoch. */
static void test_told(void)
{
    session s;
    session_init(&s, &lenet, "mfm");
    CU_ASSERT_EQUAL_FATAL(s.data.split->train_count, 28);
    CU_ASSERT_EQUAL_FATAL(s.data.split->meta_count, TINY_CLASSES * TINY_META);
    session_start(&s);
    finish(&s);
    CU_ASSERT_EQUAL(s.steps, 12);
    CU_ASSERT_EQUAL(s.training->counters.step, 12);
    CU_ASSERT_EQUAL(s.epochs, SESSION_EPOCHS);
    CU_ASSERT_EQUAL(s.saves, SESSION_EPOCHS);
    CU_ASSERT_EQUAL(s.last_saved, 12);
    CU_ASSERT_EQUAL(s.lr[0], 0.05);
    CU_ASSERT_EQUAL(s.lr[1], 0.05);
    CU_ASSERT_EQUAL(s.lr[2], 0.025);
    double best = 100;
    uint32_t best_epoch = 0;
    for (uint32_t i = 0; i < SESSION_EPOCHS; i++) {
        CU_ASSERT(s.train_loss[i] > 0 && s.meta_loss[i] > 0);
        if (s.test_error[i] < best) {
            best = s.test_error[i];
            best_epoch = i + 1;
        }
    }
    CU_ASSERT_EQUAL(s.training->counters.best_error, best);
    CU_ASSERT_EQUAL(s.training->counters.best_epoch, best_epoch);
    CU_ASSERT_EQUAL(s.training->counters.last_error, s.test_error[SESSION_EPOCHS - 1]);
    session_clear(&s);
}

/* The validation images as a dataset of their own give what the trainer measured on them. */
static void check_validation(session *s)
{
    const mfm_split *split = s->data.split;
    const mfm_images *train = &s->data.dataset.train;
    const size_t size = mfm_dataset_image_size(&s->data.dataset);
    static uint8_t pixels[TINY_CLASSES * TINY_PER_CLASS * 400];
    uint16_t labels[TINY_CLASSES * TINY_PER_CLASS];
    for (uint32_t i = 0; i < split->validation_count; i++) {
        memcpy(pixels + i * size, train->pixels + split->validation[i] * size, size);
        labels[i] = train->labels[split->validation[i]];
    }
    const mfm_images images = {
        .count = split->validation_count, .pixels = pixels, .labels = labels};
    mfm_evaluator *evaluator;
    mfm_confusion confusion;
    double loss;
    must(s->p.ctx, mfm_evaluator_new(s->p.ctx, s->p.problem, &s->data.preprocess, 100, &evaluator));
    must(s->p.ctx, mfm_confusion_init(s->p.ctx, &confusion, TINY_CLASSES));
    must(s->p.ctx, mfm_evaluate(evaluator, &images, s->training->w, s->training->state, NULL,
                                &confusion, &loss));
    CU_ASSERT_EQUAL(s->validation_error[SESSION_EPOCHS - 1], mfm_confusion_error(&confusion));
    CU_ASSERT_EQUAL(s->validation_loss[SESSION_EPOCHS - 1], loss);
    mfm_confusion_clear(s->p.ctx, &confusion);
    mfm_evaluator_free(evaluator);
}

/* Of 12 images of a class 2 are meta images and 3 for validation: 7 train, thinned to 5, 4 and 3.
 * Without such a part nothing is told. */
static void test_validation(void)
{
    session s, without;
    session_init(&s, &lenet, "mfm");
    session_validate(&s, 3);
    CU_ASSERT_EQUAL_FATAL(s.data.split->validation_count, 12);
    CU_ASSERT_EQUAL_FATAL(s.data.split->train_count, 7 + 5 + 4 + 3);
    session_start(&s);
    CU_ASSERT_EQUAL(s.training->counters.best_validation_epoch, 0);
    finish(&s);
    check_validation(&s);
    uint32_t best = 0;
    for (uint32_t i = 1; i < SESSION_EPOCHS; i++)
        best = s.validation_error[i] < s.validation_error[best] ? i : best;
    const mfm_counters *c = &s.training->counters;
    CU_ASSERT_EQUAL(c->best_validation_epoch, best + 1);
    CU_ASSERT_EQUAL(c->best_validation_error, s.validation_error[best]);
    CU_ASSERT_EQUAL(c->best_validation_test_error, s.test_error[best]);
    CU_ASSERT_EQUAL(c->last_validation_error, s.validation_error[SESSION_EPOCHS - 1]);
    session_init(&without, &lenet, "mfm");
    session_start(&without);
    finish(&without);
    CU_ASSERT(isnan(without.validation_error[0]) && isnan(without.validation_loss[0]));
    CU_ASSERT_EQUAL(without.training->counters.best_validation_epoch, 0);
    session_clear(&s);
    session_clear(&without);
}

static void check_learns(const char *method)
{
    session s;
    session_init(&s, &(recipe){"resnet20", TINY, {"last_conv"}, {.hidden = 12}}, method);
    session_start(&s);
    finish(&s);
    CU_ASSERT(s.train_loss[SESSION_EPOCHS - 1] < 0.6 * s.train_loss[0]);
    session_clear(&s);
}

static void test_learns(void)
{
    check_learns("base");
    check_learns("mfm");
}

/* The baseline trains a model without modulator, and leaves one that is there as it is. */
static void test_base(void)
{
    session plain, modulated;
    session_init(&plain, &(recipe){"lenet", TINY, {NULL}, {0}}, "base");
    session_init(&modulated, &lenet, "base");
    session_start(&plain);
    session_start(&modulated);
    finish(&plain);
    finish(&modulated);
    const mfm_graph *graph = plain.p.problem->main;
    CU_ASSERT_EQUAL_FATAL(graph->params_size, modulated.p.problem->main->params_size);
    CU_ASSERT_EQUAL(
        memcmp(plain.training->w, modulated.training->w, graph->params_size * sizeof(real)), 0);
    CU_ASSERT_PTR_NULL(mfm_training_kept(modulated.training, "modulator"));
    session_clear(&plain);
    session_clear(&modulated);
}

/* 28 training images: a batch of 29 would leave epochs without a step. */
static void test_too_large_a_batch(void)
{
    session s;
    session_init(&s, &lenet, "base");
    s.options.batch = 29;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mfm_message(s.p.ctx), "--batch 29: the split has only 28 training images"));
    CU_ASSERT_EQUAL(s.steps, 0);
    CU_ASSERT_EQUAL(s.saves, 0);
    session_clear(&s);
}

/* The baseline reads no meta images: its meta loss is none, not 0. */
static void test_not_measured(void)
{
    session s;
    session_init(&s, &lenet, "base");
    session_start(&s);
    finish(&s);
    for (uint32_t i = 0; i < SESSION_EPOCHS; i++)
        CU_ASSERT(s.train_loss[i] > 0 && isnan(s.meta_loss[i]));
    session_clear(&s);
}

static void check_explodes(const char *method)
{
    session s;
    session_init(&s, &lenet, method);
    s.options.schedule.base = sizeof(real) == sizeof(double) ? 1e300 : 1e30;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_ENAN);
    char step[32];
    snprintf(step, sizeof step, "step %llu:", (unsigned long long)s.training->counters.step);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s.p.ctx), step));
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s.p.ctx), "learning rate"));
    CU_ASSERT(s.training->counters.step < 4);
    CU_ASSERT_EQUAL(s.saves, 0);
    CU_ASSERT_EQUAL(s.epochs, 0);
    session_clear(&s);
}

static void test_explodes(void)
{
    check_explodes("base");
    check_explodes("mfm");
}

/* A weight that is no number from the start: found before anything is kept. */
static void test_starts_broken(void)
{
    session s;
    session_init(&s, &lenet, "base");
    session_start(&s);
    s.training->w[0] = (real)NAN;
    CU_ASSERT_EQUAL(mfm_training_check_finite(s.training), MFM_ENAN);
    CU_ASSERT_EQUAL(session_run(&s), MFM_ENAN);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s.p.ctx), "step 0:"));
    CU_ASSERT_EQUAL(s.saves, 0);
    session_clear(&s);
}

static void check_finite_names(real *number, session *s, const char *what)
{
    const real kept = *number;
    CU_ASSERT_EQUAL(mfm_training_check_finite(s->training), MFM_OK);
    *number = (real)INFINITY;
    CU_ASSERT_EQUAL(mfm_training_check_finite(s->training), MFM_ENAN);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s->p.ctx), what));
    *number = kept;
}

static void test_finite(void)
{
    session s;
    session_init(&s, &(recipe){"resnet20", TINY, {"last_conv"}, {.hidden = 12}}, "mfm");
    session_start(&s);
    const mfm_problem *problem = s.p.problem;
    check_finite_names(s.training->w + problem->main->params_size - 1, &s, "weights");
    check_finite_names(s.training->state + problem->main->state_size - 1, &s, "running statistics");
    check_finite_names(s.training->hypers[0].phi + s.p.modulator->params_size - 1, &s,
                       "hyper-parameters");
    session_clear(&s);
}

static void check_stop(uint64_t at, int saves, int epochs, const char *message)
{
    session s;
    session_init(&s, &lenet, "base");
    s.stop_at = at;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_EINTR);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s.p.ctx), message));
    CU_ASSERT_EQUAL(s.training->counters.step, at);
    CU_ASSERT_EQUAL(s.last_saved, at);
    CU_ASSERT_EQUAL(s.saves, saves);
    CU_ASSERT_EQUAL(s.epochs, epochs);
    session_clear(&s);
}

static void test_stops(void)
{
    check_stop(1, 1, 0, "after step 1:");
    check_stop(6, 2, 1, "after step 6:");
    check_stop(4, 1, 1, "after epoch 1:"); /* the epoch's own checkpoint is the one that counts */
}

static void test_stop_at_the_end(void)
{
    session s;
    session_init(&s, &lenet, "base");
    s.stop_at = 12;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_OK);
    CU_ASSERT_EQUAL(s.saves, SESSION_EPOCHS);
    session_clear(&s);
}

/* Which of an epoch's moments is caught depends on nobody's clock here: every one is due. */
static void test_checkpoints_by_time(void)
{
    session whole, often;
    session_init(&whole, &lenet, "mfm");
    session_start(&whole);
    must(whole.p.ctx, session_run(&whole));
    CU_ASSERT_EQUAL(whole.saves, SESSION_EPOCHS);
    session_init(&often, &lenet, "mfm");
    session_repeat_tests(&often, 250);
    session_repeat_tests(&whole, 250);
    often.save_seconds = 1e-12;
    session_start(&often);
    must(often.p.ctx, session_run(&often));
    /* An epoch: after three of four steps, after two of three batches of 250 images, at its end. */
    CU_ASSERT_EQUAL(often.saves, 6 * SESSION_EPOCHS);
    CU_ASSERT(memcmp(whole.training->w, often.training->w,
                     whole.training->problem->main->params_size * sizeof(real)) == 0);
    session_clear(&whole);
    session_clear(&often);
}

/* Which epochs are left out depends on the clock, what must be kept does not. */
static void test_spared_checkpoints(void)
{
    session s;
    session_init(&s, &lenet, "base");
    s.spare_from = 1;
    session_start(&s);
    must(s.p.ctx, session_run(&s));
    CU_ASSERT(s.saves >= 2 && s.saves <= SESSION_EPOCHS);
    CU_ASSERT_EQUAL(s.last_saved, s.training->counters.step);
    session_clear(&s);
    session_init(&s, &lenet, "base");
    s.spare_from = 1;
    s.stop_at = 8;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_EINTR);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(s.p.ctx), "after epoch 2:"));
    CU_ASSERT_EQUAL(s.last_saved, 8);
    CU_ASSERT_EQUAL(s.saves, 2);
    session_clear(&s);
}

static void test_epoch_saves(void)
{
    CU_ASSERT_TRUE(mfm_epoch_saves(false, 0, 0));
    CU_ASSERT_FALSE(mfm_epoch_saves(false, 2, 7.9));
    CU_ASSERT_TRUE(mfm_epoch_saves(false, 2, 8));
    CU_ASSERT_TRUE(mfm_epoch_saves(true, 2, 0));
}

static void test_event_fails(void)
{
    session s;
    session_init(&s, &lenet, "base");
    s.fail_save = MFM_EIO;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_EIO);
    CU_ASSERT_STRING_EQUAL(mfm_message(s.p.ctx), "the save event says no");
    CU_ASSERT_EQUAL(s.epochs, 1);
    session_clear(&s);
    session_init(&s, &lenet, "base");
    s.fail_epoch = MFM_EINVAL;
    session_start(&s);
    CU_ASSERT_EQUAL(session_run(&s), MFM_EINVAL);
    CU_ASSERT_EQUAL(s.saves, 0);
    session_clear(&s);
}

static const mfm_case cases[] = {
    {"the same seed gives the same bits, another seed others", test_repeats},
    {"steps, epochs, checkpoints, rates and the best epoch are told", test_told},
    {"a validation part is evaluated after each epoch", test_validation},
    {"both methods bring the training loss down", test_learns},
    {"the baseline ignores a modulator in the model", test_base},
    {"a loss that is not finite ends the run by its step, and nothing is saved", test_explodes},
    {"weights that are not finite from the start are found at step 0", test_starts_broken},
    {"the finite check looks at every vector", test_finite},
    {"a batch larger than the split is refused", test_too_large_a_batch},
    {"a loss that is not measured is none", test_not_measured},
    {"a stop keeps a checkpoint of that step", test_stops},
    {"a stop after the last step changes nothing", test_stop_at_the_end},
    {"an epoch's checkpoint is worth four times its writing, or needed", test_epoch_saves},
    {"epochs without a checkpoint: the last has one, and the one where a run stops",
     test_spared_checkpoints},
    {"checkpoints by time come between steps and in evaluations, and change nothing",
     test_checkpoints_by_time},
    {"an event that fails ends the run with its code", test_event_fails},
};

MFM_SUITE("core/train/trainer", cases)
