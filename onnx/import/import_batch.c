/*
 * Whether a network treats every image for itself. Training, evaluation and the soft label rest on
 * it, and a file whose batch is fixed can only be opened to other batches if it holds; nothing in a
 * file says so. A mean over axis 0, or a Reshape that moves the batch, is easily overlooked.
 *
 * At a batch of two, each number of each value has owners: the images that it depends on. Operators
 * that say how they treat axis 0 (mfm_op.batch) hand the owners on, those that work number by
 * number wherever the batch is. Any other node is tried by itself: its inputs get numbers between
 * 1/2 and 3/2, then those of one image are multiplied by 4, and by 1/4, and what changes is that
 * image's. So owners are followed wherever nodes move them, and a number that has two is a fault of
 * the node that made it.
 *
 * A Reshape can make groups whose size is the batch: [n,144] as [144,n]. At two they may happen to
 * hold one image each. Where a node that keeps the order moves the batch, all is done again at a
 * prime that divides no value's numbers for an image: then such groups straddle images. The owners
 * there are the first image and all others.
 */
#include <stdio.h>
#include <string.h>

#include "core/engine/kernels/broadcast.h"
#include "core/engine/plan/plan.h"
#include "onnx/import/import_parts.h"

enum { FIRST = 1, OTHERS = 2, BOTH = FIRST | OTHERS, MOST_NUMBERS = 1 << 28 };

/* Owners of the numbers of a value. Images lie one after the other where axis 0 is the batch: it is
 * the outermost in memory for every rank. */
typedef struct owners {
    bool in_order; /* image by image */
    uint8_t *map;  /* else of each number, in storage order; NULL: no image's */
} owners;

typedef struct checker {
    mfm_importer *im;
    mfm_ctx *ctx;
    int64_t batch;
    mfm_shape *shapes; /* per value, at that batch */
    owners *owners;    /* per value */
} checker;

static int fail_node(const checker *c, const mfm_graph_node *node, const char *what)
{
    const mfm_importer *im = c->im;
    char fixed[80] = "";
    if (im->frozen_batch > 0)
        snprintf(fixed, sizeof fixed, ", and the file's batch of %lld could not be opened",
                 (long long)im->frozen_batch);
    return mfm_fail(c->ctx, MFM_ENOTSUP,
                    "%s: %s '%s': %s: the result of an image must not depend on the others of its "
                    "batch%s",
                    mfm_model_path(im->model), node->op->name,
                    node->name[0] ? node->name : im->graph->values[node->out[0]].name, what, fixed);
}

static bool has_owner(const checker *c, int value)
{
    return value >= 0 && (c->owners[value].in_order || c->owners[value].map);
}

/* first: numbers of one image. */
static uint8_t owner_at(const owners *o, int64_t i, int64_t first)
{
    return o->in_order ? (i < first ? FIRST : OTHERS) : o->map ? o->map[i] : 0;
}

/* ---- operators that say how they treat the batch ------------------------------------------- */

static bool transposes(const mfm_graph_node *node)
{
    return mfm_attr_number(node->op, node->attr, "transA", 0) != 0;
}

static bool keeps_order(const checker *c, const mfm_graph_node *node)
{
    const mfm_op *op = node->op;
    const mfm_shape *out = &c->shapes[node->out[0]];
    if (op->batch == MFM_BATCH_UNKNOWN || transposes(node) || out->rank < 1 ||
        out->dim[0] != c->batch)
        return false;
    for (int i = 0; i < node->n_in; i++) {
        if (!has_owner(c, node->in[i]))
            continue;
        if (!c->owners[node->in[i]].in_order || c->shapes[node->in[i]].rank != out->rank ||
            (i && op->batch == MFM_BATCH_FIRST) ||
            (i && op->batch == MFM_BATCH_STACK && out->rank < 3))
            return false;
    }
    return true;
}

