/* What the poolings compute and refuse. */
#include "../../../suite.h"
#include "../op_check/op_values.h"

/* Expected values come from PyTorch where it has the case, otherwise from the formulas of the
 * ONNX operator pages. */
static const mfm_op_value values[] = {
    {"MaxPool",
     "[1,2,4,4] kernel_shape=2,2 strides=2,2",
     "[1,2,2,2]",
     {34, 24, 44, 17, 37, 47, 30, 50}},
    {"MaxPool",
     "[1,1,5,5] kernel_shape=2,2 strides=2,2 ceil_mode=1",
     "[1,1,3,3]",
     {34, 44, -3, 37, 27, 47, 20, -7, 30}},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 strides=3,3 ceil_mode=1", "[1,1,2,2]", {34, 7, 27, 0}},
    {"MaxPool",
     "[1,1,4,4] kernel_shape=1,1 strides=2,2 pads=0,0,1,1 ceil_mode=1",
     "[1,1,2,2]",
     {-50, 24, 44, 17}},
    {"MaxPool",
     "[2,1,5,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1",
     "[2,1,3,2]",
     {34, 34, 44, 34, 37, 47, 30, 40, 30, 50, 23, 43}},
    {"MaxPool",
     "[1,2,6,5] kernel_shape=2,3 dilations=3,1 strides=1,2",
     "[1,2,3,2]",
     {37, 47, 34, 44, 40, 40, 50, 46, 33, 43, 39, 39}},
    {"MaxPool",
     "[1,1,4,4] kernel_shape=2,2 dilations=2,2 pads=1,0,0,1",
     "[1,1,3,3]",
     {-3, 34, -30, 44, -13, 24, -3, 34, -30}},
    {"MaxPool",
     "[1,1,4,4] kernel_shape=3,3 strides=2,2 auto_pad=SAME_UPPER",
     "[1,1,2,2]",
     {44, 24, 44, 17}},
    {"MaxPool",
     "[1,1,4,4] kernel_shape=3,3 strides=2,2 auto_pad=SAME_LOWER",
     "[1,1,2,2]",
     {34, 34, 44, 34}},
    {"MaxPool",
     "[1,1,6,5] kernel_shape=3,2 strides=2,2 auto_pad=VALID ceil_mode=1",
     "[1,1,2,2]",
     {34, 44, 37, 27}},
    {"AveragePool",
     "[1,2,4,4] kernel_shape=2,2 strides=2,2",
     "[1,2,2,2]",
     {-8, -9.75, 10.25, -16.75, 3.25, 1.5, -3.75, 19.75}},
    {"AveragePool",
     "[1,1,4,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1",
     "[1,1,2,2]",
     {-8, -3, 12, -5.4444444444444446}},
    {"AveragePool",
     "[1,1,4,4] kernel_shape=3,3 strides=2,2 pads=1,1,1,1 count_include_pad=1",
     "[1,1,2,2]",
     {-3.5555555555555554, -2, 8, -5.4444444444444446}},
    {"AveragePool",
     "[1,1,5,5] kernel_shape=3,3 strides=3,3 pads=1,1,1,1 ceil_mode=1 count_include_pad=1",
     "[1,1,2,2]",
     {-6.5555555555555554, 1.3333333333333333, 1.1111111111111112, -1.2222222222222223}},
    {"AveragePool",
     "[1,1,6,6] kernel_shape=3,3 strides=2,2 ceil_mode=1 count_include_pad=1",
     "[1,1,3,3]",
     {-4.2222222222222223, 2.4444444444444446, 1.8333333333333333, 2.1111111111111112,
      -2.4444444444444446, -8.6666666666666661, 9.6666666666666661, -0.5, 4.5}},
    {"AveragePool",
     "[1,1,6,6] kernel_shape=3,3 strides=2,2 ceil_mode=1",
     "[1,1,3,3]",
     {-4.2222222222222223, 2.4444444444444446, 1.8333333333333333, 2.1111111111111112,
      -2.4444444444444446, -8.6666666666666661, 9.6666666666666661, -0.5, 4.5}},
    {"AveragePool",
     "[1,1,3,3] kernel_shape=2,2 pads=0,0,1,1 count_include_pad=1",
     "[1,1,3,3]",
     {-26.5, 10.5, 14.5, -16.5, 20.5, 19.5, -5.75, 12.75, 11}},
    {"AveragePool",
     "[1,1,3,3] kernel_shape=2,2 auto_pad=SAME_LOWER",
     "[1,1,3,3]",
     {-50, -31.5, 5.5, -45, -26.5, 10.5, -35, -16.5, 20.5}},
    {"AveragePool",
     "[1,1,5,4] kernel_shape=2,2 dilations=2,3 pads=1,1,0,1",
     "[1,1,4,3]",
     {-30, 2, 34, 20.5, -23.25, -16.5, -33.5, -1.5, 30.5, 13.5, 20.25, -23.5}},
    {"GlobalAveragePool",
     "[2,2,2,3]",
     "[2,2,1,1]",
     {-8, -4.833333333333333, -1.6666666666666667, 1.5}},
    {"GlobalAveragePool", "[1,2,4]", "[1,2,1]", {-19.75, 2}},
    {"GlobalMaxPool", "[2,3,3,2]", "[2,3,1,1]", {34, 44, 37, 47, 40, 50}},
    {"GlobalMaxPool", "[1,2,4]", "[1,2,1]", {24, 34}},
};

