#include "core/engine/kernels/conv/conv.h"

#include <assert.h>
#include <stdio.h>

#include "core/engine/kernels/conv/conv_chunks.h"
#include "core/engine/kernels/conv/conv_impl.h"
#include "core/engine/kernels/conv/conv_shape.h"
#include "core/engine/kernels/vec.h"

enum {
    MAX_IMPLS = 8,
    WIDE = 32 /* bytes of vectors that own kernels need to be ahead of a library that dispatches */
};

/* In order of preference. */
static const mfm_conv_impl *const preferred[] = {
    &mfm_conv_winograd_chunks, &mfm_conv_winograd,  &mfm_conv_panels,  &mfm_conv_depthwise,
    &mfm_conv_direct,          &mfm_conv_pointwise, &mfm_conv_general, NULL};
/* The forward pass of training decides which side of a kink every element is on. The large
 * transforms round more than the sums do, and each element that changes sides shows in the
 * gradients; what is linear, and inference, only rounds. */
static const mfm_conv_impl *const exact[] = {&mfm_conv_winograd_small, &mfm_conv_panels,
                                             &mfm_conv_direct,         &mfm_conv_pointwise,
                                             &mfm_conv_general,        NULL};
/* Weights that serve many passes lie as a library wants them. */
static const mfm_conv_impl *const frozen[] = {&mfm_conv_winograd, &mfm_conv_panels,
                                              &mfm_conv_direct, &mfm_conv_general, NULL};
static const mfm_conv_impl *const general_only[] = {&mfm_conv_general, NULL};
static const mfm_conv_impl *const finishing[] = {&mfm_conv_points, &mfm_conv_single,
                                                 &mfm_conv_direct, &mfm_conv_general, NULL};
static const mfm_conv_impl *const slices_only[] = {&mfm_conv_slices, NULL};

struct mfm_conv {
    const mfm_conv_impl *impls[MAX_IMPLS]; /* those in use */
    void *states[MAX_IMPLS];
    int count;
    int by_direction[MFM_CONV_DIRECTIONS]; /* places in impls */
    int directions;                        /* those that will be called: the first so many */
    int pair;                              /* place in impls of what offers it; -1: none */
    const mfm_conv_impl *of_weights;       /* of their gradient, chunk by chunk; NULL: at once */
    mfm_conv_chunks *chunks;
};

static int place_of(mfm_conv *conv, const mfm_conv_impl *impl)
{
    for (int i = 0; i < conv->count; i++)
        if (conv->impls[i] == impl)
            return i;
    conv->impls[conv->count] = impl;
    return conv->count++;
}

/* The first of the list that fits; NULL: none does. */
static const mfm_conv_impl *first_fit(const mfm_conv_shape *shape, enum mfm_conv_direction d,
                                      const mfm_conv_impl *const *list)
{
    while (*list && !(*list)->fits(shape, d))
        list++;
    return *list;
}

static int choose(mfm_ctx *ctx, mfm_conv *conv, const mfm_conv_shape *shape,
                  const mfm_conv_impl *const *forward, const mfm_conv_impl *const *list)
{
    for (int d = 0; d < conv->directions; d++) {
        const mfm_conv_impl *impl =
            first_fit(shape, (enum mfm_conv_direction)d, d == MFM_CONV_FORWARD ? forward : list);
        if (!impl)
            return mfm_fail(ctx, MFM_ENOTSUP, "convolution: no implementation fits the shape");
        if (d == MFM_CONV_WEIGHTS && !impl->weights_at_once)
            conv->of_weights = impl;
        else
            conv->by_direction[d] = place_of(conv, impl);
    }
    const mfm_conv_impl *pair = first_fit(shape, MFM_CONV_FORWARD, list);
    conv->pair = conv->directions == MFM_CONV_DIRECTIONS && pair && pair->forward_pair
                     ? place_of(conv, pair)
                     : -1;
    return MFM_OK;
}

