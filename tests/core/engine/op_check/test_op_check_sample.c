#include <string.h>

#include "../../../suite.h"
#include "op_check_sample.h"

typedef struct demo_attr {
    int64_t axis;
    mfm_ints pads;
} demo_attr;

static const mfm_attr_def demo_attrs[] = {
    {.name = "axis", .type = MFM_INT, .offset = offsetof(demo_attr, axis), .fallback = -1},
    {.name = "pads", .type = MFM_INTS, .offset = offsetof(demo_attr, pads)},
    {0}};
static const mfm_port demo_inputs[] = {{.name = "X", .role = MFM_DATA},
                                       {.name = "V", .role = MFM_STATE, .optional = true},
                                       {.name = "L", .role = MFM_INDEX, .optional = true},
                                       {0}};
static const mfm_port demo_outputs[] = {{.name = "Y"}, {.name = "Z", .optional = true}, {0}};
static const mfm_op demo = {.name = "Demo",
                            .domain = "",
                            .since = 7,
                            .until = 12,
                            .inputs = demo_inputs,
                            .outputs = demo_outputs,
                            .attrs = demo_attrs,
                            .attr_size = sizeof(demo_attr)};

static void test_parse(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_sample s;
    const char *text = " [2,3]  - [4]<7 pads=1,2 @train outputs=2 opset=11";
    CU_ASSERT_EQUAL_FATAL(mfm_sample_parse(ctx, &demo, text, &s), MFM_OK);
    const mfm_shape expected = mfm_shape_of(2, 2, 3);
    CU_ASSERT_TRUE(mfm_shape_equal(&s.in[0].shape, &expected));
    CU_ASSERT_TRUE(s.in[1].absent);
    CU_ASSERT_EQUAL(s.in[2].below, 7);
    CU_ASSERT_EQUAL(s.n_in, 3);
    CU_ASSERT_EQUAL(s.n_out, 2);
    CU_ASSERT_EQUAL(s.opset, 11);
    CU_ASSERT_TRUE(s.training);
    const demo_attr *attr = s.attr;
    CU_ASSERT_EQUAL(attr->axis, -1);
    CU_ASSERT_EQUAL(attr->pads.count, 2);
    CU_ASSERT_EQUAL(attr->pads.v[1], 2);
    mfm_sample_clear(ctx, &s);
    CU_ASSERT_EQUAL_FATAL(mfm_sample_parse(ctx, &demo, "[] [3]+ axis=4", &s), MFM_OK);
    CU_ASSERT_EQUAL(s.in[0].shape.rank, 0);
    CU_ASSERT_TRUE(s.in[1].positive);
    CU_ASSERT_EQUAL(s.opset, 12);
    CU_ASSERT_FALSE(s.training);
    mfm_sample_clear(ctx, &s);
    mfm_ctx_free(ctx);
}

static void test_parse_errors(void)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "[2",
                                      "[2]x",
                                      "[2,]",
                                      "[2]<0",
                                      "[2]<3",
                                      "[,2]",
                                      "[-1]",
                                      "[2] - [4]",
                                      "[2]++",
                                      "[2] - - -",
                                      "[2] axis=",
                                      "[2] what=1",
                                      "[2] pads",
                                      "[2] axis=1x",
                                      "[2] @test",
                                      "[2] outputs=3",
                                      "[2] opset=6",
                                      "[2] opset=13",
                                      "[2] outputs=0",
                                      "[1,1,1,1,1,1,1]",
                                      "[99999999999999999999]",
                                      "[4611686018427387904,4]"};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mfm_sample s;
        const int status = mfm_sample_parse(ctx, &demo, bad[i], &s);
        if (status != MFM_EDATA)
            printf("\n    \"%s\" is taken", bad[i]);
        CU_ASSERT_EQUAL(status, MFM_EDATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), bad[i]));
        if (!status)
            mfm_sample_clear(ctx, &s);
    }
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"a sample is read as it is written", test_parse},
    {"a malformed sample is refused, and told", test_parse_errors},
};
MFM_SUITE("core/engine/op_check_sample", cases)
