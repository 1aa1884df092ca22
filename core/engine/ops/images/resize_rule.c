#include "core/engine/ops/images/resize.h"

#include <math.h>
#include <string.h>

#include "core/engine/ops/reduce/axes.h"
#include "core/engine/ops/reduce/runs.h"

/* What one thread does at a time, and from where on there are several. */
enum { CHUNK = 1024, PARALLEL_FROM = 16384 };
/* Places are kept as int32_t and reckoned in float. */
enum { LONGEST = 1 << 24 };

typedef struct resize {
    int count; /* axes that change */
    mfm_resize_axis axes[MFM_MAX_RANK];
} resize;

/* ---- what becomes of each axis --------------------------------------------------------------- */

/* How an axis changes. */
typedef struct change {
    int64_t to;
    float scale, begin, end;
} change;

/* The attributes; before opset 11 there are no coordinates to choose from, and no lists but scales.
 */
static mfm_resize_attr form_of(const mfm_node *node)
{
    mfm_resize_attr form = *(const mfm_resize_attr *)node->attr;
    if (node->opset >= 11)
        return form;
    form.place = MFM_RESIZE_ASYMMETRIC;
    form.nearest = MFM_RESIZE_SIMPLE;
    form.sizes.count = form.axes.count = form.roi.count = -1;
    return form;
}

static int named_axes(const mfm_resize_attr *attr, int rank)
{
    return attr->axes.count < 0 ? rank : attr->axes.count;
}

static int check_lists(mfm_ctx *ctx, const mfm_node *node, const mfm_resize_attr *attr)
{
    const int rank = node->in[0]->shape.rank, named = named_axes(attr, rank);
    const bool by_scales = attr->scales.count > 0, by_sizes = attr->sizes.count > 0;
    if (by_scales == by_sizes)
        return mfm_infer_fail(ctx, node, "scales and sizes: one of them must be given");
    if ((by_scales ? attr->scales.count : attr->sizes.count) != named)
        return mfm_infer_fail(ctx, node, "%s: %d numbers: must be one for each of %d axes",
                              by_scales ? "scales" : "sizes",
                              by_scales ? attr->scales.count : attr->sizes.count, named);
    if (attr->place == MFM_RESIZE_CROP && attr->roi.count != 2 * named)
        return mfm_infer_fail(ctx, node, "roi: %d numbers: must be two for each of %d axes",
                              attr->roi.count < 0 ? 0 : attr->roi.count, named);
    if (!isfinite(attr->cubic_coeff_a) || !isfinite(attr->extrapolation_value))
        return mfm_infer_fail(ctx, node, "cubic_coeff_a, extrapolation_value: must be finite");
    return mfm_infer_axes(ctx, node, &attr->axes, rank);
}

/* The scale that all axes share by the policy; 0 for `stretch`. */
static float shared_scale(const mfm_resize_attr *attr, const mfm_shape *x)
{
    float shared = 0;
    for (int i = 0; i < attr->sizes.count && attr->policy != MFM_RESIZE_STRETCH; i++) {
        const int64_t length = x->dim[mfm_axis_at(&attr->axes, i, x->rank)];
        const int64_t size = attr->sizes.v[i] ? attr->sizes.v[i] : length;
        const float scale = (float)size / (float)length;
        const bool better = attr->policy == MFM_RESIZE_NOT_LARGER ? scale < shared : scale > shared;
        shared = i == 0 || better ? scale : shared;
    }
    return shared;
}

/* Entry i of the lists. */
static change change_of(const mfm_resize_attr *attr, int i, int named, int64_t length, float shared)
{
    change c = {.end = 1};
    if (attr->scales.count > 0) {
        c.scale = (float)attr->scales.v[i];
        c.to = c.scale > 0 && c.scale < LONGEST ? (int64_t)floorf((float)length * c.scale) : 0;
    } else if (shared > 0) {
        c.scale = shared;
        c.to = shared < LONGEST ? (int64_t)(shared * (float)length + 0.5F) : 0;
    } else {
        c.to = attr->sizes.v[i] ? attr->sizes.v[i] : length;
        c.scale = (float)c.to / (float)length;
    }
    if (attr->place == MFM_RESIZE_CROP) {
        c.begin = (float)attr->roi.v[i];
        c.end = (float)attr->roi.v[named + i];
    }
    return c;
}

/* ONNX's reference and ONNX Runtime differ about corners that no length has. */
static int check_corners(mfm_ctx *ctx, const mfm_node *node, const mfm_resize_attr *attr, int axis,
                         const change *c)
{
    const float length = (float)node->in[0]->shape.dim[axis];
    const bool corners = attr->place == MFM_RESIZE_ALIGN_CORNERS || attr->place == MFM_RESIZE_CROP;
    if (!corners || c->scale * length == (float)c->to)
        return MFM_OK;
    return mfm_infer_fail(ctx, node,
                          "scale %g of axis %d with length %g: must give a whole length with this "
                          "coordinate_transformation_mode",
                          (double)c->scale, axis, (double)length);
}

