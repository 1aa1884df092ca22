#include "onnx/proto/names.h"

#include <string.h>

#include "onnx/proto/nearest.h"
#include "onnx/proto/strmap.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

static void test_map(void)
{
    enum { COUNT = 5000 };
    static char keys[COUNT][16];
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_strmap map;
    size_t value = 7;
    mfm_strmap_init(&map, ctx);
    CU_ASSERT_FALSE(mfm_strmap_get(&map, "", &value));
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof keys[i], "k%zu", i);
        CU_ASSERT_EQUAL_FATAL(mfm_strmap_set(&map, keys[i], i), MFM_OK);
    }
    CU_ASSERT_EQUAL(mfm_strmap_set(&map, "k17", 1000000), MFM_OK);
    CU_ASSERT_EQUAL(map.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE(mfm_strmap_get(&map, keys[i], &value));
        CU_ASSERT_EQUAL(value, i == 17 ? 1000000 : i);
    }
    CU_ASSERT_FALSE(mfm_strmap_get(&map, "k5000", NULL));
    mfm_strmap_clear(&map);
    mfm_ctx_free(ctx);
}

static void test_unique(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    hand_node(model, "Relu", "mfm.x", "x", "mfm.x.1"); /* a node's and a value's name */
    mfm_names *names;
    const char *a, *b, *c;
    CU_ASSERT_EQUAL_FATAL(mfm_names_new(model, &names), MFM_OK);
    static const char *const taken[] = {"x", "w1", "c1", "logits", "mfm.x", "mfm.x.1"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        CU_ASSERT_TRUE(mfm_names_taken(names, taken[i]));
    CU_ASSERT_FALSE(mfm_names_taken(names, "mfm"));
    CU_ASSERT_EQUAL_FATAL(mfm_names_unique(names, "mfm.x", &a), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_names_unique(names, "mfm.x", &b), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_names_unique(names, "fresh", &c), MFM_OK);
    CU_ASSERT_STRING_EQUAL(a, "mfm.x.2");
    CU_ASSERT_STRING_EQUAL(b, "mfm.x.3");
    CU_ASSERT_STRING_EQUAL(c, "fresh");
    mfm_names_free(names);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static int collect(mfm_ctx *ctx, void *self)
{
    const mfm_model *shared = self;
    mfm_model view = *shared; /* the same tree, read in the failing context */
    mfm_names *names;
    const char *name;
    view.ctx = ctx;
    int status = mfm_names_new(&view, &names);
    if (status)
        return status;
    status = mfm_names_unique(names, "logits", &name);
    mfm_names_free(names);
    return status;
}

static void test_memory(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    mfm_assert_refusals_are_told(collect, model);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_nearest(void)
{
    mfm_nearest near;
    mfm_nearest_init(&near, "conv21");
    static const char *const offers[] = {"fc", "conv2", "layer", "conv2", "conv12", "conv21x9"};
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++)
        mfm_nearest_offer(&near, offers[i]);
    CU_ASSERT_STRING_EQUAL(near.names[0], "conv2"); /* one letter less */
    CU_ASSERT_EQUAL(near.distances[0], 1);
    CU_ASSERT_STRING_EQUAL(near.names[1], "conv12"); /* two letters changed */
    CU_ASSERT_EQUAL(near.distances[1], 2);
    CU_ASSERT_STRING_EQUAL(near.names[2], "conv21x9"); /* two letters more */
    char longest[4096];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    mfm_nearest_init(&near, longest);
    mfm_nearest_offer(&near, "a");
    CU_ASSERT_EQUAL(near.distances[0], 4094);
    CU_ASSERT_PTR_NULL(near.names[1]);
}

/* How a message about an unknown name ends: by what was meant, if anything; a short list else. */
static void test_suggest(void)
{
    static const char *const names[] = {"train", "strip", "run", "bench",  "data",
                                        "eval",  "new",   "ops", "inspect"};
    char text[MFM_SUGGEST_TEXT];
    CU_ASSERT_STRING_EQUAL(mfm_suggest("trian", names, 9, text), ": did you mean train?");
    CU_ASSERT_STRING_EQUAL(mfm_suggest("inspekt", names, 9, text), ": did you mean inspect?");
    CU_ASSERT_STRING_EQUAL(mfm_suggest("frobnicate", names, 9, text), "");
    CU_ASSERT_STRING_EQUAL(mfm_suggest("frobnicate", names, 3, text), ": one of train, strip, run");
    static const char *const alike[] = {"conv1", "conv2"};
    CU_ASSERT_STRING_EQUAL(mfm_suggest("conv3", alike, 2, text), ": did you mean conv1 or conv2?");
    CU_ASSERT_STRING_EQUAL(mfm_suggest("", names, 9, text), "");
}

static const mfm_case cases[] = {
    {"a map finds all that was put into it, and nothing else", test_map},
    {"a new name is none that a node, value or weight has", test_unique},
    {"any refused allocation is reported, and nothing leaks", test_memory},
    {"the nearest names come in the order of their distance", test_nearest},
    {"what is suggested is near, or a short list, or nothing", test_suggest},
};
MFM_SUITE("onnx/names", cases)
