#include "onnx/build/builder.h"

#include "tests/onnx/built.h"
#include "tests/suite.h"

static mfm_builder *start(mfm_ctx *ctx)
{
    mfm_builder *b = NULL;
    CU_ASSERT_EQUAL_FATAL(mfm_builder_new(ctx, "test", 1, &b), MFM_OK);
    return b;
}

static void expect_shape(const mfm_builder *b, mfm_value x, mfm_shape expected)
{
    const mfm_shape shape = mfm_builder_shape(b, x);
    CU_ASSERT_TRUE(mfm_shape_equal(&shape, &expected));
}

/* Builds the layer under test on a [batch, 4, 9, 7] input and checks the shape of what it writes.
 */
static void test_shapes(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_builder *b = start(ctx);
    const mfm_value x = mfm_build_input(b, "input", 4, 9, 7);
    expect_shape(b, x, mfm_shape_of(4, -1, 4, 9, 7));
    expect_shape(b, mfm_build_conv(b, "a", x, 6, mfm_square(3, 2, 1), 2, true),
                 mfm_shape_of(4, -1, 6, 5, 4));
    const mfm_window oblong = {{5, 1}, {1, 3}, {0, 0}};
    expect_shape(b, mfm_build_conv(b, "b", x, 3, oblong, 1, false), mfm_shape_of(4, -1, 3, 5, 3));
    expect_shape(b, mfm_build_batch_norm(b, "c", x), mfm_shape_of(4, -1, 4, 9, 7));
    expect_shape(b, mfm_build_relu(b, "d", x), mfm_shape_of(4, -1, 4, 9, 7));
    expect_shape(b, mfm_build_add(b, "e", x, x), mfm_shape_of(4, -1, 4, 9, 7));
    expect_shape(b, mfm_build_max_pool(b, "f", x, mfm_square(2, 2, 0)),
                 mfm_shape_of(4, -1, 4, 4, 3));
    expect_shape(b, mfm_build_average_pool(b, "g", x, mfm_square(3, 2, 1)),
                 mfm_shape_of(4, -1, 4, 5, 4));
    expect_shape(b, mfm_build_subsample(b, "h", x, 2), mfm_shape_of(4, -1, 4, 5, 4));
    expect_shape(b, mfm_build_pad_channels(b, "i", x, 2, 3), mfm_shape_of(4, -1, 9, 9, 7));
    expect_shape(b, mfm_build_global_average_pool(b, "j", x), mfm_shape_of(4, -1, 4, 1, 1));
    const mfm_value flat = mfm_build_flatten(b, "k", x);
    expect_shape(b, flat, mfm_shape_of(2, -1, 4 * 9 * 7));
    expect_shape(b, mfm_build_dropout(b, "l", flat, 0.25f), mfm_shape_of(2, -1, 252));
    const mfm_value y = mfm_build_linear(b, "m", flat, 5);
    expect_shape(b, y, mfm_shape_of(2, -1, 5));
    mfm_build_output(b, "output", y);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_builder_finish(b, &model), MFM_OK);
    const int64_t weight[] = {6, 2, 3, 3};
    const Onnx__TensorProto *grouped = mfm_proto_initializer(model, "a.weight");
    CU_ASSERT_EQUAL_FATAL(grouped->n_dims, 4);
    CU_ASSERT_EQUAL(memcmp(grouped->dims, weight, sizeof weight), 0);
    CU_ASSERT_TRUE(has_ints(model, "h.ends", (int64_t[]){9, 7}, 2));
    CU_ASSERT_TRUE(has_ints(model, "h.axes", (int64_t[]){2, 3}, 2));
    CU_ASSERT_TRUE(has_ints(model, "i.pads", (int64_t[]){0, 2, 0, 0, 0, 3, 0, 0}, 8));
    CU_ASSERT_TRUE(is_constant(model, "l.ratio", 0.25f));
    CU_ASSERT_EQUAL(mfm_proto_initializer(model, "l.ratio")->n_dims, 0);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static bool has_attribute_ints(const Onnx__NodeProto *node, const char *name,
                               const int64_t *expected, size_t count)
{
    const Onnx__AttributeProto *attribute = mfm_proto_attr(node, name);
    return attribute && attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS &&
           attribute->n_ints == count &&
           memcmp(attribute->ints, expected, count * sizeof *expected) == 0;
}

static void test_nodes(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_builder *b = start(ctx);
    mfm_value x = mfm_build_input(b, "input", 4, 8, 8);
    mfm_builder_scope(b, "layer%d.%d", 1, 0);
    x = mfm_build_conv(b, "conv1", x, 8, (mfm_window){{3, 5}, {1, 2}, {1, 2}}, 2, true);
    x = mfm_build_batch_norm(b, "bn1", x);
    mfm_builder_end_scope(b);
    x = mfm_build_linear(b, "fc", mfm_build_flatten(b, "flatten", x), 3);
    mfm_build_output(b, "logits", x);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_builder_finish(b, &model), MFM_OK);
    const Onnx__NodeProto *conv = node_named(model, "layer1.0.conv1");
    const Onnx__NodeProto *bn = node_named(model, "layer1.0.bn1");
    const Onnx__NodeProto *fc = node_named(model, "fc");
    CU_ASSERT_TRUE_FATAL(conv && bn && fc);
    CU_ASSERT_EQUAL_FATAL(conv->n_input, 3);
    CU_ASSERT_STRING_EQUAL(conv->input[0], "input");
    CU_ASSERT_STRING_EQUAL(conv->input[1], "layer1.0.conv1.weight");
    CU_ASSERT_STRING_EQUAL(conv->input[2], "layer1.0.conv1.bias");
    CU_ASSERT_STRING_EQUAL(conv->output[0], "layer1.0.conv1.out");
    CU_ASSERT_TRUE(has_attribute_ints(conv, "kernel_shape", (int64_t[]){3, 5}, 2));
    CU_ASSERT_TRUE(has_attribute_ints(conv, "strides", (int64_t[]){1, 2}, 2));
    CU_ASSERT_TRUE(has_attribute_ints(conv, "pads", (int64_t[]){1, 2, 1, 2}, 4));
    CU_ASSERT_EQUAL(mfm_proto_attr(conv, "group")->i, 2);
    CU_ASSERT_EQUAL(bn->n_output, 1);
    CU_ASSERT_EQUAL_FATAL(bn->n_input, 5);
    CU_ASSERT_STRING_EQUAL(bn->input[4], "layer1.0.bn1.running_var");
    CU_ASSERT_EQUAL(mfm_proto_attr(bn, "epsilon")->f, 1e-5f);
    CU_ASSERT_EQUAL(mfm_proto_attr(bn, "momentum")->f, 0.9f);
    CU_ASSERT_EQUAL(mfm_proto_attr(fc, "transB")->i, 1);
    CU_ASSERT_STRING_EQUAL(fc->output[0], "logits");
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_output_in_use(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_builder *b = start(ctx);
    const mfm_value x = mfm_build_relu(b, "a", mfm_build_input(b, "input", 1, 2, 2));
    const mfm_value y = mfm_build_relu(b, "b", x);
    mfm_build_output(b, "features", x);
    mfm_build_output(b, "output", mfm_build_add(b, "c", x, y));
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_builder_finish(b, &model), MFM_OK);
    CU_ASSERT_STRING_EQUAL(node_named(model, "a")->output[0], "features");
    CU_ASSERT_STRING_EQUAL(node_named(model, "b")->input[0], "features");
    CU_ASSERT_STRING_EQUAL(node_named(model, "c")->input[0], "features");
    CU_ASSERT_STRING_EQUAL(node_named(model, "c")->input[1], "b.out");
    CU_ASSERT_EQUAL(model->proto->graph->n_output, 2);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_uniform_start(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_builder *b = start(ctx);
    const mfm_value x = mfm_build_flatten(b, "flatten", mfm_build_input(b, "input", 4, 8, 8));
    mfm_builder_init(b, MFM_INIT_ZERO, MFM_INIT_UNIFORM_FAN_IN);
    mfm_build_output(b, "logits", mfm_build_linear(b, "fc", x, 512));
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_builder_finish(b, &model), MFM_OK);
    /* Within 1 / sqrt(256) = 1 / 16, deviation 1 / (16 sqrt(3)). */
    CU_ASSERT_TRUE(is_normal(model, "fc.weight", 1 / (16 * sqrt(3))));
    const Onnx__TensorProto *weight = mfm_proto_initializer(model, "fc.weight");
    const float *w = (const float *)weight->raw_data.data;
    float largest = 0;
    for (size_t i = 0; i < weight->raw_data.len / sizeof *w; i++)
        largest = fmaxf(largest, fabsf(w[i]));
    CU_ASSERT_TRUE(largest <= 0.0625f && largest > 0.0624f);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

