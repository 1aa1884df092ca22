/* mfm.Attention over all matrices of scores, those of one batch index and head being one. */
#include <omp.h>
#include <string.h>

#include "core/engine/kernels/attention/panels.h"
#include "core/engine/ops/matrix/attention_matrix.h"

enum {
    MOST_ROWS = 60,
    LEAST_ROWS = 12,
    BLOCK_SCORES = 12288, /* numbers of a block, where rows are not too few by that */
    PARALLEL_FROM = 1 << 16
};

/* Blocks of nearly equal height. */
static int64_t block_rows(const mfm_attention_sizes *s)
{
    int64_t most = BLOCK_SCORES / mfm_panels_padded(s->keys);
    most = most > MOST_ROWS ? MOST_ROWS : most < LEAST_ROWS ? LEAST_ROWS : most;
    const int64_t blocks = (s->queries + most - 1) / most;
    const int64_t rows = (s->queries + blocks - 1) / blocks;
    return mfm_smaller((rows + 5) / 6 * 6, s->queries);
}

/* Backward and tangent passes are a tenth to a fifth faster where P is kept. Where it would be more
 * than queries, keys, values and results together, it is made anew: one product more (of five in
 * vjp), but memory that grows with the length, not with its square. */
static bool keeps_probabilities(const mfm_attention_sizes *s)
{
    return s->keys <= 2 * (s->width + s->values);
}

int mfm_attention_setup(mfm_ctx *ctx, mfm_node *node)
{
    mfm_attention *a = node->kernel = mfm_alloc(ctx, 1, sizeof *a);
    if (!a)
        return MFM_ENOMEM;
    a->s = mfm_attention_measure(node);
    const mfm_attention_attr *attr = node->attr;
    a->scale = (real)attr->scale;
    a->low = (real)attr->low;
    a->mask = (enum mfm_attention_mask)attr->mask;
    a->rows = block_rows(&a->s);
    a->share = mfm_share_for(&node->share, a->s.outer);
    a->of_thread = mfm_attention_room(a);
    a->threads = omp_get_max_threads();
    const mfm_tensor *bias = MFM_ATTENTION_BIAS < node->n_in ? node->in[MFM_ATTENTION_BIAS] : NULL;
    a->bias_count = bias ? mfm_shape_count(&bias->shape) : 0;
    a->keeps = keeps_probabilities(&a->s);
    node->saved_size = (size_t)(a->s.outer * a->s.inner * a->s.queries) *
                       (size_t)(2 + (a->keeps ? mfm_panels_padded(a->s.keys) : 0));
    node->scratch_size = (size_t)a->threads * a->of_thread;
    if (a->s.input[MFM_ATTENTION_BIAS].outer == 0)
        node->scratch_size += MFM_CHUNKS * (size_t)a->bias_count;
    return MFM_OK;
}

