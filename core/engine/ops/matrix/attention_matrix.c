/*
 * With c the scale and J u = P (u - <P, u>), row by row of scores, for blocks of queries whose
 * scores stay in a cache:
 *     forward  S = c Q K^T + bias + mask,  P = softmax S,  Y = P V
 *     jvp      S' = c (Q' K^T + Q K'^T) + bias',  P' = J S',  Y' = P' V + P V'
 *     vjp      H = g V^T,  R = J H;  gQ = c R K,  gK = c R^T Q,  gV = P^T g,  gbias = R
 *     vjp_t    H' = g' V^T + g V'^T,  R' = J H' + J' H;  gQ' = c (R' K + R K'),
 *              gK' = c (R'^T Q + R^T Q'),  gV' = P^T g' + P'^T g,  gbias' = R'
 * where bias is broadcast, its adjoint is summed. S is `low`, and S', R and R' are 0, at places
 * that a mask of truth values forbids. P is kept from forward on, or made anew from two numbers
 * that forward keeps of a row.
 */
#include "core/engine/ops/matrix/attention_matrix.h"

#include <string.h>

#include "core/engine/kernels/attention/rows.h"

/* What a thread works with: packed factors of a matrix (K and V as they are used to multiply from
 * the right, and their tangents), sums over its blocks, and a block. */
typedef struct room {
    real *keys, *dkeys;                /* c K^T */
    real *turned, *dturned;            /* c K */
    real *values, *dvalues;            /* V forward, V^T backward */
    real *sum_keys, *sum_values;       /* gK / c, gV */
    real *p, *dp, *g, *dg;             /* [rows, padded keys] */
    real *queries, *dqueries, *y, *dy; /* a block of Q, Q', g, g', packed */
    real *result;
} room;

static void carve(size_t *used, real *base, size_t count, real **to)
{
    *to = base ? base + *used : NULL;
    *used += (count + 15) / 16 * 16;
}

/* The room that begins at base, and how large it is; base NULL: only that. */
static size_t make_room(const mfm_attention *a, real *base, room *r)
{
    const mfm_attention_sizes *s = &a->s;
    const int64_t d = s->width, e = s->values, t = s->keys;
    const size_t block = (size_t)(a->rows * mfm_panels_padded(t)), keys = mfm_panels_size(d, t);
    const size_t turned = mfm_panels_size(t, d);
    const size_t forward = mfm_panels_size(t, e), backward = mfm_panels_size(e, t);
    const size_t values = forward > backward ? forward : backward;
    size_t used = 0;
    carve(&used, base, keys, &r->keys);
    carve(&used, base, keys, &r->dkeys);
    carve(&used, base, turned, &r->turned);
    carve(&used, base, turned, &r->dturned);
    carve(&used, base, values, &r->values);
    carve(&used, base, values, &r->dvalues);
    carve(&used, base, (size_t)(t * mfm_panels_padded(d)), &r->sum_keys);
    carve(&used, base, (size_t)(t * mfm_panels_padded(e)), &r->sum_values);
    carve(&used, base, block, &r->p);
    carve(&used, base, block, &r->dp);
    carve(&used, base, block, &r->g);
    carve(&used, base, block, &r->dg);
    carve(&used, base, mfm_panels_size(a->rows, d), &r->queries);
    carve(&used, base, mfm_panels_size(a->rows, d), &r->dqueries);
    carve(&used, base, mfm_panels_size(a->rows, e), &r->y);
    carve(&used, base, mfm_panels_size(a->rows, e), &r->dy);
    carve(&used, base, (size_t)(a->rows * mfm_panels_padded(mfm_larger(d, e))), &r->result);
    return used;
}

size_t mfm_attention_room(const mfm_attention *a)
{
    room r;
    return make_room(a, NULL, &r);
}

typedef struct task {
    const mfm_attention *a;
    enum mfm_attention_pass pass;
    mfm_attention_lanes l;
    room r;
    int64_t first; /* of the block's queries */
    mfm_rows b;
} task;

static mfm_strided strided(const real *at, const mfm_attention_view *view)
{
    return (mfm_strided){at, view->row, view->column};
}

static mfm_strided turned(mfm_strided m)
{
    return (mfm_strided){m.at, m.column, m.row};
}

/* The block's rows of what has a row for each query. */
static mfm_strided block_of(const task *t, const real *at, const mfm_attention_view *view)
{
    mfm_strided m = strided(at, view);
    m.at += t->first * view->row;
    return m;
}

