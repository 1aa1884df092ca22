#include "tools/derive/derivatives.h"

#include <string.h>

enum { MOST_PASSES = 4, MOST_KEPT = 9 };

/* ---- the plan ------------------------------------------------------------------------------- */

static int add_loss(mfm_derivatives *d)
{
    const mfm_op *op = mfm_op_find("mfm", "SoftmaxCrossEntropy", 1);
    const mfm_shape shape = mfm_shape_of(1, -1);
    int status = mfm_graph_input(d->network->graph, "labels", MFM_INDEX, &shape, &d->labels);
    if (status)
        return status;
    const int in[2] = {d->network->logits, d->labels};
    return mfm_graph_add(d->network->graph, op, 1, "loss", NULL, in, 2, NULL, 1, &d->loss);
}

static int seed_of(const mfm_derivatives *d)
{
    return d->spec.labels ? d->loss : d->network->logits;
}

static int keep_lanes(const mfm_derivatives *d, mfm_slot keep[MOST_KEPT])
{
    const mfm_derivatives_spec *s = &d->spec;
    const int images = d->network->images;
    int n = 0;
    keep[n++] = (mfm_slot){d->network->logits, MFM_X};
    if (s->labels)
        keep[n++] = (mfm_slot){d->loss, MFM_X};
    if (s->gradient || s->hvp)
        keep[n++] = (mfm_slot){seed_of(d), MFM_G};
    if (s->jvp || s->hvp)
        keep[n++] = (mfm_slot){seed_of(d), MFM_DX};
    if (s->jvp && s->labels)
        keep[n++] = (mfm_slot){d->network->logits, MFM_DX};
    if (s->along_images)
        keep[n++] = (mfm_slot){images, MFM_DX};
    if (s->gradient || s->hvp)
        keep[n++] = (mfm_slot){images, MFM_G};
    if (s->hvp)
        keep[n++] = (mfm_slot){images, MFM_DG};
    return n;
}

static int make_plan(mfm_derivatives *d)
{
    const mfm_derivatives_spec *s = &d->spec;
    mfm_pass passes[MOST_PASSES];
    mfm_slot keep[MOST_KEPT];
    int n = 0;
    passes[n++] = (mfm_pass){MFM_FORWARD, ~0u};
    if (s->jvp || s->hvp)
        passes[n++] = (mfm_pass){MFM_JVP, ~0u};
    if (s->gradient || s->hvp)
        passes[n++] = (mfm_pass){MFM_VJP, ~0u};
    if (s->hvp)
        passes[n++] = (mfm_pass){MFM_VJP_T, ~0u};
    const mfm_plan_spec spec = {.batch = s->batch,
                                .training = s->training,
                                .passes = passes,
                                .n_passes = n,
                                .keep = keep,
                                .n_keep = keep_lanes(d, keep),
                                .param_tangents = s->along_params,
                                .param_gradients = s->gradient || s->hvp,
                                .param_gradient_tangents = s->hvp};
    return mfm_plan_new(d->ctx, d->network->graph, &spec, &d->plan);
}

/* ---- buffers -------------------------------------------------------------------------------- */

static real *zeros(mfm_ctx *ctx, size_t count)
{
    return mfm_alloc_aligned_zeroed(ctx, count, sizeof(real));
}

static int make_buffers(mfm_derivatives *d)
{
    const size_t params = d->network->graph->params_size;
    const size_t images = (size_t)mfm_shape_count(&d->images);
    d->x = zeros(d->ctx, images);
    d->v_images = zeros(d->ctx, images);
    d->v_params = zeros(d->ctx, params);
    d->g_params = zeros(d->ctx, params);
    d->hv_params = zeros(d->ctx, params);
    d->class_numbers = zeros(d->ctx, (size_t)d->spec.batch);
    d->cotangent = zeros(d->ctx, (size_t)mfm_shape_count(&d->logits));
    return d->x && d->v_images && d->v_params && d->g_params && d->hv_params && d->class_numbers &&
                   d->cotangent
               ? MFM_OK
               : MFM_ENOMEM;
}

/* A modulator gets the uniform soft label, with the switch at 0. */
static int bind_modulator(mfm_derivatives *d)
{
    const size_t labels = (size_t)(d->spec.batch * d->network->classes);
    if (d->network->soft_label < 0)
        return MFM_OK;
    d->soft_label = zeros(d->ctx, labels);
    d->toggle = zeros(d->ctx, 1);
    if (!d->soft_label || !d->toggle)
        return MFM_ENOMEM;
    for (size_t i = 0; i < labels; i++)
        d->soft_label[i] = (real)(1.0 / (double)d->network->classes);
    mfm_plan_bind_input(d->plan, d->network->soft_label, MFM_X, d->soft_label);
    mfm_plan_bind_input(d->plan, d->network->toggle, MFM_X, d->toggle);
    return MFM_OK;
}

