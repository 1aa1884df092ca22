/* The plain step with values kept and with values made anew. */
#include <string.h>

#include "core/train/methods/base.h"
#include "tests/core/train/support/prepared.h"

enum { BATCH = 16, STEPS = 3 }; /* values count for more than what sums over samples take */

static mfm_training *start(const prepared *p, const mfm_chosen *chosen, double sharpness)
{
    const mfm_train_options options = {.method = mfm_method_find("base"),
                                       .chosen = chosen,
                                       .epochs = 1,
                                       .batch = BATCH,
                                       .schedule = {.base = 0.1},
                                       .sharpness = sharpness,
                                       .weight_decay = 1e-3};
    mfm_training *t;
    must(p->ctx, mfm_training_new(p->ctx, p->problem, &options, &t));
    return t;
}

static void run(mfm_training *t, const mfm_batch *batch)
{
    mfm_step_losses losses;
    for (int i = 0; i < STEPS; i++) {
        t->options.method->step(t, batch, 0.1, &losses);
        t->counters.step++;
    }
}

static void check(double sharpness)
{
    static const mfm_base_values less = {.less_memory = true};
    const mfm_chosen chosen[] = {{&mfm_base_settings, &less}, {NULL, NULL}};
    const recipe from = {.architecture = "resnet20",
                         .options = {.classes = 10, .channels = 3, .height = 16, .width = 16}};
    prepared p;
    prepare(&from, &p);
    mfm_batch batch = batch_new(&p, BATCH, 1);
    mfm_training *kept = start(&p, NULL, sharpness), *anew = start(&p, chosen, sharpness);
    run(kept, &batch);
    run(anew, &batch);
    const mfm_graph *graph = p.problem->main;
    CU_ASSERT_EQUAL(memcmp(kept->w, anew->w, graph->params_size * sizeof(real)), 0);
    CU_ASSERT_EQUAL(memcmp(kept->state, anew->state, graph->state_size * sizeof(real)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(kept->w, p.w, graph->params_size * sizeof(real)), 0);
    const size_t much = kept->options.method->bytes(kept),
                 less_much = anew->options.method->bytes(anew);
    if (sharpness > 0) {
        CU_ASSERT_EQUAL(less_much, much);
    } else { /* of what is kept of a residual network, a third is outputs of normalisations */
        CU_ASSERT(10 * less_much < 9 * much);
    }
    mfm_training_free(kept);
    mfm_training_free(anew);
    batch_clear(&p, &batch);
    prepared_clear(&p);
}

static void test_plain(void)
{
    check(0);
}

static void test_sharpness(void)
{
    check(0.05);
}

static const mfm_case cases[] = {
    {"values made anew give the same bits with less memory", test_plain},
    {"sharpness-aware steps keep them", test_sharpness},
};
MFM_SUITE("core/train/base", cases)
