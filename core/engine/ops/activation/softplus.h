/* What Softplus and Mish are made of. */
#ifndef MFM_SOFTPLUS_H
#define MFM_SOFTPLUS_H

#include <tgmath.h>

#include "core/base/real.h"

static inline real mfm_sigmoid(real x)
{
    return 1 / (1 + exp(-x));
}

/* log(1 + exp(x)), without overflow. */
static inline real mfm_softplus(real x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

#endif
