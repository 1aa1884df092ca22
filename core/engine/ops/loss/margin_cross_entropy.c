/*
 * MarginCrossEntropy (domain mfm, 1): cross-entropy of softmax over logits that are shifted by what
 * the sample's own class is. Of logits z [n, C], labels with shares t_i (loss_labels.h) and margins
 * A [C, C], with p_c = softmax(z_i + A_c) where A_c is row c,
 *     l_i = sum_c t_ic (log(sum_k exp(z_ik + A_ck)) - z_ic - A_cc)
 * LDAM subtracts its margin on the diagonal, CoSen adds the logarithms of its costs.
 *
 * With h_i the adjoint of l_i and m_c = <p_c, z'>:
 *     jvp    l'  = sum_c t_c (m_c - z_c')
 *     vjp    gz  = h sum_c t_c (p_c - e_c)
 *     vjp_t  gz' = h' sum_c t_c (p_c - e_c) + h sum_c t_c p_c (z' - m_c)
 *
 * scratch: t and p_c [n, C] each.
 */
#include "core/engine/ops/loss/loss_labels.h"

#include <tgmath.h>

enum { LOGITS, LABELS, MARGINS, TABLE };
enum { PARALLEL_FROM = 4096 };

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_shape *logits = &node->in[LOGITS]->shape;
    char text[MFM_SHAPE_TEXT];
    const int status = mfm_loss_labels_infer(ctx, node, LABELS, TABLE, logits);
    if (status)
        return status;
    const mfm_shape square = mfm_shape_of(2, logits->dim[1], logits->dim[1]);
    if (!mfm_shape_equal(&node->in[MARGINS]->shape, &square))
        return mfm_infer_fail(ctx, node, "margins %s: must be a row of %lld for each class",
                              mfm_shape_text(&node->in[MARGINS]->shape, text),
                              (long long)logits->dim[1]);
    node->out[0]->shape = mfm_shape_of(1, logits->dim[0]);
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->scratch_size = 2 * (size_t)mfm_shape_count(&node->in[LOGITS]->shape);
    return MFM_OK;
}

typedef struct sample {
    int64_t classes;
    const real *z, *dz, *margins;
    real *t, *p;
} sample;

static sample sample_of(const mfm_node *node, int64_t i)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    const real *dz = mfm_in(node, LOGITS, MFM_DX);
    const sample s = {.classes = classes,
                      .z = mfm_in(node, LOGITS, MFM_X) + i * classes,
                      .dz = dz ? dz + i * classes : NULL,
                      .margins = mfm_in(node, MARGINS, MFM_X),
                      .t = node->scratch + i * classes,
                      .p = node->scratch + (n + i) * classes};
    mfm_loss_shares(node, LABELS, TABLE, i, classes, s.t);
    return s;
}

/* p_c; returns log(sum_k exp(z_k + A_ck)). */
static real softmax(const sample *s, int64_t c)
{
    const real *a = s->margins + c * s->classes;
    real top = s->z[0] + a[0], sum = 0;
    for (int64_t k = 1; k < s->classes; k++)
        top = s->z[k] + a[k] > top ? s->z[k] + a[k] : top;
    for (int64_t k = 0; k < s->classes; k++) {
        s->p[k] = exp(s->z[k] + a[k] - top);
        sum += s->p[k];
    }
    for (int64_t k = 0; k < s->classes; k++)
        s->p[k] /= sum;
    return top + log(sum);
}

static real mean_tangent(const sample *s)
{
    real sum = 0;
    for (int64_t k = 0; k < s->classes; k++)
        sum += s->p[k] * s->dz[k];
    return sum;
}

static void forward(const mfm_node *node)
{
    const int64_t n = node->in[LOGITS]->shape.dim[0], classes = node->in[LOGITS]->shape.dim[1];
    real *losses = mfm_out(node, 0, MFM_X);
#pragma omp parallel for if (n * classes >= PARALLEL_FROM)
    for (int64_t i = 0; i < n; i++) {
        const sample s = sample_of(node, i);
        real sum = 0;
        for (int64_t c = 0; c < classes; c++)
            if (s.t[c] != 0)
                sum += s.t[c] * (softmax(&s, c) - s.z[c] - s.margins[c * classes + c]);
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
        for (int64_t c = 0; c < classes; c++) {
            if (s.t[c] == 0)
                continue;
            softmax(&s, c);
            sum += s.t[c] * (mean_tangent(&s) - s.dz[c]);
        }
        to[i] = sum;
    }
}

/* to += b (p_c - e_c) + a p_c (z' - m_c), with b and a times t_c. */
static void add_class(const sample *s, int64_t c, real b, real a, real *to)
{
    softmax(s, c);
    const real mean = a != 0 ? mean_tangent(s) : 0;
    for (int64_t k = 0; k < s->classes; k++)
        to[k] += s->p[k] * (b + (a != 0 ? a * (s->dz[k] - mean) : 0));
    to[c] -= b;
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
        for (int64_t k = 0; !add && k < classes; k++)
            to[k] = 0;
        for (int64_t c = 0; c < classes; c++)
            if (s.t[c] != 0)
                add_class(&s, c, s.t[c] * b, s.t[c] * a, to);
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
                                  {"margins", MFM_INDEX, false, false},
                                  {"table", MFM_INDEX, true, false},
                                  {0}};
static const mfm_port outputs[] = {{"losses", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {"[5,7] [5]<7 [7,7]<3", "[4,3] [4,3]<3 [3,3]<2",
                                      "[3,4] [3]<4 [4,4]<3 [4,4]<2", NULL};

const mfm_op mfm_op_margin_cross_entropy = {
    .name = "MarginCrossEntropy",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = infer_shape,
    .summary = "each sample's cross-entropy with logits shifted by its own class",
    .samples = samples,
};

const mfm_impl mfm_cpu_margin_cross_entropy = {
    .op = &mfm_op_margin_cross_entropy,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
