/* Constants that are computed while importing, and numbers that depend on the batch size: what
 * folds to what, and what must not. Operators against ONNX Runtime:
 * tests/interop/small/check_fold.py. */
#include "onnx/fold/fold.h"

#include <math.h>
#include <string.h>

#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

enum {
    INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    INT32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    UINT8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
    FLOAT32 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    FLOAT16 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
    OPSET = 18
};

static mfm_ctx *ctx;
static mfm_folder folder;
static mfm_folded *result;

static void begin(void)
{
    ctx = mfm_ctx_new(NULL);
    folder = (mfm_folder){.ctx = ctx};
    result = NULL;
}

static void end(void)
{
    mfm_folded_free(ctx, result);
    mfm_ctx_free(ctx);
}

static mfm_folded list(mfm_number *v, int64_t count)
{
    return (mfm_folded){.type = INT64, .shape = {.rank = 1, .dim = {count}}, .v = v};
}

static mfm_folded scalar(mfm_number *v)
{
    return (mfm_folded){.type = INT64, .v = v};
}

static Onnx__NodeProto op(const char *type)
{
    static char *output = (char *)"y";
    Onnx__NodeProto node = ONNX__NODE_PROTO__INIT;
    node.op_type = (char *)type;
    node.n_output = 1;
    node.output = &output;
    return node;
}

static bool fold(const Onnx__NodeProto *node, const mfm_folded *a, const mfm_folded *b,
                 const mfm_folded *c)
{
    const mfm_folded *in[3] = {a, b, c};
    mfm_folded_free(ctx, result);
    CU_ASSERT_EQUAL(mfm_fold_node(&folder, node, OPSET, in, c ? 3 : b ? 2 : 1, &result), MFM_OK);
    return result != NULL;
}

/* Of two single numbers: whether it folds to i + n N. */
static bool gives(const char *type, mfm_number a, mfm_number b, int64_t i, int64_t n)
{
    const Onnx__NodeProto node = op(type);
    const mfm_folded x = scalar(&a), y = scalar(&b);
    return fold(&node, &x, &y, NULL) && result->v[0].i == i && result->v[0].n == n;
}

static bool refuses(const char *type, mfm_number a, mfm_number b)
{
    const Onnx__NodeProto node = op(type);
    const mfm_folded x = scalar(&a), y = scalar(&b);
    return !fold(&node, &x, &y, NULL);
}

#define INT(value)          ((mfm_number){.i = (value)})
#define BATCH(value, times) ((mfm_number){.i = (value), .n = (times)})

/* ---- the batch ------------------------------------------------------------------------------ */

static bool shape_of(const mfm_shape *at2, const mfm_shape *at3, const mfm_shape *at5)
{
    const Onnx__NodeProto node = op("Shape");
    const mfm_shape shapes[MFM_FOLD_BATCHES] = {*at2, *at3, *at5};
    mfm_folded_free(ctx, result);
    CU_ASSERT_EQUAL(mfm_fold_shape(&folder, &node, shapes, &result), MFM_OK);
    return result != NULL;
}

static bool is(int64_t at, int64_t i, int64_t n)
{
    return result->v[at].i == i && result->v[at].n == n;
}

static void shapes_follow_the_batch(void)
{
    begin();
    const mfm_shape a2 = mfm_shape_of(4, 2, 3, 8, 8), a3 = mfm_shape_of(4, 3, 3, 8, 8),
                    a5 = mfm_shape_of(4, 5, 3, 8, 8);
    CU_ASSERT_FATAL(shape_of(&a2, &a3, &a5));
    CU_ASSERT(is(0, 0, 1) && is(1, 3, 0) && is(2, 8, 0) && is(3, 8, 0));
    const mfm_shape b2 = mfm_shape_of(2, 8, 13), b3 = mfm_shape_of(2, 12, 20),
                    b5 = mfm_shape_of(2, 20, 34);
    CU_ASSERT_FATAL(shape_of(&b2, &b3, &b5));
    CU_ASSERT(is(0, 0, 4) && is(1, -1, 7));
    /* (n + 1) / 2 rounded down, and n n. */
    const mfm_shape c2 = mfm_shape_of(1, 1), c3 = mfm_shape_of(1, 2), c5 = mfm_shape_of(1, 3);
    CU_ASSERT_FALSE(shape_of(&c2, &c3, &c5));
    const mfm_shape d2 = mfm_shape_of(1, 4), d3 = mfm_shape_of(1, 9), d5 = mfm_shape_of(1, 25);
    CU_ASSERT_FALSE(shape_of(&d2, &d3, &d5));
    end();
}

