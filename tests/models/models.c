#include "models/models.h"

#include "tests/onnx/built.h"
#include "tests/suite.h"

typedef struct count_case {
    const char *name;
    mfm_model_options options;
    int64_t parameters;
} count_case;

/* LeNet and the small heads by hand; ResNet-20 and -32 as published, the deeper ones grow by
 * 194,432 for each twelve layers (2 more blocks a stage: 4 * 9 * (16^2 + 32^2 + 64^2) weights and 8
 * * (16 + 32 + 64) for normalisation); the others as torchvision's. */
static const count_case counts[] = {
    {"lenet", {0}, 156 + 2416 + 17400 + 10164 + 850},
    {"resnet20", {0}, 269722},
    {"resnet32", {0}, 464154},
    {"resnet32", {.classes = 100}, 470004},
    {"resnet44", {0}, 464154 + 194432},
    {"resnet56", {0}, 464154 + 2 * 194432},
    {"resnet110", {0}, 269722 + 15 * 97216},
    {"resnet18", {0}, 11689512},
    {"resnet34", {0}, 21797672},
    {"resnet50", {0}, 25557032},
    {"resnet18", {.classes = 10, .height = 32, .width = 32}, 11173962},
    {"vgg11", {.classes = 10, .height = 32, .width = 32}, 9220480 + 2 * 262656 + 5130},
};

static mfm_model *make(mfm_ctx *ctx, const char *name, mfm_model_options options)
{
    mfm_model *model = NULL;
    const int status = mfm_model_make(ctx, name, &options, &model);
    if (status)
        printf("\n    %s\n", mfm_message(ctx));
    CU_ASSERT_EQUAL_FATAL(status, MFM_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    return model;
}

static void test_counts(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        mfm_model *model = make(ctx, counts[i].name, counts[i].options);
        CU_ASSERT_EQUAL(count_parameters(model), counts[i].parameters);
        mfm_model_free(model);
    }
    mfm_ctx_free(ctx);
}

static bool is_counted(const char *name)
{
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (strcmp(counts[i].name, name) == 0)
            return true;
    return strncmp(name, "vgg", 3) == 0; /* tests/models/vgg.c */
}

static void test_listing(void)
{
    const mfm_architecture *architecture;
    size_t listed = 0;
    for (; (architecture = mfm_model_at(listed)); listed++) {
        CU_ASSERT_TRUE(is_counted(architecture->name));
        CU_ASSERT_TRUE(strlen(architecture->summary) > 0 && strlen(architecture->summary) < 72);
        for (size_t i = 0; i < listed; i++)
            CU_ASSERT_STRING_NOT_EQUAL(mfm_model_at(i)->name, architecture->name);
    }
    CU_ASSERT_EQUAL(listed, 1 + 5 + 3 + 8);
    CU_ASSERT_PTR_NULL(mfm_model_at(SIZE_MAX));
}

