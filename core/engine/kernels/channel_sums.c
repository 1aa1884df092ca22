/* The sums stay in registers, a strip of columns at a time: STRIP vectors, then single ones, then
 * what is left of a row element by element. */
#include "core/engine/kernels/channel_sums.h"
#include "core/engine/kernels/vec.h"

enum { STRIP = 4 };

#define INLINE static inline __attribute__((always_inline))

/* True when `count` vectors from column c on lie in the row. */
static bool fits(int count, int64_t c, int64_t width)
{
    return c + count * MFM_VEC_LANES <= width;
}

/* ---- powers --------------------------------------------------------------------------------- */

INLINE void powers_strip(int count, mfm_block b, int64_t c, const real *x, const real *center,
                         real *first, real *second)
{
    mfm_vec m[STRIP], d1[STRIP], d2[STRIP];
    for (int v = 0; v < count; v++) {
        m[v] = mfm_vec_load(center + c + v * MFM_VEC_LANES);
        d1[v] = d2[v] = mfm_vec_zero();
    }
    for (int64_t r = 0; r < b.rows; r++)
        for (int v = 0; v < count; v++) {
            const mfm_vec d = mfm_vec_load(x + r * b.width + c + v * MFM_VEC_LANES) - m[v];
            d1[v] += d;
            d2[v] += d * d;
        }
    for (int v = 0; v < count; v++) {
        mfm_vec_store(first + c + v * MFM_VEC_LANES, d1[v]);
        mfm_vec_store(second + c + v * MFM_VEC_LANES, d2[v]);
    }
}

static void powers_column(mfm_block b, int64_t c, const real *x, const real *center, real *first,
                          real *second)
{
    real d1 = 0, d2 = 0;
    for (int64_t r = 0; r < b.rows; r++) {
        const real d = x[r * b.width + c] - center[c];
        d1 += d;
        d2 += d * d;
    }
    first[c] = d1;
    second[c] = d2;
}

void mfm_block_powers(mfm_block b, const real *x, const real *center, real *first, real *second)
{
    int64_t c = 0;
    for (; fits(STRIP, c, b.width); c += STRIP * MFM_VEC_LANES)
        powers_strip(STRIP, b, c, x, center, first, second);
    for (; fits(1, c, b.width); c += MFM_VEC_LANES)
        powers_strip(1, b, c, x, center, first, second);
    for (; c < b.width; c++)
        powers_column(b, c, x, center, first, second);
}

/* ---- gated streams -------------------------------------------------------------------------- */

/* The vector of u at element i of column c. */
INLINE mfm_vec gated_vector(enum mfm_gating gating, const mfm_gated *s, int64_t i, int64_t c)
{
    const mfm_vec u = mfm_vec_load(s->u + i);
    if (gating == MFM_BY_OUTPUT)
        return mfm_vec_where(mfm_vec_load(s->y + i) > 0, u);
    if (gating == MFM_BY_TERMS)
        return mfm_vec_where(mfm_vec_load(s->constant + c) +
                                     mfm_vec_load(s->factor + c) * mfm_vec_load(s->x + i) >
                                 0,
                             u);
    return u;
}

static real gated_element(const mfm_gated *s, int64_t i, int64_t c)
{
    const bool open =
        s->gating == MFM_OPEN ||
        (s->gating == MFM_BY_OUTPUT ? s->y[i] > 0 : s->constant[c] + s->factor[c] * s->x[i] > 0);
    return open ? s->u[i] : 0;
}

INLINE void sums_strip(int count, enum mfm_gating gating, mfm_block b, int64_t c,
                       const mfm_gated *s, const real *x, const real *center, real *plain,
                       real *centred)
{
    mfm_vec m[STRIP], sum[STRIP], moment[STRIP];
    for (int v = 0; v < count; v++) {
        m[v] = mfm_vec_load(center + c + v * MFM_VEC_LANES);
        sum[v] = moment[v] = mfm_vec_zero();
    }
    for (int64_t r = 0; r < b.rows; r++)
        for (int v = 0; v < count; v++) {
            const int64_t column = c + v * MFM_VEC_LANES, i = r * b.width + column;
            const mfm_vec u = gated_vector(gating, s, i, column);
            sum[v] += u;
            moment[v] += u * (mfm_vec_load(x + i) - m[v]);
        }
    for (int v = 0; v < count; v++) {
        mfm_vec_store(plain + c + v * MFM_VEC_LANES, sum[v]);
        mfm_vec_store(centred + c + v * MFM_VEC_LANES, moment[v]);
    }
}

