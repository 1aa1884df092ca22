#include "core/engine/ops/images/window.h"

/* Far beyond any image, and small enough that no product of two leaves 64 bits. */
enum { MAX_EXTENT = 1 << 24 };
/* Numbers of taps are kept as reals, which are exact up to here. */
enum { MAX_TAPS = 1 << 24 };

/* `fallback` when the model does not give the list. */
static int resolve(mfm_ctx *ctx, const mfm_node *node, const char *name, const mfm_ints *list,
                   int count, int64_t least, int64_t fallback, int64_t *to)
{
    if (list->count >= 0 && list->count != count)
        return mfm_infer_fail(ctx, node, "%s: %d numbers: must be %d for an input of %d axes", name,
                              list->count, count, node->in[0]->shape.rank);
    for (int i = 0; i < count; i++) {
        to[i] = list->count < 0 ? fallback : list->v[i];
        if (to[i] < least || to[i] > MAX_EXTENT)
            return mfm_infer_fail(ctx, node, "%s: %lld: must be in [%lld, %d]", name,
                                  (long long)to[i], (long long)least, MAX_EXTENT);
    }
    return MFM_OK;
}

static int check_image(mfm_ctx *ctx, const mfm_node *node)
{
    char text[MFM_SHAPE_TEXT];
    const mfm_shape *shape = &node->in[0]->shape;
    if (shape->rank < 3 || shape->rank > 2 + MFM_WINDOW_AXES)
        return mfm_infer_fail(ctx, node,
                              "input %s: must be [n, channels, height, width], or have one or "
                              "three axes after the channels",
                              mfm_shape_text(shape, text));
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 1 || (i > 1 && shape->dim[i] > MAX_EXTENT))
            return mfm_infer_fail(ctx, node, "input %s: image sizes must be in [1, %d]",
                                  mfm_shape_text(shape, text), MAX_EXTENT);
    return MFM_OK;
}

static int resolve_kernel(mfm_ctx *ctx, const mfm_node *node, const int64_t *known,
                          mfm_window *window)
{
    const mfm_ints *given = &((const mfm_window_attr *)node->attr)->kernel_shape;
    const int axes = MFM_WINDOW_AXES - window->first;
    int64_t *kernel = window->kernel + window->first;
    if (!known && given->count < 0)
        return mfm_infer_fail(ctx, node, "kernel_shape: not given: is required");
    int status = resolve(ctx, node, "kernel_shape", given, axes, 1, 1, kernel);
    for (int i = 0; i < axes && known && !status; i++) {
        if (given->count > 0 && kernel[i] != known[i])
            return mfm_infer_fail(ctx, node, "kernel_shape: %lld: the weights have %lld",
                                  (long long)kernel[i], (long long)known[i]);
        if (known[i] < 1 || known[i] > MAX_EXTENT)
            return mfm_infer_fail(ctx, node, "kernel size %lld: must be in [1, %d]",
                                  (long long)known[i], MAX_EXTENT);
        kernel[i] = known[i];
    }
    return status;
}

static int64_t span(const mfm_window *w, int axis)
{
    return (w->kernel[axis] - 1) * w->dilation[axis] + 1;
}

/* SAME: out = ceil(in / stride), and the padding follows, its odd pixel at the named side. */
static void pad_same(mfm_window *w, int axis, bool upper)
{
    w->out[axis] = (w->in[axis] + w->stride[axis] - 1) / w->stride[axis];
    int64_t total = (w->out[axis] - 1) * w->stride[axis] + span(w, axis) - w->in[axis];
    total = total < 0 ? 0 : total;
    w->pad_begin[axis] = upper ? total / 2 : total - total / 2;
    w->pad_end[axis] = total - w->pad_begin[axis];
}

/*     out = floor((in + pads - span) / stride) + 1
 * or, in ceil_mode, the ceiling, without a last window that would start in the end padding: a
 * window that is larger than the image by less than its stride is one window over all of it. VALID
 * has no such form: its ceil((in - span + 1) / stride) is the floor. */
