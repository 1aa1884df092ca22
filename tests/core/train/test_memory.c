/* Every allocation of a run's set-up refused in turn: told as such, nothing leaks. */
#include <string.h>

#include "core/train/bilevel/bilevel.h"
#include "core/train/bilevel/meta_step.h"
#include "tests/refusals.h"
#include "tests/core/train/support/hand_network.h"
#include "tests/core/train/support/tiny_data.h"

enum { EVERYWHERE = HAND_AT_0 | HAND_AT_1 | HAND_AT_2 | HAND_DROPOUT };

static int split(mfm_ctx *ctx, void *self)
{
    mfm_problem *made;
    const mfm_network *network = self;
    const mfm_train_options options = {
        .method = mfm_method_find(network->soft_label >= 0 ? "mfm" : "base")};
    const int status = mfm_method_build(ctx, self, NULL, &options, &made);
    CU_ASSERT((made == NULL) == (status != MFM_OK));
    mfm_problem_free(made);
    return status;
}

static void test_split(void)
{
    static const int kinds[] = {0, HAND_AT_2, EVERYWHERE};
    for (int i = 0; i < 3; i++) {
        hand h;
        hand_new(kinds[i], &h);
        mfm_assert_refusals_are_told(split, h.network);
        hand_clear(&h);
    }
}

typedef struct made {
    hand h;
    mfm_problem *problem;
    tiny_data data;
} made;

static void made_init(made *m)
{
    memset(m, 0, sizeof *m);
    hand_new(EVERYWHERE, &m->h);
    const mfm_train_options options = {.method = mfm_method_find("mfm")};
    CU_ASSERT_EQUAL_FATAL(mfm_method_build(m->h.ctx, m->h.network, NULL, &options, &m->problem),
                          MFM_OK);
    tiny_data_new(m->h.ctx, 3, 3, 2, &m->data);
}

static void made_clear(made *m)
{
    tiny_data_clear(&m->data);
    mfm_problem_free(m->problem);
    hand_clear(&m->h);
}

static int bilevel(mfm_ctx *ctx, void *self)
{
    const made *m = self;
    mfm_bilevel *b;
    const int status =
        mfm_bilevel_new(ctx, m->problem, &(mfm_bilevel_spec){.batch = 3, .meta_batch = 2}, &b);
    CU_ASSERT((b == NULL) == (status != MFM_OK));
    mfm_bilevel_free(b);
    return status;
}

static void test_bilevel(void)
{
    made m;
    made_init(&m);
    mfm_assert_refusals_are_told(bilevel, &m);
    made_clear(&m);
}

static const mfm_modulator_training adam = {.optimizer = MFM_ADAM, .lr = 0.1};
static const mfm_meta_steps last_layer = {
    .every = 1, .from = 1, .virtual_params = MFM_VIRTUAL_CLASSIFIER};
static const mfm_chosen chosen[] = {{&mfm_modulator_training_settings, &adam},
                                    {&mfm_meta_steps_settings, &last_layer},
                                    {NULL, NULL}};

static mfm_train_options options_of(const char *method)
{
    return (mfm_train_options){.method = mfm_method_find(method),
                               .chosen = chosen,
                               .epochs = 1,
                               .batch = 7,
                               .meta_batch = 3,
                               .schedule = {.base = 0.1}};
}

static int training(mfm_ctx *ctx, void *self)
{
    const made *m = self;
    const uint32_t samples = 20;
    mfm_task task;
    int status = mfm_task_init(ctx, &task, m->h.network->classes, &samples, 1, 0);
    for (int i = 0; mfm_methods[i] && !status; i++) {
        if (mfm_methods[i]->branch_layer) /* needs another network: test_branches.c */
            continue;
        const mfm_train_options options = options_of(mfm_methods[i]->name);
        mfm_problem *problem;
        mfm_training *t = NULL;
        status = mfm_method_build(ctx, m->h.network, &task, &options, &problem);
        CU_ASSERT((problem == NULL) == (status != MFM_OK));
        if (!status) {
            status = mfm_training_new(ctx, problem, &options, &t);
            CU_ASSERT((t == NULL) == (status != MFM_OK));
        }
        mfm_training_free(t);
        mfm_problem_free(problem);
    }
    mfm_task_clear(ctx, &task);
    return status;
}

static void test_training(void)
{
    made m;
    made_init(&m);
    mfm_assert_refusals_are_told(training, &m);
    made_clear(&m);
}

static int run(mfm_ctx *ctx, void *self)
{
    const made *m = self;
    const mfm_train_options options = options_of("mfm");
    const mfm_train_data data = tiny_data_parts(&m->data);
    const mfm_train_events events = {0};
    mfm_training *t;
    int status = mfm_training_new(ctx, m->problem, &options, &t);
    if (!status)
        status = mfm_train(t, &data, &events, NULL);
    mfm_training_free(t);
    return status;
}

/* Features of all images are kept. */
static int second_stage(mfm_ctx *ctx, void *self)
{
    const made *m = self;
    const mfm_train_options options = options_of("crt");
    const mfm_train_data data = tiny_data_parts(&m->data);
    const mfm_train_events events = {0};
    mfm_problem *problem;
    mfm_training *t = NULL;
    int status = mfm_method_build(ctx, m->h.network, NULL, &options, &problem);
    if (!status)
        status = mfm_training_new(ctx, problem, &options, &t);
    if (!status)
        status = mfm_train(t, &data, &events, NULL);
    mfm_training_free(t);
    mfm_problem_free(problem);
    return status;
}

static void test_second_stage(void)
{
    made m;
    made_init(&m);
    m.data.preprocess.augment = (mfm_augment){.count = 0};
    mfm_assert_refusals_are_told(second_stage, &m);
    made_clear(&m);
}

static void test_run(void)
{
    made m;
    made_init(&m);
    mfm_assert_refusals_are_told(run, &m);
    made_clear(&m);
}

static const mfm_case cases[] = {
    {"taking a network apart", test_split},          {"the bilevel step's plans", test_bilevel},
    {"a training with every method", test_training}, {"a whole run", test_run},
    {"a run on frozen features", test_second_stage},
};

MFM_SUITE("core/train/memory", cases)