static void shape_has_start_and_end(void)
{
    begin();
    Onnx__AttributeProto start = ONNX__ATTRIBUTE_PROTO__INIT, stop = ONNX__ATTRIBUTE_PROTO__INIT;
    Onnx__AttributeProto *attributes[2] = {&start, &stop};
    Onnx__NodeProto node = op("Shape");
    const mfm_shape shapes[MFM_FOLD_BATCHES] = {
        mfm_shape_of(4, 2, 3, 5, 7), mfm_shape_of(4, 3, 3, 5, 7), mfm_shape_of(4, 5, 3, 5, 7)};
    start.name = (char *)"start";
    stop.name = (char *)"end";
    node.n_attribute = 2;
    node.attribute = attributes;
    const struct {
        int64_t start, stop, count, first;
    } cases[] = {{-3, -1, 2, 3}, {INT64_MIN, INT64_MAX, 4, 0}, {3, 1, 0, 0}, {1, 3, 2, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start.i = cases[i].start;
        stop.i = cases[i].stop;
        mfm_folded_free(ctx, result);
        CU_ASSERT_EQUAL(mfm_fold_shape(&folder, &node, shapes, &result), MFM_OK);
        CU_ASSERT_FATAL(result != NULL && result->shape.dim[0] == cases[i].count);
        CU_ASSERT(cases[i].count == 0 || result->v[0].i == cases[i].first);
    }
    end();
}

static void sums_and_multiples_of_the_batch(void)
{
    begin();
    CU_ASSERT(gives("Add", BATCH(1, 2), BATCH(3, 4), 4, 6));
    CU_ASSERT(gives("Sub", BATCH(5, 1), BATCH(3, 1), 2, 0));
    CU_ASSERT(gives("Mul", BATCH(0, 1), INT(64), 0, 64));
    CU_ASSERT(gives("Mul", INT(-1), BATCH(2, 1), -2, -1));
    CU_ASSERT(gives("Div", BATCH(0, 64), INT(64), 0, 1));
    CU_ASSERT(gives("Div", BATCH(6, 12), BATCH(2, 4), 3, 0));
    CU_ASSERT(gives("Mod", BATCH(7, 4), INT(2), 1, 0));
    CU_ASSERT(gives("Mod", BATCH(-7, 4), INT(4), 1, 0));
    CU_ASSERT(refuses("Mul", BATCH(0, 1), BATCH(0, 1)));
    CU_ASSERT(refuses("Div", BATCH(0, 3), INT(2)));
    CU_ASSERT(refuses("Div", BATCH(1, 2), INT(2)));
    CU_ASSERT(refuses("Div", INT(6), BATCH(0, 1)));
    CU_ASSERT(refuses("Div", BATCH(6, 12), BATCH(2, 3)));
    /* (4 - 2 N) / (2 - N) is 2, but not at N = 2. */
    CU_ASSERT(refuses("Div", BATCH(4, -2), BATCH(2, -1)));
    CU_ASSERT(refuses("Mod", BATCH(0, 3), INT(2)));
    end();
}

/* What holds for one batch and not for another is not decided. */
static void comparisons_hold_for_every_batch(void)
{
    begin();
    CU_ASSERT(gives("Equal", BATCH(0, 1), INT(-1), 0, 0));
    CU_ASSERT(gives("Equal", BATCH(0, 1), INT(0), 0, 0));
    CU_ASSERT(gives("Equal", BATCH(0, 2), INT(5), 0, 0));
    CU_ASSERT(gives("Equal", BATCH(0, 1), BATCH(0, 1), 1, 0));
    CU_ASSERT(gives("Equal", BATCH(0, 1), BATCH(1, 1), 0, 0));
    CU_ASSERT(refuses("Equal", BATCH(0, 1), INT(1)));
    CU_ASSERT(refuses("Equal", BATCH(0, 2), INT(6)));
    CU_ASSERT(gives("Greater", BATCH(0, 1), INT(0), 1, 0));
    CU_ASSERT(refuses("Greater", BATCH(0, 1), INT(1)));
    CU_ASSERT(gives("Less", BATCH(0, -1), INT(0), 1, 0));
    CU_ASSERT(gives("Less", INT(3), BATCH(3, 1), 1, 0));
    CU_ASSERT(gives("GreaterOrEqual", BATCH(1, 1), INT(1), 1, 0));
    CU_ASSERT(gives("Max", BATCH(0, 4), BATCH(0, 2), 0, 4));
    CU_ASSERT(refuses("Min", BATCH(0, 1), INT(3)));
    end();
}

static void the_batch_through_real_numbers(void)
{
    begin();
    Onnx__AttributeProto to = ONNX__ATTRIBUTE_PROTO__INIT, *attributes[1] = {&to};
    Onnx__NodeProto cast = op("Cast");
    to.name = (char *)"to";
    cast.n_attribute = 1;
    cast.attribute = attributes;
    to.i = FLOAT32;
    mfm_number batch = BATCH(2, 6), half = {.r = 0.5}, third = {.r = 1.0 / 3};
    const mfm_folded x = scalar(&batch);
    CU_ASSERT_FATAL(fold(&cast, &x, NULL, NULL));
    mfm_number real_batch = result->v[0];
    CU_ASSERT(real_batch.r == 2 && real_batch.n == 6);
    const mfm_folded r = {.type = FLOAT32, .v = &real_batch}, h = {.type = FLOAT32, .v = &half},
                     t = {.type = FLOAT32, .v = &third};
    const Onnx__NodeProto mul = op("Mul"), round_down = op("Floor"), root = op("Sqrt");
    CU_ASSERT(fold(&mul, &r, &h, NULL) && result->v[0].r == 1 && result->v[0].n == 3);
    CU_ASSERT_FALSE(fold(&mul, &r, &t, NULL));
    CU_ASSERT(fold(&round_down, &r, NULL, NULL) && result->v[0].n == 6);
    CU_ASSERT_FALSE(fold(&root, &r, NULL, NULL));
    to.i = INT64;
    CU_ASSERT(fold(&cast, &r, NULL, NULL) && is(0, 2, 6));
    to.i = BOOL;
    CU_ASSERT(fold(&cast, &r, NULL, NULL) && is(0, 1, 0));
    end();
}

/* torch's expand(batch, -1, -1): where(shape == -1, 1, shape). */
static void a_shape_with_a_batch_is_chosen_from(void)
{
    begin();
    mfm_number shape[3] = {BATCH(0, 1), INT(-1), INT(7)}, minus[1] = {INT(-1)},
               ones[3] = {INT(1), INT(1), INT(1)};
    const mfm_folded s = list(shape, 3), m = list(minus, 1), o = list(ones, 3);
    const Onnx__NodeProto equal = op("Equal"), where = op("Where");
    CU_ASSERT_FATAL(fold(&equal, &s, &m, NULL));
    mfm_folded *condition = result;
    result = NULL;
    CU_ASSERT_FATAL(condition->type == BOOL);
    CU_ASSERT_FATAL(fold(&where, condition, &o, &s));
    CU_ASSERT(is(0, 0, 1) && is(1, 1, 0) && is(2, 7, 0));
    mfm_folded_free(ctx, condition);
    end();
}

static void the_batch_is_no_index_and_no_length(void)
{
    begin();
    mfm_number data[3] = {INT(1), INT(2), INT(3)}, at[1] = {BATCH(0, 1)}, zero[1] = {INT(0)};
    const mfm_folded d = list(data, 3), i = list(at, 1), z = list(zero, 1);
    const Onnx__NodeProto gather = op("Gather"), slice = op("Slice"), fill = op("ConstantOfShape"),
                          reshape = op("Reshape");
    CU_ASSERT_FALSE(fold(&gather, &d, &i, NULL));
    CU_ASSERT_FALSE(fold(&slice, &d, &z, &i));
    CU_ASSERT_FALSE(fold(&fill, &i, NULL, NULL));
    CU_ASSERT_FALSE(fold(&reshape, &d, &i, NULL));
    CU_ASSERT(fold(&gather, &i, &z, NULL) && is(0, 0, 1));
    end();
}

/* ---- ends of the types ---------------------------------------------------------------------- */

static void whole_numbers_never_overflow(void)
{
    begin();
    CU_ASSERT(refuses("Add", INT(INT64_MAX), INT(1)));
    CU_ASSERT(refuses("Sub", INT(INT64_MIN), INT(1)));
    CU_ASSERT(refuses("Mul", INT(INT64_MAX), INT(2)));
    CU_ASSERT(refuses("Mul", BATCH(0, INT64_MAX), INT(2)));
    CU_ASSERT(refuses("Add", BATCH(0, INT64_MAX), BATCH(0, 1)));
    CU_ASSERT(refuses("Div", INT(1), INT(0)));
    CU_ASSERT(refuses("Div", INT(INT64_MIN), INT(-1)));
    CU_ASSERT(refuses("Mod", INT(1), INT(0)));
    CU_ASSERT(gives("Mod", INT(INT64_MIN), INT(-1), 0, 0));
    CU_ASSERT(refuses("Pow", INT(10), INT(19)));
    CU_ASSERT(refuses("Pow", INT(10), INT(-1)));
    CU_ASSERT(gives("Pow", INT(-3), INT(3), -27, 0));
    mfm_number a[1] = {INT(INT32_MAX)}, one[1] = {INT(1)};
    const mfm_folded x = {.type = INT32, .v = a}, y = {.type = INT32, .v = one};
    const Onnx__NodeProto add = op("Add"), sub = op("Sub");
    CU_ASSERT_FALSE(fold(&add, &x, &y, NULL));
    const mfm_folded u = {.type = UINT8, .v = one}, v = {.type = UINT8, .v = a};
    a[0].i = 2;
    CU_ASSERT_FALSE(fold(&sub, &u, &v, NULL));
    end();
}

static void types_do_not_mix(void)
{
    begin();
    mfm_number a[1] = {INT(1)}, r[1] = {{.r = 1}};
    const mfm_folded i64 = scalar(a), i32 = {.type = INT32, .v = a},
                     f32 = {.type = FLOAT32, .v = r};
    const Onnx__NodeProto add = op("Add"), both = op("And"), choose = op("Where");
    CU_ASSERT_FALSE(fold(&add, &i64, &i32, NULL));
    CU_ASSERT_FALSE(fold(&add, &i64, &f32, NULL));
    CU_ASSERT_FALSE(fold(&both, &i64, &i64, NULL));
    CU_ASSERT_FALSE(fold(&choose, &i64, &i64, &i64));
    end();
}

static void casts_that_lose_a_number_do_not_fold(void)
{
    begin();
    Onnx__AttributeProto to = ONNX__ATTRIBUTE_PROTO__INIT, *attributes[1] = {&to};
    Onnx__NodeProto cast = op("Cast");
    to.name = (char *)"to";
    cast.n_attribute = 1;
    cast.attribute = attributes;
    to.i = INT64;
    const double none[] = {NAN, INFINITY, 1e19, -1e300};
    for (size_t i = 0; i < 4; i++) {
        mfm_number r = {.r = none[i]};
        const mfm_folded x = {.type = FLOAT32, .v = &r};
        CU_ASSERT_FALSE(fold(&cast, &x, NULL, NULL));
    }
    mfm_number r = {.r = -2.75}, large = INT(300), odd = {.r = 2049};
    const mfm_folded x = {.type = FLOAT32, .v = &r}, l = scalar(&large),
                     o = {.type = FLOAT32, .v = &odd};
    CU_ASSERT(fold(&cast, &x, NULL, NULL) && is(0, -2, 0));
    to.i = UINT8;
    CU_ASSERT_FALSE(fold(&cast, &l, NULL, NULL));
    to.i = FLOAT16;
    CU_ASSERT(fold(&cast, &o, NULL, NULL) && result->v[0].r == 2048);
    to.i = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
    CU_ASSERT_FALSE(fold(&cast, &l, NULL, NULL));
    end();
}

/* ---- hostile files -------------------------------------------------------------------------- */

static bool fills(mfm_number *dims, int64_t count)
{
    const Onnx__NodeProto fill = op("ConstantOfShape");
    const mfm_folded shape = list(dims, count);
    return fold(&fill, &shape, NULL, NULL);
}

static void large_constants_are_not_made(void)
{
    begin();
    mfm_number huge[2] = {INT(INT64_MAX), INT(2)}, square[2] = {INT(1 << 20), INT(1 << 20)},
               below[2] = {INT(-1), INT(-1)}, most[1] = {INT(MFM_FOLD_MOST)},
               seven[7] = {INT(1), INT(1), INT(1), INT(1), INT(1), INT(1), INT(1)};
    CU_ASSERT_FALSE(fills(huge, 2));
    CU_ASSERT_FALSE(fills(square, 2));
    CU_ASSERT_FALSE(fills(below, 2));
    CU_ASSERT_FALSE(fills(seven, 7));
    int made = 0;
    while (made <= MFM_FOLD_MOST_ALL / MFM_FOLD_MOST && fills(most, 1))
        made++;
    CU_ASSERT_EQUAL(made, MFM_FOLD_MOST_ALL / MFM_FOLD_MOST);
    end();
}

static void long_ranges_are_not_made(void)
{
    begin();
    const Onnx__NodeProto range = op("Range");
    const struct {
        int64_t start, limit, step;
        int64_t count; /* -1: refused */
    } cases[] = {{0, 5, 2, 3},
                 {5, 0, -2, 3},
                 {0, 5, -1, 0},
                 {0, 5, 0, -1},
                 {0, INT64_MAX, 1, -1},
                 {INT64_MIN, INT64_MAX, 1, -1},
                 {INT64_MAX, INT64_MIN, INT64_MIN, -1},
                 {INT64_MAX - 1, INT64_MAX, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mfm_number at[3] = {INT(cases[i].start), INT(cases[i].limit), INT(cases[i].step)};
        const mfm_folded a = scalar(&at[0]), b = scalar(&at[1]), c = scalar(&at[2]);
        const bool folds = fold(&range, &a, &b, &c);
        CU_ASSERT_EQUAL(folds ? result->shape.dim[0] : -1, cases[i].count);
    }
    end();
}

static void places_beyond_the_ends_do_not_fold(void)
{
    begin();
    mfm_number data[3] = {INT(1), INT(2), INT(3)}, at[1] = {INT(3)}, zero[1] = {INT(0)};
    mfm_folded d = list(data, 3), i = list(at, 1), z = list(zero, 1);
    i.shape = (mfm_shape){.rank = 2, .dim = {1, 1}};
    const Onnx__NodeProto gather = op("Gather"), gather_nd = op("GatherND"),
                          scatter = op("ScatterND"), elements = op("GatherElements");
    CU_ASSERT_FALSE(fold(&gather, &d, &i, NULL));
    CU_ASSERT_FALSE(fold(&gather_nd, &d, &i, NULL));
    CU_ASSERT_FALSE(fold(&scatter, &d, &i, &z));
    i.shape = z.shape;
    CU_ASSERT_FALSE(fold(&elements, &d, &i, NULL));
    at[0].i = -3;
    CU_ASSERT(fold(&gather, &d, &i, NULL) && is(0, 1, 0));
    at[0].i = -4;
    CU_ASSERT_FALSE(fold(&gather, &d, &i, NULL));
    CU_ASSERT_FALSE(fold(&elements, &d, &i, NULL));
    end();
}

static void operators_without_their_inputs_do_not_fold(void)
{
    begin();
    static const char *const types[] = {
#define MFM_FOLD_OPERATOR(name, function) name,
#include "onnx/fold/operators.def"
#undef MFM_FOLD_OPERATOR
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const Onnx__NodeProto node = op(types[i]);
        const mfm_folded *in[1] = {NULL};
        mfm_folded_free(ctx, result);
        CU_ASSERT_EQUAL(mfm_fold_node(&folder, &node, OPSET, in, 0, &result), MFM_OK);
        CU_ASSERT_PTR_NULL(result);
        CU_ASSERT_EQUAL(mfm_fold_node(&folder, &node, OPSET, in, 1, &result), MFM_OK);
        CU_ASSERT_PTR_NULL(result);
        CU_ASSERT(mfm_fold_knows(&node));
    }
    const Onnx__NodeProto conv = op("Conv");
    CU_ASSERT_FALSE(mfm_fold_knows(&conv));
    end();
}

/* ---- tensors -------------------------------------------------------------------------------- */

static void tensors_of_every_type(void)
{
    begin();
    static const struct {
        int32_t type;
        size_t width;
        uint64_t bits;
        double value;
    } cases[] = {{ONNX__TENSOR_PROTO__DATA_TYPE__INT8, 1, 0xFE, -2},
                 {UINT8, 1, 0xFE, 254},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, 2, 0xFFFE, -2},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, 2, 0xFFFE, 65534},
                 {INT32, 4, 0xFFFFFFFE, -2},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, 4, 0xFFFFFFFE, 4294967294.0},
                 {INT64, 8, 0xFFFFFFFFFFFFFFFE, -2},
                 {BOOL, 1, 2, 1},
                 {FLOAT32, 4, 0xC0000000, -2},
                 {FLOAT16, 2, 0xC000, -2},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, 2, 0xC000, -2},
                 {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, 8, 0xC000000000000000, -2}};
    mfm_model *model = hand_model(ctx, 8, OPSET);
    folder.model = model;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bits = cases[i].bits;
        Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;
        t.data_type = cases[i].type;
        t.raw_data = (ProtobufCBinaryData){cases[i].width, (uint8_t *)&bits};
        CU_ASSERT_EQUAL(mfm_fold_tensor(&folder, &t, &result), MFM_OK);
        CU_ASSERT_FATAL(result != NULL);
        const double value = mfm_folded_is_real(result) ? result->v[0].r : (double)result->v[0].i;
        CU_ASSERT_EQUAL(value, cases[i].value);
        mfm_folded_free(ctx, result);
        result = NULL;
    }
    uint64_t bits = UINT64_MAX;
    Onnx__TensorProto t = ONNX__TENSOR_PROTO__INIT;
    t.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT64;
    t.raw_data = (ProtobufCBinaryData){8, (uint8_t *)&bits};
    CU_ASSERT_EQUAL(mfm_fold_tensor(&folder, &t, &result), MFM_OK);
    CU_ASSERT_PTR_NULL(result);
    mfm_model_free(model);
    end();
}

