/* What a model tells of its images: written and read, and what is damaged refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/info/array_info.h"
#include "onnx/info/class_info.h"
#include "onnx/info/preprocess_info.h"
#include "onnx/proto/proto.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

static mfm_ctx *ctx;

/* A grey image of 28 x 28, centred in 3 x 32 x 32. */
static const mfm_preprocess fitted = {
    .source_height = 28,
    .source_width = 28,
    .source_channels = 1,
    .height = 32,
    .width = 32,
    .channels = 3,
    .normalisation = {3, 255, {0.286, 1.0 / 3, -0.5}, {0.353, 0.1, 2}}};

static void preprocess_comes_back_bit_for_bit(void)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_preprocess_info info;
    bool found = true;
    CU_ASSERT_EQUAL(mfm_preprocess_info_read(ctx, m, &info, &found), MFM_OK);
    CU_ASSERT(!found && !mfm_preprocess_info_told(m));
    CU_ASSERT_EQUAL(mfm_preprocess_info_write(ctx, m, &fitted), MFM_OK);
    CU_ASSERT_EQUAL(mfm_preprocess_info_read(ctx, m, &info, &found), MFM_OK);
    CU_ASSERT(found && mfm_preprocess_info_told(m));
    CU_ASSERT(info.channels == 3 && info.height == 32 && info.width == 32);
    CU_ASSERT(mfm_normalisation_same(&info.normalisation, &fitted.normalisation));
    mfm_model_free(m);
}

/* As docs/formats.md has it, for a number that 15 digits tell. */
static void the_text_is_the_documented_one(void)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    const mfm_preprocess grey = {.source_height = 28,
                                 .source_width = 28,
                                 .source_channels = 1,
                                 .height = 28,
                                 .width = 28,
                                 .channels = 1,
                                 .normalisation = {1, 255, {0.286}, {0.353}}};
    CU_ASSERT_EQUAL(mfm_preprocess_info_write(ctx, m, &grey), MFM_OK);
    CU_ASSERT_STRING_EQUAL(
        mfm_proto_metadata(m, "mfm.preprocess"),
        "{\"version\":1,\"input\":[1,28,28],\"layout\":\"NCHW\",\"images\":[1,28,28],"
        "\"colours\":\"grey\",\"scale\":255.0,\"mean\":[0.286],\"deviation\":[0.353]}");
    mfm_model_free(m);
}

#define GOOD_START "{\"version\":1,\"input\":[1,2,3],\"layout\":\"NCHW\","

static void refuse_preprocess(const char *text, int code, const char *message)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_preprocess_info info;
    bool found;
    CU_ASSERT_EQUAL_FATAL(mfm_proto_set_metadata(m, "mfm.preprocess", text), MFM_OK);
    CU_ASSERT_EQUAL(mfm_preprocess_info_read(ctx, m, &info, &found), code);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "metadata mfm.preprocess: "));
    if (!strstr(mfm_message(ctx), message))
        CU_FAIL(message);
    mfm_model_free(m);
}

static void damaged_preprocess_is_refused_by_name(void)
{
    refuse_preprocess("", MFM_EDATA, "no JSON");
    refuse_preprocess("[1]", MFM_EDATA, "an object is required");
    refuse_preprocess("\377\376", MFM_EDATA, "no JSON");
    refuse_preprocess("{}", MFM_EDATA, "version");
    refuse_preprocess("{\"version\":2}", MFM_ENOTSUP, "version 2: up to 1");
    refuse_preprocess("{\"version\":1}", MFM_EDATA, "layout");
    refuse_preprocess("{\"version\":1,\"layout\":\"NCHW\",\"input\":[1,2]}", MFM_EDATA, "input");
    refuse_preprocess("{\"version\":1,\"layout\":\"NCHW\",\"input\":[1,0,2]}", MFM_EDATA, "input");
    refuse_preprocess("{\"version\":1,\"layout\":\"NCHW\",\"input\":[5,1,2]}", MFM_EDATA,
                      "up to 4");
    refuse_preprocess(GOOD_START "\"mean\":[0],\"deviation\":[1]}", MFM_EDATA, "scale");
    refuse_preprocess(GOOD_START "\"scale\":0,\"mean\":[0],\"deviation\":[1]}", MFM_EDATA,
                      "scale 0");
    refuse_preprocess(GOOD_START "\"scale\":255,\"mean\":[0,0],\"deviation\":[1]}", MFM_EDATA,
                      "mean: a list of numbers, one for each channel");
    refuse_preprocess(GOOD_START "\"scale\":255,\"mean\":[\"0\"],\"deviation\":[1]}", MFM_EDATA,
                      "mean: a list of numbers");
    refuse_preprocess(GOOD_START "\"scale\":255,\"mean\":[0],\"deviation\":[0]}", MFM_EDATA,
                      "deviation 0 in channel 0");
    refuse_preprocess(GOOD_START "\"scale\":255,\"mean\":[NaN],\"deviation\":[1]}", MFM_EDATA,
                      "no JSON");
    refuse_preprocess(GOOD_START "\"scale\":255,\"mean\":[1e400],\"deviation\":[1]}", MFM_EDATA,
                      "no JSON");
    refuse_preprocess(GOOD_START "\"scale\":255,\"mean\":[1e300],\"deviation\":[1]}", MFM_EDATA,
                      "float32");
    refuse_preprocess(GOOD_START "\"scale\":1,\"scale\":255,\"mean\":[0],\"deviation\":[1]}",
                      MFM_EDATA, "no JSON");
}

/* Signals of 3 channels and 5 points, of which the channels are standardised. */
static double channel_means[] = {1.0 / 3, -1e-30, 7}, channel_deviations[] = {0.1, 2e10, 1};
static const mfm_array_form signals = {
    .row = {.rank = 2, .dim = {3, 5}}, .mean = channel_means, .deviation = channel_deviations};

static void arrays_come_back_bit_for_bit(void)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_preprocess p;
    mfm_preprocess_info image;
    mfm_array_form form;
    bool found = true;
    CU_ASSERT_EQUAL(mfm_array_info_read(ctx, m, &form, &found), MFM_OK);
    CU_ASSERT(!found && form.row.rank == 0);
    CU_ASSERT_EQUAL(mfm_preprocess_info_write(ctx, m, &fitted), MFM_OK);
    CU_ASSERT_EQUAL(mfm_array_info_read(ctx, m, &form, &found), MFM_OK);
    CU_ASSERT(!found);
    mfm_preprocess_arrays(&signals, &p);
    CU_ASSERT_EQUAL(mfm_preprocess_info_write(ctx, m, &p), MFM_OK);
    CU_ASSERT_EQUAL(mfm_array_info_read(ctx, m, &form, &found), MFM_OK);
    CU_ASSERT(found && form.axis == 0 && mfm_shape_equal(&form.row, &signals.row));
    CU_ASSERT_PTR_NOT_NULL_FATAL(form.mean);
    CU_ASSERT_EQUAL(memcmp(form.mean, channel_means, sizeof channel_means), 0);
    CU_ASSERT_EQUAL(memcmp(form.deviation, channel_deviations, sizeof channel_deviations), 0);
    mfm_array_form_clear(ctx, &form);
    CU_ASSERT_EQUAL(mfm_preprocess_info_read(ctx, m, &image, &found), MFM_ENOTSUP);
    const mfm_array_form stored = {.row = {.rank = 1, .dim = {13}}};
    mfm_preprocess_arrays(&stored, &p);
    CU_ASSERT_EQUAL(mfm_preprocess_info_write(ctx, m, &p), MFM_OK);
    CU_ASSERT_STRING_EQUAL(mfm_proto_metadata(m, "mfm.preprocess"),
                           "{\"version\":2,\"numbers\":[13]}");
    CU_ASSERT_EQUAL(mfm_array_info_read(ctx, m, &form, &found), MFM_OK);
    CU_ASSERT(found && form.row.rank == 1 && !form.mean);
    mfm_array_form_clear(ctx, &form);
    mfm_model_free(m);
}

static void refuse_array(const char *text, int code, const char *message)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_array_form form;
    bool found;
    CU_ASSERT_EQUAL_FATAL(mfm_proto_set_metadata(m, "mfm.preprocess", text), MFM_OK);
    CU_ASSERT_EQUAL(mfm_array_info_read(ctx, m, &form, &found), code);
    mfm_array_form_clear(ctx, &form);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "metadata mfm.preprocess: "));
    if (!strstr(mfm_message(ctx), message))
        CU_FAIL(message);
    mfm_model_free(m);
}

#define ARRAY "{\"version\":2,\"numbers\":[2,3]"

static void damaged_arrays_are_refused_by_name(void)
{
    refuse_array("{\"numbers\":[2]}", MFM_EDATA, "version: a number from 1 up");
    refuse_array("{\"version\":3,\"numbers\":[2]}", MFM_ENOTSUP, "version 3: up to 2");
    refuse_array("{\"version\":2,\"numbers\":2}", MFM_EDATA, "numbers: a list of 1 to 5");
    refuse_array("{\"version\":2,\"numbers\":[1,1,1,1,1,1]}", MFM_EDATA, "1 to 5 lengths");
    refuse_array("{\"version\":2,\"numbers\":[0]}", MFM_EDATA, "from 1 up");
    refuse_array("{\"version\":2,\"numbers\":[1.5]}", MFM_EDATA, "from 1 up");
    refuse_array("{\"version\":2,\"numbers\":[2000000000,2000000000,2000000000],\"axis\":1}",
                 MFM_EDATA, "numbers");
    refuse_array(ARRAY ",\"mean\":[0,0]}", MFM_EDATA, "axis: missing");
    refuse_array(ARRAY ",\"axis\":0}", MFM_EDATA, "axis: one of the input's");
    refuse_array(ARRAY ",\"axis\":3}", MFM_EDATA, "axis: one of the input's");
    refuse_array(ARRAY ",\"axis\":2,\"mean\":[0,0],\"deviation\":[1,1]}", MFM_EDATA,
                 "mean: a list");
    refuse_array(ARRAY ",\"axis\":1,\"mean\":[0,0],\"deviation\":[1]}", MFM_EDATA, "deviation: a");
    refuse_array(ARRAY ",\"axis\":1,\"mean\":[0,\"\"],\"deviation\":[1,1]}", MFM_EDATA, "mean: a");
    refuse_array(ARRAY ",\"axis\":1,\"mean\":[0,0],\"deviation\":[1,0]}", MFM_EDATA,
                 "deviation 0 at 1");
}

/* 3 classes of 4, 2, 1 training images, called 1, 2 and a text that is not UTF-8 in the files. */
static uint32_t train[] = {4, 2, 1};
static char one[] = "one", two[] = "tw\303\266", bytes[] = "\377";
static char *names[] = {one, two, bytes};
static const mfm_dataset dataset = {.classes = 3, .first_label = 1, .class_names = names};
static const mfm_split split = {.classes = 3, .train_per_class = train, .hash = 0x0123456789abcdef};
static const mfm_split_options by = {.imbalance = 4,
                                     .max_per_class = 5,
                                     .meta_per_class = 6,
                                     .meta_from = MFM_META_DISJOINT,
                                     .seed = 7};

