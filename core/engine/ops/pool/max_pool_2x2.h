/*
 * MaxPool's most frequent case: windows of 2 by 2 that tile the image, so that every input element
 * is a tap of exactly one window. The passes then go down pairs of input rows in one sweep, and the
 * adjoint writes every element once instead of adding to zeros. node->kernel is an mfm_window;
 * results and saved taps are those of the general case (max_pool.c).
 */
#ifndef MFM_MAX_POOL_2X2_H
#define MFM_MAX_POOL_2X2_H

#include "core/engine/ops/images/window.h"

bool mfm_max_pool_is_2x2(const mfm_window *window);
void mfm_max_pool_2x2_forward(const mfm_node *node);
void mfm_max_pool_2x2_jvp(const mfm_node *node);
/* lane is G or DG; input 0 has it and does not accumulate. */
void mfm_max_pool_2x2_adjoint(const mfm_node *node, enum mfm_lane lane);

#endif
