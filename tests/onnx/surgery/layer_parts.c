/* What layers are beside the features that go on. */
#include "tests/onnx/surgery/looked.h"
#include "tests/suite.h"

/* Squeeze and excitation, with a Sigmoid, or with a clipped sum in its place. */
static void test_gates(void)
{
    static const char *const squashers[] = {"Sigmoid", "Add", "Exp", "Softplus"};
    for (size_t i = 0; i < sizeof squashers / sizeof squashers[0]; i++) {
        mfm_model *m = begin_net();
        hand_weight(m, "three", HAND_DIMS(1));
        hand_node(m, "GlobalAveragePool", "", "r", "s");
        hand_node(m, "Conv", "", "s w", "s1");
        hand_node(m, "Relu", "", "s1", "s2");
        hand_node(m, "Conv", "", "s2 w", "s3");
        hand_node(m, squashers[i], "", i == 1 ? "s3 three" : "s3", "s4");
        hand_node(m, "Relu", "", "s4", "gate");
        hand_node(m, "Mul", "", "r gate", "gated");
        mfm_layers *found = end_net(m, "gated");
        CU_ASSERT(is_part(found, 0, MFM_PART_MAIN));
        CU_ASSERT(is_part(found, 1, MFM_PART_GATE) && is_part(found, 2, MFM_PART_GATE));
        CU_ASSERT(is_part(found, 3, MFM_PART_MAIN));
        CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "0");
        CU_ASSERT_STRING_EQUAL(warning,
                               "last_conv: s3 makes the gate of other features; taking c0");
        CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_features"), "0");
        CU_ASSERT_STRING_EQUAL(CHOSEN(found, "conv:-1"), "2");
        free_net(m, found);
    }
}

/* x sigmoid(x) is an activation, and a product with a map that was not averaged no gate. */
static void test_no_gates(void)
{
    mfm_model *m = begin_net();
    hand_node(m, "Conv", "", "r w", "c1");
    hand_node(m, "Sigmoid", "", "c1", "s");
    hand_node(m, "Mul", "", "c1 s", "swish");
    hand_node(m, "Conv", "", "swish w", "c2");
    hand_node(m, "Mul", "", "c2 swish", "both");
    mfm_layers *found = end_net(m, "both");
    for (size_t i = 0; i < found->n_layers; i++)
        CU_ASSERT(is_part(found, i, MFM_PART_MAIN));
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "2");
    CU_ASSERT_STRING_EQUAL(warning, "");
    free_net(m, found);
}

/* The shortcut is written last, as ResNeSt's is. */
static void test_shortcuts(void)
{
    mfm_model *m = begin_net();
    hand_node(m, "Conv", "", "r w", "c1");
    hand_node(m, "Relu", "", "c1", "r1");
    hand_node(m, "Conv", "", "r1 w", "c2");
    hand_node(m, "Conv", "", "r w", "around");
    hand_node(m, "Add", "", "c2 around", "sum");
    mfm_layers *found = end_net(m, "sum");
    CU_ASSERT(is_part(found, 2, MFM_PART_MAIN) && is_part(found, 3, MFM_PART_SHORTCUT));
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "2");
    CU_ASSERT_STRING_EQUAL(warning, "last_conv: around is the shortcut around a block; taking c2");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "block:1"), "2");
    free_net(m, found);
}

static void test_branches(void)
{
    mfm_model *m = begin_net();
    hand_weight(m, "wide", HAND_DIMS(4, 8, 1, 1));
    hand_node(m, "Conv", "", "r w", "c1");
    hand_node(m, "Conv", "", "r w", "c2");
    hand_node(m, "Relu", "", "c2", "r2");
    Onnx__NodeProto *concat = hand_node(m, "Concat", "", "c1 r2", "both");
    CU_ASSERT_FALSE(mfm_proto_attr_int(m, concat, "axis", 1));
    mfm_layers *found = end_net(m, "both");
    CU_ASSERT(is_part(found, 1, MFM_PART_BRANCH) && is_part(found, 2, MFM_PART_BRANCH));
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "2");
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "one of several branches"));
    free_net(m, found);
}

/* Of two branches the larger numbers go on; of one and a number that is Relu. */
static void test_largest_of_branches(void)
{
    mfm_model *m = begin_net();
    hand_weight(m, "zero", HAND_DIMS(1));
    hand_node(m, "Conv", "", "r w", "c1");
    hand_node(m, "Conv", "", "r w", "c2");
    hand_node(m, "Max", "", "c1 c2", "both");
    hand_node(m, "Conv", "", "both w", "c3");
    hand_node(m, "Max", "", "c3 zero", "relu");
    mfm_layers *found = end_net(m, "relu");
    CU_ASSERT(is_part(found, 1, MFM_PART_BRANCH) && is_part(found, 2, MFM_PART_BRANCH));
    CU_ASSERT(is_part(found, 3, MFM_PART_MAIN));
    free_net(m, found);
}

