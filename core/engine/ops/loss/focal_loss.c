/*
 * FocalLoss (domain mfm, 1): Lin et al., ICCV 2017, over softmax probabilities: of logits z [n, C]
 * and labels with shares t_i (loss_labels.h), with u = log softmax(z), p = exp u, q = 1 - p,
 *     l_i = sum_k t_ik F(u_ik),      F(u) = -q^gamma u
 *     F'(u)  = gamma q^(gamma-1) p u - q^gamma
 *     F''(u) = gamma q^(gamma-1) p (u + 2) - gamma (gamma-1) q^(gamma-2) p^2 u
 *
 * With h_i the adjoint of l_i, r_k = t_k F'(u_k), R = sum_k r_k, m = <p, z'> and u_k' = z_k' - m:
 *     jvp    l' = sum_k r_k u_k'
 *     vjp    gz = h (r - R p)
 *     vjp_t  gz' = h' (r - R p) + h (r' - R' p - R p'),   r_k' = t_k F''(u_k) u_k',  p_k' = p_k
 * u_k' For gamma below 2 the powers of q are not bounded at q = 0, where u is 0 as well: q is kept
 * off zero, and the products are right there.
 *
 * saved: u [n, C]. scratch: t, r, r' [n, C] each.
 */
#include "core/engine/ops/loss/loss_labels.h"

#include <tgmath.h>

enum { LOGITS, LABELS, TABLE };
enum { PARALLEL_FROM = 4096 };

typedef struct focal_attr {
    double gamma;
} focal_attr;

static const mfm_attr_def attrs[] = {
    {.name = "gamma", .type = MFM_FLOAT, .offset = offsetof(focal_attr, gamma), .fallback = 1},
    {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *logits = &node->in[LOGITS]->shape;
    const double gamma = ((const focal_attr *)node->attr)->gamma;
    const int status = mfm_loss_labels_infer(ctx, node, LABELS, TABLE, logits);
    if (status)
        return status;
    if (!isfinite(gamma) || gamma < 0)
        return mfm_infer_fail(ctx, node, "gamma %g: must be finite and not negative", gamma);
    node->out[0]->shape = mfm_shape_of(1, logits->dim[0]);
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->saved_size = (size_t)mfm_shape_count(&node->in[LOGITS]->shape);
    node->scratch_size = 3 * node->saved_size;
    return MFM_OK;
}

/* One sample: its rows, and gamma. */
typedef struct sample {
    int64_t classes;
    const real *u;
    real *t, *r, *dr;
    real gamma;
} sample;

static sample sample_of(const mfm_node *node, int64_t i)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    real *row = node->scratch + i * classes;
    sample s = {.classes = classes,
                .u = node->saved + i * classes,
                .t = row,
                .r = row + n * classes,
                .dr = row + 2 * n * classes,
                .gamma = (real)((const focal_attr *)node->attr)->gamma};
    mfm_loss_shares(node, LABELS, TABLE, i, classes, s.t);
    return s;
}

static real complement(real u)
{
    const real q = -expm1(u), least = sizeof(real) == sizeof(float) ? (real)1e-18 : (real)1e-100;
    return q > least ? q : least;
}

static void log_softmax(int64_t classes, const real *z, real *u)
{
    real top = z[0], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        top = z[k] > top ? z[k] : top;
    for (int64_t k = 0; k < classes; k++)
        sum += exp(z[k] - top);
    const real log_sum = top + log(sum);
    for (int64_t k = 0; k < classes; k++)
        u[k] = z[k] - log_sum;
}

static void forward(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    const real *z = mfm_in(node, LOGITS, MFM_X);
    real *losses = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        log_softmax(classes, z + i * classes, node->saved + i * classes);
        const sample s = sample_of(node, i);
        real sum = 0;
        for (int64_t k = 0; k < classes; k++)
            sum -= s.t[k] != 0 ? s.t[k] * pow(complement(s.u[k]), s.gamma) * s.u[k] : 0;
        losses[i] = sum;
    }
}

/* r and, with dz, r' of a sample; *R and *dR are their sums, *mean is <p, z'>. */
static void slopes(const sample *s, const real *dz, real *R, real *dR, real *mean)
{
    const real g = s->gamma;
    *R = *dR = *mean = 0;
    for (int64_t k = 0; dz && k < s->classes; k++)
        *mean += exp(s->u[k]) * dz[k];
    for (int64_t k = 0; k < s->classes; k++) {
        s->r[k] = s->dr[k] = 0;
        if (s->t[k] == 0)
            continue;
        const real u = s->u[k], p = exp(u), q = complement(u), power = pow(q, g);
        s->r[k] = s->t[k] * (g * power / q * p * u - power);
        if (dz)
            s->dr[k] =
                s->t[k] * g * power / q * p * (u + 2 - (g - 1) * p * (u / q)) * (dz[k] - *mean);
        *R += s->r[k];
        *dR += s->dr[k];
    }
}

static void jvp(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    const real *dz = mfm_in(node, LOGITS, MFM_DX);
    real *to = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        const real *row = dz + i * classes;
        real R, dR, mean, sum = 0;
        slopes(&s, row, &R, &dR, &mean);
        for (int64_t k = 0; k < classes; k++)
            sum += s.r[k] * (row[k] - mean);
        to[i] = sum;
    }
}

static void vjp(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    const real *h = mfm_out(node, 0, MFM_G);
    real *gz = mfm_in(node, LOGITS, MFM_G);
    const bool add = mfm_accumulates(node, LOGITS, MFM_G);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        real R, dR, mean, *to = gz + i * classes;
        slopes(&s, NULL, &R, &dR, &mean);
        for (int64_t k = 0; k < classes; k++)
            to[k] = (add ? to[k] : 0) + h[i] * (s.r[k] - R * exp(s.u[k]));
    }
}

static void vjp_t(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    const real *h = mfm_out(node, 0, MFM_G), *dh = mfm_out(node, 0, MFM_DG);
    const real *dz = mfm_in(node, LOGITS, MFM_DX);
    real *gz = mfm_in(node, LOGITS, MFM_DG);
    const bool add = mfm_accumulates(node, LOGITS, MFM_DG);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        const real *row = dz ? dz + i * classes : NULL;
        const real a = h && row ? h[i] : 0, da = dh ? dh[i] : 0;
        real R, dR, mean, *to = gz + i * classes;
        slopes(&s, row, &R, &dR, &mean);
        for (int64_t k = 0; k < classes; k++) {
            const real p = exp(s.u[k]), dp = row ? p * (row[k] - mean) : 0;
            to[k] = (add ? to[k] : 0) + da * (s.r[k] - R * p) + a * (s.dr[k] - dR * p - R * dp);
        }
    }
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"logits", MFM_DATA, false, false},
                                  {"labels", MFM_INDEX, false, false},
                                  {"table", MFM_INDEX, true, false},
                                  {0}};
static const mfm_port outputs[] = {{"losses", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[5,7] [5]<7 gamma=1",   "[4,3] [4]<3 gamma=0.5",
                                      "[4,3] [4,3]<3 gamma=2", "[3,4] [3]<4 [4,4]<3 gamma=1.5",
                                      "[3,4] [3]<4 gamma=0",   NULL};

const mfm_op mfm_op_focal_loss = {
    .name = "FocalLoss",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(focal_attr),
    .shape = infer_shape,
    .summary = "each sample's focal loss over softmax probabilities",
    .samples = samples,
};

const mfm_impl mfm_cpu_focal_loss = {
    .op = &mfm_op_focal_loss,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