static int attempt(mfm_ctx *failing, void *self)
{
    (void)self;
    mfm_folder own = {.ctx = failing};
    mfm_number data[4] = {INT(1), INT(2), INT(3), INT(4)}, at[2] = {INT(0), INT(-1)};
    const mfm_folded d = list(data, 4), i = list(at, 2), *in[2] = {&d, &i};
    const Onnx__NodeProto node = op("Gather");
    mfm_folded *out;
    const int status = mfm_fold_node(&own, &node, OPSET, in, 2, &out);
    mfm_folded_free(failing, out);
    return status;
}

static void failing_allocations_are_told(void)
{
    mfm_assert_refusals_are_told(attempt, NULL);
}

static const mfm_case cases[] = {
    {"the numbers of a shape are a + b N, or not folded", shapes_follow_the_batch},
    {"Shape has a start and an end, clamped", shape_has_start_and_end},
    {"sums, multiples and even parts of the batch", sums_and_multiples_of_the_batch},
    {"comparisons are decided that hold for every batch", comparisons_hold_for_every_batch},
    {"the batch goes through real numbers where it stays whole", the_batch_through_real_numbers},
    {"a shape with a batch in it is chosen from", a_shape_with_a_batch_is_chosen_from},
    {"the batch is no index and no length", the_batch_is_no_index_and_no_length},
    {"whole numbers never overflow", whole_numbers_never_overflow},
    {"types do not mix", types_do_not_mix},
    {"casts that lose a number do not fold", casts_that_lose_a_number_do_not_fold},
    {"large constants are not made, nor many", large_constants_are_not_made},
    {"long ranges are not made", long_ranges_are_not_made},
    {"places beyond the ends do not fold", places_beyond_the_ends_do_not_fold},
    {"operators without their inputs do not fold", operators_without_their_inputs_do_not_fold},
    {"tensors of every type are numbers", tensors_of_every_type},
    {"failing allocations are told", failing_allocations_are_told},
};
MFM_SUITE("onnx/fold", cases)
