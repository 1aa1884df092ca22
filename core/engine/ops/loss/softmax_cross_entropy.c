/*
 * SoftmaxCrossEntropy (domain mfm, 1): the training loss over logits z [n, C], labels and optional
 * sample weights w [n] (all 1 when absent). Labels are class numbers or shares t_i of the classes,
 * see loss_labels.h; with S_i = sum_k t_ik, which is 1 for a class number,
 *     l_i  = sum_k t_ik (log(sum_j exp z_ij) - z_ik)      output 1, optional: losses [n]
 *     loss = (1/n) sum_i w_i l_i                          output 0: a scalar
 *
 * With p = softmax(z), G and h the adjoints of the two outputs and a_i = w_i G / n + h_i the
 * adjoint of l_i:
 *     jvp    l_i'  = <S_i p_i - t_i, z_i'>
 *            loss' = (1/n) sum_i (w_i l_i' + w_i' l_i)
 *     vjp    gz_i  = a_i (S_i p_i - t_i)
 *            gw_i  = G l_i / n
 *     vjp_t  gz_i' = a_i' (S_i p_i - t_i) + a_i S_i p_i',      p_i' = p_i (z_i' - <p_i, z_i'>)
 *            gw_i' = (G' l_i + G l_i') / n
 *     with   a_i'  = (w_i' G + w_i G') / n + h_i'.
 *
 * n counts the samples of all ranks, over which the sums are taken; each has its own losses.
 *
 * saved: p [n, C], then l [n]. scratch: t [n, C] where labels are shares. A class number outside
 * 0 .. C-1 makes its loss NaN, which the trainer notices; it selects nothing.
 */
#include "core/engine/kernels/sample_sum.h"
#include "core/engine/ops/loss/loss_labels.h"

#include <tgmath.h>

enum { LOGITS, LABELS, WEIGHTS, TABLE };
enum { PARALLEL_FROM = 16384 };

/* The sizes and saved parts of a node. */
typedef struct batch {
    int64_t n, classes;
    int64_t all; /* samples of all ranks */
    real *p, *losses;
} batch;

static batch batch_of(const mfm_node *node)
{
    const int64_t *dim = node->in[LOGITS]->shape.dim;
    return (batch){.n = dim[0],
                   .classes = dim[1],
                   .all = mfm_sample_count(node, dim[0]),
                   .p = node->saved,
                   .losses = node->saved + dim[0] * dim[1]};
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *logits = &node->in[LOGITS]->shape;
    char text[MFM_SHAPE_TEXT];
    const int status = mfm_loss_labels_infer(ctx, node, LABELS, TABLE, logits);
    if (status)
        return status;
    const mfm_shape per_sample = {.rank = 1, .dim = {logits->dim[0]}};
    if (node->n_in > WEIGHTS && node->in[WEIGHTS] &&
        !mfm_shape_equal(&node->in[WEIGHTS]->shape, &per_sample))
        return mfm_infer_fail(ctx, node, "weights %s: must be one number for each of %lld samples",
                              mfm_shape_text(&node->in[WEIGHTS]->shape, text),
                              (long long)logits->dim[0]);
    node->out[0]->shape = mfm_shape_of(0);
    if (node->n_out > 1 && node->out[1])
        node->out[1]->shape = per_sample;
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    const mfm_shape *logits = &node->in[LOGITS]->shape;
    if (mfm_loss_labels_soft(node, LABELS, TABLE))
        node->scratch_size = (size_t)(logits->dim[0] * logits->dim[1]);
    node->saved_size = (size_t)(logits->dim[0] * (logits->dim[1] + 1));
    return MFM_OK;
}

/* The class of sample i, -1 when its label is no class number. */
static int64_t class_of(const mfm_node *node, const batch *b, int64_t i)
{
    return mfm_loss_class(node, LABELS, i, b->classes);
}

/* t_i where labels are shares, with its sum; NULL where they are class numbers. */
static const real *shares(const mfm_node *node, const batch *b, int64_t i, real *sum)
{
    *sum = 1;
    if (!node->scratch_size)
        return NULL;
    real *t = node->scratch + i * b->classes;
    *sum = mfm_loss_shares(node, LABELS, TABLE, i, b->classes, t);
    return t;
}

static real weight(const mfm_node *node, int64_t i)
{
    const real *w = mfm_in(node, WEIGHTS, MFM_X);
    return w ? w[i] : 1;
}

