/*
 * Einsum (ONNX 12): the sum over all labels that the result lacks of the product of the operands,
 * "nhqd,nhkd->nhqk". Without "->" the result has the labels that occur once, in alphabetical order.
 * "..." stands for leading axes, which broadcast. A label that an operand repeats walks along its
 * diagonal.
 *
 * Linear in each operand, with the product over the others:
 *     y   = [x_1 x_2 ..]
 *     y'  = sum_i [x_1 .. x_i' ..]
 *     g_i = [g, x_j for j != i], which has the labels of x_i
 *     g_i' = [g', x_j ..] + sum_j [g, x_j', the others]
 * More than two factors are multiplied one after the other; what is between keeps the labels that
 * are still to come. Sums over samples, the first axis of the result, go chunk by chunk along the
 * tree of core/base/share.h.
 */
#include <string.h>

#include "core/engine/kernels/contract.h"
#include "core/engine/impl.h"
#include "core/engine/ops/matrix/einsum_equation.h"

typedef mfm_einsum_term term;

typedef struct geometry {
    mfm_einsum e;
    term x[MFM_EINSUM_OPERANDS], y;
    const mfm_share *share;
    int samples; /* their label; -1: there is none */
} geometry;

/* ---- products of several factors ------------------------------------------------------------ */

typedef struct factor {
    const term *as;
    const real *data;
} factor;

/* What is left of the factors before: its labels, in order, without gaps. */
static term between(const mfm_einsum *e, const term *a, const term *b, const factor *later,
                    int n_later, const term *y)
{
    term t = {0};
    int64_t step = 1;
    for (int label = e->labels - 1; label >= 0; label--) {
        bool wanted = y->stride[label] != 0;
        for (int i = 0; i < n_later; i++)
            wanted |= later[i].as->stride[label] != 0;
        if (wanted && (a->stride[label] || b->stride[label])) {
            t.stride[label] = step;
            step *= e->dim[label];
        }
    }
    t.count = step;
    return t;
}

/* Labels that have been summed already, or are still to come, are left out. *samples: where the
 * label of the samples is, if they are summed; else -1. */
static mfm_contraction contraction_of(const geometry *g, const term *a, const term *b,
                                      const term *y, bool last, int *samples)
{
    mfm_contraction c = {.labels = 0};
    *samples = -1;
    for (int label = 0; label < g->e.labels; label++) {
        if (!a->stride[label] && !b->stride[label] && !(last && y->stride[label]))
            continue;
        if (label == g->samples && !y->stride[label])
            *samples = c.labels;
        c.dim[c.labels] = g->e.dim[label];
        c.a[c.labels] = a->stride[label];
        c.b[c.labels] = b->stride[label];
        c.y[c.labels++] = y->stride[label];
    }
    return c;
}

/* The contraction over the samples of a chunk, and where its operands begin. */
static mfm_contraction chunk_of(const geometry *g, mfm_contraction c, int samples, int chunk,
                                int64_t *first)
{
    const int64_t rows = c.dim[samples];
    *first = mfm_share_row(g->share, rows, chunk);
    c.dim[samples] = mfm_share_row(g->share, rows, chunk + 1) - *first;
    return c;
}

static int chunks(const geometry *g)
{
    return g->share->end - g->share->first;
}

/* Room that a contraction with a result of `count` numbers takes. */
static size_t room_of(const geometry *g, const mfm_contraction *c, int samples, int64_t count)
{
    size_t most = mfm_contract_scratch(c);
    int64_t first;
    if (samples < 0)
        return most;
    for (int chunk = 0; chunk < chunks(g); chunk++) {
        const mfm_contraction part = chunk_of(g, *c, samples, chunk, &first);
        const size_t room = part.dim[samples] ? mfm_contract_scratch(&part) : 0;
        most = room > most ? room : most;
    }
    return most + MFM_CHUNKS * (size_t)count;
}