static void pack_if(const real *at, mfm_strided m, int64_t k, int64_t n, real scale, real *to)
{
    if (at)
        mfm_panels_pack(m, k, n, scale, to);
}

static void pack_factors(const task *t)
{
    const mfm_attention_sizes *s = &t->a->s;
    const mfm_attention_lanes *l = &t->l;
    const real c = t->a->scale;
    const mfm_attention_view *of_k = &s->input[MFM_ATTENTION_K];
    const mfm_attention_view *of_v = &s->input[MFM_ATTENTION_V];
    const mfm_strided k = strided(l->x[MFM_ATTENTION_K], of_k);
    const mfm_strided dk = strided(l->dx[MFM_ATTENTION_K], of_k);
    const mfm_strided v = strided(l->x[MFM_ATTENTION_V], of_v);
    const mfm_strided dv = strided(l->dx[MFM_ATTENTION_V], of_v);
    mfm_panels_pack(turned(k), s->width, s->keys, c, t->r.keys);
    pack_if(dk.at, turned(dk), s->width, s->keys, c, t->r.dkeys);
    if (t->pass <= MFM_ATTENTION_JVP) {
        mfm_panels_pack(v, s->keys, s->values, 1, t->r.values);
        pack_if(dv.at, dv, s->keys, s->values, 1, t->r.dvalues);
        return;
    }
    mfm_panels_pack(turned(v), s->values, s->keys, 1, t->r.values);
    pack_if(dv.at, turned(dv), s->values, s->keys, 1, t->r.dvalues);
    if (l->to[MFM_ATTENTION_Q]) {
        mfm_panels_pack(k, s->keys, s->width, c, t->r.turned);
        pack_if(dk.at, dk, s->keys, s->width, c, t->r.dturned);
    }
}

/* [rows, padded keys] = [it +] a block of k columns by a factor */
static void to_scores(const task *t, mfm_strided a, int64_t k, const real *factor, bool add,
                      real *to)
{
    mfm_panels_multiply(a, t->b.rows, k, factor, t->b.n, add, to, t->b.padded);
}

/* Where a mask of truth values forbids, s is the value. */
static void fill(const task *t, real value, real *s)
{
    const real *mask = t->l.x[MFM_ATTENTION_MASK];
    if (mask && t->a->mask != MFM_ATTENTION_ADDS)
        mfm_rows_fill(&t->b, block_of(t, mask, &t->a->s.input[MFM_ATTENTION_MASK]),
                      t->a->mask == MFM_ATTENTION_KEEPS, value, s);
}

static void find_probabilities(const task *t)
{
    const mfm_attention_sizes *s = &t->a->s;
    const mfm_attention_lanes *l = &t->l;
    real *top = l->top + t->first, *share = l->share + t->first;
    if (l->kept && t->pass != MFM_ATTENTION_FORWARD)
        return;
    to_scores(t, block_of(t, l->x[MFM_ATTENTION_Q], &s->input[MFM_ATTENTION_Q]), s->width,
              t->r.keys, false, t->r.p);
    for (int i = MFM_ATTENTION_BIAS; i <= MFM_ATTENTION_MASK; i++)
        if (l->x[i] && (i == MFM_ATTENTION_BIAS || t->a->mask == MFM_ATTENTION_ADDS))
            mfm_rows_add(&t->b, t->r.p, block_of(t, l->x[i], &s->input[i]));
    fill(t, t->a->low, t->r.p);
    if (t->pass == MFM_ATTENTION_FORWARD)
        mfm_rows_softmax(&t->b, t->r.p, top, share);
    else
        mfm_rows_probabilities(&t->b, t->r.p, top, share);
}

static size_t block_bytes(const task *t)
{
    return (size_t)(t->b.rows * t->b.padded) * sizeof(real);
}

/* P'; false where nothing moves it. */
static bool find_tangent(const task *t)
{
    const mfm_attention_sizes *s = &t->a->s;
    const mfm_attention_view *of_q = &s->input[MFM_ATTENTION_Q];
    const mfm_attention_lanes *l = &t->l;
    const real *dq = l->dx[MFM_ATTENTION_Q], *dk = l->dx[MFM_ATTENTION_K];
    const real *dbias = l->dx[MFM_ATTENTION_BIAS];
    if (!dq && !dk && !dbias)
        return false;
    if (dq)
        to_scores(t, block_of(t, dq, of_q), s->width, t->r.keys, false, t->r.dp);
    if (dk)
        to_scores(t, block_of(t, l->x[MFM_ATTENTION_Q], of_q), s->width, t->r.dkeys, dq, t->r.dp);
    if (!dq && !dk)
        memset(t->r.dp, 0, block_bytes(t));
    if (dbias)
        mfm_rows_add(&t->b, t->r.dp, block_of(t, dbias, &s->input[MFM_ATTENTION_BIAS]));
    fill(t, 0, t->r.dp);
    mfm_rows_jacobian(&t->b, t->r.p, t->r.dp);
    return true;
}