/* How the axes change; without entry in the lists an axis stays. */
static int find_changes(mfm_ctx *ctx, const mfm_node *node, const mfm_resize_attr *attr,
                        change changes[MFM_MAX_RANK])
{
    const mfm_shape *x = &node->in[0]->shape;
    int status = check_lists(ctx, node, attr);
    const int named = named_axes(attr, x->rank);
    for (int i = 0; i < x->rank && !status; i++) {
        changes[i] = (change){.to = x->dim[i], .scale = 1, .end = 1};
        if (x->dim[i] < 1 || x->dim[i] > LONGEST)
            status = mfm_infer_fail(ctx, node, "axis %d of length %lld: must be in [1, %d]", i,
                                    (long long)x->dim[i], LONGEST);
    }
    const float shared = status ? 0 : shared_scale(attr, x);
    for (int i = 0; i < named && !status; i++) {
        const int axis = mfm_axis_at(&attr->axes, i, x->rank);
        const change c = changes[axis] = change_of(attr, i, named, x->dim[axis], shared);
        if (!(c.scale > 0) || c.to < 1 || c.to > LONGEST || !isfinite(c.begin) || !isfinite(c.end))
            status = mfm_infer_fail(ctx, node, "axis %d: from %lld to %lld: must be in [1, %d]",
                                    axis, (long long)x->dim[axis], (long long)c.to, LONGEST);
        else
            status = check_corners(ctx, node, attr, axis, &c);
    }
    return status;
}

int mfm_resize_infer(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_resize_attr form = form_of(node);
    change changes[MFM_MAX_RANK];
    mfm_shape y = node->in[0]->shape;
    int status = find_changes(ctx, node, &form, changes);
    if (status)
        return status;
    for (int i = 0; i < y.rank; i++)
        y.dim[i] = changes[i].to;
    status = mfm_shape_check(ctx, &y, node->name ? node->name : node->op->name);
    if (!status)
        node->out[0]->shape = y;
    return status;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static bool stays(const mfm_node *node, int axis, const change *c)
{
    return c->to == node->in[0]->shape.dim[axis] && c->scale == 1 && c->begin == 0 && c->end == 1;
}

static int make_table(mfm_ctx *ctx, const mfm_node *node, const mfm_resize_attr *attr, int axis,
                      const change *c, mfm_resize_axis *table)
{
    table->axis = axis;
    table->from = node->in[0]->shape.dim[axis];
    table->to = c->to;
    table->taps = mfm_resize_taps(attr, c->scale);
    const size_t count = (size_t)(c->to * table->taps);
    table->source = mfm_alloc(ctx, count, sizeof *table->source);
    table->weight = mfm_alloc(ctx, count, sizeof *table->weight);
    table->outside = mfm_alloc(ctx, (size_t)c->to, sizeof *table->outside);
    if (!table->source || !table->weight || !table->outside)
        return MFM_ENOMEM;
    mfm_resize_weights(attr, c->scale, c->begin, c->end, table);
    return MFM_OK;
}

/* The shape after the first `steps` axes. */
static mfm_shape shape_after(const mfm_node *node, int steps)
{
    const resize *r = node->kernel;
    mfm_shape shape = node->in[0]->shape;
    for (int i = 0; i < steps; i++)
        shape.dim[r->axes[i].axis] = r->axes[i].to;
    return shape;
}

int mfm_resize_setup(mfm_ctx *ctx, mfm_node *node)
{
    const mfm_resize_attr form = form_of(node);
    change changes[MFM_MAX_RANK];
    resize *r = node->kernel = mfm_alloc(ctx, 1, sizeof *r);
    int status = r ? find_changes(ctx, node, &form, changes) : MFM_ENOMEM;
    for (int i = 0; i < node->in[0]->shape.rank && !status; i++)
        if (!stays(node, i, &changes[i]))
            status = make_table(ctx, node, &form, i, &changes[i], &r->axes[r->count++]);
    int64_t most = 0;
    for (int i = 1; !status && i < r->count; i++) {
        const mfm_shape shape = shape_after(node, i);
        const int64_t count = mfm_shape_count(&shape);
        most = count > most ? count : most;
    }
    node->scratch_size = 2 * (size_t)most;
    return status;
}

void mfm_resize_release(mfm_ctx *ctx, mfm_node *node)
{
    resize *r = node->kernel;
    for (int i = 0; r && i < r->count; i++) {
        mfm_free(ctx, r->axes[i].source);
        mfm_free(ctx, r->axes[i].weight);
        mfm_free(ctx, r->axes[i].outside);
    }
    mfm_free(ctx, r);
    node->kernel = NULL;
}

/* ---- one axis after the other ---------------------------------------------------------------- */

/* One axis of a tensor [outer, length, inner] in memory, `inner` in chunks. */
typedef struct step {
    const mfm_resize_axis *table;
    int64_t outer, inner, chunks, count;
} step;

static step step_at(const mfm_node *node, int number)
{
    const resize *r = node->kernel;
    const mfm_resize_axis *table = &r->axes[number];
    const mfm_shape shape = shape_after(node, number);
    const mfm_runs runs = mfm_runs_along(&shape, table->axis);
    const int64_t chunks = (runs.inner + CHUNK - 1) / CHUNK;
    return (step){.table = table,
                  .outer = runs.runs / runs.inner,
                  .inner = runs.inner,
                  .chunks = chunks,
                  .count = mfm_shape_count(&shape)};
}

static inline void add_scaled(int64_t n, real w, const real *restrict x, real *restrict y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += w * x[i];
}

static void gather(const mfm_resize_axis *t, int64_t inner, int64_t n, const real *x, real *y)
{
    for (int64_t m = 0; m < t->to; m++) {
        memset(y + m * inner, 0, (size_t)n * sizeof *y);
        for (int k = 0; k < t->taps; k++)
            if (t->weight[m * t->taps + k] != 0)
                add_scaled(n, t->weight[m * t->taps + k], x + t->source[m * t->taps + k] * inner,
                           y + m * inner);
    }
}

static void scatter(const mfm_resize_axis *t, int64_t inner, int64_t n, const real *g, real *gx)
{
    for (int64_t m = 0; m < t->to; m++)
        for (int k = 0; k < t->taps; k++)
            if (t->weight[m * t->taps + k] != 0)
                add_scaled(n, t->weight[m * t->taps + k], g + m * inner,
                           gx + t->source[m * t->taps + k] * inner);
}

static void run_step(const step *s, const real *x, real *y)
{
    const mfm_resize_axis *t = s->table;
#pragma omp parallel for if (s->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < s->outer * s->chunks; i++) {
        const int64_t o = i / s->chunks, at = i % s->chunks * CHUNK;
        const int64_t n = s->inner - at < CHUNK ? s->inner - at : CHUNK;
        gather(t, s->inner, n, x + o * t->from * s->inner + at, y + o * t->to * s->inner + at);
    }
}

