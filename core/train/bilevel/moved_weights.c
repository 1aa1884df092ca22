#include "core/train/bilevel/moved_weights.h"

#include "core/train/optimizers/optimizer.h"
#include "core/train/vector.h"

enum { PARALLEL_FROM = 1 << 16 }; /* numbers */

static int make(mfm_ctx *ctx, mfm_moved_weights *m, const mfm_bilevel_spec *spec,
                const mfm_factored *factored, bool *holds)
{
    const mfm_graph *graph = m->graph;
    for (size_t i = 0; i < graph->n_values; i++)
        holds[i] = graph->values[i].trainable && (!spec->moved || spec->moved[i]);
    int status = MFM_OK;
    if (spec->meta == MFM_META_EXACT) {
        for (size_t i = 0; i < graph->n_values && !spec->full; i++)
            holds[i] &= !mfm_factored_has(factored, (int)i);
        status = mfm_param_room_init(ctx, graph, holds, &m->w_room);
        if (!status)
            status = mfm_vector_new(ctx, NULL, m->w_room.size, &m->w);
    }
    for (size_t i = 0; i < graph->n_values; i++)
        holds[i] &= !mfm_factored_has(factored, (int)i);
    if (!status)
        status = mfm_param_room_init(ctx, graph, holds, &m->v_room);
    return status ? status : mfm_vector_new(ctx, NULL, m->v_room.size, &m->v);
}

int mfm_moved_weights_init(mfm_ctx *ctx, const mfm_graph *graph, const mfm_bilevel_spec *spec,
                           const mfm_factored *factored, mfm_moved_weights *m)
{
    *m = (mfm_moved_weights){.graph = graph};
    bool *holds = mfm_alloc(ctx, graph->n_values, sizeof *holds);
    const int status = holds ? make(ctx, m, spec, factored, holds) : MFM_ENOMEM;
    mfm_free(ctx, holds);
    if (status)
        mfm_moved_weights_clear(ctx, m);
    return status;
}

void mfm_moved_weights_clear(mfm_ctx *ctx, mfm_moved_weights *m)
{
    mfm_param_room_clear(ctx, &m->w_room);
    mfm_param_room_clear(ctx, &m->v_room);
    mfm_free_aligned(ctx, m->w);
    mfm_free_aligned(ctx, m->v);
    *m = (mfm_moved_weights){0};
}

void mfm_moved_weights_bind(mfm_moved_weights *m, mfm_plan *train, mfm_plan *meta, real *w)
{
    mfm_plan_bind_params_at(train, MFM_DX, m->v, &m->v_room);
    mfm_plan_bind_params_at(meta, MFM_G, m->v, &m->v_room);
    mfm_plan_bind_params(meta, MFM_X, w);
    if (m->w)
        mfm_plan_bind_params_at(meta, MFM_X, m->w, &m->w_room);
}

/* One parameter's part. velocity NULL: none. */
static void move_param(const mfm_virtual_step *step, const mfm_value *value, bool decays,
                       const real *g, const real *velocity, const real *w, real *to)
{
    const int64_t n = mfm_shape_count(&value->shape);
    const real alpha = (real)(step->alpha * value->rate), momentum = (real)step->momentum;
    const real decay = decays ? (real)step->weight_decay : 0;
    if (mfm_virtual_step_is_plain(step)) {
#pragma omp parallel for if (n >= PARALLEL_FROM)
        for (int64_t k = 0; k < n; k++)
            to[k] = w[k] - alpha * g[k];
        return;
    }
#pragma omp parallel for if (n >= PARALLEL_FROM)
    for (int64_t k = 0; k < n; k++)
        to[k] = w[k] - alpha * (g[k] + decay * w[k] + (velocity ? momentum * velocity[k] : 0));
}

void mfm_moved_weights_move(mfm_moved_weights *m, const mfm_virtual_step *step, const real *w,
                            const real *gradient, const mfm_factored *without)
{
    for (size_t i = 0; i < m->graph->n_values; i++) {
        const mfm_value *value = &m->graph->values[i];
        if (m->w_room.at[i] == MFM_NO_ROOM || mfm_factored_has(without, (int)i))
            continue;
        const size_t at = value->offset;
        move_param(step, value,
                   mfm_param_decays(m->graph, value, step->spare_vectors, step->spared),
                   gradient + at, step->velocity ? step->velocity + at : NULL, w + at,
                   m->w + m->w_room.at[i]);
    }
}

void mfm_moved_weights_scale(mfm_moved_weights *m)
{
    for (size_t i = 0; i < m->graph->n_values; i++) {
        const mfm_value *value = &m->graph->values[i];
        if (m->v_room.at[i] == MFM_NO_ROOM || value->rate == 1)
            continue;
        real *v = m->v + m->v_room.at[i];
        const size_t n = (size_t)mfm_shape_count(&value->shape);
        for (size_t k = 0; k < n; k++)
            v[k] *= (real)value->rate;
    }
}

size_t mfm_moved_weights_bytes(const mfm_moved_weights *m)
{
    return ((m->w ? m->w_room.size : 0) + m->v_room.size) * sizeof(real);
}
