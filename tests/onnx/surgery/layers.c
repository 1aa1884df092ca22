#include "models/models.h"
#include "tests/refusals.h"
#include "tests/onnx/surgery/looked.h"
#include "tests/suite.h"

/* Compares names that may be NULL. */
static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_residual(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 3, 9);
    mfm_layers *found = look(model);
    CU_ASSERT_EQUAL_FATAL(found->n_layers, 3);
    CU_ASSERT_EQUAL_FATAL(found->n_blocks, 1);
    const mfm_layer *first = &found->layers[0], *second = first + 1, *fc = first + 2;
    CU_ASSERT_TRUE(same(first->output, "c1") && same(first->norm, "n1") && same(first->act, "a1"));
    CU_ASSERT_TRUE(same(second->output, "c2") && same(second->norm, "n2") && !second->act);
    CU_ASSERT_TRUE(same(fc->output, "logits") && !fc->norm && !fc->act);
    CU_ASSERT_EQUAL(first->channels, 4);
    CU_ASSERT_EQUAL(fc->channels, 5);
    CU_ASSERT_EQUAL(first->rank, 4);
    CU_ASSERT_EQUAL(fc->rank, 2);
    CU_ASSERT_EQUAL(first->block, MFM_NOWHERE);
    CU_ASSERT_EQUAL(second->block, 0);
    CU_ASSERT_TRUE(!first->classifier && !second->classifier && fc->classifier);
    CU_ASSERT_TRUE(fc->kind == MFM_LAYER_FC && fc->number == 1 && second->number == 2);
    CU_ASSERT_STRING_EQUAL(mfm_layer_title(second), "c2");
    CU_ASSERT_EQUAL(found->blocks[0].layer, 1);
    CU_ASSERT_STRING_EQUAL(found->blocks[0].output, "a2");
    mfm_layers_free(found);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

/* ResNet-20: 1 + 18 convolutions, 9 blocks of two; the shortcuts have no layers. */
static void test_resnet(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, "resnet20", NULL, &model), MFM_OK);
    mfm_layers *found = look(model);
    CU_ASSERT_EQUAL_FATAL(found->n_layers, 20);
    CU_ASSERT_EQUAL_FATAL(found->n_blocks, 9);
    for (size_t i = 0; i < 9; i++) {
        CU_ASSERT_EQUAL(found->blocks[i].layer, 2 * i + 2);
        CU_ASSERT_EQUAL(found->layers[2 * i + 1].block, (ptrdiff_t)i);
        CU_ASSERT_EQUAL(found->layers[2 * i + 2].block, (ptrdiff_t)i);
        CU_ASSERT_EQUAL(found->layers[2 * i + 2].channels, i < 3 ? 16 : i < 6 ? 32 : 64);
    }
    mfm_layers_free(found);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

