/* Batches that files freeze or compute with, and shape sub-graphs. */
#include "onnx/proto/proto.h"
#include "tests/onnx/import/imported.h"
#include "tests/suite.h"

static const int64_t zero[] = {0}, one[] = {1}, minus_one[] = {-1};

/* c [n,4,4,4] -> r by a Reshape to `shape` -> logits by a MatMul with [rows,5]. */
static void reshape_head(mfm_model *m, const char *shape, int64_t rows)
{
    char inputs[64];
    snprintf(inputs, sizeof inputs, "c %s", shape);
    hand_weight(m, "fc", HAND_DIMS(rows, 5));
    hand_node(m, "Reshape", "reshape", inputs, "r");
    hand_node(m, "MatMul", "matmul", "r fc", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
}

/* x of batch 1, as files of the first years have it. */
static void frozen_conv(mfm_model *m, int64_t batch)
{
    hand_input(m, "x", HAND_DIMS(batch, 3, 4, 4));
    hand_weight(m, "w", HAND_DIMS(4, 3, 1, 1));
    hand_node(m, "Conv", "conv", "x w", "c");
}

static void a_frozen_batch_is_freed(void)
{
    static const int64_t shapes[][2] = {{1, 64}, {1, -1}, {-1, 64}, {0, -1}};
    for (int i = 0; i < 4; i++) {
        imported t = start(8, 13);
        frozen_conv(t.model, 1);
        hand_ints(t.model, "shape", 2, shapes[i]);
        reshape_head(t.model, "shape", 64);
        CU_ASSERT_FATAL(imports(&t));
        CU_ASSERT(logits_are(&t, 1, 5) && logits_are(&t, 9, 5));
        CU_ASSERT_EQUAL(t.network->graph->values[t.network->images].shape.dim[0], -1);
        finish(&t);
    }
}

static void a_frozen_batch_of_eight_is_freed(void)
{
    imported t = start(8, 13);
    frozen_conv(t.model, 8);
    hand_ints(t.model, "halves", 5, (const int64_t[]){8, 2, 2, 4, 4});
    hand_ints(t.model, "flat", 2, (const int64_t[]){8, 64});
    hand_node(t.model, "Reshape", "", "c halves", "d");
    hand_weight(t.model, "fc", HAND_DIMS(64, 5));
    hand_node(t.model, "Reshape", "", "d flat", "r");
    hand_node(t.model, "MatMul", "", "r fc", "logits");
    hand_output(t.model, "logits", HAND_DIMS(8, 5));
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 3, 5));
    finish(&t);
}

/* Its 1 is no batch. */
static void a_reshape_of_a_weight_stays(void)
{
    imported t = start(8, 13);
    frozen_conv(t.model, 1);
    hand_ints(t.model, "shape", 2, (const int64_t[]){1, 64});
    hand_weight(t.model, "fc0", HAND_DIMS(1, 64, 5));
    hand_ints(t.model, "rows", 3, (const int64_t[]){1, 64, 5});
    hand_ints(t.model, "last", 2, (const int64_t[]){64, 5});
    hand_node(t.model, "Reshape", "", "fc0 rows", "fc1");
    hand_node(t.model, "Reshape", "", "fc1 last", "fc");
    hand_node(t.model, "Reshape", "", "c shape", "r");
    hand_node(t.model, "MatMul", "", "r fc", "logits");
    hand_output(t.model, "logits", HAND_DIMS(1, 5));
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT_PTR_NOT_NULL(value_of(&t, "fc0", MFM_VALUE_PARAM));
    CU_ASSERT(logits_are(&t, 4, 5));
    finish(&t);
}

/* view(x.size(0), -1) as PyTorch writes it. */
static void a_view_by_the_batch_folds(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_ints(t.model, "axes", 1, zero);
    hand_ints(t.model, "rest", 1, minus_one);
    Onnx__NodeProto *zeroth = hand_node(t.model, "Constant", "", "", "zeroth");
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, zeroth, "value_int", 0));
    hand_node(t.model, "Shape", "", "c", "dims");
    hand_node(t.model, "Gather", "", "dims zeroth", "n");
    hand_node(t.model, "Unsqueeze", "", "n axes", "n1");
    hand_node(t.model, "Concat", "", "n1 rest", "shape");
    reshape_head(t.model, "shape", 64);
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 2, 5) && logits_are(&t, 5, 5));
    CU_ASSERT_EQUAL(t.network->graph->n_nodes, 3);
    finish(&t);
}