/* Laid out anew, with the batch where it was. */
static bool keeps_batch(const checker *c, const mfm_graph_node *node)
{
    const mfm_attr_def *perm = mfm_attr_find(node->op, "perm");
    const mfm_shape *in = &c->shapes[node->in[0]], *out = &c->shapes[node->out[0]];
    if (!c->owners[node->in[0]].in_order || in->rank < 1 || out->rank < 1 ||
        in->dim[0] != c->batch || out->dim[0] != c->batch)
        return false;
    if (mfm_has_trait(node->op, MFM_SAME_ORDER))
        return true;
    if (!mfm_has_trait(node->op, MFM_OTHER_ORDER) || !perm)
        return false;
    const mfm_ints *axes =
        (const mfm_ints *)(const void *)((const char *)node->attr + perm->offset);
    return axes->count > 0 && axes->v[0] == 0;
}

/* ---- a node by itself ---------------------------------------------------------------------- */

/* A graph of one node. inputs and results are by slot; a slot that is not fed has NULL. */
typedef struct trial {
    const checker *c;
    const mfm_graph_node *node;
    mfm_graph *graph;
    mfm_plan *plan;
    int *in, *out;    /* values of the graph */
    real **inputs;    /* by slot */
    real **results;   /* of the untouched inputs, by output */
    uint8_t **owners; /* by output */
} trial;

static int64_t count_of(const trial *t, int value)
{
    return mfm_shape_count(&t->c->shapes[value]);
}

static int add_argument(trial *t, int slot)
{
    const mfm_graph *from = t->c->im->graph;
    const int value = t->node->in[slot];
    t->in[slot] = -1;
    for (int i = 0; i < slot && value >= 0; i++)
        if (t->node->in[i] == value) {
            t->in[slot] = t->in[i];
            return MFM_OK;
        }
    if (value < 0)
        return MFM_OK;
    const mfm_value *v = &from->values[value];
    if (v->kind == MFM_VALUE_CONST)
        return mfm_graph_const(t->graph, v->name, &v->shape, v->data, &t->in[slot]);
    if (v->kind == MFM_VALUE_STATE)
        return mfm_graph_state(t->graph, v->name, &v->shape, from->state + v->offset, &t->in[slot]);
    t->inputs[slot] =
        mfm_alloc_aligned(t->c->ctx, (size_t)count_of(t, value), sizeof *t->inputs[slot]);
    return t->inputs[slot]
               ? mfm_graph_input(t->graph, v->name, MFM_DATA, &t->c->shapes[value], &t->in[slot])
               : MFM_ENOMEM;
}

static int make_graph(trial *t)
{
    const mfm_graph_node *node = t->node;
    int status = mfm_graph_new(t->c->ctx, &t->graph);
    for (int i = 0; i < node->n_in && !status; i++)
        status = add_argument(t, i);
    if (!status)
        status = mfm_graph_add(t->graph, node->op, node->opset, node->name, node->attr, t->in,
                               node->n_in, NULL, node->n_out, t->out);
    return status;
}

static int make_plan(trial *t)
{
    static const mfm_pass forward = {MFM_FORWARD, 1};
    const size_t n = (size_t)t->node->n_out;
    mfm_slot *keep = mfm_alloc(t->c->ctx, n, sizeof *keep);
    if (!keep)
        return MFM_ENOMEM;
    for (size_t i = 0; i < n; i++)
        keep[i] = (mfm_slot){t->out[i], MFM_X};
    const mfm_plan_spec spec = {
        .batch = t->c->batch, .passes = &forward, .n_passes = 1, .keep = keep, .n_keep = (int)n};
    int status = mfm_plan_new(t->c->ctx, t->graph, &spec, &t->plan);
    mfm_free(t->c->ctx, keep);
    if (status)
        return status;
    if (t->graph->state_size)
        mfm_plan_bind_state(t->plan, t->graph->state);
    for (int i = 0; i < t->node->n_in; i++)
        if (t->inputs[i])
            mfm_plan_bind_input(t->plan, t->in[i], MFM_X, t->inputs[i]);
    for (size_t i = 0; i < n && !status; i++) {
        const size_t count = (size_t)count_of(t, t->node->out[i]);
        t->results[i] = mfm_alloc(t->c->ctx, count, sizeof *t->results[i]);
        t->owners[i] = mfm_alloc(t->c->ctx, count, 1);
        status = t->results[i] && t->owners[i] ? MFM_OK : MFM_ENOMEM;
    }
    return status;
}

