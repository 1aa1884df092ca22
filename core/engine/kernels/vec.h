/* Vectors of the widest registers that the build may use. Addresses need only a real's alignment.
 */
#ifndef MFM_VEC_H
#define MFM_VEC_H

#include <stdint.h>

#include "core/base/real.h"

#if defined __AVX512F__
enum { MFM_VEC_BYTES = 64, MFM_VEC_REGISTERS = 32 };
#elif defined __AVX__
enum { MFM_VEC_BYTES = 32, MFM_VEC_REGISTERS = 16 };
#else
enum { MFM_VEC_BYTES = 16, MFM_VEC_REGISTERS = 16 };
#endif

enum { MFM_VEC_LANES = MFM_VEC_BYTES / sizeof(real) };

typedef real mfm_vec __attribute__((vector_size(MFM_VEC_BYTES)));
typedef real mfm_vec_at
    __attribute__((vector_size(MFM_VEC_BYTES), aligned(sizeof(real)), may_alias));

/* Whole numbers of a real's size: which lane goes where. */
#ifdef MFM_DOUBLE
typedef int64_t mfm_vec_index __attribute__((vector_size(MFM_VEC_BYTES)));
#else
typedef int32_t mfm_vec_index __attribute__((vector_size(MFM_VEC_BYTES)));
#endif

static inline mfm_vec mfm_vec_load(const real *from)
{
    return *(const mfm_vec_at *)from;
}

static inline void mfm_vec_store(real *to, mfm_vec v)
{
    *(mfm_vec_at *)to = v;
}

/* Lane i takes lane index[i] of a, and from MFM_VEC_LANES on one of b. */
static inline mfm_vec mfm_vec_pick(mfm_vec a, mfm_vec b, mfm_vec_index index)
{
#ifdef __clang__ /* which has no shuffle whose indices are not constants */
    mfm_vec picked;
    for (int i = 0; i < (int)MFM_VEC_LANES; i++)
        picked[i] = index[i] < (int)MFM_VEC_LANES ? a[index[i]] : b[index[i] - (int)MFM_VEC_LANES];
    return picked;
#else
    return __builtin_shuffle(a, b, index);
#endif
}

static inline mfm_vec mfm_vec_zero(void)
{
    return (mfm_vec){0};
}

/* A comparison's result: all bits of a lane, or none. */
#ifdef MFM_DOUBLE
typedef int64_t mfm_vec_mask __attribute__((vector_size(MFM_VEC_BYTES)));
#else
typedef int32_t mfm_vec_mask __attribute__((vector_size(MFM_VEC_BYTES)));
#endif

/* v where the mask is set, 0 elsewhere. */
static inline mfm_vec mfm_vec_where(mfm_vec_mask mask, mfm_vec v)
{
    return (mfm_vec)((mfm_vec_mask)v & mask);
}

#endif