/* A channel shuffle: [n,4,4,4] to [n,2,2,4,4], with 2 computed as 4 / 2, and back. */
static void numbers_are_computed_from_a_shape(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_ints(t.model, "i0", 1, zero);
    hand_ints(t.model, "i1", 1, one);
    hand_ints(t.model, "i4", 1, (const int64_t[]){4});
    hand_ints(t.model, "groups", 1, (const int64_t[]){2});
    hand_node(t.model, "Shape", "", "c", "dims");
    hand_node(t.model, "Slice", "", "dims i0 i1", "n");
    hand_node(t.model, "Gather", "", "dims i1", "channels");
    hand_node(t.model, "Div", "", "channels groups", "each");
    hand_node(t.model, "Slice", "", "dims groups i4", "image");
    hand_node(t.model, "Concat", "", "n groups each image", "apart");
    hand_node(t.model, "Reshape", "", "c apart", "r");
    Onnx__NodeProto *turn = hand_node(t.model, "Transpose", "", "r", "t");
    CU_ASSERT_FALSE(
        mfm_proto_attr_ints(t.model, turn, "perm", (const int64_t[]){0, 2, 1, 3, 4}, 5));
    hand_node(t.model, "Reshape", "", "t dims", "d");
    hand_head(t.model, "d");
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 2, 5) && logits_are(&t, 5, 5));
    finish(&t);
}

/* Both places of [h w, n] are given by numbers; the second is the batch. */
static void the_batch_may_stand_anywhere(void)
{
    imported t = start(8, 15);
    hand_conv(t.model);
    hand_ints(t.model, "i0", 1, zero);
    hand_ints(t.model, "features", 1, (const int64_t[]){64});
    hand_node(t.model, "Flatten", "", "c", "f");
    Onnx__NodeProto *turn = hand_node(t.model, "Transpose", "", "f", "turned");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(t.model, turn, "perm", (const int64_t[]){1, 0}, 2));
    Onnx__NodeProto *shape = hand_node(t.model, "Shape", "", "turned", "n");
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, shape, "start", 1));
    hand_node(t.model, "Concat", "", "features n", "same");
    hand_node(t.model, "Reshape", "", "turned same", "again");
    turn = hand_node(t.model, "Transpose", "", "again", "back");
    CU_ASSERT_FALSE(mfm_proto_attr_ints(t.model, turn, "perm", (const int64_t[]){1, 0}, 2));
    hand_weight(t.model, "fc", HAND_DIMS(64, 5));
    hand_node(t.model, "MatMul", "", "back fc", "logits");
    hand_output(t.model, "logits", HAND_DIMS(-1, 5));
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 2, 5) && logits_are(&t, 5, 5));
    finish(&t);
}

static void the_shape_of_a_weight_is_known(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_weight(t.model, "like", HAND_DIMS(1, 64));
    hand_ints(t.model, "i1", 1, one);
    hand_ints(t.model, "rest", 1, minus_one);
    hand_node(t.model, "Shape", "", "like", "dims");
    hand_node(t.model, "Gather", "", "dims i1", "columns");
    hand_node(t.model, "Concat", "", "rest columns", "shape");
    reshape_head(t.model, "shape", 64);
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 3, 5));
    finish(&t);
}

static void a_computed_batch_is_refused(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_ints(t.model, "i0", 1, zero);
    hand_ints(t.model, "two", 1, (const int64_t[]){2});
    hand_ints(t.model, "rest", 1, minus_one);
    hand_node(t.model, "Shape", "", "c", "dims");
    hand_node(t.model, "Gather", "", "dims i0", "n");
    hand_node(t.model, "Mul", "double", "n two", "n2");
    hand_node(t.model, "Concat", "", "n2 rest", "shape");
    reshape_head(t.model, "shape", 32);
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "output 'logits'", "not the images of the batch"));
    finish(&t);
}

static void the_batch_as_a_bound_is_refused(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_ints(t.model, "i0", 1, zero);
    hand_ints(t.model, "i1", 1, one);
    hand_node(t.model, "Shape", "", "c", "dims");
    hand_node(t.model, "Gather", "", "dims i0", "n");
    hand_node(t.model, "Slice", "first", "c i0 n i1", "d");
    hand_head(t.model, "d");
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Slice 'first'", "ends", "batch"));
    finish(&t);
}