/* Element i of a lane that may be absent. */
static real element(const real *lane, int64_t i)
{
    return lane ? lane[i] : 0;
}

/* Softmax of one sample into p; returns log sum exp z. */
static real softmax(int64_t classes, const real *z, real *p)
{
    real top = z[0];
    for (int64_t k = 1; k < classes; k++)
        top = z[k] > top ? z[k] : top;
    real sum = 0;
    for (int64_t k = 0; k < classes; k++) {
        p[k] = exp(z[k] - top);
        sum += p[k];
    }
    for (int64_t k = 0; k < classes; k++)
        p[k] /= sum;
    return top + log(sum);
}

static real dot(int64_t n, const real *a, const real *b)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++)
        sum += a[k] * b[k];
    return sum;
}

/* w_i l_i, saved */
static double weighted_loss(const mfm_node *node, int64_t i)
{
    return (double)weight(node, i) * (double)batch_of(node).losses[i];
}

static void forward(const mfm_node *node)
{
    const batch b = batch_of(node);
    const real *z = mfm_in(node, LOGITS, MFM_X);
    real *losses = mfm_out(node, 1, MFM_X);
#pragma omp parallel for if (b.n * b.classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < b.n; i++) {
        const real *row = z + i * b.classes;
        const real log_sum = softmax(b.classes, row, b.p + i * b.classes);
        real sum;
        const real *t = shares(node, &b, i, &sum);
        const int64_t class = t ? 0 : class_of(node, &b, i);
        b.losses[i] = class < 0 ? (real)NAN
                      : t       ? sum * log_sum - dot(b.classes, t, row)
                                : log_sum - row[class];
    }
    for (int64_t i = 0; losses && i < b.n; i++)
        losses[i] = b.losses[i];
    const double sum = mfm_sample_sum(node, b.n, weighted_loss);
    mfm_out(node, 0, MFM_X)[0] = (real)(sum / (double)b.all);
}

/* <p_i, z_i'> */
static real mean_tangent(const batch *b, int64_t i, const real *dz)
{
    return dot(b->classes, b->p + i * b->classes, dz + i * b->classes);
}

/* l_i' */
static real loss_tangent(const mfm_node *node, const batch *b, int64_t i)
{
    const real *dz = mfm_in(node, LOGITS, MFM_DX);
    if (!dz)
        return 0;
    real sum;
    const real *t = shares(node, b, i, &sum);
    if (t)
        return sum * mean_tangent(b, i, dz) - dot(b->classes, t, dz + i * b->classes);
    const int64_t class = class_of(node, b, i);
    return mean_tangent(b, i, dz) - (class < 0 ? 0 : dz[i * b->classes + class]);
}

/* w_i l_i' + w_i' l_i */
static double weighted_tangent(const mfm_node *node, int64_t i)
{
    const batch b = batch_of(node);
    return (double)weight(node, i) * (double)loss_tangent(node, &b, i) +
           (double)element(mfm_in(node, WEIGHTS, MFM_DX), i) * (double)b.losses[i];
}

static void jvp(const mfm_node *node)
{
    const batch b = batch_of(node);
    real *loss = mfm_out(node, 0, MFM_DX), *losses = mfm_out(node, 1, MFM_DX);
    for (int64_t i = 0; losses && i < b.n; i++)
        losses[i] = loss_tangent(node, &b, i);
    if (loss)
        loss[0] = (real)(mfm_sample_sum(node, b.n, weighted_tangent) / (double)b.all);
}

/* gz_i = [gz_i +] a (S_i p_i - t_i) */
static void add_residual(const mfm_node *node, const batch *b, int64_t i, real a, real *gz,
                         bool add)
{
    const real *restrict p = b->p + i * b->classes;
    real *restrict to = gz + i * b->classes;
    real sum;
    const real *restrict t = shares(node, b, i, &sum);
    if (t) {
        for (int64_t k = 0; k < b->classes; k++)
            to[k] = (add ? to[k] : 0) + a * (sum * p[k] - t[k]);
        return;
    }
    const int64_t class = class_of(node, b, i);
    for (int64_t k = 0; k < b->classes; k++)
        to[k] = (add ? to[k] : 0) + a * p[k];
    if (class >= 0)
        to[class] -= a;
}

/* a_i */
static real loss_adjoint(const mfm_node *node, const batch *b, int64_t i)
{
    const real g = element(mfm_out(node, 0, MFM_G), 0);
    return weight(node, i) * g / (real)b->all + element(mfm_out(node, 1, MFM_G), i);
}

static void vjp_logits(const mfm_node *node, const batch *b, real *gz)
{
    const bool add = mfm_accumulates(node, LOGITS, MFM_G);
#pragma omp parallel for if (b->n * b->classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < b->n; i++)
        add_residual(node, b, i, loss_adjoint(node, b, i), gz, add);
}

static void vjp(const mfm_node *node)
{
    const batch b = batch_of(node);
    real *gz = mfm_in(node, LOGITS, MFM_G), *gw = mfm_in(node, WEIGHTS, MFM_G);
    const real g = element(mfm_out(node, 0, MFM_G), 0) / (real)b.all;
    const bool add = gw && mfm_accumulates(node, WEIGHTS, MFM_G);
    if (gz)
        vjp_logits(node, &b, gz);
    for (int64_t i = 0; gw && i < b.n; i++)
        gw[i] = (add ? gw[i] : 0) + g * b.losses[i];
}

/* a_i' */
static real loss_adjoint_tangent(const mfm_node *node, const batch *b, int64_t i)
{
    const real g = element(mfm_out(node, 0, MFM_G), 0), dg = element(mfm_out(node, 0, MFM_DG), 0);
    const real dw = element(mfm_in(node, WEIGHTS, MFM_DX), i);
    return (dw * g + weight(node, i) * dg) / (real)b->all + element(mfm_out(node, 1, MFM_DG), i);
}

/* gz_i += a p_i' */
static void add_softmax_tangent(const batch *b, int64_t i, real a, const real *dz, real *gz)
{
    const real mean = mean_tangent(b, i, dz);
    const int64_t at = i * b->classes;
    for (int64_t k = 0; k < b->classes; k++)
        gz[at + k] += a * b->p[at + k] * (dz[at + k] - mean);
}

static void vjp_t_logits(const mfm_node *node, const batch *b, real *gz)
{
    const real *dz = mfm_in(node, LOGITS, MFM_DX);
    const bool add = mfm_accumulates(node, LOGITS, MFM_DG);
#pragma omp parallel for if (b->n * b->classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < b->n; i++) {
        add_residual(node, b, i, loss_adjoint_tangent(node, b, i), gz, add);
        real sum;
        shares(node, b, i, &sum);
        if (dz)
            add_softmax_tangent(b, i, sum * loss_adjoint(node, b, i), dz, gz);
    }
}

static void vjp_t(const mfm_node *node)
{
    const batch b = batch_of(node);
    real *gz = mfm_in(node, LOGITS, MFM_DG), *gw = mfm_in(node, WEIGHTS, MFM_DG);
    const real g = element(mfm_out(node, 0, MFM_G), 0), dg = element(mfm_out(node, 0, MFM_DG), 0);
    const bool add = gw && mfm_accumulates(node, WEIGHTS, MFM_DG);
    if (gz)
        vjp_t_logits(node, &b, gz);
    for (int64_t i = 0; gw && i < b.n; i++)
        gw[i] =
            (add ? gw[i] : 0) + (dg * b.losses[i] + g * loss_tangent(node, &b, i)) / (real)b.all;
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"logits", MFM_DATA, false, false},
                                  {"labels", MFM_INDEX, false, false},
                                  {"weights", MFM_DATA, true, false},
                                  {"table", MFM_INDEX, true, false},
                                  {0}};
static const mfm_port outputs[] = {
    {"loss", MFM_DATA, false, false}, {"losses", MFM_DATA, true, false}, {0}};
static const char *const samples[] = {"[5,7] [5]<7",
                                      "[5,7] [5]<7 [5]",
                                      "[4,3] [4]<3 outputs=2",
                                      "[4,3] [4]<3 [4]+ outputs=2",
                                      "[1,10] [1]<10",
                                      "[3,1] [3]<1 [3]",
                                      "[4,3] [4,3]<3 [4]+ outputs=2",
                                      "[4,5] [4]<5 - [5,5]<3",
                                      "[2,3] [2,3]<2 [2] [3,3]<2",
                                      NULL};

const mfm_op mfm_op_softmax_cross_entropy = {
    .name = "SoftmaxCrossEntropy",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = infer_shape,
    .summary = "mean of weighted cross-entropies of softmax(logits), and each sample's own",
    .samples = samples,
};

const mfm_impl mfm_cpu_softmax_cross_entropy = {
    .op = &mfm_op_softmax_cross_entropy,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