/* Each of these breaks one rule; x is [batch, 4, 6, 6]. */
static void bad_groups(mfm_builder *b, mfm_value x)
{
    mfm_build_conv(b, "layer", x, 6, mfm_square(3, 1, 1), 4, false);
}
static void no_groups(mfm_builder *b, mfm_value x)
{
    mfm_build_conv(b, "layer", x, 6, mfm_square(3, 1, 1), 0, false);
}
static void no_channels(mfm_builder *b, mfm_value x)
{
    mfm_build_conv(b, "layer", x, 0, mfm_square(3, 1, 1), 1, false);
}
static void large_kernel(mfm_builder *b, mfm_value x)
{
    mfm_build_conv(b, "layer", x, 4, mfm_square(9, 1, 1), 1, false);
}
static void no_stride(mfm_builder *b, mfm_value x)
{
    mfm_build_max_pool(b, "layer", x, mfm_square(2, 0, 0));
}
static void huge_pad(mfm_builder *b, mfm_value x)
{
    mfm_build_conv(b, "layer", x, 4, mfm_square(1, 1, INT64_MAX), 1, false);
}
static void wide_pool_pad(mfm_builder *b, mfm_value x)
{
    mfm_build_average_pool(b, "layer", x, mfm_square(2, 1, 2));
}
static void image_to_linear(mfm_builder *b, mfm_value x)
{
    mfm_build_linear(b, "layer", x, 3);
}
static void no_features(mfm_builder *b, mfm_value x)
{
    mfm_build_linear(b, "layer", mfm_build_flatten(b, "flatten", x), -1);
}
static void features_to_conv(mfm_builder *b, mfm_value x)
{
    mfm_build_conv(b, "layer", mfm_build_flatten(b, "flatten", x), 3, mfm_square(1, 1, 0), 1,
                   false);
}
static void unequal_sum(mfm_builder *b, mfm_value x)
{
    mfm_build_add(b, "layer", x, mfm_build_subsample(b, "half", x, 2));
}
static void ratio_of_one(mfm_builder *b, mfm_value x)
{
    mfm_build_dropout(b, "layer", x, 1);
}
static void ratio_not_a_number(mfm_builder *b, mfm_value x)
{
    mfm_build_dropout(b, "layer", x, NAN);
}
static void no_step(mfm_builder *b, mfm_value x)
{
    mfm_build_subsample(b, "layer", x, 0);
}
static void fewer_channels(mfm_builder *b, mfm_value x)
{
    mfm_build_pad_channels(b, "layer", x, -1, 1);
}
static void endless_channels(mfm_builder *b, mfm_value x)
{
    mfm_build_pad_channels(b, "layer", x, INT64_MAX, 0);
}
static void endless_features(mfm_builder *b, mfm_value x)
{
    x = mfm_build_pad_channels(b, "wide", x, INT64_MAX / 2, 0);
    mfm_build_flatten(b, "layer", x);
}
static void unknown_value(mfm_builder *b, mfm_value x)
{
    mfm_build_relu(b, "layer", x + 1);
}
static void negative_value(mfm_builder *b, mfm_value x)
{
    mfm_build_relu(b, "layer", x - 2);
}
static void name_twice(mfm_builder *b, mfm_value x)
{
    mfm_build_relu(b, "layer", mfm_build_relu(b, "layer", x));
}
static void name_of_parameter(mfm_builder *b, mfm_value x)
{
    mfm_build_batch_norm(b, "layer", x);
    mfm_build_input(b, "layer.weight", 1, 1, 1);
}
static void name_of_value(mfm_builder *b, mfm_value x)
{
    mfm_build_input(b, "layer.bias", 1, 1, 1);
    mfm_build_batch_norm(b, "layer", x);
}
static void long_name(mfm_builder *b, mfm_value x)
{
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    mfm_build_relu(b, name, x);
}
static void long_scope(mfm_builder *b, mfm_value x)
{
    mfm_builder_scope(b, "%200d", 1);
    mfm_build_relu(b, "layer", x);
}
static void input_as_output(mfm_builder *b, mfm_value x)
{
    mfm_build_output(b, "layer", x);
}
static void output_twice(mfm_builder *b, mfm_value x)
{
    x = mfm_build_relu(b, "relu", x);
    mfm_build_output(b, "layer", x);
    mfm_build_output(b, "again", x);
}
static void output_of_taken_name(mfm_builder *b, mfm_value x)
{
    mfm_build_output(b, "input", mfm_build_relu(b, "relu", x));
}
static void empty_input(mfm_builder *b, mfm_value x)
{
    (void)x;
    mfm_build_input(b, "layer", 3, 0, 5);
}
static void huge_input(mfm_builder *b, mfm_value x)
{
    (void)x;
    mfm_build_input(b, "layer", 3, 5, INT64_MAX);
}

