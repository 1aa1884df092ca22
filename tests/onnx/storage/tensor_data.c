/* Numbers of tensors in every type and encoding, there and back. */
#include "onnx/storage/tensor_data.h"

#include <math.h>
#include <string.h>

#include "tests/suite.h"

enum {
    FLOAT32 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    FLOAT64 = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
    FLOAT16 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
    BFLOAT16 = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16,
    INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL
};

/* A list of count numbers whose data is set by the test; dims must outlive it. */
static Onnx__TensorProto list_of(int32_t type, int64_t *count)
{
    Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;
    t.has_data_type = 1;
    t.data_type = type;
    t.n_dims = 1;
    t.dims = count;
    return t;
}

static Onnx__TensorProto raw_list(int32_t type, int64_t *count, void *data, size_t size)
{
    Onnx__TensorProto t = list_of(type, count);
    t.has_raw_data = 1;
    t.raw_data = (ProtobufCBinaryData){size, data};
    return t;
}

static bool same(const real *a, const real *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

static void half_of(uint16_t *bits, real value)
{
    int64_t one = 1;
    Onnx__TensorProto t = raw_list(FLOAT16, &one, bits, sizeof *bits);
    mfm_tensor_set_reals(&t, &value);
}

static real value_of(int32_t type, uint16_t bits)
{
    int64_t one = 1;
    Onnx__TensorProto t = raw_list(type, &one, &bits, sizeof bits);
    real value;
    mfm_tensor_get_reals(&t, &value);
    return value;
}

static uint16_t rounded(int32_t type, double value)
{
    int64_t one = 1;
    uint16_t bits = 0x1234;
    Onnx__TensorProto t = raw_list(type, &one, &bits, sizeof bits);
    const real given = (real)value;
    mfm_tensor_set_reals(&t, &given);
    return bits;
}

static void float16_values(void)
{
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0x3C00), 1);
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0xC000), -2);
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0x7BFF), 65504);
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0x0400), (real)ldexp(1, -14));
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0x0001), (real)ldexp(1, -24));
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0x83FF), (real)-ldexp(1023, -24));
    CU_ASSERT_EQUAL(value_of(FLOAT16, 0x3555), (real)(1365 / 4096.0));
    CU_ASSERT(isinf(value_of(FLOAT16, 0x7C00)) && value_of(FLOAT16, 0x7C00) > 0);
    CU_ASSERT(isinf(value_of(FLOAT16, 0xFC00)) && value_of(FLOAT16, 0xFC00) < 0);
    CU_ASSERT(isnan(value_of(FLOAT16, 0x7C01)));
    CU_ASSERT(value_of(FLOAT16, 0x8000) == 0 && signbit(value_of(FLOAT16, 0x8000)));
}

