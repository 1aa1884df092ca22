/* A pass of BatchNormalization in progress (batch_norm_rule.c, where the letters are explained):
 * the node's memory, the streams x, x', g and g', their sums, and what becomes of them. */
#ifndef MFM_BATCH_NORM_PASS_H
#define MFM_BATCH_NORM_PASS_H

#include "core/engine/kernels/channels_function.h"
#include "core/engine/ops/batch_norm/batch_norm.h"

/* A lane of a joined input. */
typedef struct mfm_bn_joined {
    const mfm_node *node;
    enum mfm_lane lane;
} mfm_bn_joined;

/* Streams are NULL where zero or unused; of a joined input they are not read, but made. */
typedef struct mfm_bn_pass {
    const mfm_node *node;
    mfm_share share;
    mfm_channels size;              /* whose share is that one */
    double rows;                    /* of all ranks */
    real *mean, *invstd, *variance; /* saved */
    double *total;                  /* [sums, c] */
    void *partials;
    real *constant, *factor; /* [c], [MFM_MAX_STREAMS, c] */
    real *shift, *scale;     /* [c] each: y = shift + scale x */
    const mfm_batch_norm_tail *tail;
    mfm_channels_function hooked;    /* with a function behind */
    real *kept[MFM_LANES];           /* then: where sums have left what stands for a lane */
    real *column, *room;             /* for that: [c]; for the streams that are made */
    mfm_bn_joined joined[MFM_LANES]; /* with a joined input: its lanes */
    real *turned; /* [MFM_LANES + 1, rows, c]: the streams and the result; NULL: not turned */
    const real *stream[MFM_LANES];
    /* Where the sums of a stream, u and u (x - mu), and of g x' lie in total; NULL: zero. */
    const double *sum[MFM_LANES], *centred[MFM_LANES], *product;
} mfm_bn_pass;

/* One channel's result: constant + sum over lanes of factor[lane] stream[lane], where X stands for
 * xhat. */
typedef struct mfm_bn_terms {
    double constant, factor[MFM_LANES];
} mfm_bn_terms;

typedef mfm_bn_terms mfm_bn_terms_fn(const mfm_bn_pass *p, int64_t c);

static inline double mfm_bn_at(const double *sums, int64_t c)
{
    return sums ? sums[c] : 0;
}

static inline double mfm_bn_parameter(const mfm_bn_pass *p, int input, enum mfm_lane lane,
                                      int64_t c)
{
    const real *values = mfm_in(p->node, input, lane);
    return values ? (double)values[c] : 0;
}

/* Hooks of channels.h: n elements of a lane from `at` on, of whole rows, brought together from the
 * parts, zeros where one has none; taken apart, added where the node says so. */
void mfm_bn_join(const void *joined, int64_t at, int64_t n, real *to);
void mfm_bn_part(const void *joined, int64_t at, int64_t n, real *from);

/* A lane of the input; of a joined one, of any part that has it. */
real *mfm_bn_input(const mfm_node *node, enum mfm_lane lane);
/* In place, as the size points to the share. The stream x is set. */
void mfm_bn_begin(const mfm_node *node, mfm_bn_pass *pass);
void mfm_bn_set_stream(mfm_bn_pass *p, enum mfm_lane lane, const real *values);
/* With a function behind, in passes after forward, once their streams are set. */
void mfm_bn_hook_streams(mfm_bn_pass *p);
/* total = mean and variance of x */
void mfm_bn_moments(const mfm_bn_pass *p);
/* The sums of the streams x', g, g' that are there, and of g x'. */
void mfm_bn_sum_streams(mfm_bn_pass *p);
/* The same, before the adjoint of the input (lane G or DG) is written: what a function makes of the
 * output's is left in its place meanwhile, and not made again. */
void mfm_bn_sum_streams_for(mfm_bn_pass *p, enum mfm_lane lane);
/* An output lane: the terms and the summand's lane, closed where the Relu is. */
void mfm_bn_write_output(const mfm_bn_pass *p, mfm_bn_terms_fn *terms_of, enum mfm_lane lane);
/* Lane G or DG of the input, from the terms, and of the summand. */
void mfm_bn_write_adjoints(const mfm_bn_pass *p, mfm_bn_terms_fn *terms_of, enum mfm_lane lane);

#endif