static int make(mfm_ctx *ctx, mfm_conv *conv, const mfm_conv_shape *shape)
{
    int status = MFM_OK;
    for (int i = 0; i < conv->count && !status; i++) {
        unsigned directions = 0;
        for (int d = 0; d < conv->directions; d++)
            if ((d != MFM_CONV_WEIGHTS || !conv->of_weights) && conv->by_direction[d] == i)
                directions |= 1u << d;
        status = conv->impls[i]->make(ctx, shape, directions, &conv->states[i]);
    }
    if (!status && conv->of_weights)
        status = mfm_conv_chunks_new(ctx, conv->of_weights, shape, &conv->chunks);
    return status;
}

static int make_from(mfm_ctx *ctx, const mfm_conv_shape *shape, bool inference,
                     const mfm_conv_impl *const *forward, const mfm_conv_impl *const *list,
                     mfm_conv **result)
{
    *result = NULL;
    int status = mfm_conv_check(ctx, shape);
    if (status)
        return status;
    mfm_conv *conv = mfm_alloc(ctx, 1, sizeof *conv);
    if (!conv)
        return MFM_ENOMEM;
    conv->directions = inference ? MFM_CONV_FORWARD + 1 : MFM_CONV_DIRECTIONS;
    status = choose(ctx, conv, shape, forward, list);
    if (!status)
        status = make(ctx, conv, shape);
    if (status) {
        mfm_conv_free(ctx, conv);
        return status;
    }
    *result = conv;
    return MFM_OK;
}

int mfm_conv_new_from(mfm_ctx *ctx, const mfm_conv_shape *shape, bool inference,
                      const mfm_conv_impl *const *list, mfm_conv **conv)
{
    return make_from(ctx, shape, inference, list, list, conv);
}

/* Points, single and few channels, where finishing apart takes as long as the sums. */
bool mfm_conv_finishes(const mfm_conv_shape *s)
{
    const bool points = s->kh == 1 && s->kw == 1 && s->groups == 1;
    const bool depthwise = s->groups == s->c && s->c == s->o;
    return s->finish != MFM_CONV_AS_IT_IS && !s->row_major &&
           (points || depthwise || mfm_conv_few_channels(s));
}

int mfm_conv_new(mfm_ctx *ctx, const mfm_conv_shape *shape, bool inference, mfm_conv **conv)
{
    assert(shape->finish == MFM_CONV_AS_IT_IS || (inference && mfm_conv_finishes(shape)));
    if (shape->row_major)
        return mfm_conv_new_from(ctx, shape, inference, slices_only, conv);
    const bool ahead = (int)MFM_VEC_BYTES >= (int)WIDE || !mfm_conv_general.dispatches;
    if (!ahead)
        return mfm_conv_new_from(ctx, shape, inference, general_only, conv);
    if (shape->finish != MFM_CONV_AS_IT_IS)
        return mfm_conv_new_from(ctx, shape, inference, finishing, conv);
    return make_from(ctx, shape, inference, inference ? frozen : exact, preferred, conv);
}

void mfm_conv_free(mfm_ctx *ctx, mfm_conv *conv)
{
    if (!conv)
        return;
    for (int i = 0; i < conv->count; i++)
        conv->impls[i]->release(ctx, conv->states[i]);
    mfm_conv_chunks_free(ctx, conv->chunks);
    mfm_free(ctx, conv);
}

static size_t pair_scratch(const mfm_conv *conv)
{
    const int i = conv->pair;
    return i < 0 ? 0 : conv->impls[i]->pair_scratch(conv->states[i]);
}

/* Forward with plain weights packs them in front of what its implementation uses. */
size_t mfm_conv_scratch(const mfm_conv *conv)
{
    size_t most = 0;
    for (int i = 0; i < conv->count; i++) {
        const size_t size = conv->impls[i]->scratch(conv->states[i]);
        most = size > most ? size : most;
    }
    if (conv->directions == MFM_CONV_FORWARD + 1)
        return most;
    most += mfm_conv_aligned(mfm_conv_packed(conv));
    const size_t pair = pair_scratch(conv),
                 weights = conv->chunks ? mfm_conv_chunks_scratch(conv->chunks) : 0;
    most = most > pair ? most : pair;
    return most > weights ? most : weights;
}

