/* Numbers that are known at a few batch sizes: what is carried out there, and what is not. */
#include <string.h>

#include "onnx/fold/fold.h"
#include "tests/refusals.h"
#include "tests/onnx/hand.h"
#include "tests/suite.h"

enum {
    INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
    BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
    OPSET = 18,
    MOST_INPUTS = 3
};

/* What came of a node. */
typedef struct outcome {
    mfm_folded *always, *at[MFM_FOLD_BATCHES];
} outcome;

static mfm_ctx *ctx;
static mfm_folder folder;

static void begin(void)
{
    ctx = mfm_ctx_new(NULL);
    folder = (mfm_folder){.ctx = ctx};
}

static void clear(outcome *o)
{
    mfm_folded_free(ctx, o->always);
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        mfm_folded_free(ctx, o->at[k]);
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

/* i + n N. */
static mfm_folded scalar(mfm_number *number, int64_t i, int64_t n)
{
    *number = (mfm_number){.i = i, .n = n};
    return (mfm_folded){.type = INT64, .v = number};
}

/* Of inputs that are a + b N, or `ranges` where they are NULL. */
static outcome fold(const char *type, const mfm_folded *const *always, size_t count,
                    const outcome *ranges)
{
    const Onnx__NodeProto node = op(type);
    outcome o = {.always = NULL};
    mfm_folded *at[MOST_INPUTS][MFM_FOLD_BATCHES] = {{NULL}};
    for (size_t i = 0; i < count; i++)
        if (!always[i])
            memcpy(at[i], ranges->at, sizeof at[i]);
    const mfm_fold_inputs in = {count, always, (mfm_folded *const(*)[MFM_FOLD_BATCHES])at};
    CU_ASSERT_EQUAL(mfm_fold_node_batches(&folder, &node, OPSET, &in, &o.always, o.at), MFM_OK);
    return o;
}

/* Range(from + 0 N, i + n N, by). */
static outcome range(int64_t from, int64_t i, int64_t n, int64_t by)
{
    mfm_number v[3];
    const mfm_folded start = scalar(&v[0], from, 0), limit = scalar(&v[1], i, n);
    const mfm_folded step = scalar(&v[2], by, 0), *in[3] = {&start, &limit, &step};
    return fold("Range", in, 3, NULL);
}

static bool is_nothing(outcome o)
{
    const bool nothing = !o.always && !o.at[0] && !o.at[1] && !o.at[2];
    clear(&o);
    return nothing;
}

/* Whether the numbers of batch k are first, first + step, ... */
static bool counts(const outcome *o, int k, int64_t length, int64_t first, int64_t step)
{
    if (!o->at[k] || mfm_shape_count(&o->at[k]->shape) != length)
        return false;
    for (int64_t i = 0; i < length; i++)
        if (o->at[k]->v[i].i != first + i * step || o->at[k]->v[i].n)
            return false;
    return true;
}

static void a_range_to_the_batch_is_as_long(void)
{
    begin();
    outcome o = range(0, 0, 1, 1);
    CU_ASSERT(!o.always && counts(&o, 0, 2, 0, 1) && counts(&o, 1, 3, 0, 1) &&
              counts(&o, 2, 5, 0, 1));
    clear(&o);
    o = range(4, 3, 2, 1);
    CU_ASSERT(counts(&o, 0, 3, 4, 1) && counts(&o, 1, 5, 4, 1) && counts(&o, 2, 9, 4, 1));
    clear(&o);
    mfm_ctx_free(ctx);
}

/* Range(0, N - 100) is empty at each of the batches, Range(0, N, 7) has one number. */
static void ranges_that_are_cut_are_not_made(void)
{
    begin();
    CU_ASSERT(is_nothing(range(0, -100, 1, 1)));
    CU_ASSERT(is_nothing(range(0, -2, 1, 1)));
    CU_ASSERT(is_nothing(range(0, 0, 1, 7)));
    CU_ASSERT(is_nothing(range(0, 0, -1, 1)));
    CU_ASSERT(is_nothing(range(0, INT64_MAX, 1, 1)));
    CU_ASSERT(is_nothing(range(0, 1 << 20, 1, 1)) && folder.limit);
    mfm_ctx_free(ctx);
}

static void sums_and_products_follow(void)
{
    begin();
    outcome whole = range(0, 0, 1, 1);
    mfm_number seven, batch;
    const mfm_folded by = scalar(&seven, 7, 0), n = scalar(&batch, 0, 1);
    const mfm_folded *times[2] = {NULL, &by}, *more[2] = {NULL, &n};
    outcome o = fold("Mul", times, 2, &whole);
    CU_ASSERT(counts(&o, 0, 2, 0, 7) && counts(&o, 2, 5, 0, 7));
    clear(&o);
    o = fold("Add", more, 2, &whole);
    CU_ASSERT(counts(&o, 0, 2, 2, 1) && counts(&o, 2, 5, 5, 1));
    clear(&o);
    clear(&whole);
    mfm_ctx_free(ctx);
}

/* The length of Range(0, N) is N again; N N is not a + b N. */
static void what_is_a_plus_b_n_again_is_so_always(void)
{
    begin();
    outcome whole = range(0, 0, 1, 1);
    const mfm_folded *in[1] = {NULL};
    outcome o = fold("Shape", in, 1, &whole);
    CU_ASSERT_FATAL(o.always != NULL && !o.at[0]);
    CU_ASSERT(o.always->v[0].i == 0 && o.always->v[0].n == 1);
    clear(&o);
    mfm_number batch;
    const mfm_folded n = scalar(&batch, 0, 1), *twice[2] = {&n, &n};
    o = fold("Mul", twice, 2, NULL);
    CU_ASSERT(!o.always && o.at[0] && o.at[0]->v[0].i == 4 && o.at[2]->v[0].i == 25);
    clear(&o);
    clear(&whole);
    mfm_ctx_free(ctx);
}

/* At these batches N is less than 100, and N / 7 is 0. */
static void questions_about_the_batch_are_not_answered(void)
{
    begin();
    mfm_number batch, other;
    const mfm_folded n = scalar(&batch, 0, 1), hundred = scalar(&other, 100, 0);
    const mfm_folded *in[2] = {&n, &hundred};
    static const char *const asking[] = {"Less", "Greater", "Equal", "Div", "Mod", "Min", "Max"};
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++)
        CU_ASSERT(is_nothing(fold(asking[i], in, 2, NULL)));
    Onnx__AttributeProto to = ONNX__ATTRIBUTE_PROTO__INIT, *attributes[1] = {&to};
    to.name = (char *)"to";
    to.has_i = 1;
    to.i = BOOL;
    Onnx__NodeProto node = op("Cast");
    node.n_attribute = 1;
    node.attribute = attributes;
    mfm_folded *none[1][MFM_FOLD_BATCHES] = {{NULL}};
    const mfm_fold_inputs one = {1, in, (mfm_folded *const(*)[MFM_FOLD_BATCHES])none};
    outcome o = {.always = NULL};
    CU_ASSERT_EQUAL(mfm_fold_node_batches(&folder, &node, OPSET, &one, &o.always, o.at), MFM_OK);
    CU_ASSERT(is_nothing(o));
    mfm_ctx_free(ctx);
}

/* The engine has these at every batch. */
static void real_numbers_are_not_made(void)
{
    begin();
    mfm_number number;
    mfm_folded n = scalar(&number, 0, 1);
    n.shape = (mfm_shape){.rank = 1, .dim = {1}};
    const mfm_folded *in[1] = {&n};
    CU_ASSERT(is_nothing(fold("ConstantOfShape", in, 1, NULL))); /* float */
    mfm_ctx_free(ctx);
}

static int attempt(mfm_ctx *failing, void *self)
{
    (void)self;
    mfm_folder own = {.ctx = failing};
    mfm_number v[3];
    const mfm_folded start = scalar(&v[0], 0, 0), limit = scalar(&v[1], 0, 1);
    const mfm_folded step = scalar(&v[2], 1, 0), *always[3] = {&start, &limit, &step};
    mfm_folded *none[3][MFM_FOLD_BATCHES] = {{NULL}}, *whole, *at[MFM_FOLD_BATCHES];
    const mfm_fold_inputs in = {3, always, (mfm_folded *const(*)[MFM_FOLD_BATCHES])none};
    const Onnx__NodeProto node = op("Range");
    const int status = mfm_fold_node_batches(&own, &node, OPSET, &in, &whole, at);
    mfm_folded_free(failing, whole);
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        mfm_folded_free(failing, at[k]);
    return status;
}

static void failing_allocations_are_told(void)
{
    mfm_assert_refusals_are_told(attempt, NULL);
}

static const mfm_case cases[] = {
    {"a range to the batch is as long as it", a_range_to_the_batch_is_as_long},
    {"ranges that are cut off at some batch are not made", ranges_that_are_cut_are_not_made},
    {"sums and products follow", sums_and_products_follow},
    {"what is a + b N again is so always", what_is_a_plus_b_n_again_is_so_always},
    {"questions about the batch are not answered", questions_about_the_batch_are_not_answered},
    {"real numbers that are as many as the batch are not made", real_numbers_are_not_made},
    {"failing allocations are told", failing_allocations_are_told},
};
MFM_SUITE("onnx/fold_batches", cases)
