/* Models that cannot be imported, and what they are told. */
#include <math.h>
#include <stdlib.h>

#include "onnx/surgery/inject.h"
#include "onnx/proto/proto.h"
#include "tests/onnx/import/imported.h"
#include "tests/suite.h"

static Onnx__NodeProto *last_node(const imported *t)
{
    const Onnx__GraphProto *graph = t->model->proto->graph;
    return graph->node[graph->n_node - 1];
}

static void every_unsupported_operator_is_listed(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_node(t.model, "NonMaxSuppression", "first", "c", "d");
    hand_node(t.model, "Relu", "", "d", "e");
    hand_node(t.model, "NonZero", "", "e", "g");
    hand_node(t.model, "LSTM", "unused", "c", "h");
    hand_head(t.model, "g");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "2 nodes", "NonMaxSuppression 'first'", "NonZero 'g'",
                      "opset 17"));
    CU_ASSERT_PTR_NULL(strstr(mfm_message(t.ctx), "LSTM"));
    finish(&t);
}

static void a_list_that_is_too_long_is_cut(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    char from[32] = "c", to[32], name[256];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 40; i++) {
        snprintf(to, sizeof to, "v%d", i);
        hand_node(t.model, "NoSuchOperator", name, from, to);
        memcpy(from, to, sizeof to);
    }
    hand_head(t.model, from);
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "40 nodes"));
    finish(&t);
}

static void the_engines_own_operators_are_not_for_files(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    Onnx__NodeProto *node = hand_node(t.model, "SoftmaxCrossEntropy", "loss", "c x", "d");
    CU_ASSERT_FALSE(mfm_proto_set_string(t.model, &node->domain, "mfm"));
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "SoftmaxCrossEntropy 'loss'"));
    finish(&t);
}

static void unknown_attributes_are_named(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, last_node(&t), "sparkle", 1));
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Conv 'conv'", "sparkle"));
    finish(&t);
}

static void attributes_that_became_inputs_are_named(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    Onnx__NodeProto *node = hand_node(t.model, "Clip", "clip", "c", "d");
    CU_ASSERT_FALSE(mfm_proto_attr_float(t.model, node, "min", 0));
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Clip 'clip'", "min", "opset 13"));
    finish(&t);
}

/* A Conv with one attribute that the test then spoils. */
static Onnx__AttributeProto *spoiled(imported *t, const char *name)
{
    *t = start(8, 17);
    hand_conv(t->model);
    CU_ASSERT_FALSE_FATAL(mfm_proto_attr_int(t->model, last_node(t), name, 1));
    return last_node(t)->attribute[0];
}

static void attributes_have_their_types(void)
{
    imported t;
    spoiled(&t, "pads");
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "Conv 'conv'", "pads", "wrong type"));
    finish(&t);
    Onnx__AttributeProto *attr = spoiled(&t, "group");
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "group", "wrong type"));
    finish(&t);
    spoiled(&t, "auto_pad");
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "auto_pad", "wrong type"));
    finish(&t);
    attr = spoiled(&t, "group");
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED; /* as before IR version 2 */
    hand_head(t.model, "c");
    CU_ASSERT(imports(&t));
    finish(&t);
}

static void set_text(imported *t, Onnx__AttributeProto *attr, const char *text, size_t length)
{
    attr->has_i = 0;
    attr->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    attr->has_s = 1;
    attr->s.data = mfm_proto_new(t->model, length + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(attr->s.data);
    memcpy(attr->s.data, text, length);
    attr->s.len = length;
}

static void a_choice_must_be_one_of_them(void)
{
    static const char lengthy[200] = "VALID";
    imported t;
    set_text(&t, spoiled(&t, "auto_pad"), "SIDEWAYS", 8);
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "Conv 'conv'", "auto_pad", "SIDEWAYS"));
    finish(&t);
    set_text(&t, spoiled(&t, "auto_pad"), lengthy, sizeof lengthy);
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "auto_pad", "200"));
    finish(&t);
    set_text(&t, spoiled(&t, "auto_pad"), "VALID", 5);
    hand_head(t.model, "c");
    CU_ASSERT(imports(&t));
    finish(&t);
}

