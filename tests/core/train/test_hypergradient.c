/* The hypergradient against central differences (differences.h), through whole architectures. */
#include <fnmatch.h>
#include <string.h>

#include "core/train/problem/class_weights.h"
#include "tests/core/train/support/differences.h"
#include "tests/core/train/support/hand_network.h"

/* How all of them keep gradients of matrices. */
static enum mfm_bilevel_factors factors;

static void check_case(const prepared *p, uint64_t seed)
{
    check_hypergradient(p, &(difference_case){.factors = factors}, seed);
}

static void check(const recipe *from, uint64_t seeds)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        prepared p;
        prepare(from, &p);
        check_case(&p, seed);
        prepared_clear(&p);
    }
}

/* A network of a test's own, with parameter `frozen` left out of training. */
static void check_hand(int what, const char *frozen)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        hand h;
        hand_new(what, &h);
        mfm_graph *graph = h.network->graph;
        for (size_t i = 0; i < graph->n_values && frozen; i++)
            if (graph->values[i].kind == MFM_VALUE_PARAM &&
                strcmp(graph->values[i].name, frozen) == 0)
                graph->values[i].trainable = false;
        prepared p;
        prepare_network(h.ctx, h.network, &p);
        check_case(&p, seed);
        prepared_clear(&p);
    }
}

#define LENET                                                                                      \
    {                                                                                              \
        .classes = 4, .channels = 1, .height = 20, .width = 20, .seed = 1                          \
    }
#define RESNET                                                                                     \
    {                                                                                              \
        .classes = 4, .channels = 3, .height = 16, .width = 16, .seed = 1                          \
    }

static void test_lenet_early(void)
{
    check(&(recipe){"lenet", LENET, {"first_conv"}, {.hidden = 12}}, 2);
}

static void test_lenet_middle(void)
{
    check(&(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 12}}, 2);
}

static void test_lenet_last(void)
{
    check(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, 2);
}

static void test_lenet_several(void)
{
    check(&(recipe){"lenet", LENET, {"conv:1", "last_conv", "fc:1"}, {.hidden = 12}}, 2);
}

static void test_resnet_early(void)
{
    check(&(recipe){"resnet20", RESNET, {"first_conv"}, {.hidden = 12}}, 1);
}

static void test_resnet_middle(void)
{
    check(&(recipe){"resnet20", RESNET, {"block:4"}, {.hidden = 12}}, 1);
}

static void test_resnet_last(void)
{
    check(&(recipe){"resnet20", RESNET, {"last_conv"}, {.hidden = 12}}, 1);
}

static void test_resnet_several(void)
{
    check(&(recipe){"resnet20", RESNET, {"conv:2", "conv:9", "last_conv"}, {.hidden = 12}}, 1);
}

static void test_positions(void)
{
    for (int position = 0; position < MFM_POSITIONS; position++) {
        const mfm_inject_options inject = {.hidden = 12, .position = (mfm_position)position};
        check(&(recipe){"resnet20", RESNET, {"conv:14"}, inject}, 1);
    }
}

static void test_modulations(void)
{
    for (int kind = MFM_FILM; kind < MFM_MODULATIONS; kind++) {
        const mfm_inject_options inject = {.hidden = 12, .modulation = (mfm_modulation)kind};
        check(&(recipe){"lenet", LENET, {"conv:2"}, inject}, 2);
    }
    check(&(recipe){"lenet", LENET, {"conv:2", "last_conv"}, {.hidden = 12, .hash_dim = 7}}, 2);
}

/* Each with class weights, and the mean over samples or weights. */
static void test_losses(void)
{
    for (int i = 0; mfm_losses[i]; i++) {
        const mfm_class_weights weights = {MFM_WEIGHTS_SQUARE_ROOT, 0, i % 2, 0};
        const mfm_chosen chosen[] = {{&mfm_class_weights_settings, &weights}, {NULL, NULL}};
        uint32_t counts[4] = {40, 20, 13, 10};
        const mfm_split split = {.classes = 4, .train_per_class = counts};
        const mfm_train_options options = {
            .method = mfm_method_find("mfm"), .loss = mfm_losses[i], .chosen = chosen};
        prepared p;
        prepare(&(recipe){"lenet", LENET, {"conv:2", "fc:1"}, {.hidden = 12}}, &p);
        prepare_for_split(&p, &options, &split);
        const real costs[16] = {1,          (real)0.5, (real)0.3, (real)0.2,  (real)0.9, (real)0.1,
                                (real)0.7,  (real)0.6, (real)0.4, (real)0.05, 1,         (real)0.8,
                                (real)0.25, 1,         (real)0.3, (real)0.15};
        if (p.problem->costs >= 0)
            mfm_problem_set_costs(p.problem, costs);
        check_case(&p, 1);
        prepared_clear(&p);
    }
}

