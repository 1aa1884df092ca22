#include "core/train/bilevel/factored.h"

#include "core/train/comm/comm.h"
#include "core/train/vector.h"

/* Matrices of fewer numbers may stay in a cache; and thin products must be thin. */
static const int64_t least_size = (int64_t)4 << 20;
enum { THINNER = 8 };

/* One matrix. The gradient over the training batch and w^ share their factors, and so do the
 * gradient over the meta batch and v. */
typedef struct entry {
    int param;
    mfm_outer size; /* of the training batch at hand */
    double rate;
    size_t offset;
    mfm_factors train, moved, meta, direction;
} entry;

struct mfm_factored {
    mfm_ctx *ctx;
    struct mfm_comm *comm;
    mfm_plan *train_plan, *meta_plan;
    size_t n, reals;
    entry *entries;
    real *memory;
};

static bool is_worth_it(const mfm_bilevel_spec *spec, const mfm_outer *size)
{
    const int64_t rows = spec->batch > spec->meta_batch ? spec->batch : spec->meta_batch;
    const int64_t thin = mfm_count_times(rows, size->k + size->n);
    const int64_t whole = mfm_count_times(size->k, size->n);
    if (spec->factors == MFM_FACTORS_LARGE)
        return whole >= least_size && whole / THINNER >= thin;
    return spec->factors == MFM_FACTORS_ALL;
}

static bool is_candidate(const mfm_factored *f, const mfm_bilevel_spec *spec,
                         const mfm_graph *graph, int param, int inputs[2], mfm_outer *size)
{
    const mfm_value *value = &graph->values[param];
    mfm_outer of_meta;
    if (value->kind != MFM_VALUE_PARAM || !value->trainable || (spec->moved && !spec->moved[param]))
        return false;
    inputs[0] = mfm_plan_outer(f->train_plan, param, MFM_SET_OBJECTIVE, size);
    inputs[1] = mfm_plan_outer(f->meta_plan, param, MFM_SET_META_LOSS, &of_meta);
    return inputs[0] >= 0 && inputs[1] >= 0 && is_worth_it(spec, size);
}

/* What has a row for each sample, and not as many by chance: one more in a batch that has one more.
 * by_sample: [n_values], by value; none are where the graph is for one size of batch. */
