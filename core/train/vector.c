#include "core/train/vector.h"

#include <string.h>

int mfm_vector_new(mfm_ctx *ctx, const real *from, size_t count, real **vector)
{
    *vector = mfm_alloc_aligned(ctx, count, sizeof **vector);
    if (!*vector)
        return MFM_ENOMEM;
    if (from && count)
        memcpy(*vector, from, count * sizeof **vector);
    else
        memset(*vector, 0, count * sizeof **vector);
    return MFM_OK;
}
