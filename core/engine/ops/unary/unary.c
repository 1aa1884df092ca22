#include "core/engine/ops/unary/unary.h"

const mfm_port mfm_unary_x[] = {{"X", MFM_DATA, false, false}, {0}};
const mfm_port mfm_unary_y[] = {{"Y", MFM_DATA, false, false}, {0}};
const mfm_port mfm_unary_input[] = {{"input", MFM_DATA, false, false}, {0}};
const mfm_port mfm_unary_output[] = {{"output", MFM_DATA, false, false}, {0}};

void mfm_unary_no_slopes(const void *attr, size_t n, const real *x, const real *y, real *d1,
                         real *d2)
{
    (void)attr, (void)x, (void)y, (void)d2;
    for (size_t i = 0; i < n; i++)
        d1[i] = 0;
}