/* gx = [gx +] the transposed of the step on g. */
static void run_back(const step *s, const real *g, real *gx, bool add)
{
    const mfm_resize_axis *t = s->table;
#pragma omp parallel for if (s->count >= PARALLEL_FROM)
    for (int64_t i = 0; i < s->outer * s->chunks; i++) {
        const int64_t o = i / s->chunks, at = i % s->chunks * CHUNK;
        const int64_t n = s->inner - at < CHUNK ? s->inner - at : CHUNK;
        real *to = gx + o * t->from * s->inner + at;
        for (int64_t k = 0; k < t->from && !add; k++)
            memset(to + k * s->inner, 0, (size_t)n * sizeof *to);
        scatter(t, s->inner, n, g + o * t->to * s->inner + at, to);
    }
}

/* What lies between step i and the one before it. */
static real *between(const mfm_node *node, int i)
{
    return node->scratch + (i % 2 ? 0 : node->scratch_size / 2);
}

/* Results whose place along some axis is outside. */
static void extrapolate(const mfm_node *node, real *y)
{
    const resize *r = node->kernel;
    const real value = (real)((const mfm_resize_attr *)node->attr)->extrapolation_value;
    for (int i = 0; i < r->count && value != 0; i++) {
        const mfm_resize_axis *t = &r->axes[i];
        const mfm_runs v = mfm_runs_along(&node->out[0]->shape, t->axis);
        for (int64_t run = 0; run < v.runs; run++)
            for (int64_t m = 0; m < v.length; m++)
                if (t->outside[m])
                    y[mfm_run_start(&v, run) + m * v.inner] = value;
    }
}

static void apply(const mfm_node *node, enum mfm_lane lane)
{
    const resize *r = node->kernel;
    const real *x = mfm_in(node, 0, lane);
    real *y = mfm_out(node, 0, lane);
    if (r->count == 0)
        memcpy(y, x, (size_t)mfm_shape_count(&node->in[0]->shape) * sizeof *y);
    for (int i = 0; i < r->count; i++) {
        const step s = step_at(node, i);
        real *to = i == r->count - 1 ? y : between(node, i + 1);
        run_step(&s, x, to);
        x = to;
    }
    if (lane == MFM_X)
        extrapolate(node, y);
}

static void adjoint(const mfm_node *node, enum mfm_lane lane)
{
    const resize *r = node->kernel;
    const int64_t count = mfm_shape_count(&node->in[0]->shape);
    const real *g = mfm_out(node, 0, lane);
    real *gx = mfm_in(node, 0, lane);
    const bool add = gx && mfm_accumulates(node, 0, lane);
    if (!gx)
        return;
    for (int64_t i = 0; i < count && (!g || r->count == 0); i++)
        gx[i] = (add ? gx[i] : 0) + (g ? g[i] : 0);
    for (int i = r->count - 1; i >= 0 && g; i--) {
        const step s = step_at(node, i);
        real *to = i == 0 ? gx : between(node, i);
        run_back(&s, g, to, i == 0 && add);
        g = to;
    }
}

const mfm_linear mfm_linear_resize = {apply, adjoint};