/* conv, tokens, three dense layers: the convolution embeds patches. */
static void test_patches(void)
{
    mfm_model *m = begin_net();
    hand_weight(m, "k", HAND_DIMS(4, 4));
    hand_ints(m, "tokens", 3, (const int64_t[]){0, 4, -1});
    hand_ints(m, "back", 4, (const int64_t[]){0, 4, 8, 8});
    hand_node(m, "Reshape", "", "r tokens", "t");
    Onnx__NodeProto *turn = hand_node(m, "Transpose", "", "t", "u");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(m, turn, "perm", (const int64_t[]){0, 2, 1}, 3));
    hand_node(m, "MatMul", "", "u k", "d1");
    hand_node(m, "Relu", "", "d1", "e1");
    hand_node(m, "MatMul", "", "e1 k", "d2");
    turn = hand_node(m, "Transpose", "", "d2", "v");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(m, turn, "perm", (const int64_t[]){0, 2, 1}, 3));
    hand_node(m, "Reshape", "", "v back", "z");
    mfm_layers *found = end_net(m, "z");
    CU_ASSERT(is_part(found, 0, MFM_PART_PATCHES));
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "0");
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "embeds patches"));
    warning[0] = '\0';
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_features"), "2");
    CU_ASSERT_STRING_EQUAL(warning, "");
    free_net(m, found);
}

/* x + conv(relu(conv(sum over places of softmax(conv(x)) x))), as GCNet has it; or times it. */
static void context_net(mfm_model *m, const char *joins)
{
    hand_weight(m, "one", HAND_DIMS(1, 4, 1, 1));
    hand_ints(m, "line", HAND_DIMS(0, 1, 64));
    hand_ints(m, "rows", HAND_DIMS(0, 4, 64));
    hand_ints(m, "column", HAND_DIMS(0, 64, 1));
    hand_ints(m, "map", HAND_DIMS(0, 4, 1, 1));
    hand_node(m, "Conv", "", "r one", "k");
    hand_node(m, "Reshape", "", "k line", "k1");
    hand_node(m, "Softmax", "", "k1", "k2");
    hand_node(m, "Reshape", "", "k2 column", "k3");
    hand_node(m, "Reshape", "", "r rows", "v");
    hand_node(m, "MatMul", "", "v k3", "u");
    hand_node(m, "Reshape", "", "u map", "u1");
    hand_node(m, "Conv", "", "u1 w", "t1");
    hand_node(m, "Relu", "", "t1", "t2");
    hand_node(m, "Conv", "", "t2 w", "t3");
    hand_node(m, joins, "", "r t3", "z");
}

static void test_context(void)
{
    mfm_model *m = begin_net();
    context_net(m, "Add");
    mfm_layers *found = end_net(m, "z");
    CU_ASSERT(is_part(found, 0, MFM_PART_MAIN) && is_part(found, 1, MFM_PART_GATE));
    CU_ASSERT(is_part(found, 2, MFM_PART_CONTEXT) && is_part(found, 3, MFM_PART_CONTEXT));
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "0");
    CU_ASSERT_STRING_EQUAL(warning, "last_conv: t3 makes one number for each whole map, which is "
                                    "added to it; taking c0");
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "block:1"), "3");
    CU_ASSERT_STRING_EQUAL(warning,
                           "block:1: t3 makes one number for each whole map, which is added to it");
    free_net(m, found);
    m = begin_net();
    context_net(m, "Mul");
    found = end_net(m, "z");
    CU_ASSERT(is_part(found, 1, MFM_PART_GATE) && is_part(found, 2, MFM_PART_GATE) &&
              is_part(found, 3, MFM_PART_GATE));
    free_net(m, found);
}

/* relu(conv(mean)) + relu(conv(largest)), squashed: both make the gate. */
static void test_gate_of_two(void)
{
    mfm_model *m = begin_net();
    hand_node(m, "GlobalAveragePool", "", "r", "a");
    hand_node(m, "Conv", "", "a w", "a1");
    hand_node(m, "GlobalMaxPool", "", "r", "b");
    hand_node(m, "Conv", "", "b w", "b1");
    hand_node(m, "Add", "", "a1 b1", "s");
    hand_node(m, "Sigmoid", "", "s", "gate");
    hand_node(m, "Mul", "", "r gate", "z");
    mfm_layers *found = end_net(m, "z");
    CU_ASSERT(is_part(found, 1, MFM_PART_GATE) && is_part(found, 2, MFM_PART_GATE));
    free_net(m, found);
}