/* A number that is 0 needs no field of its own: type INT alone says so. */
static void a_zero_may_be_left_out(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    Onnx__NodeProto *node = hand_node(t.model, "ReduceMean", "", "c", "p");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(t.model, node, "axes", (const int64_t[]){2, 3}, 2));
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, node, "keepdims", 0));
    node->attribute[1]->has_i = 0;
    hand_output(t.model, "p", HAND_DIMS(-1, 4));
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 3, 4));
    finish(&t);
}

static void missing_inputs_are_named(void)
{
    static const char *const inputs[] = {"x", "x -", "- w", "x w - w"};
    for (int i = 0; i < 4; i++) {
        imported t = start(8, 17);
        hand_conv(t.model);
        hand_node(t.model, "Conv", "bad", inputs[i], "d");
        hand_head(t.model, "d");
        CU_ASSERT(REFUSED(&t, i < 3 ? MFM_EDATA : MFM_ENOTSUP, "Conv 'bad'", "input"));
        finish(&t);
    }
}

static void shapes_that_do_not_fit_are_named(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "w5", HAND_DIMS(4, 5, 1, 1));
    hand_node(t.model, "Conv", "bad", "c w5", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "hand", "Conv 'bad'"));
    finish(&t);
}

static void weights_must_be_numbers(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_ints(t.model, "ints", 4, (const int64_t[]){1, 2, 3, 4});
    hand_node(t.model, "Mul", "bad", "c ints", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Mul 'bad'", "'ints'", "floating-point"));
    finish(&t);
}

static void only_the_batch_may_be_open(void)
{
    imported t = start(8, 17);
    hand_input(t.model, "x", HAND_DIMS(-1, 3, -1, 4));
    hand_weight(t.model, "w", HAND_DIMS(4, 3, 1, 1));
    hand_node(t.model, "Conv", "conv", "x w", "c");
    hand_head(t.model, "c");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "the size of images", "--input-size"));
    finish(&t);
}

static void a_classifier_has_one_input(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_input(t.model, "mask", HAND_DIMS(-1, 4, 4, 4));
    hand_node(t.model, "Mul", "", "c mask", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "'x'", "'mask'"));
    CU_ASSERT_PTR_NULL(strstr(mfm_message(t.ctx), "a constant"));
    finish(&t);
}

static void an_input_that_was_a_constant_is_said_to_be_one(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_input(t.model, "mask", HAND_DIMS(1, 4, 1, 1));
    hand_node(t.model, "Mul", "", "c mask", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "'mask'", "a constant whose numbers were left out"));
    finish(&t);
}

static void images_are_numbers_or_bytes(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_head(t.model, "c");
    t.model->proto->graph->input[0]->type->tensor_type->elem_type =
        ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "input 'x'", "floating-point numbers or bytes"));
    finish(&t);
}

static void there_must_be_an_input_and_an_output(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "no output"));
    finish(&t);
    t = start(8, 17);
    hand_weight(t.model, "w", HAND_DIMS(2, 5));
    hand_output(t.model, "w", HAND_DIMS(2, 5));
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "no input"));
    finish(&t);
}

static void the_output_depends_on_the_image(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "table", HAND_DIMS(2, 5));
    hand_node(t.model, "Relu", "", "table", "logits");
    hand_output(t.model, "logits", HAND_DIMS(2, 5));
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "'logits'", "image"));
    finish(&t);
    t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "table", HAND_DIMS(2, 5));
    hand_output(t.model, "table", HAND_DIMS(2, 5));
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "'table'", "image"));
    finish(&t);
}

static void the_output_is_batch_by_classes(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_output(t.model, "c", HAND_DIMS(-1, 4, 4, 4));
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "'c'", "[2,4,4,4]", "[batch, classes]"));
    finish(&t);
}

static void statistics_are_in_the_file_and_not_trained(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "s", HAND_DIMS(4));
    hand_weight(t.model, "m", HAND_DIMS(4));
    hand_node(t.model, "BatchNormalization", "bn", "c s m m s", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "'m'", "running statistic"));
    finish(&t);
    t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "s", HAND_DIMS(4));
    hand_weight(t.model, "m", HAND_DIMS(4));
    hand_node(t.model, "Relu", "", "m", "computed");
    hand_node(t.model, "BatchNormalization", "bn", "c s s computed m", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "bn", "'computed'"));
    finish(&t);
}

