/* The VGGs, some at full size: half a gigabyte each, hence apart from the quick tests. */
#include "models/models.h"

#include "tests/onnx/built.h"
#include "tests/suite.h"

typedef struct small_case {
    const char *name;
    int64_t parameters; /* torchvision's, its three linear layers taken off */
} small_case;

enum {
    LARGE_HEAD = 25089 * 4096 + 4097 * 4096 + 4097 * 1000,
    SMALL_HEAD = 2 * 513 * 512 + 513 * 2
};

static const small_case small_cases[] = {
    {"vgg11", 132863336 - LARGE_HEAD},    {"vgg13", 133047848 - LARGE_HEAD},
    {"vgg16", 138357544 - LARGE_HEAD},    {"vgg19", 143667240 - LARGE_HEAD},
    {"vgg11-bn", 132868840 - LARGE_HEAD}, {"vgg13-bn", 133053736 - LARGE_HEAD},
    {"vgg16-bn", 138365992 - LARGE_HEAD}, {"vgg19-bn", 143678248 - LARGE_HEAD},
};

static void test_small(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_model_options options = {.classes = 2, .height = 32, .width = 32};
    for (size_t i = 0; i < sizeof small_cases / sizeof small_cases[0]; i++) {
        mfm_model *model;
        CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, small_cases[i].name, &options, &model), MFM_OK);
        CU_ASSERT_EQUAL(count_parameters(model), small_cases[i].parameters + SMALL_HEAD);
        CU_ASSERT_EQUAL(count_nodes(model, "GlobalAveragePool"), 1);
        CU_ASSERT_EQUAL(count_nodes(model, "MaxPool"), 5);
        mfm_model_free(model);
    }
    mfm_ctx_free(ctx);
}

static void expect_count(const char *name, mfm_model_options options, int64_t parameters,
                         size_t pools)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, name, &options, &model), MFM_OK);
    CU_ASSERT_EQUAL(count_parameters(model), parameters);
    CU_ASSERT_EQUAL(count_nodes(model, "AveragePool"), pools);
    CU_ASSERT_EQUAL(count_nodes(model, "Dropout"), 2);
    CU_ASSERT_TRUE(is_normal(model, "classifier.3.weight", 0.01));
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_vgg11(void)
{
    expect_count("vgg11", (mfm_model_options){0}, 132863336, 0);
}

static void test_vgg11_bn_pooled(void)
{
    expect_count("vgg11-bn", (mfm_model_options){.height = 256, .width = 448}, 132868840, 1);
}

static const mfm_case cases[] = {
    {"on 32x32 images every VGG has torchvision's features and a small head", test_small},
    {"VGG-11 has torchvision's 132,863,336 parameters", test_vgg11},
    {"VGG-11 with normalisation has 132,868,840, larger images pooled", test_vgg11_bn_pooled},
};

MFM_SUITE("models/vgg", cases)
