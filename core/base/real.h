/* The scalar type of the engine: float in the product, double in the derivative checks. */
#ifndef MFM_REAL_H
#define MFM_REAL_H

#include "core/base/linkage.h"

MFM_C_BEGIN

#ifdef MFM_DOUBLE
typedef double real;
#else
typedef float real;
#endif

MFM_C_END

#endif
