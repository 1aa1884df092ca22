/* Shape arithmetic: what folds to which numbers, and what must not fold. */
#include "onnx/import/fold.h"

#include <string.h>

#include "tests/suite.h"

static mfm_folded list(int count, const int64_t *v)
{
    mfm_folded f = {.rank = 1, .count = count};
    memcpy(f.v, v, (size_t)count * sizeof *v);
    return f;
}
#define LIST(...)                                                                                  \
    list((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static mfm_folded scalar(int64_t v)
{
    return (mfm_folded){.rank = 0, .count = 1, .v = {v}};
}

/* [batch, 3, 8, 8] */
static mfm_folded image_shape(void)
{
    mfm_folded f = LIST(2, 3, 8, 8);
    f.batch[0] = true;
    return f;
}

static bool is_list(const mfm_folded *f, int count, const int64_t *v)
{
    return f->rank == 1 && f->count == count && memcmp(f->v, v, (size_t)count * sizeof *v) == 0;
}
#define IS_LIST(f, ...)                                                                            \
    is_list(f, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static Onnx__NodeProto op(const char *type)
{
    Onnx__NodeProto node = ONNX__NODE_PROTO__INIT;
    node.op_type = (char *)type;
    return node;
}

static bool fold1(const char *type, const mfm_folded *a, mfm_folded *result)
{
    const Onnx__NodeProto node = op(type);
    return mfm_fold_node(&node, &a, 1, result);
}

static bool fold2(const char *type, mfm_folded a, mfm_folded b, mfm_folded *result)
{
    const Onnx__NodeProto node = op(type);
    const mfm_folded *inputs[2] = {&a, &b};
    return mfm_fold_node(&node, inputs, 2, result);
}

static bool cut(mfm_folded data, mfm_folded start, mfm_folded end, const mfm_folded *axis,
                const mfm_folded *step, mfm_folded *result)
{
    const Onnx__NodeProto node = op("Slice");
    const mfm_folded *inputs[5] = {&data, &start, &end, axis, step};
    return mfm_fold_node(&node, inputs, 5, result);
}

static void shape_marks_the_batch(void)
{
    const Onnx__NodeProto node = op("Shape");
    const mfm_shape at2 = mfm_shape_of(4, 2, 3, 8, 8), at3 = mfm_shape_of(4, 3, 3, 8, 8);
    mfm_folded f;
    CU_ASSERT_FATAL(mfm_fold_shape(&node, &at2, &at3, &f));
    CU_ASSERT(IS_LIST(&f, 2, 3, 8, 8));
    CU_ASSERT(f.batch[0] && !f.batch[1] && !f.batch[2] && !f.batch[3]);
    const mfm_shape turned2 = mfm_shape_of(2, 6, 2), turned3 = mfm_shape_of(2, 6, 3);
    CU_ASSERT_FATAL(mfm_fold_shape(&node, &turned2, &turned3, &f));
    CU_ASSERT(!f.batch[0] && f.batch[1]);
    CU_ASSERT_FATAL(mfm_fold_shape(&node, &at2, &at2, &f));
    CU_ASSERT(!f.batch[0]);
}

static void a_multiple_of_the_batch_is_no_number(void)
{
    const Onnx__NodeProto node = op("Shape");
    const mfm_shape at2 = mfm_shape_of(2, 6, 8), at3 = mfm_shape_of(2, 9, 8);
    mfm_folded f;
    CU_ASSERT_FALSE(mfm_fold_shape(&node, &at2, &at3, &f));
}

static void shape_has_start_and_end(void)
{
    Onnx__AttributeProto start = ONNX__ATTRIBUTE_PROTO__INIT, end = ONNX__ATTRIBUTE_PROTO__INIT;
    Onnx__AttributeProto *attributes[2] = {&start, &end};
    Onnx__NodeProto node = op("Shape");
    const mfm_shape at2 = mfm_shape_of(4, 2, 3, 5, 7), at3 = mfm_shape_of(4, 3, 3, 5, 7);
    mfm_folded f;
    start.name = (char *)"start";
    end.name = (char *)"end";
    node.n_attribute = 2;
    node.attribute = attributes;
    start.i = -3;
    end.i = -1;
    CU_ASSERT_FATAL(mfm_fold_shape(&node, &at2, &at3, &f));
    CU_ASSERT(IS_LIST(&f, 3, 5));
    start.i = INT64_MIN;
    end.i = INT64_MAX;
    CU_ASSERT_FATAL(mfm_fold_shape(&node, &at2, &at3, &f));
    CU_ASSERT(f.count == 4 && f.batch[0]);
    start.i = 3;
    end.i = 1;
    CU_ASSERT_FATAL(mfm_fold_shape(&node, &at2, &at3, &f));
    CU_ASSERT_EQUAL(f.count, 0);
}

static void gather_takes_numbers_and_marks(void)
{
    mfm_folded f;
    CU_ASSERT_FATAL(fold2("Gather", image_shape(), scalar(0), &f));
    CU_ASSERT(f.rank == 0 && f.count == 1 && f.batch[0]);
    CU_ASSERT_FATAL(fold2("Gather", image_shape(), LIST(-1, 1), &f));
    CU_ASSERT(IS_LIST(&f, 8, 3) && !f.batch[0]);
    CU_ASSERT_FALSE(fold2("Gather", image_shape(), scalar(4), &f));
    CU_ASSERT_FALSE(fold2("Gather", image_shape(), scalar(-5), &f));
    CU_ASSERT_FALSE(fold2("Gather", scalar(1), scalar(0), &f));
    CU_ASSERT_FALSE(fold2("Gather", LIST(1, 2, 3), image_shape(), &f));
}

static void unsqueeze_and_squeeze_change_the_rank(void)
{
    mfm_folded f, s = scalar(5), l = LIST(5), two = LIST(5, 6);
    s.batch[0] = true;
    CU_ASSERT_FATAL(fold1("Unsqueeze", &s, &f));
    CU_ASSERT(IS_LIST(&f, 5) && f.batch[0]);
    CU_ASSERT_FALSE(fold1("Unsqueeze", &l, &f));
    CU_ASSERT_FATAL(fold1("Squeeze", &l, &f));
    CU_ASSERT(f.rank == 0 && f.v[0] == 5);
    CU_ASSERT_FALSE(fold1("Squeeze", &two, &f));
}

static void concat_joins(void)
{
    mfm_folded f, batch = LIST(2), long_one = {.rank = 1, .count = MFM_FOLD_MAX};
    batch.batch[0] = true;
    CU_ASSERT_FATAL(fold2("Concat", batch, LIST(-1, 4), &f));
    CU_ASSERT(IS_LIST(&f, 2, -1, 4) && f.batch[0] && !f.batch[1]);
    CU_ASSERT_FALSE(fold2("Concat", long_one, LIST(1), &f));
}

static void slice_takes_a_run(void)
{
    mfm_folded f;
    const mfm_folded zero = LIST(0), one = LIST(1), two = LIST(2);
    CU_ASSERT_FATAL(cut(image_shape(), LIST(0), LIST(2), &zero, &one, &f));
    CU_ASSERT(IS_LIST(&f, 2, 3) && f.batch[0]);
    CU_ASSERT_FATAL(cut(image_shape(), LIST(-2), LIST(INT64_MAX), NULL, NULL, &f));
    CU_ASSERT(IS_LIST(&f, 8, 8));
    CU_ASSERT_FATAL(cut(image_shape(), LIST(INT64_MIN), LIST(-3), NULL, NULL, &f));
    CU_ASSERT_EQUAL(f.count, 1);
    CU_ASSERT_FALSE(cut(image_shape(), LIST(0), LIST(4), NULL, &two, &f));
    CU_ASSERT_FALSE(cut(image_shape(), LIST(0), LIST(4), &one, NULL, &f));
    CU_ASSERT_FALSE(cut(image_shape(), LIST(0, 1), LIST(4), NULL, NULL, &f));
    mfm_folded batch = LIST(2);
    batch.batch[0] = true;
    CU_ASSERT_FALSE(cut(image_shape(), LIST(0), batch, NULL, NULL, &f));
    CU_ASSERT_FALSE(fold2("Slice", image_shape(), LIST(0), &f));
}

static void arithmetic_broadcasts(void)
{
    mfm_folded f;
    CU_ASSERT(fold2("Add", LIST(1, 2), LIST(10, 20), &f) && IS_LIST(&f, 11, 22));
    CU_ASSERT(fold2("Sub", LIST(1, 2), scalar(3), &f) && IS_LIST(&f, -2, -1));
    CU_ASSERT(fold2("Mul", scalar(4), LIST(5, 6), &f) && IS_LIST(&f, 20, 24));
    CU_ASSERT(fold2("Div", LIST(7, -7), LIST(2), &f) && IS_LIST(&f, 3, -3));
    CU_ASSERT(fold2("Add", scalar(1), scalar(2), &f) && f.rank == 0 && f.v[0] == 3);
    CU_ASSERT_FALSE(fold2("Add", LIST(1, 2), LIST(1, 2, 3), &f));
}

static void arithmetic_never_overflows(void)
{
    mfm_folded f, none = {.rank = 1};
    CU_ASSERT_FALSE(fold2("Add", scalar(INT64_MAX), scalar(1), &f));
    CU_ASSERT_FALSE(fold2("Sub", scalar(INT64_MIN), scalar(1), &f));
    CU_ASSERT_FALSE(fold2("Mul", scalar(INT64_MAX), scalar(2), &f));
    CU_ASSERT_FALSE(fold2("Div", scalar(1), scalar(0), &f));
    CU_ASSERT_FALSE(fold2("Div", scalar(INT64_MIN), scalar(-1), &f));
    CU_ASSERT_FALSE(fold2("Add", none, scalar(1), &f));
}

static void the_batch_is_not_computed_with(void)
{
    mfm_folded f, batch = scalar(2);
    batch.batch[0] = true;
    CU_ASSERT_FALSE(fold2("Mul", batch, scalar(3), &f));
    CU_ASSERT_FALSE(fold2("Div", scalar(6), batch, &f));
}

/* 7 / 2 is 3 in whole numbers and 3.5 in others. */
static void a_cast_to_float_does_not_fold(void)
{
    Onnx__AttributeProto to = ONNX__ATTRIBUTE_PROTO__INIT, *attributes[1] = {&to};
    Onnx__NodeProto node = op("Cast");
    const mfm_folded a = LIST(7), *inputs[1] = {&a};
    mfm_folded f;
    to.name = (char *)"to";
    node.n_attribute = 1;
    node.attribute = attributes;
    to.i = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    CU_ASSERT(mfm_fold_node(&node, inputs, 1, &f) && IS_LIST(&f, 7));
    to.i = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    CU_ASSERT_FALSE(mfm_fold_node(&node, inputs, 1, &f));
}

static void other_operators_do_not_fold(void)
{
    mfm_folded f, l = LIST(1, 2);
    CU_ASSERT_FALSE(fold1("Relu", &l, &f));
    CU_ASSERT_FALSE(fold2("Mod", l, l, &f));
    CU_ASSERT_FALSE(fold1("Add", &l, &f));
    CU_ASSERT_FALSE(fold1("Concat", NULL, &f));
    CU_ASSERT(fold1("Identity", &l, &f) && IS_LIST(&f, 1, 2));
}

static void tensors_of_whole_numbers(void)
{
    int64_t dims[2] = {2, 1}, numbers[2] = {-1, 512};
    Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;
    mfm_folded f;
    t.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    t.n_dims = 1;
    t.dims = dims;
    t.n_int64_data = 2;
    t.int64_data = numbers;
    CU_ASSERT(mfm_fold_tensor(&t, &f) && IS_LIST(&f, -1, 512));
    t.n_dims = 2;
    CU_ASSERT_FALSE(mfm_fold_tensor(&t, &f));
    t.n_dims = 1;
    dims[0] = MFM_FOLD_MAX + 1;
    CU_ASSERT_FALSE(mfm_fold_tensor(&t, &f));
    t.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    dims[0] = 2;
    CU_ASSERT_FALSE(mfm_fold_tensor(&t, &f));
}

static const mfm_case cases[] = {
    {"Shape marks what is the batch, wherever it stands", shape_marks_the_batch},
    {"a multiple of the batch is no number", a_multiple_of_the_batch_is_no_number},
    {"Shape has a start and an end, clamped", shape_has_start_and_end},
    {"Gather takes numbers with their marks", gather_takes_numbers_and_marks},
    {"Unsqueeze and Squeeze change the rank", unsqueeze_and_squeeze_change_the_rank},
    {"Concat joins, within bounds", concat_joins},
    {"Slice takes a run of a list, and nothing else", slice_takes_a_run},
    {"arithmetic broadcasts a single number", arithmetic_broadcasts},
    {"arithmetic that overflows or divides by zero does not fold", arithmetic_never_overflows},
    {"the batch is moved, but not computed with", the_batch_is_not_computed_with},
    {"a Cast to floating point does not fold", a_cast_to_float_does_not_fold},
    {"other operators do not fold", other_operators_do_not_fold},
    {"short int tensors of rank 0 and 1 are numbers", tensors_of_whole_numbers},
};
MFM_SUITE("onnx/fold", cases)