/* r + conv(r) times the gate of squeeze and excitation: the block's layer is the convolution. */
static void test_gate_in_block(void)
{
    mfm_model *m = begin_net();
    hand_node(m, "Conv", "", "r w", "c1");
    hand_node(m, "GlobalAveragePool", "", "c1", "s");
    hand_node(m, "Conv", "", "s w", "s1");
    hand_node(m, "Sigmoid", "", "s1", "gate");
    hand_node(m, "Mul", "", "c1 gate", "gated");
    hand_node(m, "Add", "", "gated r", "z");
    mfm_layers *found = end_net(m, "z");
    CU_ASSERT(is_part(found, 1, MFM_PART_MAIN) && is_part(found, 2, MFM_PART_GATE));
    CU_ASSERT_EQUAL_FATAL(found->n_blocks, 1);
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "block:1"), "1");
    CU_ASSERT_STRING_EQUAL(warning, "");
    free_net(m, found);
}

/* Attention is no average that is added: softmax(q k) v, a layer, plus what it is of. And a layer
 * of what was pooled is no context of the like. */
static void test_no_context(void)
{
    mfm_model *m = begin_net();
    hand_weight(m, "k64", HAND_DIMS(64, 64));
    hand_weight(m, "k4", HAND_DIMS(4, 4));
    hand_ints(m, "rows", HAND_DIMS(0, 4, 64));
    hand_ints(m, "map", HAND_DIMS(0, 4, 8, 8));
    hand_node(m, "Reshape", "", "r rows", "t");
    hand_node(m, "MatMul", "", "t k64", "q");
    Onnx__NodeProto *turn = hand_node(m, "Transpose", "", "t", "k");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(m, turn, "perm", (const int64_t[]){0, 2, 1}, 3));
    hand_node(m, "MatMul", "", "q k", "s");
    hand_node(m, "Softmax", "", "s", "p");
    hand_node(m, "MatMul", "", "p t", "o");
    hand_node(m, "MatMul", "", "o k64", "y");
    hand_node(m, "Add", "", "y t", "u");
    hand_node(m, "Reshape", "", "u map", "v");
    hand_node(m, "GlobalAveragePool", "", "v", "a");
    hand_node(m, "Flatten", "", "a", "b");
    hand_node(m, "MatMul", "", "b k4", "c");
    hand_node(m, "Add", "", "b c", "d");
    hand_node(m, "MatMul", "", "d g", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
    mfm_layers *found = look(m);
    for (size_t i = 1; i < found->n_layers; i++)
        CU_ASSERT(is_part(found, i, MFM_PART_MAIN));
    CU_ASSERT_EQUAL(found->n_layers, 5);
    free_net(m, found);
}

/* conv(x) / 2 + conv(x): neither is the shortcut of the other. */
static void test_sum_of_branches(void)
{
    mfm_model *m = begin_net();
    hand_weight(m, "half", HAND_DIMS(1));
    hand_node(m, "Conv", "", "r w", "c1");
    hand_node(m, "Mul", "", "c1 half", "h");
    hand_node(m, "Conv", "", "r w", "c2");
    hand_node(m, "Add", "", "h c2", "z");
    mfm_layers *found = end_net(m, "z");
    CU_ASSERT(is_part(found, 1, MFM_PART_BRANCH) && is_part(found, 2, MFM_PART_BRANCH));
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "last_conv"), "2");
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "one of several branches"));
    warning[0] = '\0';
    CU_ASSERT_STRING_EQUAL(CHOSEN(found, "block:1"), "1");
    CU_ASSERT_PTR_NOT_NULL(strstr(warning, "one of several branches"));
    free_net(m, found);
}

static const mfm_case cases[] = {
    {"layers that only gate others are passed over", test_gates},
    {"activations and products of maps are no gates", test_no_gates},
    {"shortcuts around a block are passed over", test_shortcuts},
    {"one branch of several is told", test_branches},
    {"branches of which the largest goes on are told", test_largest_of_branches},
    {"the embedding of patches is told", test_patches},
    {"a global context is passed over", test_context},
    {"a gate may be made of two averages", test_gate_of_two},
    {"a block ends before the gate of its features", test_gate_in_block},
    {"attention, and a sum of averages, are no context", test_no_context},
    {"branches that are added, neither around the other, are told", test_sum_of_branches},
};
MFM_SUITE("onnx/layer_parts", cases)
