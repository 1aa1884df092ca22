#include "tools/infer/model_values.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "onnx/import/import.h"

typedef struct inference {
    mfm_ctx *ctx;
    mfm_network *network;
    mfm_plan *plan;
    int64_t n;
    int *wanted; /* values of the graph */
    real *images, *soft_label, *toggle;
} inference;

static int make_plan(inference *r, mfm_model *model, const char *const *names, size_t count)
{
    r->wanted = mfm_alloc(r->ctx, count, sizeof *r->wanted);
    int status = r->wanted ? mfm_model_untie(r->ctx, model, NULL) : MFM_ENOMEM;
    if (!status)
        status = mfm_model_import_values(r->ctx, model, names, count, &r->network, r->wanted);
    return status
               ? status
               : mfm_plan_new_forward(r->ctx, r->network->graph, r->n, r->wanted, count, &r->plan);
}

/* Numbers by their place in row-major order, so that they are the same however they are stored. */
static int draw_images(inference *r)
{
    mfm_shape shape = r->network->graph->values[r->network->images].shape;
    shape.dim[0] = r->n;
    const size_t count = (size_t)mfm_shape_count(&shape);
    const mfm_key key = {.stream = MFM_STREAM_TEST};
    real *row_major = mfm_alloc_aligned(r->ctx, count, sizeof *row_major);
    r->images = mfm_alloc_aligned(r->ctx, count, sizeof *r->images);
    const bool room = row_major && r->images;
    for (size_t i = 0; i < count && room; i++)
        row_major[i] = (real)mfm_random_normal(&key, i);
    if (room)
        mfm_layout_to_engine(&shape, row_major, r->images);
    mfm_free_aligned(r->ctx, row_major);
    return room ? MFM_OK : MFM_ENOMEM;
}

static int bind(inference *r)
{
    const mfm_network *network = r->network;
    mfm_plan_bind_params(r->plan, MFM_X, network->graph->params);
    mfm_plan_bind_state(r->plan, network->graph->state);
    mfm_plan_bind_input(r->plan, network->images, MFM_X, r->images);
    if (network->soft_label < 0)
        return MFM_OK;
    const size_t labels = (size_t)(r->n * network->classes);
    r->soft_label = mfm_alloc_aligned(r->ctx, labels, sizeof *r->soft_label);
    r->toggle = mfm_alloc_aligned(r->ctx, 1, sizeof *r->toggle);
    if (!r->soft_label || !r->toggle)
        return MFM_ENOMEM;
    r->toggle[0] = 0;
    for (size_t i = 0; i < labels; i++)
        r->soft_label[i] = (real)(1.0 / (double)network->classes);
    mfm_plan_bind_input(r->plan, network->soft_label, MFM_X, r->soft_label);
    mfm_plan_bind_input(r->plan, network->toggle, MFM_X, r->toggle);
    return MFM_OK;
}

int mfm_model_values_read(mfm_ctx *ctx, const mfm_plan *plan, const int *from, size_t count,
                          mfm_model_value *values)
{
    for (size_t i = 0; i < count; i++) {
        values[i].shape = *mfm_plan_shape(plan, from[i]);
        values[i].numbers = mfm_alloc_aligned(ctx, (size_t)mfm_shape_count(&values[i].shape),
                                              sizeof *values[i].numbers);
        if (!values[i].numbers)
            return MFM_ENOMEM;
        mfm_layout_to_row_major(&values[i].shape, mfm_plan_lane(plan, from[i], MFM_X),
                                values[i].numbers);
    }
    return MFM_OK;
}

int mfm_model_values(mfm_ctx *ctx, mfm_model *model, size_t n, const char *const *names,
                     size_t count, mfm_model_value *values)
{
    inference r = {.ctx = ctx, .n = (int64_t)n};
    memset(values, 0, count * sizeof *values);
    int status = make_plan(&r, model, names, count);
    if (!status)
        status = draw_images(&r);
    if (!status)
        status = bind(&r);
    if (!status) {
        mfm_plan_run(r.plan, 0);
        status = mfm_model_values_read(ctx, r.plan, r.wanted, count, values);
    }
    mfm_plan_free(r.plan);
    mfm_network_free(ctx, r.network);
    mfm_free(ctx, r.wanted);
    mfm_free_aligned(ctx, r.images);
    mfm_free_aligned(ctx, r.soft_label);
    mfm_free_aligned(ctx, r.toggle);
    return status;
}

void mfm_model_values_free(mfm_ctx *ctx, mfm_model_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mfm_free_aligned(ctx, values[i].numbers);
}

double mfm_model_value_apart(const mfm_model_value *a, const mfm_model_value *b)
{
    const int64_t count = mfm_shape_count(&b->shape);
    double most = 0, largest = 0;
    if (!mfm_shape_equal(&a->shape, &b->shape))
        return (double)INFINITY;
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)a->numbers[i], y = (double)b->numbers[i];
        if (!(fabs(x - y) <= most))
            most = fabs(x - y);
        largest = fabs(y) > largest ? fabs(y) : largest;
    }
    return isnan(most) ? (double)INFINITY : most / (largest > 0 ? largest : 1);
}
