#include "core/train/vector.h"

#include <string.h>

int mfm_vector_new(mfm_ctx *ctx, const real *from, size_t count, real **vector)
{
    *vector = from ? mfm_alloc_aligned(ctx, count, sizeof **vector)
                   : mfm_alloc_aligned_zeroed(ctx, count, sizeof **vector);
    if (!*vector)
        return MFM_ENOMEM;
    if (from && count)
        memcpy(*vector, from, count * sizeof **vector);
    return MFM_OK;
}