/* Each pattern is written over another number, so that nothing is simply left alone. */
static void every_half_pattern_survives(void)
{
    int wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const real value = value_of(FLOAT16, (uint16_t)bits);
        uint16_t again = bits == 0x4000 ? 0x3C00 : 0x4000; /* 1 or 2 */
        half_of(&again, value);
        wrong += isnan(value) ? !isnan(value_of(FLOAT16, again)) : again != bits;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void every_bfloat_pattern_survives(void)
{
    int wrong = 0;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const real value = value_of(BFLOAT16, (uint16_t)bits);
        const uint16_t again = rounded(BFLOAT16, (double)value);
        wrong += isnan(value) ? !isnan(value_of(BFLOAT16, again)) : again != bits;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void float16_ties_go_to_even(void)
{
    CU_ASSERT_EQUAL(rounded(FLOAT16, 1 + ldexp(1, -11)), 0x3C00);
    CU_ASSERT_EQUAL(rounded(FLOAT16, 1 + ldexp(3, -11)), 0x3C02);
    CU_ASSERT_EQUAL(rounded(FLOAT16, 1 + ldexp(1, -11) + ldexp(1, -20)), 0x3C01);
    CU_ASSERT_EQUAL(rounded(FLOAT16, -(1 + ldexp(3, -11))), 0xBC02);
    CU_ASSERT_EQUAL(rounded(FLOAT16, 2047.5), 0x6800);           /* carries into the exponent */
    CU_ASSERT_EQUAL(rounded(FLOAT16, ldexp(1, -25)), 0x0000);    /* half the smallest: to zero */
    CU_ASSERT_EQUAL(rounded(FLOAT16, ldexp(3, -25)), 0x0002);    /* 1.5 of the smallest: to 2 */
    CU_ASSERT_EQUAL(rounded(FLOAT16, ldexp(2047, -25)), 0x0400); /* up to the first normal one */
    CU_ASSERT_EQUAL(rounded(FLOAT16, 65519), 0x7BFF);
    CU_ASSERT_EQUAL(rounded(FLOAT16, 65520), 0x7C00);
    CU_ASSERT_EQUAL(rounded(FLOAT16, -1e30), 0xFC00);
    CU_ASSERT_EQUAL(rounded(FLOAT16, 0), 0x0000);
    CU_ASSERT_EQUAL(rounded(FLOAT16, -0.0), 0x8000);
}

static void bfloat16_ties_go_to_even(void)
{
    CU_ASSERT_EQUAL(rounded(BFLOAT16, 1), 0x3F80);
    CU_ASSERT_EQUAL(rounded(BFLOAT16, 1 + ldexp(1, -8)), 0x3F80);
    CU_ASSERT_EQUAL(rounded(BFLOAT16, 1 + ldexp(3, -8)), 0x3F82);
    CU_ASSERT_EQUAL(rounded(BFLOAT16, 3.4e38), 0x7F80);
    CU_ASSERT_EQUAL(rounded(BFLOAT16, -INFINITY), 0xFF80);
    CU_ASSERT_EQUAL(rounded(BFLOAT16, ldexp(1, -133)), 0x0001);
}

static void typed_and_raw_hold_the_same(void)
{
    int64_t count = 3;
    float floats[3] = {1.5F, -2, 0.25F};
    double doubles[3] = {1.5, -2, 0.25};
    int32_t halves[3] = {0x3E00, 0xC000, 0x3400}, bfloats[3] = {0x3FC0, 0xC000, 0x3E80};
    const real expected[3] = {1.5F, -2, 0.25F}, fresh[3] = {-4, 0.5F, 8};
    Onnx__TensorProto tensors[5];
    tensors[0] = list_of(FLOAT32, &count);
    tensors[0].n_float_data = 3;
    tensors[0].float_data = floats;
    tensors[1] = list_of(FLOAT64, &count);
    tensors[1].n_double_data = 3;
    tensors[1].double_data = doubles;
    tensors[2] = list_of(FLOAT16, &count);
    tensors[2].n_int32_data = 3;
    tensors[2].int32_data = halves;
    tensors[3] = list_of(BFLOAT16, &count);
    tensors[3].n_int32_data = 3;
    tensors[3].int32_data = bfloats;
    double raw[3] = {1.5, -2, 0.25};
    tensors[4] = raw_list(FLOAT64, &count, raw, sizeof raw);
    for (int i = 0; i < 5; i++) {
        real values[3];
        CU_ASSERT(mfm_tensor_is_float(&tensors[i]));
        mfm_tensor_get_reals(&tensors[i], values);
        CU_ASSERT(same(values, expected, 3));
        mfm_tensor_set_reals(&tensors[i], fresh);
        mfm_tensor_get_reals(&tensors[i], values);
        CU_ASSERT(same(values, fresh, 3));
    }
    CU_ASSERT_EQUAL(halves[0], 0xC400);
    CU_ASSERT_EQUAL(raw[2], 8);
}

/* Valid by the rules, and once a read through a NULL pointer. */
static void empty_raw_data_leaves_the_typed_field(void)
{
    int64_t count = 2;
    float floats[2] = {3, 4};
    Onnx__TensorProto t = list_of(FLOAT32, &count);
    t.has_raw_data = 1;
    t.n_float_data = 2;
    t.float_data = floats;
    real values[2];
    mfm_tensor_get_reals(&t, values);
    CU_ASSERT_EQUAL(values[1], 4);
    values[1] = 5;
    mfm_tensor_set_reals(&t, values);
    CU_ASSERT_EQUAL(floats[1], 5);
}

static void numbers_that_do_not_change_keep_their_bits(void)
{
    int64_t count = 2;
    double wide[2] = {1 / 3.0, 0.1};
    Onnx__TensorProto t = raw_list(FLOAT64, &count, wide, sizeof wide);
    real values[2];
    mfm_tensor_get_reals(&t, values);
    values[1] = 2;
    mfm_tensor_set_reals(&t, values);
    CU_ASSERT_EQUAL(wide[0], 1 / 3.0);
    CU_ASSERT_EQUAL(wide[1], 2);

    uint16_t odd[2] = {0x7C01, 0xFE55}; /* NaNs with something in them */
    t = raw_list(FLOAT16, &count, odd, sizeof odd);
    mfm_tensor_get_reals(&t, values);
    mfm_tensor_set_reals(&t, values);
    CU_ASSERT(odd[0] == 0x7C01 && odd[1] == 0xFE55);
}

static void get_ints(const Onnx__TensorProto *t, int64_t *values)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_model model = {.ctx = ctx};
    CU_ASSERT_EQUAL(mfm_tensor_read_ints(&model, t, values), MFM_OK);
    mfm_ctx_free(ctx);
}

static void whole_numbers(void)
{
    int64_t count = 2, values[2];
    int64_t wide[2] = {INT64_MIN, INT64_MAX};
    int32_t narrow[2] = {INT32_MIN, 7}, truths[2] = {0, 5};
    uint8_t bytes[2] = {0, 2};
    Onnx__TensorProto t = raw_list(INT64, &count, wide, sizeof wide);
    get_ints(&t, values);
    CU_ASSERT(values[0] == INT64_MIN && values[1] == INT64_MAX);
    t = list_of(INT64, &count);
    t.n_int64_data = 2;
    t.int64_data = wide;
    get_ints(&t, values);
    CU_ASSERT(values[0] == INT64_MIN && values[1] == INT64_MAX);
    t = raw_list(INT32, &count, narrow, sizeof narrow);
    get_ints(&t, values);
    CU_ASSERT(values[0] == INT32_MIN && values[1] == 7);
    t = list_of(INT32, &count);
    t.n_int32_data = 2;
    t.int32_data = narrow;
    get_ints(&t, values);
    CU_ASSERT(values[0] == INT32_MIN && values[1] == 7);
    t = raw_list(BOOL, &count, bytes, sizeof bytes);
    get_ints(&t, values);
    CU_ASSERT(values[0] == 0 && values[1] == 1);
    t = list_of(BOOL, &count);
    t.n_int32_data = 2;
    t.int32_data = truths;
    get_ints(&t, values);
    CU_ASSERT(values[0] == 0 && values[1] == 1);
    CU_ASSERT(mfm_tensor_is_int(&t) && !mfm_tensor_is_float(&t));
}

static void shapes(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    int64_t dims[7] = {2, 3, 4, 5, 6, 7, 8};
    mfm_shape shape;
    Onnx__TensorProto t = list_of(FLOAT32, dims);
    t.n_dims = 3;
    CU_ASSERT_EQUAL(mfm_tensor_shape(ctx, &t, &shape), MFM_OK);
    CU_ASSERT(shape.rank == 3 && shape.dim[2] == 4);
    CU_ASSERT_EQUAL(mfm_tensor_size(&t), 24);
    t.n_dims = 0;
    CU_ASSERT_EQUAL(mfm_tensor_shape(ctx, &t, &shape), MFM_OK);
    CU_ASSERT_EQUAL(shape.rank, 0);
    CU_ASSERT_EQUAL(mfm_tensor_size(&t), 1);
    t.n_dims = 7;
    CU_ASSERT_EQUAL(mfm_tensor_shape(ctx, &t, &shape), MFM_ENOTSUP);
    mfm_ctx_free(ctx);
}

static void a_tensor_like_another(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_model *model;
    CU_ASSERT_EQUAL_FATAL(mfm_model_new(ctx, "g", 8, 17, &model), MFM_OK);
    int64_t count = 2;
    int32_t halves[2] = {0x3E00, 0x7C01};
    Onnx__TensorProto t = list_of(FLOAT16, &count);
    t.n_int32_data = 2;
    t.int32_data = halves;
    Onnx__TensorProto *made = mfm_tensor_like(model, &t, "own");
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    const uint16_t expected[2] = {0x3E00, 0x7C01};
    CU_ASSERT_STRING_EQUAL(made->name, "own");
    CU_ASSERT(made->data_type == FLOAT16 && made->n_dims == 1 && made->dims[0] == 2);
    CU_ASSERT(made->raw_data.len == 4 && memcmp(made->raw_data.data, expected, 4) == 0);
    mfm_proto_discard(model, made);
    mfm_model_free(model);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"float16 patterns mean what IEEE 754 says", float16_values},
    {"every float16 pattern survives reading and writing", every_half_pattern_survives},
    {"every bfloat16 pattern survives reading and writing", every_bfloat_pattern_survives},
    {"float16 rounds to nearest, ties to even, and overflows to infinity", float16_ties_go_to_even},
    {"bfloat16 rounds to nearest, ties to even, and overflows to infinity",
     bfloat16_ties_go_to_even},
    {"typed fields and raw data hold the same numbers", typed_and_raw_hold_the_same},
    {"empty raw data leaves the typed field", empty_raw_data_leaves_the_typed_field},
    {"numbers that do not change keep their bits", numbers_that_do_not_change_keep_their_bits},
    {"whole numbers are read in every type and encoding", whole_numbers},
    {"a shape has at most six axes", shapes},
    {"a tensor like another has its type and bits", a_tensor_like_another},
};
MFM_SUITE("onnx/tensor_data", cases)
