/*
 * MeanLoss (domain mfm, 1): the mean of losses l [n] with optional sample weights w [n] (all 1 when
 * absent),
 *     loss = (1/D) sum_i w_i l_i,
 * where D = n; or, given labels, the sum of all their shares (loss_labels.h): the class weights of
 * the batch's labels, as in PyTorch's weighted CrossEntropyLoss.
 *     jvp    loss' = (1/D) sum_i (w_i l_i' + w_i' l_i)
 *     vjp    gl_i = w_i G / D,  gw_i = l_i G / D
 *     vjp_t  gl_i' = (w_i' G + w_i G') / D,  gw_i' = (l_i' G + l_i G') / D
 *
 * The sums, and n, are those of all ranks.
 *
 * saved: D. Labels of one class number each give n shares of 1, or those of their rows in the
 * table [C, C], which is then needed. A batch whose shares sum to 0 has the loss 0.
 */
#include "core/engine/kernels/sample_sum.h"
#include "core/engine/ops/loss/loss_labels.h"

enum { LOSSES, WEIGHTS, LABELS, TABLE };

static const mfm_tensor *input(const mfm_node *node, int slot)
{
    return slot < node->n_in ? node->in[slot] : NULL;
}

/* Shapes that tell the classes: of the table, or of shares. */
static int64_t classes_of(const mfm_node *node)
{
    const mfm_tensor *table = input(node, TABLE), *labels = input(node, LABELS);
    return table ? table->shape.dim[0] : labels ? labels->shape.dim[1] : 0;
}

static int infer_shape(mfm_ctx *ctx, mfm_node *node)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *losses = &node->in[LOSSES]->shape;
    const mfm_tensor *weights = input(node, WEIGHTS), *labels = input(node, LABELS);
    if (losses->rank != 1 || losses->dim[0] < 1)
        return mfm_infer_fail(ctx, node, "losses %s: must be one number for each sample",
                              mfm_shape_text(losses, text));
    if (weights && !mfm_shape_equal(&weights->shape, losses))
        return mfm_infer_fail(ctx, node, "weights %s: must be one number for each of %lld samples",
                              mfm_shape_text(&weights->shape, text), (long long)losses->dim[0]);
    if (labels && !input(node, TABLE) && labels->shape.rank != 2)
        return mfm_infer_fail(ctx, node, "labels %s: class numbers need a table",
                              mfm_shape_text(&labels->shape, text));
    if (labels) {
        const mfm_shape logits = mfm_shape_of(2, losses->dim[0], classes_of(node));
        const int status = mfm_loss_labels_infer(ctx, node, LABELS, TABLE, &logits);
        if (status)
            return status;
    }
    node->out[0]->shape = mfm_shape_of(0);
    return MFM_OK;
}

static int setup(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->scratch_size = input(node, LABELS) ? (size_t)classes_of(node) : 0;
    node->saved_size = 1;
    return MFM_OK;
}

static real element(const real *lane, int64_t i, real absent)
{
    return lane ? lane[i] : absent;
}

static int64_t samples_of(const mfm_node *node)
{
    return node->in[LOSSES]->shape.dim[0];
}

static double share_of_labels(const mfm_node *node, int64_t i)
{
    return (double)mfm_loss_shares(node, LABELS, TABLE, i, classes_of(node), node->scratch);
}

/* w_i l_i */
static double weighted_loss(const mfm_node *node, int64_t i)
{
    return (double)element(mfm_in(node, WEIGHTS, MFM_X), i, 1) *
           (double)mfm_in(node, LOSSES, MFM_X)[i];
}

static void forward(const mfm_node *node)
{
    const int64_t n = samples_of(node);
    const double divisor = input(node, LABELS) ? mfm_sample_sum(node, n, share_of_labels)
                                               : (double)mfm_sample_count(node, n);
    node->saved[0] = (real)(divisor == 0 ? 1 : divisor);
    mfm_out(node, 0, MFM_X)[0] =
        (real)(mfm_sample_sum(node, n, weighted_loss) / (double)node->saved[0]);
}

/* w_i l_i' + w_i' l_i */
static double weighted_tangent(const mfm_node *node, int64_t i)
{
    return (double)element(mfm_in(node, WEIGHTS, MFM_X), i, 1) *
               (double)element(mfm_in(node, LOSSES, MFM_DX), i, 0) +
           (double)element(mfm_in(node, WEIGHTS, MFM_DX), i, 0) *
               (double)mfm_in(node, LOSSES, MFM_X)[i];
}

static void jvp(const mfm_node *node)
{
    const double sum = mfm_sample_sum(node, samples_of(node), weighted_tangent);
    mfm_out(node, 0, MFM_DX)[0] = (real)(sum / (double)node->saved[0]);
}

/* to_i = [to_i +] (dx_i g + x_i dg) / D: what one factor's adjoint gets from the other factor. */
static void add_product(const mfm_node *node, int slot, enum mfm_lane lane, const real *x,
                        const real *dx, real g, real dg)
{
    const int64_t n = samples_of(node);
    const real divisor = node->saved[0];
    real *to = mfm_in(node, slot, lane);
    if (!to)
        return;
    const bool add = mfm_accumulates(node, slot, lane);
    for (int64_t i = 0; i < n; i++)
        to[i] = (add ? to[i] : 0) + (element(dx, i, 0) * g + element(x, i, 1) * dg) / divisor;
}

static void vjp(const mfm_node *node)
{
    const real g = element(mfm_out(node, 0, MFM_G), 0, 0);
    add_product(node, LOSSES, MFM_G, mfm_in(node, WEIGHTS, MFM_X), NULL, 0, g);
    add_product(node, WEIGHTS, MFM_G, mfm_in(node, LOSSES, MFM_X), NULL, 0, g);
}

static void vjp_t(const mfm_node *node)
{
    const real g = element(mfm_out(node, 0, MFM_G), 0, 0);
    const real dg = element(mfm_out(node, 0, MFM_DG), 0, 0);
    add_product(node, LOSSES, MFM_DG, mfm_in(node, WEIGHTS, MFM_X), mfm_in(node, WEIGHTS, MFM_DX),
                g, dg);
    add_product(node, WEIGHTS, MFM_DG, mfm_in(node, LOSSES, MFM_X), mfm_in(node, LOSSES, MFM_DX), g,
                dg);
}

static const mfm_rule rule = {forward, jvp, vjp, vjp_t};
static const mfm_port inputs[] = {{"losses", MFM_DATA, false, false},
                                  {"weights", MFM_DATA, true, false},
                                  {"labels", MFM_INDEX, true, false},
                                  {"table", MFM_INDEX, true, false},
                                  {0}};
static const mfm_port outputs[] = {{"loss", MFM_DATA, false, false}, {0}};
static const char *const samples[] = {
    "[5]", "[5] [5]", "[4] - [4]<3 [3,3]<4", "[4] [4]+ [4,3]<4", "[3] [3] [3,2]<3 [2,2]<3",
    "[1]", NULL};

const mfm_op mfm_op_mean_loss = {
    .name = "MeanLoss",
    .domain = "mfm",
    .since = 1,
    .inputs = inputs,
    .outputs = outputs,
    .shape = infer_shape,
    .summary = "mean of losses with sample weights, over samples or over the labels' weights",
    .samples = samples,
};

const mfm_impl mfm_cpu_mean_loss = {
    .op = &mfm_op_mean_loss,
    .backend = MFM_CPU,
    .setup = setup,
    .rule = &rule,
    .reads = MFM_READS_IN,
};