static void shape_arithmetic_that_does_not_fold_is_named(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_node(t.model, "NonZero", "pick", "c", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "not supported", "NonZero 'pick'"));
    finish(&t);
}

/* More numbers than import computes with, made and read. */
static void constants_beyond_the_limit_are_told(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_ints(t.model, "zero", 1, (const int64_t[]){0});
    hand_ints(t.model, "end", 1, (const int64_t[]){1 << 22});
    hand_ints(t.model, "one", 1, (const int64_t[]){1});
    hand_node(t.model, "Range", "count", "zero end one", "d");
    hand_node(t.model, "Gather", "pick", "c d", "e");
    hand_head(t.model, "e");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Range 'count'", "4194304 numbers", "2^20", "onnxsim"));
    finish(&t);
    enum { MANY = (1 << 20) + 1 };
    int64_t *zeros = calloc(MANY, sizeof *zeros);
    CU_ASSERT_PTR_NOT_NULL_FATAL(zeros);
    t = start(8, 17);
    hand_conv(t.model);
    hand_ints(t.model, "many", MANY, zeros);
    hand_node(t.model, "Neg", "turn", "many", "d");
    hand_node(t.model, "Gather", "pick", "c d", "e");
    hand_head(t.model, "e");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Neg 'turn'", "1048577 numbers", "2^20", "onnxsim"));
    finish(&t);
    free(zeros);
}

static void places_are_whole_numbers_within_the_axis(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_node(t.model, "Gather", "pick", "c w", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Gather 'pick'", "whole numbers"));
    finish(&t);
    t = start(8, 17);
    hand_conv(t.model);
    hand_ints(t.model, "places", 1, (const int64_t[]){1000});
    hand_node(t.model, "Gather", "pick", "c places", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "Gather 'pick'", "index 1000"));
    finish(&t);
}

/* A modulator whose record and graph have come apart. */
static void a_damaged_modulator_is_refused(void)
{
    for (int damage = 0; damage < 3; damage++) {
        imported t = {.ctx = mfm_ctx_new(NULL)};
        mfm_inject_info *info = NULL;
        const mfm_inject_options options = {0};
        t.model = hand_residual(t.ctx, 8, 13);
        CU_ASSERT_EQUAL_FATAL(mfm_model_inject(t.ctx, t.model, &options), MFM_OK);
        CU_ASSERT_EQUAL_FATAL(mfm_inject_info_read(t.ctx, t.model, &info), MFM_OK);
        char **name = damage == 0 ? &info->soft_label : &info->sites[0].output;
        if (damage < 2) {
            mfm_free(t.ctx, *name);
            *name = mfm_strdup(t.ctx, "nowhere");
        } else {
            info->classes = 4;
        }
        CU_ASSERT_EQUAL_FATAL(mfm_inject_info_write(t.ctx, t.model, info), MFM_OK);
        mfm_inject_info_free(t.ctx, info);
        const int status = mfm_model_import(t.ctx, t.model, &t.network);
        CU_ASSERT(status == MFM_EDATA && t.network == NULL);
        CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(t.ctx), "hand"));
        finish(&t);
    }
}

static void a_foreign_domain_is_named(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    Onnx__NodeProto *node = hand_node(t.model, "Relu", "mine", "c", "d");
    CU_ASSERT_FALSE(mfm_proto_set_string(t.model, &node->domain, "com.acme"));
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "com.acme:Relu 'mine'"));
    finish(&t);
}

/* Imported with the default, the operator would be another than the file's. */
static void an_attribute_that_refers_to_a_function_is_refused(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    Onnx__NodeProto *node = hand_node(t.model, "LeakyRelu", "leaky", "c", "d");
    CU_ASSERT_FALSE(mfm_proto_attr_float(t.model, node, "alpha", 0.5F));
    CU_ASSERT_FALSE(mfm_proto_set_string(t.model, &node->attribute[0]->ref_attr_name, "outer"));
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "LeakyRelu 'leaky'", "'alpha'", "'outer'", "function"));
    finish(&t);
}

