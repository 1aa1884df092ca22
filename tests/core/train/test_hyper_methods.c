/*
 * The hypergradients of methods beside the modulator network, and of other virtual steps, against
 * central differences (differences.h).
 */
#include <string.h>

#include "core/train/bilevel/meta_step.h"
#include "tests/core/train/support/differences.h"

#define LENET                                                                                      \
    {                                                                                              \
        .classes = 4, .channels = 1, .height = 20, .width = 20, .seed = 1                          \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = 4, .channels = 3, .height = 16, .width = 16, .seed = 1                          \
    }

static const recipe lenet = {"lenet", LENET, {NULL}, {0}};
static const recipe resnet = {"resnet20", RESNET, {NULL}, {0}};

static void check(const recipe *from, const char *method, const mfm_chosen *chosen)
{
    prepared p;
    prepare(from, &p);
    const mfm_train_options options = {.method = mfm_method_find(method), .chosen = chosen};
    prepare_method(&p, &options, DIFFERENCE_BATCH);
    check_hypergradient(&p, &(difference_case){0}, 1);
    prepared_clear(&p);
}

static void test_weights(void)
{
    check(&lenet, "mw-net", NULL);
    check(&resnet, "mw-net", NULL);
}

/* The settings of a method that are nobody else's, by their title. */
static const mfm_settings *own_settings(const char *method, const char *title)
{
    const mfm_settings *const *s = mfm_method_find(method)->settings;
    while (*s && strcmp((*s)->title, title) != 0)
        s++;
    CU_ASSERT_PTR_NOT_NULL_FATAL(*s);
    return *s;
}

static void test_weights_by_count(void)
{
    const int by_count = 0;
    const mfm_chosen chosen[] = {{own_settings("mw-net", "Weighting"), &by_count}, {NULL, NULL}};
    check(&lenet, "mw-net", chosen);
}

static void test_free(void)
{
    check(&(recipe){"lenet", LENET, {"conv:1", "fc:1"}, {.hidden = 3}}, "mfm-free", NULL);
    check(&(recipe){"resnet20", RESNET, {"block:4", "last_conv"}, {.hidden = 3}}, "mfm-free", NULL);
}

/* w^ = w - alpha (g + mu m + decay w), m the momentum so far. */
static void test_full_virtual_step(void)
{
    prepared p;
    prepare(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, &p);
    real *velocity = vector_new(p.ctx, p.problem->main->params_size);
    perturb(p.problem->main, 5, 0.1, velocity);
    difference_case full = {
        .step = {.alpha = 0.1, .momentum = 0.9, .weight_decay = 0.01, .velocity = velocity}};
    check_hypergradient(&p, &full, 1);
    full.factors = MFM_FACTORS_ALL; /* of v; w^ takes more than the gradient */
    check_hypergradient(&p, &full, 1);
    mfm_free_aligned(p.ctx, velocity);
    prepared_clear(&p);
}

static void check_last_layer(const recipe *from, const char *method)
{
    prepared p;
    prepare(from, &p);
    const mfm_train_options options = {.method = mfm_method_find(method)};
    prepare_method(&p, &options, DIFFERENCE_BATCH);
    const mfm_classifier *classifier = &p.problem->classifier;
    bool *moved = mfm_alloc(p.ctx, p.problem->main->n_values, sizeof *moved);
    CU_ASSERT_PTR_NOT_NULL_FATAL(moved);
    moved[classifier->weight] = moved[classifier->bias] = true;
    check_hypergradient(&p, &(difference_case){.moved = moved}, 1);
    mfm_free(p.ctx, moved);
    prepared_clear(&p);
}

static void test_last_layer(void)
{
    check_last_layer(&lenet, "mw-net");
    check_last_layer(&(recipe){"resnet20", RESNET, {"last_conv"}, {.hidden = 12}}, "mfm");
    check_last_layer(&(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 12}}, "mfm");
}

static const mfm_case cases[] = {
    {"Meta-Weight-Net, weights that sum to 1: the hypergradient is that of differences",
     test_weights},
    {"Meta-Weight-Net, by the number of samples", test_weights_by_count},
    {"free modulation, also of several layers", test_free},
    {"a virtual step with momentum and weight decay", test_full_virtual_step},
    {"a virtual step of the last layer alone", test_last_layer},
};

MFM_SUITE("core/train/hyper_methods", cases)
