/* Results finished where they lie: y = f(y + bias) of rows of channels (mfm_conv_finish). */
#ifndef MFM_CONV_FINISH_H
#define MFM_CONV_FINISH_H

#include "core/engine/kernels/conv/conv.h"

void mfm_conv_finish_rows(enum mfm_conv_finish finish, int64_t rows, int64_t channels,
                          const real *bias, real *y);

#endif