/* As mfm_contract, chunk by chunk where samples are summed. */
static void contract(const geometry *g, const mfm_contraction *c, int samples, const real *a,
                     const real *b, real *y, int64_t count, bool add, real *scratch)
{
    if (samples < 0) {
        mfm_contract(c, a, b, y, add, scratch);
        return;
    }
    real *room = scratch + MFM_CHUNKS * count;
    for (int chunk = 0; chunk < chunks(g); chunk++) {
        int64_t first;
        real *sum = scratch + chunk * count;
        const mfm_contraction part = chunk_of(g, *c, samples, chunk, &first);
        if (!part.dim[samples])
            continue;
        memset(sum, 0, (size_t)count * sizeof *sum); /* also where no label reaches */
        mfm_contract(&part, a + first * c->a[samples], b + first * c->b[samples], sum, false, room);
    }
    mfm_share_add_reals(g->share, scratch, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        y[i] = (add ? y[i] : 0) + scratch[i];
}

static const real one = 1;
static const term scalar = {.count = 1};

/* y = [y +] the product of n factors, and how much room that takes. Where `to` is NULL, only the
 * latter. scratch: NULL where no room is needed. */
static size_t multiply(const geometry *g, const factor *factors, int n, const term *y, real *to,
                       bool add, real *scratch)
{
    size_t kept = 0, most = 0;
    term so_far[2];
    factor left = factors[0];
    for (int i = 1; i < n || i == 1; i++) { /* one factor: times one */
        const factor right = i < n ? factors[i] : (factor){&scalar, &one};
        const bool last = i >= n - 1;
        term *t = &so_far[i % 2];
        *t = last ? *y : between(&g->e, left.as, right.as, factors + i + 1, n - i - 1, y);
        int samples;
        const mfm_contraction c = contraction_of(g, left.as, right.as, t, last, &samples);
        real *result = last ? to : scratch + kept;
        kept += last ? 0 : (size_t)t->count;
        const size_t room = room_of(g, &c, samples, t->count);
        most = kept + room > most ? kept + room : most;
        if (to)
            contract(g, &c, samples, left.data, right.data, result, t->count, last && add,
                     scratch ? scratch + kept : NULL);
        left = (factor){t, result};
    }
    return most;
}

/* ---- the passes ----------------------------------------------------------------------------- */

/* The shapes have been checked. */
static geometry geometry_of(const mfm_node *node)
{
    geometry g;
    mfm_einsum_read(NULL, node, ((const mfm_einsum_attr *)node->attr)->equation, &g.e);
    for (int i = 0; i < node->n_in; i++)
        g.x[i] = mfm_einsum_term_of(&g.e, i, &node->in[i]->shape);
    g.y = mfm_einsum_term_of(&g.e, node->n_in, &node->out[0]->shape);
    g.share = &node->share;
    const mfm_einsum_axes *y = &g.e.axes[node->n_in];
    const bool whole =
        y->rank && node->share.samples && g.e.dim[y->label[0]] == mfm_share_count(&node->share);
    g.samples = whole ? y->label[0] : -1;
    return g;
}

/* y = [y +] the product of the operands, of which operand `moving` has the lane DX. -1: none. */
static void product(const mfm_node *node, const geometry *g, int moving, real *y, bool add)
{
    factor factors[MFM_EINSUM_OPERANDS];
    for (int i = 0; i < node->n_in; i++)
        factors[i] = (factor){&g->x[i], mfm_in(node, i, i == moving ? MFM_DX : MFM_X)};
    multiply(g, factors, node->n_in, &g->y, y, add, node->scratch);
}

/* Whether each number of the operand has a place of its own in the equation: no diagonal. */
static bool reaches_all(const mfm_einsum *e, const term *t)
{
    int64_t reached = 1;
    for (int i = 0; i < e->labels; i++)
        reached *= t->stride[i] ? e->dim[i] : 1;
    return reached == t->count;
}

static void clear(const term *t, real *to)
{
    memset(to, 0, (size_t)t->count * sizeof *to);
}

/* to += the product of an adjoint and the operands but `input`. */
static void product_against(const mfm_node *node, const geometry *g, const real *adjoint, int input,
                            int moving, real *to, bool add)
{
    factor factors[MFM_EINSUM_OPERANDS] = {{&g->y, adjoint}};
    int n = 1;
    for (int i = 0; i < node->n_in; i++)
        if (i != input)
            factors[n++] = (factor){&g->x[i], mfm_in(node, i, i == moving ? MFM_DX : MFM_X)};
    if (!add && !reaches_all(&g->e, &g->x[input])) {
        clear(&g->x[input], to);
        add = true;
    }
    multiply(g, factors, n, &g->x[input], to, add, node->scratch);
}

static void forward(const mfm_node *node)
{
    const geometry g = geometry_of(node);
    product(node, &g, -1, mfm_out(node, 0, MFM_X), false);
}

static void jvp(const mfm_node *node)
{
    const geometry g = geometry_of(node);
    bool add = false;
    for (int i = 0; i < node->n_in; i++)
        if (mfm_in(node, i, MFM_DX)) {
            product(node, &g, i, mfm_out(node, 0, MFM_DX), add);
            add = true;
        }
}

static void vjp(const mfm_node *node)
{
    const geometry g = geometry_of(node);
    for (int i = 0; i < node->n_in; i++)
        if (mfm_in(node, i, MFM_G))
            product_against(node, &g, mfm_out(node, 0, MFM_G), i, -1, mfm_in(node, i, MFM_G),
                            mfm_accumulates(node, i, MFM_G));
}

static void vjp_t(const mfm_node *node)
{
    const geometry g = geometry_of(node);
    const real *adjoint = mfm_out(node, 0, MFM_G), *moved = mfm_out(node, 0, MFM_DG);
    for (int i = 0; i < node->n_in; i++) {
        real *to = mfm_in(node, i, MFM_DG);
        bool add = mfm_accumulates(node, i, MFM_DG);
        if (to && moved) {
            product_against(node, &g, moved, i, -1, to, add);
            add = true;
        }
        for (int j = 0; j < node->n_in && to && adjoint; j++)
            if (j != i && mfm_in(node, j, MFM_DX)) {
                product_against(node, &g, adjoint, i, j, to, add);
                add = true;
            }
        if (to && !add)
            clear(&g.x[i], to);
    }
}

/* ---- the operator --------------------------------------------------------------------------- */

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    mfm_einsum e;
    const int status =
        mfm_einsum_read(ctx, node, ((const mfm_einsum_attr *)node->attr)->equation, &e);
    if (status)
        return status;
    node->out[0]->shape = mfm_einsum_result(&e);
    return mfm_shape_check(ctx, &node->out[0]->shape, "Einsum result");
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    const geometry g = geometry_of(node);
    factor factors[MFM_EINSUM_TERMS];
    (void)ctx;
    for (int i = 0; i < node->n_in; i++)
        factors[i] = (factor){&g.x[i], NULL};
    node->scratch_size = multiply(&g, factors, node->n_in, &g.y, NULL, false, NULL);
    for (int input = 0; input < node->n_in; input++) {
        int n = 0;
        factors[n++] = (factor){&g.y, NULL};
        for (int i = 0; i < node->n_in; i++)
            if (i != input)
                factors[n++] = (factor){&g.x[i], NULL};
        const size_t size = multiply(&g, factors, n, &g.x[input], NULL, false, NULL);
        node->scratch_size = size > node->scratch_size ? size : node->scratch_size;
    }
    return MFM_OK;
}