/* ---- results --------------------------------------------------------------------------------- */

/* to = [to +] scale from [rows, n], whose rows are `padded` n apart. */
static void put(const real *from, int64_t rows, int64_t n, real scale, real *to,
                const mfm_attention_view *view, bool add)
{
    const int64_t step = mfm_panels_padded(n);
    for (int64_t r = 0; r < rows; r++, from += step) {
        real *at = to + r * view->row;
        if (view->column == 1 && !add)
            for (int64_t k = 0; k < n; k++)
                at[k] = scale * from[k];
        else if (view->column == 1)
            for (int64_t k = 0; k < n; k++)
                at[k] += scale * from[k];
        else
            for (int64_t k = 0; k < n; k++)
                at[k * view->column] = (add ? at[k * view->column] : 0) + scale * from[k];
    }
}

/* result [rows, n] = [it +] weights [rows, keys] by a factor [keys, n] */
static void weigh(const task *t, const real *weights, const real *factor, int64_t n, bool add)
{
    const mfm_strided a = {weights, t->b.padded, 1};
    mfm_panels_multiply(a, t->b.rows, t->b.n, factor, n, add, t->r.result, mfm_panels_padded(n));
}

/* sum [keys, n] = [it +] weights^T by a packed block [rows, n] */
static void gather(const task *t, const real *weights, const real *block, int64_t n, bool add,
                   real *sum)
{
    const mfm_strided a = {weights, 1, t->b.padded};
    mfm_panels_multiply(a, t->b.n, t->b.rows, block, n, add, sum, mfm_panels_padded(n));
}

static void block_forward(const task *t)
{
    const mfm_attention_sizes *s = &t->a->s;
    find_probabilities(t);
    if (t->pass == MFM_ATTENTION_FORWARD) {
        weigh(t, t->r.p, t->r.values, s->values, false);
    } else {
        const bool moves = find_tangent(t);
        if (moves)
            weigh(t, t->r.dp, t->r.values, s->values, false);
        if (t->l.dx[MFM_ATTENTION_V])
            weigh(t, t->r.p, t->r.dvalues, s->values, moves);
    }
    put(t->r.result, t->b.rows, s->values, 1, t->l.y + t->first * s->output.row, &s->output, false);
}

/* R, in MFM_ATTENTION_VJP_T also R'. Of g and g', and P', what is not there is zero. */
static void pull_scores(const task *t, bool moves)
{
    const mfm_attention_sizes *s = &t->a->s;
    const mfm_attention_lanes *l = &t->l;
    const mfm_strided g = strided(l->g, &s->output), dg = strided(l->dg, &s->output);
    const real *dv = l->dx[MFM_ATTENTION_V];
    const int64_t row = t->first * s->output.row;
    if (l->g)
        to_scores(t, (mfm_strided){g.at + row, g.row, g.column}, s->values, t->r.values, false,
                  t->r.g);
    else
        memset(t->r.g, 0, block_bytes(t));
    if (t->pass == MFM_ATTENTION_VJP) {
        mfm_rows_jacobian(&t->b, t->r.p, t->r.g);
        fill(t, 0, t->r.g);
        return;
    }
    if (l->dg)
        to_scores(t, (mfm_strided){dg.at + row, dg.row, dg.column}, s->values, t->r.values, false,
                  t->r.dg);
    if (l->g && dv)
        to_scores(t, (mfm_strided){g.at + row, g.row, g.column}, s->values, t->r.dvalues, l->dg,
                  t->r.dg);
    if (!l->dg && !(l->g && dv))
        memset(t->r.dg, 0, block_bytes(t));
    if (!moves)
        memset(t->r.dp, 0, block_bytes(t));
    mfm_rows_jacobian_tangent(&t->b, t->r.p, t->r.dp, t->r.g, t->r.dg);
    fill(t, 0, t->r.g);
    fill(t, 0, t->r.dg);
}