size_t mfm_conv_packed(const mfm_conv *conv)
{
    const int i = conv->by_direction[MFM_CONV_FORWARD];
    return conv->impls[i]->packed(conv->states[i]);
}

void mfm_conv_pack(const mfm_conv *conv, const real *w, real *packed)
{
    const int i = conv->by_direction[MFM_CONV_FORWARD];
    conv->impls[i]->pack(conv->states[i], w, packed);
}

void mfm_conv_forward_packed(const mfm_conv *conv, const real *x, const real *packed, real *y,
                             bool add, real *scratch)
{
    const int i = conv->by_direction[MFM_CONV_FORWARD];
    conv->impls[i]->forward(conv->states[i], x, packed, y, add, scratch);
}

void mfm_conv_forward_finished(const mfm_conv *conv, const real *x, const real *packed,
                               const real *bias, real *y, real *scratch)
{
    const int i = conv->by_direction[MFM_CONV_FORWARD];
    conv->impls[i]->forward_finished(conv->states[i], x, packed, bias, y, scratch);
}

void mfm_conv_forward(const mfm_conv *conv, const real *x, const real *w, real *y, bool add,
                      real *scratch)
{
    const size_t packed = mfm_conv_packed(conv);
    if (packed)
        mfm_conv_pack(conv, w, scratch);
    mfm_conv_forward_packed(conv, x, packed ? scratch : w, y, add,
                            scratch + mfm_conv_aligned(packed));
}

void mfm_conv_forward_pair(const mfm_conv *conv, const real *x1, const real *w1, const real *x2,
                           const real *w2, real *y, real *scratch)
{
    const int i = conv->pair;
    if (i >= 0) {
        conv->impls[i]->forward_pair(conv->states[i], x1, w1, x2, w2, y, scratch);
        return;
    }
    mfm_conv_forward(conv, x1, w1, y, false, scratch);
    mfm_conv_forward(conv, x2, w2, y, true, scratch);
}

bool mfm_conv_takes_bias(const mfm_conv *conv)
{
    return conv->impls[conv->by_direction[MFM_CONV_FORWARD]]->forward_bias != NULL;
}

void mfm_conv_forward_bias(const mfm_conv *conv, const real *x, const real *w, const real *packed,
                           const real *bias, real *y, real *scratch)
{
    const int i = conv->by_direction[MFM_CONV_FORWARD];
    const size_t size = packed ? 0 : mfm_conv_packed(conv);
    if (size)
        mfm_conv_pack(conv, w, scratch);
    conv->impls[i]->forward_bias(conv->states[i], x,
                                 packed ? packed
                                 : size ? scratch
                                        : w,
                                 bias, y, scratch + mfm_conv_aligned(size));
}

void mfm_conv_backward_data(const mfm_conv *conv, const real *gy, const real *w, real *gx, bool add,
                            real *scratch)
{
    const int i = conv->by_direction[MFM_CONV_DATA];
    conv->impls[i]->backward_data(conv->states[i], gy, w, gx, add, scratch);
}

void mfm_conv_backward_weights(const mfm_conv *conv, const real *gy, const real *x, real *gw,
                               bool add, real *scratch)
{
    const int i = conv->by_direction[MFM_CONV_WEIGHTS];
    if (conv->chunks)
        mfm_conv_chunks_weights(conv->chunks, gy, x, gw, add, scratch);
    else
        conv->impls[i]->weights_at_once(conv->states[i], gy, x, gw, add, scratch);
}

void mfm_kernels_text(char text[MFM_KERNELS_TEXT])
{
    char version[MFM_KERNELS_TEXT / 2] = "";
    if (mfm_conv_general.tell)
        mfm_conv_general.tell(version, sizeof version);
#ifdef __FMA__
    const bool fused = true;
#else
    const bool fused = false;
#endif
    snprintf(text, MFM_KERNELS_TEXT, "vectors of %d bytes%s, %s%s", MFM_VEC_BYTES,
             fused ? " with fused multiplication" : "", mfm_conv_general.name, version);
}