static void bind(mfm_derivatives *d)
{
    const mfm_graph *graph = d->network->graph;
    mfm_plan_bind_params(d->plan, MFM_X, graph->params);
    mfm_plan_bind_params(d->plan, MFM_DX, d->v_params);
    mfm_plan_bind_params(d->plan, MFM_G, d->g_params);
    mfm_plan_bind_params(d->plan, MFM_DG, d->hv_params);
    mfm_plan_bind_state(d->plan, graph->state);
    mfm_plan_bind_input(d->plan, d->network->images, MFM_X, d->x);
    if (d->spec.along_images)
        mfm_plan_bind_input(d->plan, d->network->images, MFM_DX, d->v_images);
    if (d->spec.labels)
        mfm_plan_bind_input(d->plan, d->labels, MFM_X, d->class_numbers);
    mfm_plan_set_step(d->plan, MFM_STREAM_DROPOUT, d->spec.seed, 0);
}

int mfm_derivatives_init(mfm_ctx *ctx, mfm_network *network, const mfm_derivatives_spec *spec,
                         mfm_derivatives *d)
{
    *d = (mfm_derivatives){.ctx = ctx, .spec = *spec, .network = network, .labels = -1, .loss = -1};
    d->images = network->graph->values[network->images].shape;
    d->images.dim[0] = spec->batch;
    d->logits = (mfm_shape){.rank = 2, .dim = {spec->batch, network->classes}};
    int status = spec->labels ? add_loss(d) : MFM_OK;
    if (!status)
        status = make_plan(d);
    if (!status)
        status = make_buffers(d);
    if (!status)
        bind(d);
    if (!status)
        status = bind_modulator(d);
    return status ? status : mfm_plan_check_bound(d->plan);
}

void mfm_derivatives_clear(mfm_derivatives *d)
{
    if (!d->ctx)
        return;
    mfm_plan_free(d->plan);
    real *const buffers[] = {d->x,        d->class_numbers, d->cotangent,  d->v_images, d->v_params,
                             d->g_params, d->hv_params,     d->soft_label, d->toggle};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        mfm_free_aligned(d->ctx, buffers[i]);
    *d = (mfm_derivatives){.ctx = NULL};
}

/* ---- the passes ----------------------------------------------------------------------------- */

static double dot(const real *a, const real *b, const mfm_shape *shape)
{
    const int64_t count = mfm_shape_count(shape);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

void mfm_derivatives_run(mfm_derivatives *d)
{
    const bool tangents = d->spec.jvp || d->spec.hvp, adjoints = d->spec.gradient || d->spec.hvp;
    int pass = 0;
    mfm_plan_run(d->plan, pass++);
    if (tangents)
        mfm_plan_run(d->plan, pass++);
    if (adjoints) {
        real *seed = mfm_plan_lane(d->plan, seed_of(d), MFM_G);
        if (d->spec.labels)
            seed[0] = 1;
        else
            memcpy(seed, d->cotangent, (size_t)mfm_shape_count(&d->logits) * sizeof *seed);
        mfm_plan_run(d->plan, pass++);
    }
    if (d->spec.hvp)
        mfm_plan_run(d->plan, pass++);
    const real *z = mfm_plan_lane(d->plan, seed_of(d), MFM_X);
    const real *dz = tangents ? mfm_plan_lane(d->plan, seed_of(d), MFM_DX) : NULL;
    d->value = d->spec.labels ? (double)z[0] : dot(z, d->cotangent, &d->logits);
    d->along = !dz ? 0 : d->spec.labels ? (double)dz[0] : dot(dz, d->cotangent, &d->logits);
}

const real *mfm_derivatives_of_images(const mfm_derivatives *d, bool hvp)
{
    return mfm_plan_lane(d->plan, d->network->images, hvp ? MFM_DG : MFM_G);
}

const real *mfm_derivatives_of_param(const mfm_derivatives *d, const mfm_value *param, bool hvp)
{
    return (hvp ? d->hv_params : d->g_params) + param->offset;
}

const real *mfm_derivatives_jvp(const mfm_derivatives *d)
{
    return d->spec.jvp ? mfm_plan_lane(d->plan, d->network->logits, MFM_DX) : NULL;
}
