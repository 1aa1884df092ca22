/*
 * Logical shapes, and how they lie in memory.
 *
 * Shapes are ONNX's: images are [n, channels, height, width], convolution weights
 * [out, in / groups, kernel height, kernel width]. Storage is row-major for every rank but 4. Of
 * rank 4 it is channels-last, unless the shape says otherwise: the axes lie in the order 0, 2, 3,
 * 1, so that an image is NHWC and a weight OHWI. What comes from outside a graph or is read there
 * (images, parameters, kept values) always lies so; which values within a graph do not is decided
 * there (core/engine/layout.h).
 */
#ifndef MFM_SHAPE_H
#define MFM_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/real.h"

MFM_C_BEGIN

enum { MFM_MAX_RANK = 6 };

/* No tensor has more numbers than this, nor has a plan: more than any machine addresses, and few
 * enough that byte sizes and sums of some counts stay far from the ends of their types. */
#define MFM_MOST_REALS ((int64_t)1 << 48)

/* How the numbers of rank 4 lie in memory. */
enum mfm_layout { MFM_CHANNELS_LAST, MFM_ROW_MAJOR };

/* Rank 0 is a scalar. Axes at and beyond rank are 0. The layout is no part of what is compared. */
typedef struct mfm_shape {
    int rank;
    int64_t dim[MFM_MAX_RANK];
    enum mfm_layout layout;
} mfm_shape;

/* mfm_shape_of(2, 100, 10): rank, then as many int dimensions. */
mfm_shape mfm_shape_of(int rank, ...);
bool mfm_shape_equal(const mfm_shape *a, const mfm_shape *b);
/* Product of all dimensions; 1 for a scalar. The caller has checked it with mfm_shape_check. */
int64_t mfm_shape_count(const mfm_shape *shape);
/* Every dimension >= 0, rank within the limit, and the product of any of the dimensions that are
 * not 0 at most MFM_MOST_REALS: no stride or part of a count overflows. `what` names it. */
int mfm_shape_check(mfm_ctx *ctx, const mfm_shape *shape, const char *what);

/* a b and a + b for counts that are not negative; INT64_MAX where that is too large a number. */
int64_t mfm_count_times(int64_t a, int64_t b);
int64_t mfm_count_sum(int64_t a, int64_t b);

static inline int64_t mfm_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t mfm_larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Elements between neighbours along each logical axis, in storage. */
void mfm_shape_strides(const mfm_shape *shape, int64_t stride[MFM_MAX_RANK]);
/* The logical axes from the outermost to the innermost in memory. */
void mfm_shape_order(const mfm_shape *shape, int order[MFM_MAX_RANK]);

/* Copies between row-major data (ONNX files) and storage as the shape has it. */
void mfm_layout_to_engine(const mfm_shape *shape, const real *row_major, real *stored);
void mfm_layout_to_row_major(const mfm_shape *shape, const real *stored, real *row_major);

/* "[2,3,32,32]"; returns text. */
enum { MFM_SHAPE_TEXT = 128 };
char *mfm_shape_text(const mfm_shape *shape, char text[MFM_SHAPE_TEXT]);

MFM_C_END

#endif