static void two_batches_in_one_shape_are_refused(void)
{
    imported t = start(8, 13);
    hand_conv(t.model);
    hand_ints(t.model, "i0", 1, zero);
    hand_node(t.model, "Shape", "", "c", "dims");
    hand_node(t.model, "Gather", "", "dims i0", "n");
    hand_node(t.model, "Concat", "", "n n", "shape");
    reshape_head(t.model, "shape", 64);
    CU_ASSERT(REFUSED(&t, MFM_ENOTSUP, "Reshape 'reshape'", "batch", "does not fit"));
    finish(&t);
}

/* A class token: a parameter [1,4,1,1], stretched to the batch and added to each image. With
 * `twice`, to twice the batch. */
static void token(mfm_model *m, bool twice)
{
    hand_conv(m);
    hand_weight(m, "token", HAND_DIMS(1, 4, 1, 1));
    hand_ints(m, "i0", 1, zero);
    hand_ints(m, "rest", 3, (const int64_t[]){4, 4, 4});
    hand_ints(m, "two", 1, (const int64_t[]){2});
    hand_node(m, "Shape", "", "c", "dims");
    hand_node(m, "Gather", "", "dims i0", "n");
    hand_node(m, "Mul", "", "n two", "n2");
    mfm_proto_attr_int(m, hand_node(m, "Concat", "", twice ? "n2 rest" : "n rest", "shape"), "axis",
                       0);
    hand_node(m, "Expand", "expand", "token shape", "tokens");
    hand_node(m, "Add", "", "c tokens", "d");
    hand_weight(m, "fc", HAND_DIMS(4, 5));
    hand_node(m, "GlobalAveragePool", "", "d", "p");
    hand_node(m, "Flatten", "", "p", "f");
    hand_node(m, "MatMul", "", "f fc", "logits");
    hand_output(m, "logits", HAND_DIMS(-1, 5));
}

static void a_parameter_is_stretched_to_the_batch(void)
{
    imported t = start(8, 13);
    token(t.model, false);
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 3, 5) && logits_are(&t, 7, 5));
    CU_ASSERT(value_of(&t, "token", MFM_VALUE_PARAM) != NULL);
    finish(&t);
    t = start(8, 13);
    token(t.model, true);
    CU_ASSERT(REFUSED(&t, MFM_EDATA, "at batch 3", "Add", "[3,4,4,4] and [6,4,4,4]"));
    finish(&t);
}

/* Of a Pad that takes all rows away. */
static void what_has_no_numbers_is_tried_too(void)
{
    imported t = start(8, 18);
    hand_conv(t.model);
    hand_ints(t.model, "pads", HAND_DIMS(0, 0, -2, 0, 0, 0, -2, 0));
    hand_node(t.model, "Pad", "", "c pads", "none");
    Onnx__NodeProto *both = hand_node(t.model, "Concat", "", "c none", "d");
    CU_ASSERT_FALSE(mfm_proto_attr_int(t.model, both, "axis", 2));
    hand_head(t.model, "d");
    CU_ASSERT_FATAL(imports(&t));
    CU_ASSERT(logits_are(&t, 3, 5));
    finish(&t);
}

static const mfm_case cases[] = {
    {"a batch of 1 that is frozen into a Reshape is freed", a_frozen_batch_is_freed},
    {"so is any other", a_frozen_batch_of_eight_is_freed},
    {"a Reshape of a weight stays as it is", a_reshape_of_a_weight_stays},
    {"Shape, Gather, Unsqueeze, Concat, Reshape fold", a_view_by_the_batch_folds},
    {"numbers are computed from a shape", numbers_are_computed_from_a_shape},
    {"the batch may stand at any place of a shape", the_batch_may_stand_anywhere},
    {"the shape of a weight is known", the_shape_of_a_weight_is_known},
    {"a parameter is stretched to the batch", a_parameter_is_stretched_to_the_batch},
    {"a batch that is computed with is refused", a_computed_batch_is_refused},
    {"the batch as a bound of a Slice is refused", the_batch_as_a_bound_is_refused},
    {"the batch at two places of a shape is refused", two_batches_in_one_shape_are_refused},
    {"what has no numbers is tried, too", what_has_no_numbers_is_tried_too},
};
MFM_SUITE("onnx/import_shapes", cases)