static void classes_come_back(void)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_class_info *info;
    CU_ASSERT_EQUAL(mfm_class_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT_PTR_NULL(info);
    CU_ASSERT_EQUAL(mfm_class_info_write(ctx, m, &dataset, &by, &split), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_class_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(info);
    CU_ASSERT_EQUAL(info->classes, 3);
    CU_ASSERT_EQUAL(info->first_label, 1);
    CU_ASSERT_STRING_EQUAL(info->names[1], "tw\303\266");
    CU_ASSERT_STRING_EQUAL(info->names[2], "3");
    CU_ASSERT_EQUAL(memcmp(info->train, train, sizeof train), 0);
    CU_ASSERT(info->has_split && info->hash == split.hash);
    CU_ASSERT(info->split.imbalance == 4 && info->split.max_per_class == 5);
    CU_ASSERT(info->split.meta_per_class == 6 && info->split.seed == 7);
    CU_ASSERT_EQUAL(info->split.meta_from, MFM_META_DISJOINT);
    CU_ASSERT(info->split.validation_per_class == 0 && info->split.validation_share == 0);
    CU_ASSERT_EQUAL(info->split.meta_cap, MFM_META_CAP_PER_CLASS);
    mfm_class_info_free(ctx, info);
    mfm_split_options further = by;
    further.meta_cap = MFM_META_CAP_RAREST;
    further.validation_per_class = 8;
    CU_ASSERT_EQUAL(mfm_class_info_write(ctx, m, &dataset, &further, &split), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_class_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT(info->split.validation_per_class == 8 && info->split.validation_share == 0);
    CU_ASSERT_EQUAL(info->split.meta_cap, MFM_META_CAP_RAREST);
    mfm_class_info_free(ctx, info);
    further.validation_per_class = 0;
    further.validation_share = 0.1;
    CU_ASSERT_EQUAL(mfm_class_info_write(ctx, m, &dataset, &further, &split), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_class_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT(info->split.validation_per_class == 0 && info->split.validation_share == 0.1);
    mfm_class_info_free(ctx, info);
    /* names alone are enough */
    CU_ASSERT_EQUAL(
        mfm_proto_set_metadata(m, "mfm.classes", "{\"version\":1,\"names\":[\"a\",\"b\"]}"),
        MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_class_info_read(ctx, m, &info), MFM_OK);
    CU_ASSERT(info->classes == 2 && !info->train && !info->has_split);
    mfm_class_info_free(ctx, info);
    mfm_model_free(m);
}

static void refuse_classes(const char *text, int code, const char *message)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    mfm_class_info *info;
    CU_ASSERT_EQUAL_FATAL(mfm_proto_set_metadata(m, "mfm.classes", text), MFM_OK);
    CU_ASSERT_EQUAL(mfm_class_info_read(ctx, m, &info), code);
    CU_ASSERT_PTR_NULL(info);
    CU_ASSERT_PTR_NOT_NULL(strstr(mfm_message(ctx), "metadata mfm.classes: "));
    if (!strstr(mfm_message(ctx), message))
        CU_FAIL(message);
    mfm_model_free(m);
}

#define TWO "{\"version\":1,\"names\":[\"a\",\"b\"]"

static void damaged_classes_are_refused_by_name(void)
{
    refuse_classes("[]", MFM_EDATA, "an object is required");
    refuse_classes("null", MFM_EDATA, "no JSON");
    refuse_classes("{\"names\":[\"\377\"]}", MFM_EDATA, "no JSON");
    refuse_classes("{\"version\":9}", MFM_ENOTSUP, "version 9");
    refuse_classes("{\"version\":1,\"names\":[]}", MFM_EDATA, "names");
    refuse_classes("{\"version\":1,\"names\":[1]}", MFM_EDATA, "names");
    refuse_classes("{\"version\":1,\"names\":[\"\\u001b[2J\"]}", MFM_EDATA, "control characters");
    refuse_classes(TWO ",\"first_label\":-1}", MFM_EDATA, "first_label");
    refuse_classes(TWO ",\"train\":[1]}", MFM_EDATA, "train");
    refuse_classes(TWO ",\"train\":[1,-1]}", MFM_EDATA, "train");
    refuse_classes(TWO ",\"train\":[1,1e300]}", MFM_EDATA, "train");
    refuse_classes(TWO ",\"split\":{}}", MFM_EDATA, "split: hash, imbalance");
    refuse_classes(TWO
                   ",\"split\":{\"hash\":\"0123456789abcdeg\",\"imbalance\":1,"
                   "\"max_per_class\":0,\"meta_per_class\":0,\"meta_from\":\"copy\",\"seed\":0}}",
                   MFM_EDATA, "split");
}

typedef struct packed {
    void *bytes;
    size_t size;
} packed;

static int write_and_read(mfm_ctx *failing, void *self)
{
    const packed *p = self;
    mfm_model *m = NULL;
    mfm_class_info *info = NULL;
    mfm_preprocess_info preprocess;
    bool found;
    int status = mfm_model_parse(failing, p->bytes, p->size, "m", &m);
    if (!status)
        status = mfm_preprocess_info_write(failing, m, &fitted);
    if (!status)
        status = mfm_class_info_write(failing, m, &dataset, &by, &split);
    if (!status)
        status = mfm_preprocess_info_read(failing, m, &preprocess, &found);
    if (!status)
        status = mfm_class_info_read(failing, m, &info);
    mfm_class_info_free(failing, info);
    mfm_model_free(m);
    return status;
}

static void refused_allocations_are_reported(void)
{
    mfm_model *m = hand_residual(ctx, 8, 17);
    packed p;
    p.bytes = hand_pack(ctx, m, &p.size);
    mfm_assert_refusals_are_told(write_and_read, &p);
    mfm_free(ctx, p.bytes);
    mfm_model_free(m);
}

static const mfm_case cases[] = {
    {"preprocessing comes back bit for bit", preprocess_comes_back_bit_for_bit},
    {"the text is the documented one", the_text_is_the_documented_one},
    {"damaged preprocessing is refused by name", damaged_preprocess_is_refused_by_name},
    {"arrays come back bit for bit", arrays_come_back_bit_for_bit},
    {"damaged arrays are refused by name", damaged_arrays_are_refused_by_name},
    {"classes come back", classes_come_back},
    {"damaged classes are refused by name", damaged_classes_are_refused_by_name},
    {"refused allocations are reported", refused_allocations_are_reported},
};

int main(void)
{
    ctx = mfm_ctx_new(NULL);
    const int failed =
        !ctx || mfm_suite_run("onnx/data_info", cases, sizeof cases / sizeof cases[0]);
    mfm_ctx_free(ctx);
    return failed;
}
