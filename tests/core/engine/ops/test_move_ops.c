/* What the operators that move and combine elements compute: inputs hold 1, 2, 3, ... in row-major
 * order, expected values come from numpy's own arithmetic and indexing. */
#include <stdio.h>
#include <string.h>

#include "../../../suite.h"
#include "../support/op_forward.h"
#include "../support/op_values.h"

typedef struct example {
    const char *op, *sample;
    int output;
    const char *shape;
    double y[64];
} example;

static const example examples[] = {
    {"Add", "[2,3,2,2] [3,1,1]", 0, "[2,3,2,2]", {2,  3,  4,  5,  7,  8,  9,  10, 12, 13, 14, 15,
                                                  14, 15, 16, 17, 19, 20, 21, 22, 24, 25, 26, 27}},
    {"Add", "[2] [3,1]", 0, "[3,2]", {2, 3, 3, 4, 4, 5}},
    {"Sub", "[3,1,1] [2,3,2,2]", 0, "[2,3,2,2]", {0,   -1,  -2,  -3,  -3,  -4,  -5,  -6,
                                                  -6,  -7,  -8,  -9,  -12, -13, -14, -15,
                                                  -15, -16, -17, -18, -18, -19, -20, -21}},
    {"Mul", "[2,3,2,2] [2,3,1,1]", 0, "[2,3,2,2]", {1,  2,  3,  4,   10,  12,  14,  16,
                                                    27, 30, 33, 36,  52,  56,  60,  64,
                                                    85, 90, 95, 100, 126, 132, 138, 144}},
    {"Div", "[2,2] [2,1]", 0, "[2,2]", {1, 2, 1.5, 2}},
    {"Div", "[] [4]", 0, "[4]", {1, 0.5, 0.33333333333333331, 0.25}},
    {"Sum", "[2,2] [2] [2,1] []", 0, "[2,2]", {4, 6, 7, 9}},
    {"Sum", "[3] opset=6", 0, "[3]", {1, 2, 3}},
    {"Identity", "[1,2,1,3]", 0, "[1,2,1,3]", {1, 2, 3, 4, 5, 6}},
    {"Flatten", "[2,3,2,2]", 0, "[2,12]", {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                           13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}},
    {"Flatten", "[2,3,2,2] axis=0", 0, "[1,24]", {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                                  13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}},
    {"Flatten", "[2,3,2] axis=-1", 0, "[6,2]", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
    {"Flatten", "[2,3] axis=2 opset=9", 0, "[6,1]", {1, 2, 3, 4, 5, 6}},
    {"Flatten", "[] axis=0", 0, "[1,1]", {1}},
    {"Reshape", "[2,3,2,2] shape=0,-1", 0, "[2,12]", {1,  2,  3,  4,  5,  6,  7,  8,
                                                      9,  10, 11, 12, 13, 14, 15, 16,
                                                      17, 18, 19, 20, 21, 22, 23, 24}},
    {"Reshape", "[2,3,2,2] shape=-1,2,3,2", 0, "[2,2,3,2]", {1,  2,  3,  4,  5,  6,  7,  8,
                                                             9,  10, 11, 12, 13, 14, 15, 16,
                                                             17, 18, 19, 20, 21, 22, 23, 24}},
    {"Reshape", "[12] shape=1,3,2,2", 0, "[1,3,2,2]", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
    {"Reshape", "[2,4] shape=0,2,-1,1,1,1 opset=3", 0, "[2,2,2,1,1,1]", {1, 2, 3, 4, 5, 6, 7, 8}},
    {"Reshape", "[0,3] shape=3,0 allowzero=1", 0, "[3,0]", {0}},
    {"Reshape", "[0,3] shape=0,3", 0, "[0,3]", {0}},
    {"Reshape", "[1] shape=", 0, "[]", {1}},
    {"Squeeze", "[1,3,1,2]", 0, "[3,2]", {1, 2, 3, 4, 5, 6}},
    {"Squeeze", "[1,3,1,2] axes=-2", 0, "[1,3,2]", {1, 2, 3, 4, 5, 6}},
    {"Unsqueeze", "[3,2] axes=-1,0", 0, "[1,3,2,1]", {1, 2, 3, 4, 5, 6}},
    {"Unsqueeze", "[2,3,2] axes=1", 0, "[2,1,3,2]", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
    {"Transpose", "[2,3]", 0, "[3,2]", {1, 4, 2, 5, 3, 6}},
    {"Transpose", "[2,3,2,2] perm=0,2,3,1", 0, "[2,2,2,3]", {1,  5,  9,  2,  6,  10, 3,  7,
                                                             11, 4,  8,  12, 13, 17, 21, 14,
                                                             18, 22, 15, 19, 23, 16, 20, 24}},
    {"Transpose", "[2,3,2] perm=1,2,0", 0, "[3,2,2]", {1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12}},
    {"Transpose", "[2,1,3,2]", 0, "[2,3,1,2]", {1, 7, 3, 9, 5, 11, 2, 8, 4, 10, 6, 12}},
    {"Concat", "[1,2,2,1] [1,1,2,1] axis=1", 0, "[1,3,2,1]", {1, 2, 3, 4, 1, 2}},
    {"Concat", "[2,1] [2,2] [2,1] axis=-1", 0, "[2,4]", {1, 1, 2, 1, 2, 3, 4, 2}},
    {"Concat", "[0,2] [1,2] axis=0", 0, "[1,2]", {1, 2}},
    {"Slice", "[3,4] starts=1,0 ends=3,2", 0, "[2,2]", {5, 6, 9, 10}},
    {"Slice", "[3,4] starts=-3 ends=-1 axes=-1", 0, "[3,2]", {2, 3, 6, 7, 10, 11}},
    {"Slice", "[3,4] starts=-1,9 ends=-9,-9 steps=-1,-2", 0, "[3,2]", {12, 10, 8, 6, 4, 2}},
    {"Slice",
     "[3,4] starts=0 ends=9223372036854775807 axes=1 steps=3",
     0,
     "[3,2]",
     {1, 4, 5, 8, 9, 12}},
    {"Slice",
     "[2,3,3,2] starts=2,1 ends=0,3 axes=1,2 steps=-1,1",
     0,
     "[2,2,2,2]",
     {15, 16, 17, 18, 9, 10, 11, 12, 33, 34, 35, 36, 27, 28, 29, 30}},
    {"Slice", "[3,4] starts=2 ends=1 axes=0", 0, "[0,4]", {0}},
    {"Slice", "[3] starts=2 ends=-9223372036854775808 steps=-9223372036854775808", 0, "[1]", {3}},
    {"Slice", "[3,4] starts=1 ends=100 axes=1 opset=9", 0, "[3,3]", {2, 3, 4, 6, 7, 8, 10, 11, 12}},
    {"Split", "[2,5] axis=1 num_outputs=3 outputs=3", 0, "[2,2]", {1, 2, 6, 7}},
    {"Split", "[2,5] axis=1 num_outputs=3 outputs=3", 1, "[2,2]", {3, 4, 8, 9}},
    {"Split", "[2,5] axis=1 num_outputs=3 outputs=3", 2, "[2,1]", {5, 10}},
    {"Split", "[1,3,1,2] axis=1 split=1,2 outputs=2 opset=11", 0, "[1,1,1,2]", {1, 2}},
    {"Split", "[1,3,1,2] axis=1 split=1,2 outputs=2 opset=11", 1, "[1,2,1,2]", {3, 4, 5, 6}},
    {"Split", "[4,2] outputs=2 opset=13", 0, "[2,2]", {1, 2, 3, 4}},
    {"Split", "[4,2] outputs=2 opset=13", 1, "[2,2]", {5, 6, 7, 8}},
    {"Split", "[2] split=0,2 outputs=2", 0, "[0]", {0}},
    {"Split", "[2] split=0,2 outputs=2", 1, "[2]", {1, 2}},
    {"Pad",
     "[2,3] pads=1,0,0,2 value=0.5",
     0,
     "[3,5]",
     {0.5, 0.5, 0.5, 0.5, 0.5, 1, 2, 3, 0.5, 0.5, 4, 5, 6, 0.5, 0.5}},
    {"Pad", "[1,1,2,3] pads=0,0,1,2,0,0,1,1 mode=reflect", 0, "[1,1,4,6]", {6, 5, 4, 5, 6, 5,
                                                                            3, 2, 1, 2, 3, 2,
                                                                            6, 5, 4, 5, 6, 5,
                                                                            3, 2, 1, 2, 3, 2}},
    {"Pad", "[1,2,1,2] pads=0,1,2,0,0,0,0,1 mode=edge", 0, "[1,3,3,3]", {1, 2, 2, 1, 2, 2, 1,
                                                                         2, 2, 1, 2, 2, 1, 2,
                                                                         2, 1, 2, 2, 3, 4, 4,
                                                                         3, 4, 4, 3, 4, 4}},
    {"Pad", "[3,4] pads=-1,1,0,-2", 0, "[2,3]", {0, 5, 6, 0, 9, 10}},
    {"Pad", "[2,3] pads=1,1 axes=-1 value=9", 0, "[2,5]", {9, 1, 2, 3, 9, 9, 4, 5, 6, 9}},
    {"Pad", "[4] pads=2,-1 mode=reflect", 0, "[5]", {3, 2, 1, 2, 3}},
    {"ReduceMean", "[2,3,2,2] axes=2,3", 0, "[2,3,1,1]", {2.5, 6.5, 10.5, 14.5, 18.5, 22.5}},
    {"ReduceMean", "[2,3,2,2] axes=1 keepdims=0", 0, "[2,2,2]", {5, 6, 7, 8, 17, 18, 19, 20}},
    {"ReduceMean", "[2,3] keepdims=0", 0, "[]", {3.5}},
    {"ReduceMean", "[2,3] axes= noop_with_empty_axes=1", 0, "[2,3]", {1, 2, 3, 4, 5, 6}},
    {"ReduceMean", "[2,3] axes=-2", 0, "[1,3]", {2.5, 3.5, 4.5}},
    {"ReduceMean", "[2,3] axes=0 opset=11", 0, "[1,3]", {2.5, 3.5, 4.5}},
    {"Expand", "[3,1] shape=2,1,2", 0, "[2,3,2]", {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3}},
    {"Expand", "[2,3] shape=1", 0, "[2,3]", {1, 2, 3, 4, 5, 6}},
    {"Expand", "[1,2,1,1] shape=1,2,1,3", 0, "[1,2,1,3]", {1, 1, 1, 2, 2, 2}},
};

static bool holds(const example *e, const mfm_forward_result *result)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *shape = &result->shape[e->output];
    if (strcmp(mfm_shape_text(shape, text), e->shape) != 0)
        return false;
    for (int64_t i = 0; i < mfm_shape_count(shape); i++)
        if ((real)result->y[e->output][i] != (real)e->y[i])
            return false;
    return true;
}

static void test_examples(void)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const example *e = &examples[i];
        mfm_forward_result result;
        mfm_ctx *ctx = mfm_ctx_new(NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
        const int status = mfm_op_forward(ctx, e->op, e->sample, NULL, &result);
        const bool right = status == MFM_OK && holds(e, &result);
        CU_ASSERT_TRUE(right);
        if (!right)
            fprintf(stderr, "%s %s, output %d: %s\n", e->op, e->sample, e->output,
                    mfm_message(ctx));
        mfm_ctx_free(ctx);
    }
}

static const mfm_op_refusal refusals[] = {
    {"Add", "[2,3] [2]", "equal or 1"},
    {"Mul", "[2,3,4,5] [3]", "equal or 1"},
    {"Sum", "[2] [2,2] opset=7", "equal before opset 8"},
    {"Flatten", "[2,3] axis=3", "must be in [-2, 2]"},
    {"Flatten", "[2,3] axis=-1 opset=10", "must be in [0, 2]"},
    {"Reshape", "[2,3] shape=4,2", "must agree"},
    {"Reshape", "[2,3] shape=-1,4", "must agree"},
    {"Reshape", "[2,3] shape=-1,-1", "one -1"},
    {"Reshape", "[2,3] shape=-2,3", "must not be negative"},
    {"Reshape", "[2,3] shape=2,3,0", "the input has 2 axes"},
    {"Reshape", "[0,3] shape=0,-1 allowzero=1", "must agree"},
    {"Reshape", "[2,3] shape=1,1,1,1,1,2,3", "must be 0 to 6"},
    {"Reshape", "[2,3] shape=4611686018427387904,4611686018427387904", "addressable"},
    {"Reshape", "[2,3]", "shape"},
    {"Squeeze", "[1,3] axes=1", "only 1 can be squeezed"},
    {"Squeeze", "[1,3] axes=2", "must be in [-2, 2)"},
    {"Squeeze", "[1,3] axes=0,-2", "stands twice"},
    {"Unsqueeze", "[3] axes=0,0", "stands twice"},
    {"Unsqueeze", "[3] axes=3", "must be in [-2, 2)"},
    {"Unsqueeze", "[1,1,1,1,1,1] axes=0", "at most 6"},
    {"Unsqueeze", "[3]", "must be given"},
    {"Transpose", "[2,3] perm=0", "the input has 2 axes"},
    {"Transpose", "[2,3] perm=1,1", "stands twice"},
    {"Transpose", "[2,3] perm=0,-1", "must not be negative"},
    {"Concat", "[2,3] [3,3] axis=1", "only axis 1 may differ"},
    {"Concat", "[2,3] [2,3,1] axis=0", "only axis 0 may differ"},
    {"Concat", "[2,3] axis=2", "must be in [-2, 2)"},
    {"Concat", "[] [] axis=0", "must be in [-0, 0)"},
    {"Slice", "[4] starts=0 ends=2 steps=0", "must not be 0"},
    {"Slice", "[4] starts=0 ends=2,3", "equally many"},
    {"Slice", "[4] starts=0,0 ends=2,3", "at most 1"},
    {"Slice", "[4,4] starts=0,0 ends=2,3 axes=0,-2", "stands twice"},
    {"Slice", "[4] ends=2", "equally many"},
    {"Split", "[5] outputs=2 opset=13", "cut evenly"},
    {"Split", "[5] outputs=4 num_outputs=4", "nothing is left for the last"},
    {"Split", "[2] outputs=3 num_outputs=3", "nothing is left for the last"},
    {"Split", "[2] outputs=3 opset=13", "cut evenly"},
    {"Split", "[4] outputs=2 num_outputs=2 opset=13", "opset 13 does not have it"},
    {"Split", "[4] outputs=2 opset=18", "neither of split and num_outputs"},
    {"Split", "[4] outputs=2 split=2,2 num_outputs=2", "both of split and num_outputs"},
    {"Split", "[5] outputs=2 num_outputs=3", "the node has 2 outputs"},
    {"Split", "[5] outputs=2 split=2,2", "must add up"},
    {"Split", "[5] outputs=2 split=9223372036854775807,9", "5 are left"},
    {"Split", "[5] outputs=2 split=-1,6", "are left"},
    {"Split", "[5] outputs=2 split=5", "the node has 2 outputs"},
    {"Pad", "[4] pads=1", "two for each of 1 axes"},
    {"Pad", "[4] pads=-3,-2", "axis 0 has length 4"},
    {"Pad", "[4] pads=4,0 mode=reflect", "offers only 4"},
    {"Pad", "[0] pads=1,0 mode=edge", "offers only 0"},
    {"Pad", "[4] pads=9223372036854775807,9223372036854775807", "axis 0 has length 4"},
    {"Pad", "[4] pads=-9223372036854775808,0", "axis 0 has length 4"},
    {"Pad", "[4,4] pads=1,1 axes=2", "must be in [-2, 2)"},
    {"Pad", "[4] pads=1,0 mode=mirror", "mirror"},
    {"Pad", "[0] pads=1,0 mode=wrap", "offers only 0 elements"},
    {"ReduceMean", "[2,0] axes=1", "there is nothing to reduce"},
    {"ReduceMean", "[2,3] axes=-3", "must be in [-2, 2)"},
    {"Expand", "[2,3] shape=4", "equal or 1"},
    {"Expand", "[1] shape=-1", "there is no batch"},
    {"Expand", "[1] shape=1,1,1,1,1,1,1", "must be 0 to 6"},
    {"Expand", "[1] shape=4611686018427387904,4611686018427387904", "addressable"},
    {"GatherElements", "[3,4] [3]<3", "must have its rank"},
    {"GatherElements", "[3,4] [4,2]<4 axis=1", "no longer axes"},
    {"GatherElements", "[3,4] [3,2]<4 axis=2", "axis 2"},
    {"GatherElements", "[3,4] [3,2]<9 axis=0", "index"},
    {"GatherND", "[3,4] [2,3]<2", "must list coordinates"},
    {"GatherND", "[3,4] []<2", "must list coordinates"},
    {"GatherND", "[3,4] [2,1]<2 batch_dims=1", "the first must be its own"},
    {"GatherND", "[3,2,2,2] [2,2,2,2,1]<2", "7 axes"},
    {"ScatterElements", "[3,4] [2,2]<3 [2,3]", "updates [2,3]: must be [2,2]"},
    {"ScatterElements", "[3,4] [2,2]<3 [2,2] reduction=mul", "none, add, max and min are"},
    {"ScatterND", "[3,4] [2,1]<3 [2]", "updates [2]: must be [2,4]"},
    {"ScatterND", "[3,4] [2,1]<3 [2,4] reduction=mul", "none, add, max and min are"},
};

static void test_refusals(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        CU_ASSERT_TRUE(mfm_op_refusal_holds(&refusals[i]));
}

static const mfm_case cases[] = {
    {"outputs equal numpy's", test_examples},
    {"attributes and shapes that do not fit are refused by a message that names the rule",
     test_refusals},
};
MFM_SUITE("core/engine/move_ops", cases)
