#include "op_check_values.h"

#include <math.h>
#include <string.h>

/* Reals on either side of a buffer; 64 bytes or more, so that the buffer stays aligned. All bits
 * set is a NaN: a read beyond the end shows in the results too. */
enum { GUARD = 16, GUARD_BYTE = 0xFF };

real *mfm_guarded_new(mfm_ctx *ctx, size_t count)
{
    real *base = mfm_alloc_aligned(ctx, count + 2 * GUARD, sizeof *base);
    if (!base)
        return NULL;
    memset(base, GUARD_BYTE, (count + 2 * GUARD) * sizeof *base);
    return base + GUARD;
}

void mfm_guarded_free(mfm_ctx *ctx, real *buffer)
{
    if (buffer)
        mfm_free_aligned(ctx, buffer - GUARD);
}

static bool is_guard(const real *words)
{
    const unsigned char *bytes = (const unsigned char *)words;
    for (size_t i = 0; i < GUARD * sizeof *words; i++)
        if (bytes[i] != GUARD_BYTE)
            return false;
    return true;
}

bool mfm_guarded_intact(const real *buffer, size_t count)
{
    return is_guard(buffer - GUARD) && is_guard(buffer + count);
}

/* Cell k of count cells between 0.25 and 4, at a random place in the middle of the cell. */
static double magnitude(const mfm_key *key, uint32_t k, size_t count)
{
    const double place = (double)k + 0.3 + 0.4 * mfm_random_uniform(key, k);
    return 0.25 + 3.75 * place / (double)count;
}

int mfm_draw_values(mfm_ctx *ctx, const mfm_key *key, const mfm_sample_input *input, real *to,
                    size_t count)
{
    uint32_t *order = mfm_alloc(ctx, count, sizeof *order);
    if (!order)
        return MFM_ENOMEM;
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    mfm_random_shuffle(key, order, count);
    for (size_t i = 0; i < count; i++) {
        if (input->below)
            to[i] = (real)mfm_random_below(key, i, (uint64_t)input->below);
        else
            to[i] = (real)((order[i] % 2 && !input->positive ? -1 : 1) *
                           magnitude(key, order[i], count));
    }
    mfm_free(ctx, order);
    return MFM_OK;
}

void mfm_draw_directions(const mfm_key *key, real *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double draw = 2 * mfm_random_uniform(key, i) - 1;
        to[i] = (real)copysign(0.2 + 0.8 * fabs(draw), draw);
    }
}
