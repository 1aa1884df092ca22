/* What convolution and the matrix products compute and refuse. */
#include "../../../suite.h"
#include "../support/op_values.h"

/* Expected values come from PyTorch and numpy. */
static const mfm_op_value values[] = {
    {"Conv", "[1,1,3,3] [1,1,2,2]", "[1,1,2,2]", {663, -632, 313, -982}},
    {"Conv",
     "[1,2,3,3] [2,2,3,3] [2] pads=1,1,1,1",
     "[1,2,3,3]",
     {-3709, 5166, -2038, -4546, 10660, -2288, -2192, 9920, -2098, 4241, -4099, -3699, 7577, -4623,
      -5743, 4801, -3659, -5019}},
    {"Conv",
     "[1,1,5,4] [2,1,3,2] - strides=2,1 pads=1,0,0,1",
     "[1,2,2,4]",
     {133, -2229, 2075, -1344, 3304, -3908, 2818, -1918, 1109, 2414, -1836, 2036, -2427, 1669, -699,
      2029}},
    {"Conv",
     "[1,1,5,5] [1,1,2,2] [1] dilations=3,2",
     "[1,1,2,3]",
     {2657, 1564, -3266, -687, 1957, -2671}},
    {"Conv",
     "[1,4,2,2] [4,2,1,1] [4] group=2",
     "[1,4,2,2]",
     {1928, 411, -904, 1518, -1654, -1432, 1719, -1594, -52, 1101, -1483, -330, -1034, 848, -1007,
      875}},
    {"Conv",
     "[1,3,3,3] [3,1,2,2] - group=3",
     "[1,3,2,2]",
     {663, -632, 313, -982, 1281, -3158, 1801, -2638, 1261, -2989, 1540, 1027}},
    {"Conv",
     "[1,1,4,4] [1,1,3,3] [1] strides=2,2 auto_pad=SAME_UPPER",
     "[1,1,2,2]",
     {-181, -1127, -2268, 476}},
    {"Conv",
     "[1,1,4,4] [1,1,3,3] [1] strides=2,2 auto_pad=SAME_LOWER",
     "[1,1,2,2]",
     {-2631, -2767, -802, -3627}},
    {"Conv",
     "[1,1,4,5] [1,1,3,3] - auto_pad=VALID kernel_shape=3,3",
     "[1,1,2,3]",
     {1196, 1436, 666, -432, 3545, -3689}},
    {"Gemm", "[2,3] [3,2] [2]", "[2,2]", {1659, 1566, 1699, 1706}},
    {"Gemm", "[2,3] [2,3] [2,1] transB=1 alpha=0.5 beta=2", "[2,2]", {1352, 1157, 1396, 1351}},
    {"Gemm", "[3,2] [3,2] [2,2] transA=1", "[2,2]", {2738, -722, -575, 2698}},
    {"Gemm", "[3,2] [2,3] [] transA=1 transB=1 beta=-1", "[2,2]", {1825, 1535, 1805, 1615}},
    {"Gemm", "[2,3] [3,2]", "[2,2]", {1687, 1557, 1727, 1697}},
    {"MatMul", "[2,3] [3,2]", "[2,2]", {1687, 1557, 1727, 1697}},
    {"MatMul", "[3] [3]", "[]", {2816}},
    {"MatMul", "[3] [3,2]", "[2]", {1687, 1557}},
    {"MatMul", "[2,3] [3]", "[2]", {2816, 2756}},
    {"MatMul", "[2,2,3] [3,2]", "[2,2,2]", {1687, 1557, 1727, 1697, 1767, 1837, 999, -2568}},
    {"MatMul", "[2,1,3] [2,3,2]", "[2,1,2]", {1687, 1557, 1850, -1917}},
    {"MatMul", "[2] [3,2,2]", "[3,2]", {1495, 477, -153, -2484, 1936, 918}},
    {"MatMul",
     "[2,2,2,3] [3,2]",
     "[2,2,2,2]",
     {1687, 1557, 1727, 1697, 1767, 1837, 999, -2568, 1039, -2428, 1079, -2288, 1119, -2148, -2376,
      921}},
    {"MatMul", "[2,1,1,3] [2,3,1]", "[2,2,1,1]", {2816, 2426, 2756, 2666}},
    {"MatMul",
     "[1,2,2,2] [2,1,2,2]",
     "[2,2,2,2]",
     {1495, 477, -2336, 1112, 1307, -980, 1415, -143, -153, -2484, 952, 360, -670, 477, -373,
      -1224}},
    {"MatMul", "[2,1,2,1,2] [2]", "[2,1,2,1]", {1976, -856, 49, 1156}},
};