static void test_dropout(void)
{
    check_hand(HAND_AT_0 | HAND_DROPOUT, NULL);
    check_hand(HAND_AT_0 | HAND_AT_1 | HAND_AT_2 | HAND_DROPOUT, NULL);
}

static void test_frozen(void)
{
    check_hand(HAND_AT_0 | HAND_AT_2, "conv2");
    check_hand(HAND_AT_1, "fc2");
}

/* What the patterns are of is frozen, or has a rate of its own, in an architecture. */
static void check_chosen(const recipe *from, const char *frozen, const char *slow, bool prefix)
{
    prepared p;
    prepare(from, &p);
    for (size_t i = 0; i < p.network->graph->n_values; i++) {
        mfm_value *value = &p.network->graph->values[i];
        if (value->kind != MFM_VALUE_PARAM)
            continue;
        if (frozen && fnmatch(frozen, value->name, 0) == 0)
            value->trainable = false;
        if (slow && fnmatch(slow, value->name, 0) == 0)
            value->rate = 0.3;
    }
    const mfm_train_options options = {.method = mfm_method_find("mfm")};
    prepare_method(&p, &options, 1);
    CU_ASSERT_EQUAL(p.problem->prefix.graph != NULL, prefix);
    check_case(&p, 1);
    prepared_clear(&p);
}

static void test_prefix(void)
{
    check_chosen(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "conv[12]*", NULL, true);
    check_chosen(&(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 12}}, "conv*", NULL, true);
    check_chosen(&(recipe){"resnet20", RESNET, {"last_conv"}, {.hidden = 12}}, "[!fm]*", NULL,
                 true);
    check_chosen(&(recipe){"resnet20", RESNET, {"block:8"}, {.hidden = 12}}, "*bn*", NULL, false);
}

static void test_own_rates(void)
{
    check_chosen(&(recipe){"lenet", LENET, {"conv:2"}, {.hidden = 12}}, NULL, "conv3*", false);
    check_chosen(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "conv1*", "fc*", true);
}

/* Matrices whose virtual step and direction are not made: with h at one of them, with masks, frozen
 * ones beside, behind frozen layers, at rates of their own. */
static void test_factors(void)
{
    factors = MFM_FACTORS_ALL;
    check(&(recipe){"lenet", LENET, {"conv:1", "last_conv", "fc:1"}, {.hidden = 12}}, 2);
    check_hand(HAND_AT_0 | HAND_AT_1 | HAND_AT_2 | HAND_DROPOUT, NULL);
    check_hand(HAND_AT_1, "fc2");
    check_chosen(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "conv[12]*", NULL, true);
    check_chosen(&(recipe){"lenet", LENET, {"last_conv"}, {.hidden = 12}}, "conv1*", "fc*", true);
    factors = MFM_FACTORS_LARGE;
}

static const mfm_case cases[] = {
    {"LeNet, modulated after its first convolution", test_lenet_early},
    {"LeNet, modulated in the middle", test_lenet_middle},
    {"LeNet, modulated after its last convolution", test_lenet_last},
    {"LeNet, modulated at three layers, one of them linear", test_lenet_several},
    {"ResNet-20 with batch statistics, modulated at the start", test_resnet_early},
    {"ResNet-20, modulated in the middle", test_resnet_middle},
    {"ResNet-20, modulated after its last convolution", test_resnet_last},
    {"ResNet-20, modulated at three layers", test_resnet_several},
    {"every position around a layer", test_positions},
    {"every form of modulation, and weight hashing", test_modulations},
    {"every loss, with class weights", test_losses},
    {"Dropout, with one mask in all passes", test_dropout},
    {"frozen parameters, which no pass moves", test_frozen},
    {"frozen layers that run apart, and frozen normalisations among others", test_prefix},
    {"parameters at rates of their own", test_own_rates},
    {"matrices by the factors of their gradients", test_factors},
};

MFM_SUITE("core/train/hypergradient", cases)