void mfm_attention_release(mfm_ctx *ctx, mfm_node *node)
{
    mfm_free(ctx, node->kernel);
    node->kernel = NULL;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static enum mfm_lane result_lane(enum mfm_attention_pass pass)
{
    static const enum mfm_lane lane[] = {MFM_X, MFM_DX, MFM_G, MFM_DG};
    return lane[pass];
}

/* Of the whole tensors. */
static mfm_attention_lanes lanes_of(const mfm_node *node, enum mfm_attention_pass pass)
{
    const mfm_attention *a = node->kernel;
    const int64_t rows = a->s.outer * a->s.inner * a->s.queries;
    mfm_attention_lanes l = {.kept = a->keeps ? node->saved + 2 * rows : NULL,
                             .top = node->saved,
                             .share = node->saved + rows};
    const bool moves = pass == MFM_ATTENTION_JVP || pass == MFM_ATTENTION_VJP_T;
    for (int i = 0; i < MFM_ATTENTION_INPUTS; i++) {
        const int port = mfm_attention_port(node, i);
        l.x[i] = mfm_in(node, port, MFM_X);
        l.dx[i] = moves ? mfm_in(node, port, MFM_DX) : NULL;
        if (pass >= MFM_ATTENTION_VJP && i < MFM_ATTENTION_MASK) {
            l.to[i] = mfm_in(node, port, result_lane(pass));
            l.add[i] = l.to[i] && mfm_accumulates(node, port, result_lane(pass));
        }
    }
    l.dx[MFM_ATTENTION_MASK] = NULL;
    l.g = pass >= MFM_ATTENTION_VJP ? mfm_out(node, 0, MFM_G) : NULL;
    l.dg = pass == MFM_ATTENTION_VJP_T ? mfm_out(node, 0, MFM_DG) : NULL;
    l.y = pass <= MFM_ATTENTION_JVP ? mfm_out(node, 0, result_lane(pass)) : NULL;
    return l;
}

static const real *moved(const real *lane, int64_t by)
{
    return lane ? lane + by : NULL;
}

/* Of one matrix. */
static mfm_attention_lanes lanes_at(const mfm_attention *a, const mfm_attention_lanes *all,
                                    int64_t outer, int64_t inner)
{
    const mfm_attention_sizes *s = &a->s;
    mfm_attention_lanes l = *all;
    for (int i = 0; i < MFM_ATTENTION_INPUTS; i++) {
        const int64_t at = mfm_attention_offset(s, &s->input[i], outer, inner);
        l.x[i] = moved(all->x[i], at);
        l.dx[i] = moved(all->dx[i], at);
        if (all->to[i])
            l.to[i] += at;
    }
    const int64_t at = mfm_attention_offset(s, &s->output, outer, inner);
    l.g = moved(all->g, at);
    l.dg = moved(all->dg, at);
    if (all->y)
        l.y += at;
    const int64_t row = (outer * s->inner + inner) * s->queries;
    if (all->kept)
        l.kept += row * mfm_panels_padded(s->keys);
    l.top += row;
    l.share += row;
    return l;
}

/* Which matrices one thread takes, one after the other: those of a chunk of the batch where their
 * parts of the bias's adjoint meet. */
typedef struct cut {
    int64_t outer, inner; /* pieces along both */
    bool by_chunks;
    real *parts; /* [chunks, bias], to which they add; NULL: to the adjoint itself */
} cut;

static bool bias_meets_inner(const mfm_attention *a)
{
    bool meets = false;
    for (int i = 0; i < a->s.n_inner; i++)
        meets |= a->s.inner_dim[i] > 1 && a->s.input[MFM_ATTENTION_BIAS].inner[i] == 0;
    return meets;
}

static cut cut_of(const mfm_node *node, const mfm_attention_lanes *l)
{
    const mfm_attention *a = node->kernel;
    cut c = {.outer = a->s.outer, .inner = a->s.inner};
    if (!l->to[MFM_ATTENTION_BIAS])
        return c;
    if (a->s.input[MFM_ATTENTION_BIAS].outer == 0) {
        c.by_chunks = true;
        c.outer = a->share.end - a->share.first;
        c.parts = node->scratch + (size_t)a->threads * a->of_thread;
    }
    if (bias_meets_inner(a))
        c.inner = 1;
    return c;
}

/* Adjoints are added to, and so are first made zero, where a bias is summed or one tensor is both
 * the bias and another input, which is written later. */
static void clear_adjoints(const mfm_node *node, const cut *c, mfm_attention_lanes *l)
{
    const mfm_attention *a = node->kernel;
    const real *bias = l->to[MFM_ATTENTION_BIAS];
    if (!bias)
        return;
    for (int i = 0; i < MFM_ATTENTION_BIAS && !c->parts; i++)
        if (l->to[i] == bias && !l->add[i]) {
            memset(l->to[i], 0, (size_t)a->bias_count * sizeof(real));
            l->add[i] = true;
        }
    const size_t bytes = (size_t)a->bias_count * sizeof(real);
    if (c->parts)
        memset(c->parts, 0, (size_t)c->outer * bytes);
    else if (!l->add[MFM_ATTENTION_BIAS])
        memset(l->to[MFM_ATTENTION_BIAS], 0, bytes);
}

static void run_piece(const mfm_node *node, enum mfm_attention_pass pass,
                      const mfm_attention_lanes *all, const cut *c, int64_t piece)
{
    const mfm_attention *a = node->kernel;
    const int64_t i = piece / c->inner, j = piece % c->inner;
    int64_t outer = i, end = i + 1;
    real *room = node->scratch + (size_t)omp_get_thread_num() * a->of_thread;
    if (c->by_chunks) {
        outer = mfm_share_row(&a->share, a->s.outer, (int)i);
        end = mfm_share_row(&a->share, a->s.outer, (int)i + 1);
    }
    const int64_t first = c->inner == 1 ? 0 : j, last = c->inner == 1 ? a->s.inner : j + 1;
    mfm_attention_lanes own = *all;
    if (c->parts)
        own.to[MFM_ATTENTION_BIAS] = c->parts + i * a->bias_count;
    for (; outer < end; outer++)
        for (int64_t inner = first; inner < last; inner++) {
            const mfm_attention_lanes l = lanes_at(a, &own, outer, inner);
            mfm_attention_run_matrix(a, pass, &l, room);
        }
}

static void run(const mfm_node *node, enum mfm_attention_pass pass)
{
    const mfm_attention *a = node->kernel;
    mfm_attention_lanes l = lanes_of(node, pass);
    const cut c = cut_of(node, &l);
    clear_adjoints(node, &c, &l);
    const int64_t work = a->s.outer * a->s.inner * a->s.queries * a->s.keys * a->s.width;
    const int most = omp_get_max_threads(), threads = most < a->threads ? most : a->threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (work >= PARALLEL_FROM)
    for (int64_t piece = 0; piece < c.outer * c.inner; piece++)
        run_piece(node, pass, &l, &c, piece);
    if (!c.parts)
        return;
    real *to = l.to[MFM_ATTENTION_BIAS];
    mfm_share_add_reals(&a->share, c.parts, (size_t)a->bias_count);
    for (int64_t i = 0; i < a->bias_count; i++)
        to[i] = (l.add[MFM_ATTENTION_BIAS] ? to[i] : 0) + c.parts[i];
}

static void forward(const mfm_node *node)
{
    run(node, MFM_ATTENTION_FORWARD);
}

static void jvp(const mfm_node *node)
{
    run(node, MFM_ATTENTION_JVP);
}

static void vjp(const mfm_node *node)
{
    run(node, MFM_ATTENTION_VJP);
}

static void vjp_t(const mfm_node *node)
{
    run(node, MFM_ATTENTION_VJP_T);
}

const mfm_rule mfm_rule_attention = {forward, jvp, vjp, vjp_t};