/* Between 1/2 and 3/2, the same for each call. */
static real number(int slot, int64_t i)
{
    uint32_t h = (uint32_t)i * 2654435761U + (uint32_t)slot * 40503U;
    h = (h ^ h >> 15) * 2246822519U;
    return (real)0.5 + (real)(h >> 8) / (real)(1 << 24);
}

static void run(trial *t, uint8_t owner, real factor)
{
    for (int k = 0; k < t->node->n_in; k++) {
        const int64_t count = t->inputs[k] ? count_of(t, t->node->in[k]) : 0;
        const int64_t first = count / t->c->batch;
        const owners *o = t->inputs[k] ? &t->c->owners[t->node->in[k]] : NULL;
        for (int64_t i = 0; i < count; i++)
            t->inputs[k][i] = number(k, i) * (owner_at(o, i, first) & owner ? factor : 1);
    }
    mfm_plan_run(t->plan, 0);
}

static int try_images(trial *t)
{
    int status = make_graph(t);
    if (!status)
        status = make_plan(t);
    if (status)
        return status;
    run(t, 0, 1);
    for (int k = 0; k < t->node->n_out; k++)
        memcpy(t->results[k], mfm_plan_lane(t->plan, t->out[k], MFM_X),
               (size_t)count_of(t, t->node->out[k]) * sizeof(real));
    for (int change = 0; change < 4; change++) {
        const uint8_t owner = change & 1 ? OTHERS : FIRST;
        run(t, owner, change & 2 ? (real)0.25 : 4);
        for (int k = 0; k < t->node->n_out; k++) {
            const real *now = mfm_plan_lane(t->plan, t->out[k], MFM_X), *then = t->results[k];
            const int64_t count = count_of(t, t->node->out[k]);
            for (int64_t i = 0; i < count; i++)
                if (memcmp(&now[i], &then[i], sizeof(real)) != 0)
                    t->owners[k][i] |= owner;
        }
    }
    return MFM_OK;
}

/* ---- number by number ----------------------------------------------------------------------- */

/* Adds the owners of an input, broadcast to the shape of the output: exact also where the operator
 * is flat (Greater, Round, a Clip beyond its bounds), and nothing that is tried would show. */
static void add_owners(const trial *t, int slot, const mfm_shape *full, uint8_t *map)
{
    const owners *o = &t->c->owners[t->node->in[slot]];
    const mfm_shape *shape = &t->c->shapes[t->node->in[slot]];
    const int64_t first = mfm_shape_count(shape) / t->c->batch, count = mfm_shape_count(full);
    int64_t from[MFM_MAX_RANK], to[MFM_MAX_RANK], index[MFM_MAX_RANK] = {0};
    mfm_broadcast_strides(shape, full, from);
    mfm_shape_strides(full, to);
    for (int64_t i = 0, source = 0, at = 0; i < count; i++) {
        map[at] |= owner_at(o, source, first);
        for (int axis = full->rank - 1; axis >= 0; axis--) {
            source += from[axis];
            at += to[axis];
            if (++index[axis] < full->dim[axis])
                break;
            source -= full->dim[axis] * from[axis];
            at -= full->dim[axis] * to[axis];
            index[axis] = 0;
        }
    }
}

static int follow_numbers(trial *t)
{
    const mfm_graph_node *node = t->node;
    for (int k = 0; k < node->n_out; k++) {
        const mfm_shape *full = &t->c->shapes[node->out[k]];
        t->owners[k] = mfm_alloc(t->c->ctx, (size_t)mfm_shape_count(full), 1);
        if (!t->owners[k])
            return MFM_ENOMEM;
        for (int i = 0; i < node->n_in; i++)
            if (has_owner(t->c, node->in[i]))
                add_owners(t, i, full, t->owners[k]);
    }
    return MFM_OK;
}

