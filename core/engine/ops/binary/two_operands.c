#include "core/engine/ops/binary/two_operands.h"

#include <string.h>

#include "core/engine/kernels/broadcast.h"

/* Numbers per block: what is computed of them stays in the first-level cache. */
enum { BLOCK = 1024, PARALLEL_FROM = 16384 };

static const mfm_two_operands *parts_of(const mfm_node *node)
{
    return node->impl->parts;
}

static mfm_shape shape_of(const mfm_node *node, int slot)
{
    const mfm_two_operands *f = parts_of(node);
    return f->operand ? f->operand(node, slot) : node->in[slot]->shape;
}

static bool is_stretched(const mfm_node *node, int slot)
{
    const mfm_shape shape = shape_of(node, slot);
    return mfm_broadcast_stretches(&shape, &node->out[0]->shape);
}

int mfm_two_operands_setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    const size_t count = (size_t)mfm_shape_count(&node->out[0]->shape);
    const size_t stretched = (size_t)is_stretched(node, 0) + (size_t)is_stretched(node, 1);
    /* Of each its X, its DX; and what is to be summed for it. */
    node->scratch_size = stretched ? (2 * stretched + 1) * count : 0;
    return MFM_OK;
}

/* An operand's lane in full; *room is the next free place in scratch. */
static const real *in_full(const mfm_node *node, int slot, enum mfm_lane lane, real **room)
{
    const real *own = mfm_in(node, slot, lane);
    if (!own || !is_stretched(node, slot))
        return own;
    const mfm_shape *full = &node->out[0]->shape, shape = shape_of(node, slot);
    real *to = *room;
    *room += mfm_shape_count(full);
    mfm_broadcast_copy(full, &shape, own, 1, to, false);
    return to;
}

typedef struct operands {
    const mfm_two_operands *f;
    const void *attr;
    int64_t count;
    const real *x[2], *dx[2]; /* dx NULL: zero, or not asked for */
    real *room;               /* the rest of scratch */
} operands;

static operands operands_of(const mfm_node *node, bool tangents)
{
    operands o = {.f = parts_of(node),
                  .attr = node->attr,
                  .count = mfm_shape_count(&node->out[0]->shape),
                  .room = node->scratch};
    for (int i = 0; i < 2; i++) {
        o.x[i] = in_full(node, i, MFM_X, &o.room);
        o.dx[i] = tangents ? in_full(node, i, MFM_DX, &o.room) : NULL;
    }
    return o;
}

static size_t block_length(const operands *o, int64_t start)
{
    return (size_t)(o->count - start < BLOCK ? o->count - start : BLOCK);
}

static void forward(const mfm_node *node)
{
    const operands o = operands_of(node, false);
    real *y = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (o.count >= PARALLEL_FROM)
    for (int64_t i = 0; i < o.count; i += BLOCK)
        o.f->value(o.attr, block_length(&o, i), o.x[0] + i, o.x[1] + i, y + i);
}

/* sum += function(a, b) u [v] over a block; u, v NULL: nothing is added, one. */
static void add_term(const operands *o, mfm_of_two *function, int64_t start, const real *u,
                     const real *v, real *sum)
{
    if (!u || !function)
        return;
    real t[BLOCK];
    const size_t n = block_length(o, start);
    function(o->attr, n, o->x[0] + start, o->x[1] + start, t);
    u += start;
    v = v ? v + start : NULL;
    for (size_t i = 0; i < n && !v; i++)
        sum[i] += t[i] * u[i];
    for (size_t i = 0; i < n && v; i++)
        sum[i] += t[i] * u[i] * v[i];
}

static void jvp(const mfm_node *node)
{
    const operands o = operands_of(node, true);
    real *y = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (o.count >= PARALLEL_FROM)
    for (int64_t i = 0; i < o.count; i += BLOCK) {
        memset(y + i, 0, block_length(&o, i) * sizeof *y);
        for (int k = 0; k < 2; k++)
            add_term(&o, o.f->first[k], i, o.dx[k], NULL, y + i);
    }
}

/* Lane G (dg NULL, no tangents) or DG of input `slot`, from g and dg, each of which may be NULL. */
static void adjoint(const mfm_node *node, const operands *o, int slot, enum mfm_lane lane,
                    const real *along_first, const real *along_second)
{
    real *to = mfm_in(node, slot, lane);
    if (!to)
        return;
    const bool stretched = is_stretched(node, slot);
    const bool add = mfm_accumulates(node, slot, lane);
    real *sum = stretched ? o->room : to;
#pragma omp parallel for if (o->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < o->count; i += BLOCK) {
        if (stretched || !add)
            memset(sum + i, 0, block_length(o, i) * sizeof *sum);
        add_term(o, o->f->first[slot], i, along_first, NULL, sum + i);
        for (int k = 0; k < 2 && along_second; k++)
            add_term(o, o->f->second[slot][k], i, o->dx[k], along_second, sum + i);
    }
    const mfm_shape shape = shape_of(node, slot);
    if (stretched)
        mfm_broadcast_reduce(&node->share, &node->out[0]->shape, sum, NULL, NULL, 1, &shape, to,
                             add);
}

static void vjp(const mfm_node *node)
{
    const operands o = operands_of(node, false);
    for (int slot = 0; slot < 2; slot++)
        adjoint(node, &o, slot, MFM_G, mfm_out(node, 0, MFM_G), NULL);
}

static void vjp_t(const mfm_node *node)
{
    const operands o = operands_of(node, true);
    for (int slot = 0; slot < 2; slot++)
        adjoint(node, &o, slot, MFM_DG, mfm_out(node, 0, MFM_DG), mfm_out(node, 0, MFM_G));
}

const mfm_rule mfm_rule_two_operands = {forward, jvp, vjp, vjp_t};
