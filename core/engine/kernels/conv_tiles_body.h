/* The tiles of one width: conv_tiles_wide.c and conv_tiles_narrow.c define LANES and TILES, the
 * name of the function, before they include this. */
#include "core/engine/kernels/conv_tiles.h"

typedef real vector __attribute__((vector_size(LANES * sizeof(real))));
typedef real unaligned
    __attribute__((vector_size(LANES * sizeof(real)), aligned(sizeof(real)), may_alias));

enum { MAX_POINTS = 14, MAX_VECTORS = 4 };

/* Most points of a tile of up to two vectors a point, and of up to four: 32 registers hold 28
 * accumulators beside the vectors of b and a broadcast, 16 registers hold 12. */
#ifdef __AVX512VL__
enum { WITH_TWO = 14, WITH_FOUR = 7 };
#else
enum { WITH_TWO = 6, WITH_FOUR = 3 };
#endif

/* P points by V vectors. Both are constants where this is inlined, so that the loops over them
 * unroll and sum lies in registers; points go in fours because an address has room for that many
 * multiples of a_point. */
static inline __attribute__((always_inline)) void tile(const int P, const int V, const mfm_tiles *s,
                                                       const real *a, const real *b, real *out)
{
    vector sum[MAX_POINTS][MAX_VECTORS] = {{{0}}};
    const ptrdiff_t step = s->a_point, a_tap = s->a_tap, b_tap = s->b_tap;
    const int64_t taps = s->taps;
    for (int64_t i = 0; i < s->rows; i++) {
        const real *from[4], *with = b + i * s->b_row;
#pragma GCC unroll 4
        for (int four = 0; four < (P + 3) / 4; four++)
            from[four] = a + i * s->a_row + 4 * four * step;
        for (int64_t t = 0; t < taps; t++, with += b_tap) {
            vector w[MAX_VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                w[v] = *(const unaligned *)(with + v * LANES);
#pragma GCC unroll 14
            for (int p = 0; p < P; p++)
#pragma GCC unroll 4
                for (int v = 0; v < V; v++)
                    sum[p][v] += from[p / 4][p % 4 * step] * w[v];
#pragma GCC unroll 4
            for (int four = 0; four < (P + 3) / 4; four++)
                from[four] += a_tap;
        }
    }
#pragma GCC unroll 14
    for (int p = 0; p < P; p++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            unaligned *to = (unaligned *)(out + p * s->out_point + v * LANES);
            *to = s->add ? sum[p][v] + *to : sum[p][v];
        }
}

#define TILE(P, V)                                                                                 \
    static void tile_##P##_##V(const mfm_tiles *s, const real *a, const real *b, real *out)        \
    {                                                                                              \
        tile(P, V, s, a, b, out);                                                                  \
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
static mfm_tiles_fn *const tile_of[MAX_POINTS + 1][MAX_VECTORS + 1] = {
    FOUR_OF(1), FOUR_OF(2), FOUR_OF(3), FOUR_OF(4), FOUR_OF(5), FOUR_OF(6), FOUR_OF(7),
    TWO_OF(8),  TWO_OF(9),  TWO_OF(10), TWO_OF(11), TWO_OF(12), TWO_OF(13), TWO_OF(14)};

/* Parts of nearly one size, the last vectors first: what they write beyond their point is written
 * over by the first vectors of the next. */
void TILES(const mfm_tiles *s, const real *a, const real *b, real *out)
{
    const int64_t most = s->points <= WITH_FOUR ? MAX_VECTORS : 2;
    for (int64_t parts = (s->vectors + most - 1) / most, end = s->vectors; parts > 0; parts--) {
        const int64_t vectors = end / parts, v = (end - vectors) * LANES;
        end -= vectors;
        const int64_t width = vectors > 2 ? WITH_FOUR : WITH_TWO;
        int64_t p = 0;
        for (int64_t left = (s->points + width - 1) / width; left > 0; left--) {
            const int64_t points = (s->points - p) / left;
            tile_of[points][vectors](s, a + p * s->a_point, b + v, out + p * s->out_point + v);
            p += points;
        }
    }
}