static int place_windows(mfm_ctx *ctx, const mfm_node *node, mfm_window *w, int axis, bool ceil)
{
    const int64_t room = w->in[axis] + w->pad_begin[axis] + w->pad_end[axis] - span(w, axis);
    const int64_t more = ceil ? w->stride[axis] - 1 : 0;
    if (room + more < 0)
        return mfm_infer_fail(ctx, node,
                              "a window of %lld over %lld: must fit into the padded image",
                              (long long)span(w, axis), (long long)w->in[axis]);
    w->out[axis] = (room + more) / w->stride[axis] + 1;
    if (ceil && mfm_window_start(w, axis, w->out[axis] - 1) >= w->in[axis])
        w->out[axis]--;
    return MFM_OK;
}

static int resolve_pads(mfm_ctx *ctx, const mfm_node *node, mfm_window *w)
{
    const mfm_window_attr *attr = node->attr;
    const int axes = MFM_WINDOW_AXES - w->first;
    int64_t pads[2 * MFM_WINDOW_AXES];
    const int status = resolve(ctx, node, "pads", &attr->pads, 2 * axes, 0, 0, pads);
    if (status)
        return status;
    for (int i = 0; i < axes; i++) {
        w->pad_begin[w->first + i] = pads[i];
        w->pad_end[w->first + i] = pads[axes + i];
        if (attr->auto_pad != MFM_PAD_NOTSET && (pads[i] || pads[axes + i]))
            return mfm_infer_fail(ctx, node, "pads: stand beside auto_pad: only one may be given");
    }
    return MFM_OK;
}

/* Without the axes of the input. */
static mfm_window window_of_one(int first)
{
    mfm_window w = {.first = first};
    for (int axis = 0; axis < MFM_WINDOW_AXES; axis++)
        w.in[axis] = w.out[axis] = w.kernel[axis] = w.stride[axis] = w.dilation[axis] = 1;
    return w;
}

int mfm_window_resolve(mfm_ctx *ctx, const mfm_node *node, const int64_t *kernel, mfm_window *w)
{
    const mfm_window_attr *attr = node->attr;
    const int status = check_image(ctx, node), axes = node->in[0]->shape.rank - 2;
    if (status)
        return status;
    *w = window_of_one(MFM_WINDOW_AXES - axes);
    for (int i = 0; i < axes; i++)
        w->in[w->first + i] = node->in[0]->shape.dim[2 + i];
    int failed = resolve_kernel(ctx, node, kernel, w);
    if (!failed)
        failed = resolve(ctx, node, "strides", &attr->strides, axes, 1, 1, w->stride + w->first);
    if (!failed)
        failed =
            resolve(ctx, node, "dilations", &attr->dilations, axes, 1, 1, w->dilation + w->first);
    return failed ? failed : resolve_pads(ctx, node, w);
}

int mfm_window_infer(mfm_ctx *ctx, const mfm_node *node, const int64_t *kernel, mfm_window *w)
{
    const mfm_window_attr *attr = node->attr;
    int status = mfm_window_resolve(ctx, node, kernel, w);
    for (int axis = status ? MFM_WINDOW_AXES : w->first; axis < MFM_WINDOW_AXES && !status; axis++)
        if (attr->auto_pad == MFM_PAD_SAME_UPPER || attr->auto_pad == MFM_PAD_SAME_LOWER)
            pad_same(w, axis, attr->auto_pad == MFM_PAD_SAME_UPPER);
        else
            status = place_windows(ctx, node, w, axis,
                                   attr->ceil_mode && attr->auto_pad == MFM_PAD_NOTSET);
    return status;
}

mfm_shape mfm_window_result(const mfm_window *w, int64_t n, int64_t channels)
{
    mfm_shape shape = {.rank = 2 + MFM_WINDOW_AXES - w->first, .dim = {n, channels}};
    for (int axis = w->first; axis < MFM_WINDOW_AXES; axis++)
        shape.dim[2 + axis - w->first] = w->out[axis];
    return shape;
}