typedef struct bad_case {
    void (*build)(mfm_builder *b, mfm_value x);
    const char *said;
} bad_case;

static const bad_case bad_cases[] = {
    {bad_groups, "cannot build layer: 6 channels from 4 in 4 groups"},
    {no_groups, "cannot build layer: 6 channels from 4 in 0 groups"},
    {no_channels, "cannot build layer: 0 channels"},
    {large_kernel, "cannot build layer: input is 6x6: too small for a 9x9 window"},
    {no_stride, "cannot build layer: kernel 2, stride 0"},
    {huge_pad, "cannot build layer: kernel 1, stride 1, pad 9223372036854775807"},
    {wide_pool_pad, "cannot build layer: pad 2,2"},
    {image_to_linear, "cannot build layer: input has rank 4: it takes rank 2"},
    {no_features, "cannot build layer: -1 features"},
    {features_to_conv, "cannot build layer: flatten.out has rank 2: it takes rank 4"},
    {unequal_sum, "cannot build layer: [-1,4,6,6] and [-1,4,3,3]: the shapes must be equal"},
    {ratio_of_one, "cannot build layer: ratio 1:"},
    {ratio_not_a_number, "cannot build layer: ratio"},
    {no_step, "cannot build layer: step 0"},
    {fewer_channels, "cannot build layer: -1 and 1 channels"},
    {endless_channels, "cannot build layer: 9223372036854775807 and 0 channels"},
    {endless_features, "cannot build layer: wide.out: too many features"},
    {unknown_value, "cannot build layer: value 1: not one of this builder"},
    {negative_value, "cannot build layer: value -2: not one of this builder"},
    {name_twice, "layer.out: used twice"},
    {name_of_parameter, "layer.weight: used twice"},
    {name_of_value, "layer.bias: used twice"},
    {long_name, "longer than 127 bytes"},
    {long_scope, "longer than 127 bytes"},
    {input_as_output, "cannot build layer: input: what a layer writes"},
    {output_twice, "cannot build again: layer: what a layer writes"},
    {output_of_taken_name, "input: used twice"},
    {empty_input, "cannot build layer: channels 3, height 0, width 5"},
    {huge_input, "cannot build layer: channels 3, height 5, width 9223372036854775807"},
};

static void test_bad_layers(void)
{
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        counting memory = {0};
        mfm_ctx *ctx = mfm_ctx_new(
            &(mfm_allocator){.alloc = counting_alloc, .free = counting_free, .self = &memory});
        mfm_builder *b = start(ctx);
        bad_cases[i].build(b, mfm_build_input(b, "input", 4, 6, 6));
        mfm_model *model;
        CU_ASSERT_EQUAL(mfm_builder_finish(b, &model), MFM_EINVAL);
        CU_ASSERT_PTR_NULL(model);
        const bool said = strstr(mfm_message(ctx), bad_cases[i].said) != NULL;
        CU_ASSERT_TRUE(said);
        if (!said)
            printf("\n    case %zu says: %s\n", i, mfm_message(ctx));
        mfm_ctx_free(ctx);
        CU_ASSERT_EQUAL(memory.live, 0);
    }
}

static void test_first_failure(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_builder *b = start(ctx);
    mfm_value x = mfm_build_input(b, "input", 4, 6, 6);
    mfm_builder_scope(b, "block%d", 7);
    x = mfm_build_max_pool(b, "pool", x, mfm_square(7, 1, 0));
    CU_ASSERT_EQUAL(x, MFM_NO_VALUE);
    CU_ASSERT_EQUAL(mfm_builder_shape(b, x).rank, 0);
    x = mfm_build_conv(b, "conv", x, 0, mfm_square(0, 0, -1), 0, true);
    mfm_build_output(b, "logits", mfm_build_linear(b, "fc", x, -5));
    mfm_builder_fail(b, MFM_EDATA, "a later failure");
    mfm_model *model;
    CU_ASSERT_EQUAL(mfm_builder_finish(b, &model), MFM_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "cannot build block7.pool: input is 6x6"));
    mfm_ctx_free(ctx);
}