static void sums_column(mfm_block b, int64_t c, const mfm_gated *s, const real *x,
                        const real *center, real *plain, real *centred)
{
    real sum = 0, moment = 0;
    for (int64_t r = 0; r < b.rows; r++) {
        const int64_t i = r * b.width + c;
        const real u = gated_element(s, i, c);
        sum += u;
        moment += u * (x[i] - center[c]);
    }
    plain[c] = sum;
    centred[c] = moment;
}

INLINE void sums_as(enum mfm_gating gating, mfm_block b, const mfm_gated *s, const real *x,
                    const real *center, real *plain, real *centred)
{
    int64_t c = 0;
    for (; fits(STRIP, c, b.width); c += STRIP * MFM_VEC_LANES)
        sums_strip(STRIP, gating, b, c, s, x, center, plain, centred);
    for (; fits(1, c, b.width); c += MFM_VEC_LANES)
        sums_strip(1, gating, b, c, s, x, center, plain, centred);
    for (; c < b.width; c++)
        sums_column(b, c, s, x, center, plain, centred);
}

void mfm_block_sums(mfm_block b, const mfm_gated *s, const real *x, const real *center, real *plain,
                    real *centred)
{
    switch (s->gating) {
    case MFM_OPEN:
        sums_as(MFM_OPEN, b, s, x, center, plain, centred);
        break;
    case MFM_BY_OUTPUT:
        sums_as(MFM_BY_OUTPUT, b, s, x, center, plain, centred);
        break;
    case MFM_BY_TERMS:
        sums_as(MFM_BY_TERMS, b, s, x, center, plain, centred);
        break;
    }
}

/* ---- products ------------------------------------------------------------------------------- */

INLINE void products_strip(int count, enum mfm_gating gating, mfm_block b, int64_t c,
                           const mfm_gated *s, const real *other, real *sum)
{
    mfm_vec product[STRIP];
    for (int v = 0; v < count; v++)
        product[v] = mfm_vec_zero();
    for (int64_t r = 0; r < b.rows; r++)
        for (int v = 0; v < count; v++) {
            const int64_t column = c + v * MFM_VEC_LANES, i = r * b.width + column;
            product[v] += gated_vector(gating, s, i, column) * mfm_vec_load(other + i);
        }
    for (int v = 0; v < count; v++)
        mfm_vec_store(sum + c + v * MFM_VEC_LANES, product[v]);
}

static void products_column(mfm_block b, int64_t c, const mfm_gated *s, const real *other,
                            real *sum)
{
    real product = 0;
    for (int64_t r = 0; r < b.rows; r++)
        product += gated_element(s, r * b.width + c, c) * other[r * b.width + c];
    sum[c] = product;
}

INLINE void products_as(enum mfm_gating gating, mfm_block b, const mfm_gated *s, const real *other,
                        real *sum)
{
    int64_t c = 0;
    for (; fits(STRIP, c, b.width); c += STRIP * MFM_VEC_LANES)
        products_strip(STRIP, gating, b, c, s, other, sum);
    for (; fits(1, c, b.width); c += MFM_VEC_LANES)
        products_strip(1, gating, b, c, s, other, sum);
    for (; c < b.width; c++)
        products_column(b, c, s, other, sum);
}

void mfm_block_products(mfm_block b, const mfm_gated *s, const real *v, real *sum)
{
    switch (s->gating) {
    case MFM_OPEN:
        products_as(MFM_OPEN, b, s, v, sum);
        break;
    case MFM_BY_OUTPUT:
        products_as(MFM_BY_OUTPUT, b, s, v, sum);
        break;
    case MFM_BY_TERMS:
        products_as(MFM_BY_TERMS, b, s, v, sum);
        break;
    }
}
