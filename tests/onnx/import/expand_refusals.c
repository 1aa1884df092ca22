/* Operators that are carried out as several: files that cannot be, and what they
 * are told. */
#include "onnx/proto/proto.h"
#include "tests/onnx/import/imported.h"
#include "tests/suite.h"

/* Depth and values lie in the file, the new axis within the result. */
static void one_hot_is_told_by_the_file(void)
{
    static const struct {
        const char *inputs, *words;
        int64_t axis;
        int code;
    } bad[] = {{"c c hot", "input 1 (depth) 'c'", -1, MFM_ENOTSUP},
               {"c zero hot", "from 1 to", -1, MFM_ENOTSUP},
               {"c hot hot", "input 1 (depth) 'hot'", -1, MFM_ENOTSUP},
               {"c two two", "list of two numbers", -1, MFM_EDATA},
               {"c two", "three inputs", -1, MFM_EDATA},
               {"c two hot", "must be in [-5, 4]", INT64_MIN, MFM_EDATA},
               {"c two hot", "must be in [-5, 4]", 5, MFM_EDATA}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        imported t = start(8, 17);
        hand_conv(t.model);
        hand_ints(t.model, "zero", HAND_DIMS(0));
        hand_ints(t.model, "two", HAND_DIMS(2));
        hand_weight(t.model, "hot", HAND_DIMS(2));
        Onnx__NodeProto *node = hand_node(t.model, "OneHot", "hot", bad[i].inputs, "d");
        CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, node, "axis", bad[i].axis));
        hand_head(t.model, "d");
        CU_ASSERT(REFUSED(&t, bad[i].code, "OneHot 'hot'", bad[i].words));
        finish(&t);
    }
}

/* reduction = "mul" */
static bool multiplies(mfm_model *model, Onnx__NodeProto *node)
{
    char *mul = NULL;
    if (mfm_proto_attr_int(model, node, "reduction", 0) || mfm_proto_set_string(model, &mul, "mul"))
        return false;
    Onnx__AttributeProto *attr = node->attribute[node->n_attribute - 1];
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    attr->has_i = false;
    attr->has_s = true;
    attr->s = (ProtobufCBinaryData){.len = 3, .data = (uint8_t *)mul};
    return true;
}

static void products_have_constant_places_within_the_data(void)
{
    static const struct {
        const char *op_type, *inputs, *words;
        int64_t axis;
        int code;
    } bad[] = {{"ScatterElements", "c c c", "must be constant", 0, MFM_ENOTSUP},
               {"ScatterElements", "c at c", "do not fit", 0, MFM_EDATA},
               {"ScatterElements", "line at line", "do not fit", (int64_t)1 << 40, MFM_EDATA},
               {"ScatterElements", "line at line", "do not fit", -2, MFM_EDATA},
               {"ScatterND", "line at line", "do not fit", 0, MFM_EDATA},
               {"ScatterND", "line at", "three inputs", 0, MFM_EDATA}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        imported t = start(8, 18);
        hand_conv(t.model);
        hand_ints(t.model, "at", HAND_DIMS(0, 1));
        hand_weight(t.model, "line", HAND_DIMS(2));
        Onnx__NodeProto *node = hand_node(t.model, bad[i].op_type, "times", bad[i].inputs, "d");
        CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, node, "axis", bad[i].axis));
        CU_ASSERT(multiplies(t.model, node));
        hand_node(t.model, "Add", "", "c d", "e");
        hand_head(t.model, "e");
        CU_ASSERT(REFUSED(&t, bad[i].code, "'times'", bad[i].words));
        finish(&t);
    }
}

/* x [batch,3,4,4] -> [batch,4,1,1] -> Squeeze -> logits */
static void squeeze(mfm_model *m, int64_t batch)
{
    hand_input(m, "x", HAND_DIMS(batch, 3, 4, 4));
    hand_weight(m, "w", HAND_DIMS(4, 3, 1, 1));
    hand_weight(m, "fc", HAND_DIMS(4, 5));
    hand_node(m, "Conv", "conv", "x w", "c");
    hand_node(m, "GlobalAveragePool", "pool", "c", "p");
    hand_node(m, "Squeeze", "squeeze", "p", "s");
    hand_node(m, "MatMul", "matmul", "s fc", "logits");
    hand_output(m, "logits", HAND_DIMS(batch, 5));
}

static void a_squeeze_without_axes_keeps_the_batch(void)
{
    for (int batch = -1; batch < 8; batch += 8) {
        imported t = start(8, 17);
        squeeze(t.model, batch);
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT(logits_are(&t, 1, 5) && logits_are(&t, 6, 5));
        finish(&t);
    }
    imported t = start(8, 17);
    squeeze(t.model, 1);
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Squeeze 'squeeze'", "one image", "(2,3)"));
    finish(&t);
}

static const mfm_case cases[] = {
    {"OneHot: depth and values lie in the file, the axis within the result",
     one_hot_is_told_by_the_file},
    {"a product has constant places within the data",
     products_have_constant_places_within_the_data},
    {"a Squeeze without axes keeps the batch, which is not left open at one image",
     a_squeeze_without_axes_keeps_the_batch},
};
MFM_SUITE("onnx/expand_refusals", cases)