static void test_interface(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model = make(ctx, "resnet20", (mfm_model_options){.classes = 7, .width = 40});
    const Onnx__ModelProto *proto = model->proto;
    CU_ASSERT_EQUAL(proto->ir_version, 8);
    CU_ASSERT_EQUAL(mfm_model_opset(model, ""), 17);
    CU_ASSERT_STRING_EQUAL(proto->producer_name, "onnx-mfm");
    CU_ASSERT_STRING_EQUAL(proto->graph->name, "resnet20");
    CU_ASSERT_EQUAL_FATAL(proto->graph->n_input, 1);
    CU_ASSERT_EQUAL_FATAL(proto->graph->n_output, 1);
    CU_ASSERT_STRING_EQUAL(proto->graph->input[0]->name, "input");
    CU_ASSERT_STRING_EQUAL(proto->graph->output[0]->name, "logits");
    const Onnx__TensorShapeProto *in = proto->graph->input[0]->type->tensor_type->shape;
    const Onnx__TensorShapeProto *out = proto->graph->output[0]->type->tensor_type->shape;
    CU_ASSERT_EQUAL_FATAL(in->n_dim, 4);
    CU_ASSERT_STRING_EQUAL(in->dim[0]->dim_param, "batch");
    CU_ASSERT_EQUAL(in->dim[1]->dim_value, 3);
    CU_ASSERT_EQUAL(in->dim[2]->dim_value, 32);
    CU_ASSERT_EQUAL(in->dim[3]->dim_value, 40);
    CU_ASSERT_EQUAL_FATAL(out->n_dim, 2);
    CU_ASSERT_STRING_EQUAL(out->dim[0]->dim_param, "batch");
    CU_ASSERT_EQUAL(out->dim[1]->dim_value, 7);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_option_a(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model = make(ctx, "resnet32", (mfm_model_options){0});
    CU_ASSERT_EQUAL(count_nodes(model, "Conv"), 31);
    CU_ASSERT_EQUAL(count_nodes(model, "BatchNormalization"), 31);
    CU_ASSERT_EQUAL(count_nodes(model, "Add"), 15);
    CU_ASSERT_EQUAL(count_nodes(model, "Slice"), 2);
    CU_ASSERT_EQUAL(count_nodes(model, "Pad"), 2);
    CU_ASSERT_TRUE(has_ints(model, "layer2.0.shortcut.slice.steps", (int64_t[]){2, 2}, 2));
    CU_ASSERT_TRUE(has_ints(model, "layer2.0.shortcut.slice.ends", (int64_t[]){32, 32}, 2));
    CU_ASSERT_TRUE(
        has_ints(model, "layer2.0.shortcut.pad.pads", (int64_t[]){0, 8, 0, 0, 0, 8, 0, 0}, 8));
    CU_ASSERT_TRUE(
        has_ints(model, "layer3.0.shortcut.pad.pads", (int64_t[]){0, 16, 0, 0, 0, 16, 0, 0}, 8));
    const Onnx__NodeProto *add = node_named(model, "layer3.0.add");
    CU_ASSERT_PTR_NOT_NULL_FATAL(add);
    CU_ASSERT_STRING_EQUAL(add->input[0], "layer3.0.bn2.out");
    CU_ASSERT_STRING_EQUAL(add->input[1], "layer3.0.shortcut.pad.out");
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_starts(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *cifar = make(ctx, "resnet32", (mfm_model_options){.seed = 3});
    CU_ASSERT_TRUE(is_normal(cifar, "conv1.weight", sqrt(2.0 / (9 * 3))));
    CU_ASSERT_TRUE(is_normal(cifar, "layer3.0.conv1.weight", sqrt(2.0 / (9 * 32))));
    CU_ASSERT_TRUE(is_normal(cifar, "fc.weight", sqrt(2.0 / 64)));
    CU_ASSERT_TRUE(is_constant(cifar, "fc.bias", 0));
    CU_ASSERT_TRUE(is_constant(cifar, "layer1.4.bn2.weight", 1));
    CU_ASSERT_TRUE(is_constant(cifar, "layer1.4.bn2.bias", 0));
    CU_ASSERT_TRUE(is_constant(cifar, "layer1.4.bn2.running_mean", 0));
    CU_ASSERT_TRUE(is_constant(cifar, "layer1.4.bn2.running_var", 1));
    mfm_model_free(cifar);
    mfm_model *photo = make(ctx, "resnet18", (mfm_model_options){.seed = 3});
    CU_ASSERT_TRUE(is_normal(photo, "conv1.weight", sqrt(2.0 / (49 * 64))));
    CU_ASSERT_TRUE(is_normal(photo, "layer2.0.conv1.weight", sqrt(2.0 / (9 * 128))));
    mfm_model_free(photo);
    mfm_model *vgg =
        make(ctx, "vgg11", (mfm_model_options){.classes = 10, .height = 32, .width = 32});
    CU_ASSERT_TRUE(is_normal(vgg, "features.3.weight", sqrt(2.0 / (9 * 128))));
    CU_ASSERT_TRUE(is_normal(vgg, "classifier.3.weight", sqrt(2.0 / 512)));
    mfm_model_free(vgg);
    mfm_ctx_free(ctx);
}

static bool same_bytes(mfm_ctx *ctx, const mfm_model *a, const mfm_model *b)
{
    void *left = NULL, *right = NULL;
    size_t n = 0, m = 0;
    CU_ASSERT_EQUAL_FATAL(mfm_model_pack(ctx, a, &left, &n), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_model_pack(ctx, b, &right, &m), MFM_OK);
    const bool same = n == m && memcmp(left, right, n) == 0;
    mfm_free(ctx, left);
    mfm_free(ctx, right);
    return same;
}

static void test_seeds(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *one = make(ctx, "resnet20", (mfm_model_options){.seed = 1});
    mfm_model *again = make(ctx, "resnet20", (mfm_model_options){.seed = 1});
    mfm_model *two = make(ctx, "resnet20", (mfm_model_options){.seed = 2});
    CU_ASSERT_TRUE(same_bytes(ctx, one, again));
    CU_ASSERT_FALSE(same_bytes(ctx, one, two));
    const Onnx__GraphProto *a = one->proto->graph, *b = two->proto->graph;
    for (size_t i = 0; i < a->n_initializer; i++) {
        const Onnx__TensorProto *s = a->initializer[i], *t = b->initializer[i];
        CU_ASSERT_STRING_EQUAL(s->name, t->name);
        CU_ASSERT_EQUAL_FATAL(s->raw_data.len, t->raw_data.len);
        const bool drawn = s->n_dims > 1;
        CU_ASSERT_EQUAL(memcmp(s->raw_data.data, t->raw_data.data, s->raw_data.len) != 0, drawn);
    }
    mfm_model_free(one);
    mfm_model_free(again);
    mfm_model_free(two);
    mfm_ctx_free(ctx);
}

static void test_classes_leave_features(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *ten = make(ctx, "lenet", (mfm_model_options){.classes = 10, .seed = 5});
    mfm_model *three = make(ctx, "lenet", (mfm_model_options){.classes = 3, .seed = 5});
    const Onnx__TensorProto *a = mfm_proto_initializer(ten, "conv3.weight");
    const Onnx__TensorProto *b = mfm_proto_initializer(three, "conv3.weight");
    CU_ASSERT_EQUAL(memcmp(a->raw_data.data, b->raw_data.data, a->raw_data.len), 0);
    mfm_model_free(ten);
    mfm_model_free(three);
    mfm_ctx_free(ctx);
}

static void expect_failure(const char *name, mfm_model_options options, const char *said)
{
    counting memory = {0};
    mfm_ctx *ctx = mfm_ctx_new(
        &(mfm_allocator){.alloc = counting_alloc, .free = counting_free, .self = &memory});
    mfm_model *model = (mfm_model *)&memory;
    CU_ASSERT_EQUAL(mfm_model_make(ctx, name, &options, &model), MFM_EINVAL);
    CU_ASSERT_PTR_NULL(model);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), said));
    if (!strstr(mfm_message(ctx), said))
        printf("\n    %s\n", mfm_message(ctx));
    mfm_ctx_free(ctx);
    CU_ASSERT_EQUAL(memory.live, 0);
}