/* The channels of a weight behind nodes, and a bias that a node of its own adds. */
static void test_weights(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_model(ctx, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, 3, 8, 8));
    hand_weight(m, "shared", HAND_DIMS(7, 3, 1, 1));
    hand_weight(m, "hwio", HAND_DIMS(1, 1, 7, 6));
    hand_weight(m, "turned", HAND_DIMS(6, 2, 2, 2));
    hand_weight(m, "flat", HAND_DIMS(36));
    hand_ints(m, "to", 2, (const int64_t[]){-1, 9});
    hand_weight(m, "in_out", HAND_DIMS(9, 5));
    hand_weight(m, "bias", HAND_DIMS(5));
    hand_node(m, "Identity", "", "shared", "w1");
    hand_node(m, "Conv", "", "x w1", "c1");
    Onnx__NodeProto *t = hand_node(m, "Transpose", "", "hwio", "w2");
    CU_ASSERT_EQUAL(mfm_proto_attr_ints(m, t, "perm", (const int64_t[]){3, 2, 0, 1}, 4), MFM_OK);
    hand_node(m, "Conv", "", "c1 w2", "c2");
    Onnx__NodeProto *up = hand_node(m, "ConvTranspose", "", "c2 turned", "c3");
    CU_ASSERT_EQUAL(mfm_proto_attr_int(m, up, "group", 3), MFM_OK);
    hand_node(m, "GlobalAveragePool", "", "c3", "pool");
    hand_node(m, "Flatten", "", "pool", "features");
    hand_node(m, "Reshape", "", "flat to", "w4");
    hand_node(m, "MatMul", "", "features w4", "m4");
    hand_node(m, "Relu", "", "m4", "r4");
    hand_node(m, "MatMul", "", "r4 in_out", "m5");
    hand_node(m, "Add", "", "bias m5", "y");
    hand_node(m, "MatMul", "attention", "y y", "yy"); /* of two values: no layer */
    hand_output(m, "yy", HAND_DIMS(-1, 5));
    mfm_layers *found = look(m);
    static const int64_t channels[] = {7, 6, 6, 9, 5};
    CU_ASSERT_EQUAL_FATAL(found->n_layers, 5);
    for (size_t i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(found->layers[i].channels, channels[i]);
    CU_ASSERT_STRING_EQUAL(found->layers[4].output, "y");
    CU_ASSERT_STRING_EQUAL(found->layers[3].act, "r4");
    mfm_layers_free(found);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* A normalisation with a scale and a shift of its own, x * sigmoid(x), and values that more than
 * the next node reads. */
static void test_surroundings(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_model(ctx, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, 3, 8, 8));
    hand_weight(m, "w", HAND_DIMS(3, 3, 1, 1));
    hand_weight(m, "s", HAND_DIMS(3));
    hand_weight(m, "k", HAND_DIMS(3, 1, 1));
    hand_node(m, "Conv", "", "x w", "c1");
    hand_node(m, "BatchNormalization", "", "c1 s s s s", "n1");
    hand_node(m, "Mul", "", "n1 k", "k1");
    hand_node(m, "Add", "", "k1 k", "b1");
    hand_node(m, "Sigmoid", "", "b1", "g1");
    hand_node(m, "Mul", "", "b1 g1", "silu");
    hand_node(m, "Conv", "", "silu w", "c2");
    hand_node(m, "BatchNormalization", "", "c2 s s s s", "n2");
    hand_node(m, "Concat", "", "c2 n2", "both"); /* c2 has a second reader */
    hand_output(m, "both", HAND_DIMS(-1, 6, 8, 8));
    mfm_layers *found = look(m);
    CU_ASSERT_EQUAL_FATAL(found->n_layers, 2);
    CU_ASSERT_TRUE(same(found->layers[0].norm, "b1") && same(found->layers[0].act, "silu"));
    CU_ASSERT_TRUE(!found->layers[1].norm && !found->layers[1].act);
    CU_ASSERT_EQUAL(found->n_blocks, 0);
    mfm_layers_free(found);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

/* A block whose shortcut has a convolution, within a longer one; and a sum with a constant. */
static void test_nested_blocks(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *m = hand_model(ctx, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, 3, 8, 8));
    hand_weight(m, "w", HAND_DIMS(3, 3, 1, 1));
    hand_weight(m, "k", HAND_DIMS(1));
    hand_node(m, "Add", "", "x k", "start");
    hand_node(m, "Conv", "outer", "start w", "o");
    hand_node(m, "Conv", "short", "o w", "s");
    hand_node(m, "Conv", "long1", "o w", "l1");
    hand_node(m, "Conv", "long2", "l1 w", "l2");
    hand_node(m, "Sum", "", "s l2", "inner");
    hand_node(m, "Add", "", "start inner", "y");
    hand_output(m, "y", HAND_DIMS(-1, 3, 8, 8));
    mfm_layers *found = look(m);
    CU_ASSERT_EQUAL_FATAL(found->n_blocks, 2);
    CU_ASSERT_EQUAL(found->blocks[0].layer, 3);
    CU_ASSERT_STRING_EQUAL(found->blocks[0].output, "inner");
    CU_ASSERT_EQUAL(found->blocks[1].layer, 3);
    static const ptrdiff_t blocks[] = {1, 0, 0, 0};
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(found->layers[i].block, blocks[i]);
    mfm_layers_free(found);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void test_selectors(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, "resnet20", NULL, &model), MFM_OK);
    mfm_layers *found = look(model);
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "18");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "first_conv"), "0");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "conv:3"), "2");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "conv:-2"), "17");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "fc:1"), "19");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "block:2", "block:-1"), "4 18");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "layer1.0.conv2"), "2");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "logits"), "19");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "layer?.2.conv2"), "6 12 18");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "fc", "last_conv", "conv:-1", "conv1"), "0 18 19");
    mfm_layers_free(found);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static void test_misses(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_model_make(ctx, "resnet20", NULL, &model), MFM_OK);
    mfm_layers *found = look(model);
    const char *told = CHOSEN(found, "layer1.0.conv3");
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "no such layer: layer1.0.conv3: no layer has that name: "
                                        "did you mean layer1.0.conv1 or layer1.0.conv2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "; the layers: conv:1 conv1, conv:2 layer1.0.conv1"));
    static const char *const wrong[] = {"conv:0",
                                        "conv:20",
                                        "conv:-20",
                                        "conv:",
                                        "conv:x",
                                        "conv: 1",
                                        "fc:2",
                                        "block:10",
                                        "",
                                        "no*thing",
                                        "conv:99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(CHOSEN(found, wrong[i]), "no such layer"));
    CU_ASSERT_PTR_NOT_NULL(strstr(chosen(found, NULL, 0), "name at least one"));
    mfm_layers_free(found);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

/* conv, Relu, conv, GlobalAveragePool, Flatten, Softmax: the second makes the logits. */
static void test_conv_classifier(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_ctx_on_warning(ctx, keep_warning, NULL);
    mfm_model *m = hand_model(ctx, 8, 17);
    hand_input(m, "x", HAND_DIMS(-1, 3, 8, 8));
    hand_weight(m, "w", HAND_DIMS(3, 3, 1, 1));
    hand_node(m, "Conv", "", "x w", "c1");
    hand_node(m, "Relu", "", "c1", "r1");
    hand_node(m, "Conv", "head", "r1 w", "c2");
    hand_node(m, "GlobalAveragePool", "", "c2", "p");
    hand_node(m, "Flatten", "", "p", "f");
    hand_node(m, "Softmax", "", "f", "y");
    hand_output(m, "y", HAND_DIMS(-1, 3));
    mfm_layers *found = look(m);
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "0");
    CU_ASSERT_STRING_EQUAL(warning, "last_conv: head is the classifier; taking c1");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "conv:-1"), "1");
    mfm_layers_free(found);
    mfm_model_free(m);
    mfm_ctx_free(ctx);
}

