/* The scalar type of the engine: float in the product, double in the derivative checks. */
#ifndef MFM_REAL_H
#define MFM_REAL_H

#ifdef MFM_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif
