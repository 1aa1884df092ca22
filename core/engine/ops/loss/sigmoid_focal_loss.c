/*
 * SigmoidFocalLoss (domain mfm, 1): one focal loss a class over sigmoid probabilities, as in Cui et
 * al., CVPR 2019, equation 13; gamma 0 is the sigmoid cross-entropy. Of logits z [n, C] and labels
 * with shares t_i (loss_labels.h), S_i = sum_k t_ik, with s = sigmoid(z) and v = 1 - s,
 *     l_i = sum_k t_ik P(z_ik) + (S_i - t_ik) P(-z_ik),     P(z) = v^gamma log(1 + exp(-z))
 *     P'(z)  = -gamma s v^gamma log(1 + exp(-z)) - v^(gamma+1)
 *     P''(z) = gamma s v^gamma log(1 + exp(-z)) (gamma s - v) + (2 gamma + 1) s v^(gamma+1)
 *
 * Each logit's slope f1 = t P'(z) - (S - t) P'(-z) and curvature f2 = t P''(z) + (S - t) P''(-z)
 * give, with h_i the adjoint of l_i:
 *     jvp l' = <f1, z'>      vjp gz = h f1      vjp_t gz' = h' f1 + h f2 z'
 *
 * scratch: t [n, C].
 */
#include "core/engine/ops/loss/loss_labels.h"

#include <tgmath.h>

enum { LOGITS, LABELS, TABLE };
enum { PARALLEL_FROM = 4096 };

typedef struct sigmoid_attr {
    double gamma;
} sigmoid_attr;

static const mfm_attr_def attrs[] = {
    {.name = "gamma", .type = MFM_FLOAT, .offset = offsetof(sigmoid_attr, gamma), .fallback = 0},
    {0}};

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *logits = &node->in[LOGITS]->shape;
    const double gamma = ((const sigmoid_attr *)node->attr)->gamma;
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
    node->scratch_size = (size_t)mfm_shape_count(&node->in[LOGITS]->shape);
    return MFM_OK;
}

/* P, P' and P'' at z. */
typedef struct curve {
    real value, slope, bend;
} curve;

static curve curve_at(real z, real gamma)
{
    const real log_s = z > 0 ? log1p(exp(-z)) : log1p(exp(z)) - z; /* -log s */
    const real s = exp(-log_s), v = exp(-(log_s + z)), power = exp(-gamma * (log_s + z));
    return (curve){.value = power * log_s,
                   .slope = -gamma * s * power * log_s - power * v,
                   .bend = gamma * s * power * log_s * (gamma * s - v) +
                           (2 * gamma + 1) * s * power * v};
}

/* A logit's part of the loss, of which t belongs to the class and `rest` does not. */
static curve logit(real z, real t, real rest, real gamma)
{
    const curve yes = curve_at(z, gamma), no = curve_at(-z, gamma);
    return (curve){.value = t * yes.value + rest * no.value,
                   .slope = t * yes.slope - rest * no.slope,
                   .bend = t * yes.bend + rest * no.bend};
}

/* The passes of sample i: what is absent is not wanted. */
typedef struct sample {
    int64_t classes;
    const real *z, *dz, *t;
    real sum, gamma;
} sample;

static sample sample_of(const mfm_node *node, int64_t i)
{
    const int64_t classes = node->in[LOGITS]->shape.dim[1];
    const real *dz = mfm_in(node, LOGITS, MFM_DX);
    real *t = node->scratch + i * classes;
    const real sum = mfm_loss_shares(node, LABELS, TABLE, i, classes, t);
    return (sample){.classes = classes,
                    .z = mfm_in(node, LOGITS, MFM_X) + i * classes,
                    .dz = dz ? dz + i * classes : NULL,
                    .t = t,
                    .sum = sum,
                    .gamma = (real)((const sigmoid_attr *)node->attr)->gamma};
}

static void forward(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    real *losses = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        real sum = 0;
        for (int64_t k = 0; k < classes; k++)
            sum += logit(s.z[k], s.t[k], s.sum - s.t[k], s.gamma).value;
        losses[i] = sum;
    }
}

static void jvp(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    real *to = mfm_out(node, 0, MFM_DX);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        real sum = 0;
        for (int64_t k = 0; k < classes; k++)
            sum += logit(s.z[k], s.t[k], s.sum - s.t[k], s.gamma).slope * s.dz[k];
        to[i] = sum;
    }
}

static void add_adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    const real *h = mfm_out(node, 0, MFM_G), *outer = mfm_out(node, 0, lane);
    real *gz = mfm_in(node, LOGITS, lane);
    const bool add = mfm_accumulates(node, LOGITS, lane);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        const real a = lane == MFM_DG && h && s.dz ? h[i] : 0, b = outer ? outer[i] : 0;
        real *to = gz + i * classes;
        for (int64_t k = 0; k < classes; k++) {
            const curve c = logit(s.z[k], s.t[k], s.sum - s.t[k], s.gamma);
            to[k] = (add ? to[k] : 0) + b * c.slope + (s.dz ? a * c.bend * s.dz[k] : 0);
        }
    }
}

static void vjp(const mfm_node *node)
{
    add_adjoint(node, MFM_G);
}

static void vjp_t(const mfm_node *node)
{
    add_adjoint(node, MFM_DG);
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"logits", MFM_DATA, false, false},
                                  {"labels", MFM_INDEX, false, false},
                                  {"table", MFM_INDEX, true, false},
                                  {0}};
static const mfm_port outputs[] = {{"losses", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[5,7] [5]<7", "[4,3] [4]<3 gamma=0.5",
                                      "[4,3] [4,3]<3 gamma=2", "[3,4] [3]<4 [4,4]<3 gamma=1", NULL};

const mfm_op mfm_op_sigmoid_focal_loss = {
    .name = "SigmoidFocalLoss",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .attrs = attrs,
    .attr_size = sizeof(sigmoid_attr),
    .shape = infer_shape,
    .summary = "each sample's sum of sigmoid cross-entropies, focal with gamma above 0",
    .samples = samples,
};

const mfm_impl mfm_cpu_sigmoid_focal_loss = {
    .op = &mfm_op_sigmoid_focal_loss,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
