/* What the operators that only give the elements another shape have in common. */
#ifndef MFM_RESHAPE_COMMON_H
#define MFM_RESHAPE_COMMON_H

#include "core/engine/rules.h"

/* y has the elements of x in the same row-major logical order. */
extern const mfm_linear mfm_linear_reshape;
/* Whether that order is also the same in memory. */
bool mfm_reshape_is_view(const mfm_node *node);

#endif