static int find_rows(mfm_factored *f, const mfm_graph *graph, int64_t batch, bool *by_sample)
{
    mfm_shape *shapes = mfm_alloc(f->ctx, 2 * graph->n_values, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    mfm_shape *larger = shapes + graph->n_values;
    int status = mfm_graph_shapes(graph, batch, true, shapes);
    if (!status)
        status = mfm_graph_shapes(graph, batch + 1, true, larger);
    for (size_t i = 0; i < graph->n_values && !status; i++)
        by_sample[i] =
            shapes[i].rank == 2 && shapes[i].dim[0] == batch && larger[i].dim[0] == batch + 1;
    mfm_free(f->ctx, shapes);
    return status == MFM_ENOMEM ? status : MFM_OK;
}

static int find(mfm_factored *f, const mfm_graph *graph, const mfm_bilevel_spec *spec)
{
    bool *by_sample = NULL;
    int status = MFM_OK;
    for (int i = 0; i < (int)graph->n_values && !status; i++) {
        int inputs[2];
        mfm_outer size;
        if (!is_candidate(f, spec, graph, i, inputs, &size))
            continue;
        if (!by_sample) {
            by_sample = mfm_alloc(f->ctx, graph->n_values, sizeof *by_sample);
            f->entries = mfm_alloc(f->ctx, graph->n_values, sizeof *f->entries);
            status =
                by_sample && f->entries ? find_rows(f, graph, spec->batch, by_sample) : MFM_ENOMEM;
        }
        if (!status && by_sample[inputs[0]] && by_sample[inputs[1]])
            f->entries[f->n++] = (entry){.param = i,
                                         .size = size,
                                         .rate = graph->values[i].rate,
                                         .offset = graph->values[i].offset};
    }
    mfm_free(f->ctx, by_sample);
    return status;
}

/* Where the factors lie; memory NULL: only counts. */
static void place(mfm_factored *f, const mfm_bilevel_spec *spec)
{
    const int64_t batch = spec->batch, meta = spec->meta_batch;
    size_t room = (size_t)(batch > meta ? batch : meta), at = room * room;
    for (size_t i = 0; i < f->n; i++) {
        entry *e = &f->entries[i];
        const size_t k = (size_t)e->size.k, n = (size_t)e->size.n;
        real *from = f->memory ? f->memory + at : NULL;
        at += (size_t)(batch + meta) * (k + n);
        if (!from)
            continue;
        e->train = (mfm_factors){.rows = batch,
                                 .first = mfm_share_first(&spec->share),
                                 .left = from,
                                 .right = from + (size_t)batch * k,
                                 .room = f->memory};
        from += (size_t)batch * (k + n);
        e->meta = (mfm_factors){.rows = meta,
                                .first = mfm_share_first(&spec->meta_share),
                                .left = from,
                                .right = from + (size_t)meta * k,
                                .room = f->memory};
        e->moved = e->train;
        e->direction = e->meta;
        e->direction.scale = (real)e->rate;
    }
    f->reals = at;
}

static int fill(mfm_factored *f, const mfm_graph *graph, const mfm_bilevel_spec *spec)
{
    int status = find(f, graph, spec);
    if (status || !f->n)
        return status;
    place(f, spec);
    status = mfm_vector_new(f->ctx, NULL, f->reals, &f->memory);
    if (status)
        return status;
    place(f, spec);
    for (size_t i = 0; i < f->n; i++) {
        mfm_plan_bind_factors(f->meta_plan, f->entries[i].param, MFM_G, &f->entries[i].meta);
        mfm_plan_bind_factors(f->train_plan, f->entries[i].param, MFM_DX, &f->entries[i].direction);
    }
    return MFM_OK;
}

int mfm_factored_new(mfm_ctx *ctx, const mfm_problem *problem, const mfm_bilevel_spec *spec,
                     mfm_plan *train, mfm_plan *meta, mfm_factored **factored)
{
    *factored = NULL;
    if (spec->factors == MFM_FACTORS_NONE)
        return MFM_OK;
    mfm_factored *f = mfm_alloc(ctx, 1, sizeof *f);
    if (!f)
        return MFM_ENOMEM;
    *f = (mfm_factored){.ctx = ctx, .comm = spec->comm, .train_plan = train, .meta_plan = meta};
    const int status = fill(f, problem->main, spec);
    if (!status && f->n)
        *factored = f;
    else
        mfm_factored_free(f);
    return status;
}

void mfm_factored_free(mfm_factored *f)
{
    if (!f)
        return;
    mfm_free_aligned(f->ctx, f->memory);
    mfm_free(f->ctx, f->entries);
    mfm_free(f->ctx, f);
}

bool mfm_factored_has(const mfm_factored *f, int param)
{
    for (size_t i = 0; f && i < f->n; i++)
        if (f->entries[i].param == param)
            return true;
    return false;
}

void mfm_factored_take(mfm_factored *f, bool on)
{
    for (size_t i = 0; f && i < f->n; i++)
        mfm_plan_bind_factors(f->train_plan, f->entries[i].param, MFM_G,
                              on ? &f->entries[i].train : NULL);
}

/* The rows of all ranks. */
static void gather(const mfm_factored *f, const entry *e, const mfm_factors *of)
{
    const size_t k = (size_t)e->size.k, n = (size_t)e->size.n;
    mfm_comm_gather_rows(f->comm, of->rows, of->left, k * sizeof(real));
    mfm_comm_gather_rows(f->comm, of->rows, of->right, n * sizeof(real));
}

void mfm_factored_move(mfm_factored *f, const real *w, double alpha, bool moved)
{
    for (size_t i = 0; f && i < f->n; i++) {
        entry *e = &f->entries[i];
        if (moved)
            gather(f, e, &e->train);
        e->moved.base = w + e->offset;
        e->moved.scale = (real)(-alpha * e->rate);
        mfm_plan_bind_factors(f->meta_plan, e->param, MFM_X, moved ? &e->moved : NULL);
    }
}

void mfm_factored_direct(mfm_factored *f)
{
    for (size_t i = 0; f && i < f->n; i++)
        gather(f, &f->entries[i], &f->entries[i].meta);
}

size_t mfm_factored_count(const mfm_factored *f)
{
    return f ? f->n : 0;
}

size_t mfm_factored_bytes(const mfm_factored *f)
{
    return f ? f->reals * sizeof(real) + f->n * sizeof *f->entries : 0;
}