static void test_file_limit(void)
{
    counting memory = {0};
    mfm_ctx *ctx = mfm_ctx_new(
        &(mfm_allocator){.alloc = counting_alloc, .free = counting_free, .self = &memory});
    const int64_t wanted[] = {1 << 30, INT64_MAX};
    for (size_t i = 0; i < 2; i++) {
        mfm_builder *b = start(ctx);
        const mfm_value x = mfm_build_flatten(b, "flat", mfm_build_input(b, "input", 1, 1, 1));
        mfm_build_output(b, "logits", mfm_build_linear(b, "fc", x, wanted[i]));
        mfm_model *model;
        CU_ASSERT_NOT_EQUAL(mfm_builder_finish(b, &model), MFM_OK);
        CU_ASSERT_PTR_NULL(model);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "fc.weight"));
    }
    mfm_ctx_free(ctx);
    CU_ASSERT_EQUAL(memory.live, 0);
}

static void test_unfinished(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_builder *b = start(ctx);
    mfm_model *model;
    CU_ASSERT_EQUAL(mfm_builder_finish(b, &model), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(model);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "0 inputs and 0 outputs"));
    mfm_ctx_free(ctx);
}

static int build_every_layer(mfm_ctx *ctx, mfm_model **model)
{
    mfm_builder *b;
    const int status = mfm_builder_new(ctx, "every", 1, &b);
    if (status)
        return status;
    mfm_value x = mfm_build_input(b, "input", 2, 6, 6);
    x = mfm_build_conv(b, "conv", x, 4, mfm_square(3, 1, 1), 2, true);
    x = mfm_build_relu(b, "relu", mfm_build_batch_norm(b, "bn", x));
    x = mfm_build_pad_channels(b, "pad", mfm_build_subsample(b, "slice", x, 2), 1, 1);
    x = mfm_build_add(b, "add", x, mfm_build_max_pool(b, "max", x, mfm_square(3, 1, 1)));
    x = mfm_build_average_pool(b, "average", x, mfm_square(2, 1, 0));
    x = mfm_build_flatten(b, "flatten", mfm_build_global_average_pool(b, "global", x));
    x = mfm_build_linear(b, "fc", mfm_build_dropout(b, "dropout", x, 0.5f), 3);
    mfm_build_output(b, "logits", x);
    return mfm_builder_finish(b, model);
}

static void test_refused_memory(void)
{
    counting memory = {0};
    int status = MFM_ENOMEM;
    for (long n = 2; status != MFM_OK; n++) {
        memory = (counting){.refuse = n};
        mfm_ctx *ctx = mfm_ctx_new(
            &(mfm_allocator){.alloc = counting_alloc, .free = counting_free, .self = &memory});
        mfm_model *model = NULL;
        status = build_every_layer(ctx, &model);
        CU_ASSERT_TRUE_FATAL(status == MFM_OK || (status == MFM_ENOMEM && model == NULL));
        CU_ASSERT_EQUAL_FATAL(mfm_code(ctx), status);
        mfm_model_free(model);
        mfm_ctx_free(ctx);
        CU_ASSERT_EQUAL_FATAL(memory.live, 0);
    }
    CU_ASSERT_TRUE(memory.requests > 200 && memory.requests < memory.refuse);
}

static const mfm_case cases[] = {
    {"every layer's shape is tracked", test_shapes},
    {"nodes have readable names, parameters and attributes", test_nodes},
    {"an output that others read is renamed everywhere", test_output_in_use},
    {"uniform weights fill their bounds", test_uniform_start},
    {"a layer that cannot be is refused, by name and rule", test_bad_layers},
    {"the first failure is the one reported", test_first_failure},
    {"weights beyond what a file holds are refused before memory is asked", test_file_limit},
    {"a graph without input and output is refused", test_unfinished},
    {"any refused allocation is reported and leaks nothing", test_refused_memory},
};

MFM_SUITE("onnx/builder", cases)