static void numbers_of_the_wrong_kind_are_told(void)
{
    imported t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "shape", HAND_DIMS(2));
    hand_node(t.model, "Reshape", "flat", "c shape", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Reshape 'flat'", "'shape'", "whole numbers"));
    finish(&t);
    t = start(8, 17);
    hand_conv(t.model);
    hand_ints(t.model, "low", 1, (const int64_t[]){0});
    hand_node(t.model, "Clip", "clip", "c low", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Clip 'clip'", "'low'", "holds whole numbers"));
    finish(&t);
    t = start(8, 17);
    hand_conv(t.model);
    hand_weight(t.model, "low", HAND_DIMS(4));
    hand_node(t.model, "Clip", "clip", "c low", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Clip 'clip'", "'low'", "more than one number"));
    finish(&t);
}

static void set_number(imported *t, const char *name, size_t at, float number)
{
    Onnx__TensorProto *tensor = mfm_proto_initializer(t->model, name);
    memcpy(tensor->raw_data.data + at * sizeof number, &number, sizeof number);
}

static void weights_and_statistics_are_finite(void)
{
    static const struct {
        const char *name, *words;
        float number;
    } bad[] = {
        {"w2", "not a number", NAN}, {"w2", "infinity", -INFINITY}, {"v", "infinity", INFINITY}};
    for (int i = 0; i < 3; i++) {
        imported t = {.ctx = mfm_ctx_new(NULL)};
        t.model = hand_residual(t.ctx, 8, 13);
        set_number(&t, bad[i].name, 3, bad[i].number);
        CU_ASSERT(REFUSED(&t, MFM_EDATA, bad[i].name, bad[i].words));
        finish(&t);
    }
}

static const mfm_case cases[] = {
    {"every unsupported operator that is needed is listed", every_unsupported_operator_is_listed},
    {"a list that is too long is cut", a_list_that_is_too_long_is_cut},
    {"the engine's own operators are not for files", the_engines_own_operators_are_not_for_files},
    {"an operator of another domain is told with it", a_foreign_domain_is_named},
    {"an attribute that refers to a function's is refused",
     an_attribute_that_refers_to_a_function_is_refused},
    {"what sets an operator is told when it has the wrong kind of numbers",
     numbers_of_the_wrong_kind_are_told},
    {"weights and statistics are finite", weights_and_statistics_are_finite},
    {"unknown attributes are named", unknown_attributes_are_named},
    {"attributes that became inputs are named", attributes_that_became_inputs_are_named},
    {"attributes have their types", attributes_have_their_types},
    {"a choice must be one of those there are", a_choice_must_be_one_of_them},
    {"a number that is 0 may be left out", a_zero_may_be_left_out},
    {"missing and further inputs are named", missing_inputs_are_named},
    {"shapes that do not fit are named", shapes_that_do_not_fit_are_named},
    {"weights must be floating-point numbers", weights_must_be_numbers},
    {"the size of images is told where it is open", only_the_batch_may_be_open},
    {"a classifier has one input", a_classifier_has_one_input},
    {"an input that was a constant is said to be one",
     an_input_that_was_a_constant_is_said_to_be_one},
    {"images are numbers or bytes", images_are_numbers_or_bytes},
    {"there must be an input and an output", there_must_be_an_input_and_an_output},
    {"the output must depend on the image", the_output_depends_on_the_image},
    {"the output must be [batch, classes]", the_output_is_batch_by_classes},
    {"running statistics lie in the file, and are not trained",
     statistics_are_in_the_file_and_not_trained},
    {"shape arithmetic that does not fold is named", shape_arithmetic_that_does_not_fold_is_named},
    {"constants beyond the limit are told, and what to do", constants_beyond_the_limit_are_told},
    {"places are constant whole numbers within the axis", places_are_whole_numbers_within_the_axis},
    {"a modulator that does not fit its record is refused", a_damaged_modulator_is_refused},
};
MFM_SUITE("onnx/import_refusals", cases)