static void pull_queries(const task *t, const real *scores)
{
    const mfm_attention_sizes *s = &t->a->s;
    const mfm_attention_view *view = &s->input[MFM_ATTENTION_Q];
    if (!t->l.to[MFM_ATTENTION_Q])
        return;
    weigh(t, scores, t->r.turned, s->width, false);
    if (t->pass == MFM_ATTENTION_VJP_T && t->l.dx[MFM_ATTENTION_K])
        weigh(t, t->r.g, t->r.dturned, s->width, true);
    put(t->r.result, t->b.rows, s->width, 1, t->l.to[MFM_ATTENTION_Q] + t->first * view->row, view,
        t->l.add[MFM_ATTENTION_Q]);
}

static void pull_keys(const task *t, const real *scores)
{
    const mfm_attention_sizes *s = &t->a->s;
    const mfm_attention_view *view = &s->input[MFM_ATTENTION_Q];
    const real *dq = t->l.dx[MFM_ATTENTION_Q];
    if (!t->l.to[MFM_ATTENTION_K])
        return;
    mfm_panels_pack(block_of(t, t->l.x[MFM_ATTENTION_Q], view), t->b.rows, s->width, 1,
                    t->r.queries);
    gather(t, scores, t->r.queries, s->width, t->first > 0, t->r.sum_keys);
    if (t->pass == MFM_ATTENTION_VJP || !dq)
        return;
    mfm_panels_pack(block_of(t, dq, view), t->b.rows, s->width, 1, t->r.dqueries);
    gather(t, t->r.g, t->r.dqueries, s->width, true, t->r.sum_keys);
}

static void pull_values(const task *t, bool moves)
{
    const mfm_attention_sizes *s = &t->a->s;
    const real *direct = t->pass == MFM_ATTENTION_VJP ? t->l.g : t->l.dg; /* which P^T multiplies */
    bool add = t->first > 0;
    if (!t->l.to[MFM_ATTENTION_V])
        return;
    if (direct) {
        mfm_panels_pack(block_of(t, direct, &s->output), t->b.rows, s->values, 1, t->r.dy);
        gather(t, t->r.p, t->r.dy, s->values, add, t->r.sum_values);
        add = true;
    }
    if (t->pass == MFM_ATTENTION_VJP_T && moves && t->l.g) {
        mfm_panels_pack(block_of(t, t->l.g, &s->output), t->b.rows, s->values, 1, t->r.y);
        gather(t, t->r.dp, t->r.y, s->values, add, t->r.sum_values);
        add = true;
    }
    if (!add)
        memset(t->r.sum_values, 0, (size_t)(s->keys * mfm_panels_padded(s->values)) * sizeof(real));
}

static void pull_bias(const task *t, const real *scores)
{
    const mfm_attention_view *view = &t->a->s.input[MFM_ATTENTION_BIAS];
    real *to = t->l.to[MFM_ATTENTION_BIAS];
    if (to)
        mfm_rows_add_to(&t->b, scores, to + t->first * view->row, view->row, view->column);
}

static void block_backward(const task *t)
{
    find_probabilities(t);
    const bool moves = t->pass == MFM_ATTENTION_VJP_T && find_tangent(t);
    pull_scores(t, moves);
    const real *scores = t->pass == MFM_ATTENTION_VJP ? t->r.g : t->r.dg;
    pull_queries(t, scores);
    pull_keys(t, scores);
    pull_values(t, moves);
    pull_bias(t, scores);
}

void mfm_attention_run_matrix(const mfm_attention *a, enum mfm_attention_pass pass,
                              const mfm_attention_lanes *lanes, real *base)
{
    const mfm_attention_sizes *s = &a->s;
    task t = {.a = a, .pass = pass, .l = *lanes};
    make_room(a, base, &t.r);
    pack_factors(&t);
    for (t.first = 0; t.first < s->queries; t.first += a->rows) {
        t.b = (mfm_rows){.rows = mfm_smaller(a->rows, s->queries - t.first),
                         .n = s->keys,
                         .padded = mfm_panels_padded(s->keys)};
        if (lanes->kept)
            t.r.p = lanes->kept + t.first * t.b.padded;
        if (pass <= MFM_ATTENTION_JVP)
            block_forward(&t);
        else
            block_backward(&t);
    }
    if (lanes->to[MFM_ATTENTION_K])
        put(t.r.sum_keys, s->keys, s->width, a->scale, lanes->to[MFM_ATTENTION_K],
            &s->input[MFM_ATTENTION_K], lanes->add[MFM_ATTENTION_K]);
    if (lanes->to[MFM_ATTENTION_V])
        put(t.r.sum_values, s->keys, s->values, 1, lanes->to[MFM_ATTENTION_V],
            &s->input[MFM_ATTENTION_V], lanes->add[MFM_ATTENTION_V]);
}