/* As if all were multiplied at once. */
static int64_t macs(const mfm_node *node)
{
    const geometry g = geometry_of(node);
    int64_t count = node->n_in - 1;
    for (int i = 0; i < g.e.labels; i++)
        count = mfm_count_times(count, g.e.dim[i]);
    return count;
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};

static const mfm_attr_def attrs[] = {{.name = "equation",
                                      .type = MFM_TEXT,
                                      .offset = offsetof(mfm_einsum_attr, equation),
                                      .required = true},
                                     {0}};
static const mfm_port inputs[] = {{"Inputs", MFM_PARAM, false, true}, {0}};
static const mfm_port outputs[] = {{"Output", MFM_DATA, false, false}, {0}};

static const char *const samples[] = {"[2,3,4] equation=ijk->kij",
                                      "[2,3,4] equation=ijk->i",
                                      "[3,4] equation=ij->",
                                      "[3,3] equation=ii",
                                      "[3,3,2] equation=iij->ij",
                                      "[2,3,3] equation=...ii->...i",
                                      "[4,5] [5,6] equation=ij,jk->ik",
                                      "[4,5] [5,6] equation=ij,jk->ki",
                                      "[4,5] [4,6] equation=ji,jk",
                                      "[5] [5] equation=i,i",
                                      "[3] [4] equation=i,j->ij",
                                      "[2,3,5,4] [2,3,6,4] equation=bhqd,bhkd->bhqk",
                                      "[2,5,3,4] [2,6,3,4] equation=bqhd,bkhd->bhqk",
                                      "[2,3,5,6] [2,6,3,4] equation=bhqk,bkhd->bqhd",
                                      "[2,4,5,6] [7,4] equation=nchw,dc->ndhw",
                                      "[2,4,5] [2,4,5] equation=bij,bij->bij",
                                      "[2,4,5] [2,4,5] equation=bij,bij->b",
                                      "[2,4,5] [5] equation=...i,i->...i",
                                      "[2,1,4,5] [3,5,6] equation=...ij,...jk->...ik",
                                      "[2,4,5] [1,5,6] equation=bij,bjk->bik",
                                      "[5,4,3] [5,6] equation=aib,cd->ac",
                                      "[5,5,6] [5,6,4] equation=iij,ijk->ik",
                                      "[5,4,5] [6,4] equation=iji,kj->ik",
                                      "[4,5] [5,6] [6,3] equation=ij,jk,kl->il",
                                      "[2,4,5] [2,5,6] [2,4,6] equation=bij,bjk,bik->b",
                                      "[4,3] [4,2] [5,3] [2] equation=ni,nj,ki,m->mjk",
                                      NULL};

const mfm_op mfm_op_einsum = {
    .name = "Einsum",
    .domain = "",
    .since = 12,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(mfm_einsum_attr),
    .shape = infer_shape,
    .layout = MFM_LAYOUT_ROWS,
    .macs = macs,
    .summary = "sums of products over the labels of an equation",
    .samples = samples,
};

const mfm_impl mfm_cpu_einsum = {
    .op = &mfm_op_einsum,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
