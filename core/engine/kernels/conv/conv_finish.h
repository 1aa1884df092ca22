/* Results finished where they lie: y = f(y + bias) of rows of channels (mfm_conv_finish). */
#ifndef MFM_CONV_FINISH_H
#define MFM_CONV_FINISH_H

#include "core/engine/kernels/conv/conv.h"

void mfm_conv_finish_rows(enum mfm_conv_finish finish, int64_t rows, int64_t channels,
                          const real *bias, real *y);
/* y = f(x), of n numbers; `finish` is an enum mfm_conv_finish. In the thread that calls. */
void mfm_conv_finish_each(const void *finish, size_t n, const real *x, real *y);

#endif