static void test_unknown_names(void)
{
    expect_failure("resnet33", (mfm_model_options){0}, "resnet33: did you mean resnet32");
    expect_failure("LeNet", (mfm_model_options){0}, "did you mean lenet?");
    expect_failure("vgg16_bn", (mfm_model_options){0}, "did you mean vgg16-bn?");
    expect_failure("", (mfm_model_options){0}, "unknown architecture: ");
    char endless[9000];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    expect_failure(endless, (mfm_model_options){0}, "unknown architecture: xxx");
}

static void test_bad_options(void)
{
    expect_failure("lenet", (mfm_model_options){.classes = 1}, "bad number of classes: 1");
    expect_failure("lenet", (mfm_model_options){.classes = -3}, "bad number of classes: -3");
    expect_failure("lenet", (mfm_model_options){.classes = INT64_MAX}, "bad number of classes");
    expect_failure("lenet", (mfm_model_options){.channels = -1}, "bad number of channels: -1");
    expect_failure("vgg11", (mfm_model_options){.height = INT64_MIN}, "bad image height");
    expect_failure("vgg11", (mfm_model_options){.width = 1 << 17}, "bad image width: 131072");
}

static void test_small_images(void)
{
    expect_failure("lenet", (mfm_model_options){.height = 19, .width = 28}, "cannot build conv3");
    expect_failure("vgg16", (mfm_model_options){.height = 31, .width = 31},
                   "cannot build features.30");
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model_free(make(ctx, "lenet", (mfm_model_options){.height = 20, .width = 20}));
    mfm_model_free(make(ctx, "resnet20", (mfm_model_options){.height = 1, .width = 1}));
    mfm_model_free(make(ctx, "resnet18", (mfm_model_options){.height = 1, .width = 64}));
    mfm_ctx_free(ctx);
}

static void test_refused_memory(void)
{
    counting memory = {0};
    int status = MFM_ENOMEM;
    for (long n = 2; status != MFM_OK; n++) {
        memory = (counting){.refuse = n};
        mfm_ctx *ctx = mfm_ctx_new(
            &(mfm_allocator){.alloc = counting_alloc, .free = counting_free, .self = &memory});
        mfm_model *model;
        status = mfm_model_make(ctx, "lenet", NULL, &model);
        CU_ASSERT_TRUE_FATAL(status == MFM_OK || (status == MFM_ENOMEM && model == NULL));
        CU_ASSERT_EQUAL_FATAL(mfm_code(ctx), status);
        mfm_model_free(model);
        mfm_ctx_free(ctx);
        CU_ASSERT_EQUAL_FATAL(memory.live, 0);
    }
    CU_ASSERT_TRUE(memory.requests > 200 && memory.requests < memory.refuse);
}

static const mfm_case cases[] = {
    {"parameter counts are the published ones", test_counts},
    {"every architecture is listed once, and its parameters counted", test_listing},
    {"input and output are as documented", test_interface},
    {"CIFAR shortcuts subsample and pad with zeros on both sides", test_option_a},
    {"weights start with their rule's deviation, the rest constant", test_starts},
    {"a seed decides the bytes, and only those of weights", test_seeds},
    {"the number of classes leaves the features' weights alone", test_classes_leave_features},
    {"an unknown name is answered with the one that was meant", test_unknown_names},
    {"options out of range are refused by name", test_bad_options},
    {"images that shrink to nothing are refused, the smallest taken", test_small_images},
    {"any refused allocation is reported and leaks nothing", test_refused_memory},
};

MFM_SUITE("models", cases)
