#include "op_forward.h"

#include <string.h>

typedef struct run {
    mfm_node node;
    mfm_tensor tensors[2 * MFM_SAMPLE_PORTS];
    mfm_tensor *in[MFM_SAMPLE_PORTS], *out[MFM_SAMPLE_PORTS];
    uint8_t accumulates[MFM_SAMPLE_PORTS];
    real *x[MFM_SAMPLE_PORTS], *y[MFM_SAMPLE_PORTS];
} run;

static int load(mfm_ctx *ctx, const mfm_sample *sample, const double *const *in, run *r)
{
    for (int i = 0; i < sample->n_in; i++) {
        mfm_tensor *tensor = &r->tensors[i];
        real plain[MFM_FORWARD_MOST];
        if (sample->in[i].absent)
            continue;
        tensor->shape = sample->in[i].shape;
        const int64_t count = mfm_shape_count(&tensor->shape);
        if (count > MFM_FORWARD_MOST)
            return mfm_fail(ctx, MFM_EINVAL, "input %d: %lld elements: at most %d", i,
                            (long long)count, MFM_FORWARD_MOST);
        for (int64_t k = 0; k < count; k++)
            plain[k] = in && in[i] ? (real)in[i][k] : (real)(k + 1);
        r->x[i] = mfm_alloc_aligned(ctx, (size_t)count, sizeof(real));
        if (!r->x[i])
            return MFM_ENOMEM;
        mfm_layout_to_engine(&tensor->shape, plain, r->x[i]);
        tensor->lane[MFM_X] = r->x[i];
        r->in[i] = tensor;
    }
    return MFM_OK;
}

static int go(mfm_ctx *ctx, run *r, mfm_forward_result *result)
{
    mfm_node *node = &r->node;
    int status = node->op->shape(ctx, node);
    for (int i = 0; i < node->n_out && !status; i++) {
        status = mfm_shape_check(ctx, &r->out[i]->shape, "output");
        const int64_t count = status ? 0 : mfm_shape_count(&r->out[i]->shape);
        if (count > MFM_FORWARD_MOST)
            return mfm_fail(ctx, MFM_EINVAL, "output %d: at most %d elements", i, MFM_FORWARD_MOST);
        r->y[i] = mfm_alloc_aligned(ctx, (size_t)count, sizeof(real));
        r->out[i]->lane[MFM_X] = r->y[i];
    }
    if (!status)
        status = mfm_node_setup(ctx, node);
    if (status)
        return status;
    node->scratch = mfm_alloc_aligned(ctx, node->scratch_size, sizeof(real));
    node->saved = mfm_alloc_aligned(ctx, node->saved_size, sizeof(real));
    if (mfm_code(ctx))
        return MFM_ENOMEM;
    node->impl->rule->forward(node);
    for (int i = 0; i < node->n_out; i++) {
        real plain[MFM_FORWARD_MOST];
        result->shape[i] = r->out[i]->shape;
        mfm_layout_to_row_major(&r->out[i]->shape, r->y[i], plain);
        for (int64_t k = 0; k < mfm_shape_count(&r->out[i]->shape); k++)
            result->y[i][k] = (double)plain[k];
    }
    return MFM_OK;
}

static int run_sample(mfm_ctx *ctx, const mfm_sample *sample, const double *const *in,
                      mfm_forward_result *result)
{
    run r = {.node = {.op = sample->op,
                      .name = "probe",
                      .attr = sample->attr,
                      .opset = sample->opset,
                      .training = sample->training,
                      .n_in = sample->n_in,
                      .n_out = sample->n_out}};
    r.node.in = r.in;
    r.node.out = r.out;
    r.node.accumulates = r.accumulates;
    for (int i = 0; i < sample->n_out; i++)
        r.out[i] = &r.tensors[MFM_SAMPLE_PORTS + i];
    int status = load(ctx, sample, in, &r);
    if (!status)
        status = go(ctx, &r, result);
    mfm_node_release(ctx, &r.node);
    mfm_free_aligned(ctx, r.node.scratch);
    mfm_free_aligned(ctx, r.node.saved);
    for (int i = 0; i < MFM_SAMPLE_PORTS; i++) {
        mfm_free_aligned(ctx, r.x[i]);
        mfm_free_aligned(ctx, r.y[i]);
    }
    return status;
}

int mfm_op_forward(mfm_ctx *ctx, const char *op, const char *text, const double *const *in,
                   mfm_forward_result *result)
{
    const mfm_op *found = NULL;
    for (int i = 0; mfm_ops[i] && !found; i++)
        if (strcmp(mfm_ops[i]->name, op) == 0)
            found = mfm_ops[i];
    if (!found)
        return mfm_fail(ctx, MFM_ENOTSUP, "%s: there is no such operator", op);
    mfm_sample sample;
    int status = mfm_sample_parse(ctx, found, text, &sample);
    if (status)
        return status;
    status = run_sample(ctx, &sample, in, result);
    mfm_sample_clear(ctx, &sample);
    return status;
}
