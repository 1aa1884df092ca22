/* The tiles of one width: conv_tiles_wide.c and conv_tiles_narrow.c define LANES and TILES, the
 * name of the function, before they include this. */
#include "core/engine/kernels/conv/direct/conv_tiles.h"

typedef real vector __attribute__((vector_size(LANES * sizeof(real))));
typedef real unaligned
    __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

enum { MAX_POINTS = 14, MAX_VECTORS = 4 };

/* Most points of a tile of up to two vectors a point, and of up to four: all but four registers may
 * hold sums, the four are for the vectors of b or a broadcast. */
enum { WITH_TWO = MFM_VEC_REGISTERS / 2 - 2, WITH_FOUR = MFM_VEC_REGISTERS / 4 - 1 };

/* So few sums do not hide the time of a multiplication: every second tap then has its own. */
enum { FEW_SUMS = 8 };

#define INLINE static inline __attribute__((always_inline))

/* Adds one tap and moves `from` to the next. Of the vectors of b and the broadcast numbers of a the
 * fewer are held while the others pass: all but one or two registers hold sums. What is held is
 * read as volatile, that is once: the compiler likes to read it again at every use. */
INLINE void add_tap(const int P, const int V, const mfm_tiles *s, const real *from[4],
                    const real *with, vector sum[MAX_POINTS][MAX_VECTORS])
{
    if (P < V) {
        vector x[MAX_POINTS];
#pragma GCC unroll 14
        for (int p = 0; p < P; p++)
            x[p] = *(const volatile real *)&from[p / 4][p % 4 * s->a_point] - (vector){0};
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            const vector w = *(const volatile unaligned *)(with + v * LANES);
#pragma GCC unroll 14
            for (int p = 0; p < P; p++)
                sum[p][v] += x[p] * w;
        }
    } else {
        vector w[MAX_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            w[v] = *(const volatile unaligned *)(with + v * LANES);
#pragma GCC unroll 14
        for (int p = 0; p < P; p++) {
            const real x = from[p / 4][p % 4 * s->a_point];
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                sum[p][v] += x * w[v];
        }
    }
#pragma GCC unroll 4
    for (int four = 0; four < (P + 3) / 4; four++)
        from[four] += s->a_tap;
}

/* All rows. Points go in fours because an address has room for that many multiples of a_point. */
INLINE void add_rows(const int P, const int V, const mfm_tiles *s, const real *a, const real *b,
                     vector sum[MAX_POINTS][MAX_VECTORS], vector second[MAX_POINTS][MAX_VECTORS])
{
    for (int64_t row = 0, turn = s->set_rows; row < s->rows; row++) {
        const real *from[4], *with = b;
#pragma GCC unroll 4
        for (int four = 0; four < (P + 3) / 4; four++)
            from[four] = a + 4 * four * s->a_point;
        int64_t t = 0;
        for (; P * V < FEW_SUMS && t + 1 < s->taps; t += 2, with += 2 * s->b_tap) {
            add_tap(P, V, s, from, with, sum);
            add_tap(P, V, s, from, with + s->b_tap, second);
        }
        for (; t < s->taps; t++, with += s->b_tap)
            add_tap(P, V, s, from, with, sum);
        a += s->a_row;
        b += s->b_row;
        if (--turn == 0) {
            a += s->a_skip;
            turn = s->set_rows;
        }
    }
}

/* P points by V vectors, both constants where this is inlined: the loops over them unroll, and the
 * sums lie in registers. */
INLINE void tile(const int P, const int V, const mfm_tiles *tiles, const real *a, const real *b,
                 const real *start, const ptrdiff_t *out_at, real *out)
{
    const mfm_tiles s = *tiles;
    vector sum[MAX_POINTS][MAX_VECTORS], second[MAX_POINTS][MAX_VECTORS];
#pragma GCC unroll 14
    for (int p = 0; p < P; p++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            sum[p][v] = start ? *(const unaligned *)(start + v * LANES) : (unaligned){0};
            second[p][v] = (vector){0};
        }
    add_rows(P, V, &s, a, b, sum, second);
#pragma GCC unroll 14
    for (int p = 0; p < P; p++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            unaligned *to = (unaligned *)(out + out_at[p] + v * LANES);
            if (P * V < FEW_SUMS)
                sum[p][v] += second[p][v];
            *to = s.add ? sum[p][v] + *to : sum[p][v];
        }
}

#define TILE(P, V)                                                                                 \
    static void tile_##P##_##V(const mfm_tiles *s, const real *a, const real *b,                   \
                               const real *start, const ptrdiff_t *out_at, real *out)              \
    {                                                                                              \
        tile(P, V, s, a, b, start, out_at, out);                                                   \
    }
#define TWO(P)                                                                                     \
    TILE(P, 1)                                                                                     \
    TILE(P, 2)
#define FOUR(P)                                                                                    \
    TWO(P)                                                                                         \
    TILE(P, 3)                                                                                     \
    TILE(P, 4)
FOUR(1)
FOUR(2)
FOUR(3)
FOUR(4)
FOUR(5)
FOUR(6)
FOUR(7)
TWO(8)
TWO(9)
TWO(10)
TWO(11)
TWO(12)
TWO(13)
TWO(14)

#define TWO_OF(P)  [P] = {[1] = tile_##P##_1, [2] = tile_##P##_2}
#define FOUR_OF(P) [P] = {NULL, tile_##P##_1, tile_##P##_2, tile_##P##_3, tile_##P##_4}
typedef void tile_fn(const mfm_tiles *s, const real *a, const real *b, const real *start,
                     const ptrdiff_t *out_at, real *out);
static tile_fn *const tile_of[MAX_POINTS + 1][MAX_VECTORS + 1] = {
    FOUR_OF(1), FOUR_OF(2), FOUR_OF(3), FOUR_OF(4), FOUR_OF(5), FOUR_OF(6), FOUR_OF(7),
    TWO_OF(8),  TWO_OF(9),  TWO_OF(10), TWO_OF(11), TWO_OF(12), TWO_OF(13), TWO_OF(14)};

/* Parts of nearly one size, the last vectors first: what they write beyond their point is written
 * over by the first vectors of the next. */
void TILES(const mfm_tiles *s, const real *a, const real *b, real *out)
{
    const int64_t most = s->points <= WITH_FOUR ? MAX_VECTORS : 2;
    for (int64_t parts = (s->vectors + most - 1) / most, end = s->vectors; parts > 0; parts--) {
        const int64_t vectors = end / parts, v = (end - vectors) * LANES;
        const int64_t width = vectors > 2 ? WITH_FOUR : WITH_TWO;
        end -= vectors;
        int64_t p = 0;
        for (int64_t left = (s->points + width - 1) / width; left > 0; left--) {
            const int64_t points = (s->points - p) / left;
            tile_of[points][vectors](s, a + p * s->a_point, b + v, s->start ? s->start + v : NULL,
                                     s->out_at + p, out + v);
            p += points;
        }
    }
}
