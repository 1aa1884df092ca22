/* What the normalisations within an image compute and refuse; ONNX's vectors and ONNX Runtime
 * (tests/interop) have the rest. */
#include "../../../suite.h"
#include "../support/op_values.h"

/* By hand: the window of an even size has its odd channel behind. */
static const mfm_op_value values[] = {
    {"LRN",
     "[1,4,1] size=2 alpha=2 beta=1",
     "[1,4,1]",
     {-50.0 / 2670, -13.0 / 746, 24.0 / 2177, -40.0 / 1601}},
    {"LpNormalization", "[1,2] p=1", "[1,2]", {-50.0 / 63, -13.0 / 63}},
};

static const mfm_op_refusal refusals[] = {
    {"InstanceNormalization", "[2,3] [3] [3]", "[n, c, ...]"},
    {"InstanceNormalization", "[2,3,0] [3] [3]", "with elements"},
    {"InstanceNormalization", "[2,3,4] [2] [3]", "must have 3 numbers"},
    {"InstanceNormalization", "[2,3,4] [3] [3,1]", "must have 3 numbers"},
    {"InstanceNormalization", "[2,3,4] [3] [3] epsilon=-1", "epsilon"},
    {"GroupNormalization", "[2,4,4] [4] [4]", "num_groups 0"},
    {"GroupNormalization", "[2,4,4] [4] [4] num_groups=3", "must divide"},
    {"GroupNormalization", "[2,4,4] [4] [4] num_groups=-2", "must divide"},
    {"GroupNormalization", "[2,4,4] [2] [2] num_groups=2", "must have 4 numbers"},
    {"GroupNormalization", "[2,4,4] [4] [4] num_groups=2 opset=18", "must have 2 numbers"},
    {"LRN", "[2,3,4]", "size 0"},
    {"LRN", "[3] size=3", "[n, c, ...]"},
    {"LRN", "[2,3,4] size=3 beta=inf", "must be finite"},
    {"LpNormalization", "[2,3] p=3", "must be 1 or 2"},
    {"LpNormalization", "[2,3] axis=2", "axis"},
    {"LpNormalization", "[2,0]", "must have elements"},
};

static void values_are_onnx_s(void)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        CU_ASSERT_TRUE(mfm_op_value_holds(&values[i]));
}

static void what_is_no_normalisation_is_refused(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        CU_ASSERT_TRUE(mfm_op_refusal_holds(&refusals[i]));
}

static const mfm_case cases[] = {
    {"values are those of ONNX", values_are_onnx_s},
    {"what is no normalisation is refused", what_is_no_normalisation_is_refused},
};
MFM_SUITE("core/engine/norm_ops", cases)
