/* Random shapes and views, and plain index arithmetic over them: what the strided kernels are
 * compared with. The seed is 1 unless MFM_SEED gives another, and is told when a test fails. */
#ifndef MFM_NAIVE_H
#define MFM_NAIVE_H

#include "core/base/random.h"
#include "core/base/shape.h"

typedef struct mfm_draws {
    mfm_key key;
    uint64_t next;
} mfm_draws;

mfm_draws mfm_draws_new(uint32_t node);
/* A number in low .. high. */
int64_t mfm_draw(mfm_draws *draws, int64_t low, int64_t high);
/* Values in (-1, 1). */
void mfm_draw_reals(mfm_draws *draws, real *to, int64_t count);
/* Rank 0 to max_rank, lengths 1 to longest, each 1 one time in four. */
mfm_shape mfm_draw_shape(mfm_draws *draws, int max_rank, int longest);
/* A shape that broadcasts to `full`: leading axes gone, others stretched. */
mfm_shape mfm_draw_operand(mfm_draws *draws, const mfm_shape *full);
/* Axes in random order, some with gaps, some backwards: strides, the offset of the first element,
 * and the number of elements that the view spans. */
int64_t mfm_draw_view(mfm_draws *draws, const mfm_shape *shape, int64_t stride[MFM_MAX_RANK],
                      int64_t *first);

/* Offset of the element with the given row-major number. */
int64_t mfm_naive_offset(const mfm_shape *shape, const int64_t *stride, int64_t number);
/* The same element of an operand that broadcasts to `full`, in engine storage. */
int64_t mfm_naive_operand(const mfm_shape *full, const mfm_shape *operand, int64_t number);
/* |a - b| within a few roundings of real at magnitude 1 + |b|, and one of double for each of the
 * terms (of magnitude up to 1) that either is a sum of. */
bool mfm_naive_close(double a, double b, int64_t terms);
/* Tells the seed and what failed; returns false. */
bool mfm_naive_report(const mfm_draws *draws, const char *what, int round, const mfm_shape *shape);

#endif