static const mfm_op_refusal refusals[] = {
    {"MaxPool", "[1,1,4,4]", "kernel_shape: not given"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2", "must be 2"},
    {"MaxPool", "[1,1,4,4] kernel_shape=0,2", "must be in [1,"},
    {"MaxPool", "[1,1,4,4] kernel_shape=5,5", "must fit"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 strides=0,1", "strides: 0"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 strides=1,9223372036854775807", "must be in [1,"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 dilations=-1,1", "dilations: -1"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 dilations=9000000,9000000", "must fit"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 pads=-1,0,0,0", "pads: -1"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 pads=1,1", "must be 4"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 pads=2,0,0,0", "must meet the image"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 pads=0,0,0,2", "must meet the image"},
    {"MaxPool", "[1,1,1,1] kernel_shape=2,2 dilations=3,3 pads=1,1,2,2", "must meet the image"},
    {"MaxPool", "[1,1,4,4] kernel_shape=2,2 pads=1,0,0,0 auto_pad=VALID", "only one"},
    {"MaxPool", "[1,1,4,4] kernel_shape=16777216,16777216 auto_pad=SAME_UPPER", "taps"},
    {"MaxPool", "[1,4,4] kernel_shape=2,2", "[n, channels, height, width]"},
    {"MaxPool", "[1,0,4,4] kernel_shape=2,2", "must be in [1,"},
    {"AveragePool", "[1,1,4,4]", "kernel_shape: not given"},
    {"AveragePool", "[1,1,4,4] kernel_shape=2,2 pads=0,0,0,2", "must meet the image"},
    {"AveragePool", "[1,1,2,4,4] kernel_shape=2,2,2", "[n, channels, height, width]"},
    {"GlobalAveragePool", "[2,3]", "axes after the channels"},
    {"GlobalAveragePool", "[2,3,0,2]", "must not be empty"},
    {"GlobalMaxPool", "[2]", "axes after the channels"},
};

static void values_are_onnx_s(void)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        CU_ASSERT_TRUE(mfm_op_value_holds(&values[i]));
}

static void what_has_no_meaning_is_refused(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        CU_ASSERT_TRUE(mfm_op_refusal_holds(&refusals[i]));
}

static const mfm_case cases[] = {
    {"pooled values are those of ONNX", values_are_onnx_s},
    {"windows without meaning are refused by a message that names the rule",
     what_has_no_meaning_is_refused},
};
MFM_SUITE("core/engine/pool_ops", cases)
