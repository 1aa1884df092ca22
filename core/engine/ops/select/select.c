#include "core/engine/ops/select/select.h"

#include <string.h>

#include "core/engine/kernels/broadcast.h"

enum { PARALLEL_FROM = 16384 };

static int64_t count_of(const mfm_node *node)
{
    return mfm_shape_count(&node->out[0]->shape);
}

static bool is_stretched(const mfm_node *node, int slot)
{
    return mfm_broadcast_stretches(&node->in[slot]->shape, &node->out[0]->shape);
}

int mfm_select_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = (size_t)count_of(node);
    for (int i = 0; i < node->n_in; i++)
        if (is_stretched(node, i))
            node->scratch_size = node->saved_size;
    return MFM_OK;
}

static const real *in_full(const mfm_node *node, int slot, enum mfm_lane lane)
{
    const real *own = mfm_in(node, slot, lane);
    if (!own || !is_stretched(node, slot))
        return own;
    mfm_broadcast_copy(&node->out[0]->shape, &node->in[slot]->shape, own, 1, node->scratch, false);
    return node->scratch;
}

const real *mfm_select_full(const mfm_node *node, int slot)
{
    return in_full(node, slot, MFM_X);
}

void mfm_select_take(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t count = count_of(node);
    const real *restrict from = node->saved;
    real *restrict y = mfm_out(node, 0, lane);
    memset(y, 0, (size_t)count * sizeof *y);
    const int first = node->op->inputs[0].role == MFM_INDEX; /* a condition is not chosen */
    for (int k = first; k < node->n_in; k++) {
        const real *x = in_full(node, k, lane);
        if (!x)
            continue;
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
        for (int64_t i = 0; i < count; i++)
            y[i] = from[i] == (real)k ? x[i] : y[i];
    }
}

/* to = [to +] g where input k was chosen */
static void mask(const mfm_node *node, int k, const real *g, real *to, bool add)
{
    const int64_t count = count_of(node);
    const real *restrict from = node->saved;
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
    for (int64_t i = 0; i < count; i++)
        to[i] = (add ? to[i] : 0) + (from[i] == (real)k ? g[i] : 0);
}

void mfm_select_give(const mfm_node *node, enum mfm_lane lane)
{
    const real *g = mfm_out(node, 0, lane);
    for (int k = 0; k < node->n_in; k++) {
        real *to = mfm_in(node, k, lane);
        if (!to)
            continue;
        const bool add = mfm_accumulates(node, k, lane);
        if (g && !is_stretched(node, k)) {
            mask(node, k, g, to, add);
            continue;
        }
        if (g)
            mask(node, k, g, node->scratch, false);
        mfm_broadcast_reduce(&node->share, &node->out[0]->shape, g ? node->scratch : NULL, NULL,
                             NULL, 1, &node->in[k]->shape, to, add);
    }
}

void mfm_select_extreme(const mfm_node *node, real sign)
{
    const int64_t count = count_of(node);
    real *restrict y = mfm_out(node, 0, MFM_X), *restrict from = node->saved;
    for (int k = 0; k < node->n_in; k++) {
        const real *x = in_full(node, k, MFM_X);
        if (k == 0) {
            memset(from, 0, (size_t)count * sizeof *from);
            memcpy(y, x, (size_t)count * sizeof *y);
            continue;
        }
#pragma omp parallel for simd if (parallel : count >= PARALLEL_FROM)
        for (int64_t i = 0; i < count; i++) {
            const bool better = (sign * x[i] > sign * y[i]) | (x[i] != x[i]);
            y[i] = better ? x[i] : y[i];
            from[i] = better ? (real)k : from[i];
        }
    }
}