/* An output's owners, in order where they are so; *met gets all that there are. */
static int take_owners(trial *t, int output, uint8_t *met)
{
    const int value = t->node->out[output];
    const mfm_shape *shape = &t->c->shapes[value];
    const int64_t count = count_of(t, value), first = count / t->c->batch;
    uint8_t owners_first = 0, owners_others = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t owner = t->owners[output][i];
        if (owner == BOTH)
            return fail_node(t->c, t->node, "mixes images");
        *(i < first ? &owners_first : &owners_others) |= owner;
    }
    *met |= owners_first | owners_others;
    owners *o = &t->c->owners[value];
    if (shape->rank && shape->dim[0] == t->c->batch && !(owners_first & OTHERS) &&
        !(owners_others & FIRST)) {
        o->in_order = true;
    } else if (owners_first | owners_others) {
        o->map = t->owners[output];
        t->owners[output] = NULL;
    }
    return MFM_OK;
}

static void free_trial(trial *t)
{
    mfm_ctx *ctx = t->c->ctx;
    mfm_plan_free(t->plan);
    mfm_graph_free(t->graph);
    for (int i = 0; i < t->node->n_in && t->inputs; i++)
        mfm_free_aligned(ctx, t->inputs[i]);
    for (int i = 0; i < t->node->n_out; i++) {
        mfm_free(ctx, t->results ? t->results[i] : NULL);
        mfm_free(ctx, t->owners ? t->owners[i] : NULL);
    }
    mfm_free(ctx, t->in);
    mfm_free(ctx, t->inputs);
    mfm_free(ctx, t->results);
    mfm_free(ctx, t->owners);
}

/* A node that needs gigabytes for two images comes from a file that is not what it seems. */
static int check_size(const checker *c, const mfm_graph_node *node)
{
    int64_t total = 0;
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        const int value = i < node->n_in ? node->in[i] : node->out[i - node->n_in];
        total += value < 0 ? 0 : mfm_shape_count(&c->shapes[value]);
        if (total > MOST_NUMBERS)
            return fail_node(c, node, "is too large to be tried");
    }
    return MFM_OK;
}

static int try_node(const checker *c, const mfm_graph_node *node)
{
    const size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
    trial t = {.c = c, .node = node};
    t.in = mfm_alloc(c->ctx, n_in + n_out, sizeof *t.in);
    t.out = t.in ? t.in + n_in : NULL;
    t.inputs = mfm_alloc(c->ctx, n_in, sizeof *t.inputs);
    t.results = mfm_alloc(c->ctx, n_out, sizeof *t.results);
    t.owners = mfm_alloc(c->ctx, n_out, sizeof *t.owners);
    int status = t.in && t.inputs && t.results && t.owners ? check_size(c, node) : MFM_ENOMEM;
    if (!status)
        status = node->op->batch == MFM_BATCH_ALL ? follow_numbers(&t) : try_images(&t);
    uint8_t met = 0;
    for (int k = 0; k < node->n_out && !status; k++)
        status = take_owners(&t, k, &met);
    if (!status && met && met != BOTH)
        status = fail_node(c, node, "leaves images out");
    free_trial(&t);
    return status;
}

/* ---- the network --------------------------------------------------------------------------- */

static int check_node(const checker *c, const mfm_graph_node *node)
{
    bool any = false;
    for (int i = 0; i < node->n_in; i++)
        any |= has_owner(c, node->in[i]);
    if (!any)
        return MFM_OK;
    if (!keeps_order(c, node) && !keeps_batch(c, node))
        return try_node(c, node);
    for (int k = 0; k < node->n_out; k++)
        c->owners[node->out[k]].in_order = true;
    return MFM_OK;
}

static int check_rows(const checker *c, const char *what, const char *name)
{
    const mfm_binding *named = mfm_import_find(c->im, name);
    if (!named || named->value < 0 || !c->im->on_images[named->value] ||
        c->owners[named->value].in_order)
        return MFM_OK;
    return mfm_fail(c->ctx, MFM_ENOTSUP, "%s: %s '%s': its rows are not the images of the batch",
                    mfm_model_path(c->im->model), what, name);
}

