/*
 * Operators that give truth values, 1 or 0, of two tensors with numpy's broadcasting: comparisons
 * of numbers and logic of truth values. They have no derivative.
 */
#ifndef MFM_LOGIC_H
#define MFM_LOGIC_H

#include "core/engine/ops/binary/two_operands.h"
#include "core/engine/ops/pointwise/elementwise.h"

/* A and B as numbers, A and B as truth values, and C. */
extern const mfm_port mfm_logic_numbers[], mfm_logic_truths[], mfm_logic_result[];

#define MFM_COMPARISON_SAMPLES                                                                     \
    "[2,3,4,5] [2,3,4,5]", "[2,3,4,3] [2,3,1,1]", "[3,1,1] [2,3,2,4]", "[4] [3,1]", "[] []"
#define MFM_TRUTH_SAMPLES                                                                          \
    "[2,3,4,5]<2 [2,3,4,5]<2", "[2,3,4,3]<2 [2,3,1,1]<2", "[3,1,1]<2 [2,3,2,4]<2",                 \
        "[4]<2 [3,1]<2", "[]<2 []<2"

#endif