mfm_taps mfm_window_taps(const mfm_window *w, int axis, int64_t place, int64_t low, int64_t high)
{
    const int64_t start = mfm_window_start(w, axis, place), step = w->dilation[axis];
    mfm_taps taps = {0, w->kernel[axis]};
    if (start < low)
        taps.first = (low - start + step - 1) / step;
    if (start + (w->kernel[axis] - 1) * step >= high)
        taps.end = high > start ? (high - start + step - 1) / step : 0;
    if (taps.end < taps.first)
        taps.end = taps.first;
    return taps;
}

mfm_taps mfm_window_inside(const mfm_window *w, int axis, int64_t place)
{
    return mfm_window_taps(w, axis, place, 0, w->in[axis]);
}

mfm_window_images mfm_window_images_of(const mfm_window *w, const mfm_shape *x)
{
    const int64_t channels = x->rank == 4 ? x->dim[1] : 1;
    mfm_window_images v = {
        .images = x->dim[0] * x->dim[1] / channels, .channels = channels, .in = 1, .out = 1};
    for (int axis = 0; axis < MFM_WINDOW_AXES; axis++) {
        v.in *= w->in[axis];
        v.out *= w->out[axis];
    }
    v.parallel = v.images * v.channels * (v.in > v.out ? v.in : v.out) >= MFM_WINDOW_PARALLEL_FROM;
    return v;
}

mfm_place mfm_window_place(const mfm_window *w, int64_t result)
{
    mfm_place p;
    for (int axis = MFM_WINDOW_AXES; axis-- > 0; result /= w->out[axis]) {
        p.start[axis] = mfm_window_start(w, axis, result % w->out[axis]);
        p.taps[axis] = mfm_window_inside(w, axis, result % w->out[axis]);
    }
    return p;
}

/* A window that begins inside the image has tap 0 there; so only those before and the last one can
 * miss it. */
static bool all_meet(const mfm_window *w, int axis)
{
    for (int64_t i = 0; i < w->out[axis] && mfm_window_start(w, axis, i) < 0; i++) {
        const mfm_taps taps = mfm_window_inside(w, axis, i);
        if (taps.first == taps.end)
            return false;
    }
    return mfm_window_start(w, axis, w->out[axis] - 1) < w->in[axis];
}

static int check_pool(mfm_ctx *ctx, mfm_node *node, mfm_window *w)
{
    const int status = mfm_window_infer(ctx, node, NULL, w);
    int64_t taps = 1;
    for (int axis = 0; axis < MFM_WINDOW_AXES && !status; axis++) {
        taps = mfm_count_times(taps, w->kernel[axis]);
        if (taps > MAX_TAPS)
            return mfm_infer_fail(ctx, node, "kernel_shape: %lld along axis %d: at most %d taps",
                                  (long long)w->kernel[axis], 2 + axis - w->first, MAX_TAPS);
    }
    if (status)
        return status;
    for (int axis = 0; axis < MFM_WINDOW_AXES; axis++)
        if (!all_meet(w, axis))
            return mfm_infer_fail(ctx, node,
                                  "pads %lld and %lld of a window of %lld taps over %lld: every "
                                  "window must meet the image",
                                  (long long)w->pad_begin[axis], (long long)w->pad_end[axis],
                                  (long long)w->kernel[axis], (long long)w->in[axis]);
    const mfm_shape *x = &node->in[0]->shape;
    node->out[0]->shape = mfm_window_result(w, x->dim[0], x->dim[1]);
    return mfm_shape_check(ctx, &node->out[0]->shape, "pooling result");
}

int mfm_window_infer_pool(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window window;
    return check_pool(ctx, node, &window);
}

int mfm_window_setup(mfm_ctx *ctx, mfm_node *node)
{
    mfm_window *window = node->kernel = mfm_alloc(ctx, 1, sizeof *window);
    return window ? mfm_window_infer(ctx, node, NULL, window) : MFM_ENOMEM;
}

void mfm_window_release(mfm_ctx *ctx, mfm_node *node)
{
    mfm_free(ctx, node->kernel);
    node->kernel = NULL;
}