static const mfm_op_refusal refusals[] = {
    {"Conv", "[1,2] [1,2]", "must have three to"},
    {"Conv", "[1,2,3,3] [1,2,3]", "as many axes as the input"},
    {"Conv", "[1,2,3,3] [1,3,2,2]", "must take 2 channels"},
    {"Conv", "[1,2,3,3] [1,2,2,2] [2]", "one number a result channel"},
    {"Conv", "[1,2,3,3] [1,2,2,2] [1,1]", "one number a result channel"},
    {"Conv", "[1,2,3,3] [1,2,2,2] group=0", "must divide both"},
    {"Conv", "[1,2,3,3] [1,2,2,2] group=-2", "must divide both"},
    {"Conv", "[1,2,3,3] [1,1,2,2] group=2", "must divide both"},
    {"Conv", "[1,2,3,3] [0,2,2,2]", "must divide both"},
    {"Conv", "[1,2,3,3] [1,2,0,2]", "must be in [1,"},
    {"Conv", "[1,2,3,3] [1,2,4,2]", "must fit"},
    {"Conv", "[1,0,3,3] [1,0,2,2]", "must be in [1,"},
    {"Conv", "[1,2,3,3] [1,2,2,2] kernel_shape=3,2", "the weights have 2"},
    {"Conv", "[1,2,3,3] [1,2,2,2] kernel_shape=2,2,2", "must be 2"},
    {"Conv", "[1,2,3,3] [1,2,2,2] strides=1", "must be 2"},
    {"Conv", "[1,2,3,3] [1,2,2,2] pads=1,1,1,-3", "pads: -3"},
    {"Conv", "[1,2,3,3] [1,2,2,2] pads=16777216,16777216,16777216,16777217", "must be in [0,"},
    {"Gemm", "[2,3] [2,3]", "must be equal"},
    {"Gemm", "[2,3,1] [3,2]", "must be a matrix"},
    {"Gemm", "[2,0] [0,3]", "must be a matrix"},
    {"Gemm", "[2,3] [3,2] [3]", "must broadcast"},
    {"Gemm", "[1,3] [3,2] [4,2]", "must broadcast"},
    {"Gemm", "[2,3] [3,2] [1,2,2]", "must broadcast"},
    {"Gemm", "[2,3] [3,2] [2] opset=6", "without broadcast"},
    {"MatMul", "[2,3] [2,3]", "equally many"},
    {"MatMul", "[3] [2]", "equally many"},
    {"MatMul", "[] [2]", "a scalar"},
    {"MatMul", "[2,0] [0,2]", "must be in [1,"},
    {"MatMul", "[2,2,3] [3,3,2]", "must broadcast"},
    {"Einsum", "[2,3] [2,3] equation=ij,jk->ik", "axis 0 does not fit"},
    {"Einsum", "[2,3] equation=ijk->i", "has another rank"},
    {"Einsum", "[2,3] equation=ii->i", "axis 1 does not fit"},
    {"Einsum", "[2,3] equation=ij,jk->ik", "none for 1 operands"},
    {"Einsum", "[2,3] [3,2] equation=ij->i", "none for 2 operands"},
    {"Einsum", "[2,3] equation=ij->ik", "must have labels of the operands"},
    {"Einsum", "[2,3] equation=ij->ii", "each once"},
    {"Einsum", "[2,3] equation=ij->i->j", "must have labels"},
    {"Einsum", "[2,3,2] equation=...i->i", "'...' where they have it"},
    {"Einsum", "[2,3] equation=i1->i", "is none"},
    {"Einsum", "[2,0] equation=ij->i", "does not fit"},
    {"Einsum", "[2,1,1,1,1,1] [2,1,1,1,1,1] [2,1] equation=abcdef,ghijkl,mn->a", "12 different"},
    {"Einsum", "[2,2,2,2] [2,2,2] equation=abcd,efg", "more than 6 axes"},
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
    {"results are those of ONNX", values_are_onnx_s},
    {"operands that do not fit are refused by a message that names the rule",
     what_has_no_meaning_is_refused},
};
MFM_SUITE("core/engine/matrix_ops", cases)