static void test_positions(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    mfm_layers *found = look(model);
    static const char *const values[3][MFM_POSITIONS] = {
        {"n1", "c1", "a1", NULL}, {"n2", "c2", NULL, "a2"}, {"logits", "logits", NULL, NULL}};
    for (size_t i = 0; i < 3; i++)
        for (int p = 0; p < MFM_POSITIONS; p++) {
            mfm_point point = {0};
            const int status = mfm_layers_point(ctx, found, i, (mfm_position)p, &point);
            CU_ASSERT_EQUAL(status, values[i][p] ? MFM_OK : MFM_EINVAL);
            CU_ASSERT_TRUE(same(point.value, values[i][p]));
            CU_ASSERT_EQUAL(point.channels, !values[i][p] ? 0 : i < 2 ? 4 : 5);
        }
    CU_ASSERT_STRING_EQUAL(
        mfm_message(ctx),
        "no position 'block' at layer logits: it is not part of a residual block");
    mfm_layers_free(found);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static int look_and_select(mfm_ctx *own, void *self)
{
    const mfm_model *shared = self;
    mfm_model view = *shared;
    mfm_layers *found;
    static const char *const selectors[] = {"conv:1", "*"};
    size_t *picked, n;
    view.ctx = own;
    int status = mfm_layers_new(own, &view, &found);
    if (status)
        return status;
    status = mfm_layers_select(own, found, selectors, 2, &picked, &n);
    if (!status)
        mfm_free(own, picked);
    mfm_layers_free(found);
    return status;
}

static void test_memory(void)
{
    ctx = mfm_ctx_new(NULL);
    mfm_model *model = hand_residual(ctx, 8, 17);
    mfm_assert_refusals_are_told(look_and_select, model);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"layers are known by what they do, not by names", test_residual},
    {"a ResNet's blocks end in the second convolution", test_resnet},
    {"weights are followed through the nodes before them", test_weights},
    {"what follows a layer is its own only if nothing else reads it", test_surroundings},
    {"a layer belongs to its innermost block", test_nested_blocks},
    {"every form of selector finds its layers", test_selectors},
    {"a miss is answered with the nearest names and what there is", test_misses},
    {"last_conv passes over a convolution that classifies", test_conv_classifier},
    {"each position is the value it says", test_positions},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};
MFM_SUITE("onnx/layers", cases)