static int check_nodes(checker *c)
{
    const mfm_network *network = c->im->network;
    const mfm_graph *graph = c->im->graph;
    const int inputs[] = {network->images, network->soft_label};
    for (size_t i = 0; i < 2; i++)
        if (inputs[i] >= 0)
            c->owners[inputs[i]].in_order = true;
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_nodes && !status; i++)
        status = check_node(c, &graph->nodes[i]);
    if (!status)
        status = check_rows(c, "output", c->im->output);
    for (size_t i = 0; i < c->im->n_wanted && !status; i++)
        status = check_rows(c, "value", c->im->wanted[i]);
    return status;
}

/* ---- groups of the batch's size ------------------------------------------------------------- */

/* Numbers before the axis that grows with the batch; -1 when that is not one axis. */
static int64_t before_batch(const mfm_shape *shape, const mfm_shape *larger)
{
    int64_t before = -1, product = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] != larger->dim[i]) {
            if (before >= 0)
                return -1;
            before = product;
        }
        product *= shape->dim[i];
    }
    return before;
}

static bool moves_batch(const mfm_importer *im, const mfm_shape *shapes, const mfm_shape *larger)
{
    for (size_t i = 0; i < im->graph->n_nodes; i++) {
        const mfm_graph_node *node = &im->graph->nodes[i];
        const int in = node->in[0], out = node->out[0];
        if (mfm_has_trait(node->op, MFM_SAME_ORDER) &&
            before_batch(&shapes[in], &larger[in]) != before_batch(&shapes[out], &larger[out]))
            return true;
    }
    return false;
}

static bool divides_any(int64_t prime, const mfm_shape *shapes, const uint8_t *on_images, size_t n,
                        int64_t batch)
{
    for (size_t i = 0; i < n; i++)
        if (on_images[i] && mfm_shape_count(&shapes[i]) / batch % prime == 0)
            return true;
    return false;
}

/* 2, where no Reshape moves the batch. */
static int64_t next_batch(const mfm_importer *im, const mfm_shape *shapes, const mfm_shape *larger)
{
    static const int64_t primes[] = {3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59};
    const size_t n_primes = sizeof primes / sizeof primes[0];
    if (!moves_batch(im, shapes, larger))
        return 2;
    for (size_t i = 0; i < n_primes; i++)
        if (!divides_any(primes[i], shapes, im->on_images, im->graph->n_values, 2))
            return primes[i];
    return primes[n_primes - 1];
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int infer_shapes(mfm_importer *im, int64_t batch, mfm_shape *shapes)
{
    const int status = mfm_graph_shapes(im->graph, batch, false, shapes);
    return status ? mfm_fail_in(im->ctx, status, "%s: at batch %lld", mfm_model_path(im->model),
                                (long long)batch)
                  : MFM_OK;
}

/* With the shapes at that batch. */
static int check_at(mfm_importer *im, int64_t batch, mfm_shape *shapes)
{
    const size_t n = im->graph->n_values;
    checker c = {.im = im, .ctx = im->ctx, .batch = batch, .shapes = shapes};
    c.owners = mfm_alloc(im->ctx, n, sizeof *c.owners);
    const int status = c.owners ? check_nodes(&c) : MFM_ENOMEM;
    for (size_t i = 0; i < n && c.owners; i++)
        mfm_free(im->ctx, c.owners[i].map);
    mfm_free(im->ctx, c.owners);
    return status;
}

int mfm_import_check_batch(mfm_importer *im)
{
    const size_t n = im->graph->n_values;
    mfm_shape *shapes = mfm_alloc(im->ctx, 2 * n, sizeof *shapes);
    if (!shapes)
        return MFM_ENOMEM;
    /* A shape that holds for one batch alone shows at two others. */
    int status = infer_shapes(im, 3, shapes + n);
    if (!status)
        status = infer_shapes(im, 2, shapes);
    if (!status)
        status = check_at(im, 2, shapes);
    const int64_t batch = status ? 2 : next_batch(im, shapes, shapes + n);
    if (!status && batch != 2)
        status = infer_shapes(im, batch, shapes);
    if (!status && batch != 2)
        status = check_at(im, batch, shapes);
    mfm_free(im->ctx, shapes);
    return status;
}
