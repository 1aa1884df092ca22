/* A node by itself: whose numbers each of its outputs are made of, found by carrying it out with
 * images changed, or, number by number, by following the broadcast (import_batch.c has the whole).
 */
#include <math.h>
#include <string.h>

#include "core/engine/kernels/broadcast.h"
#include "core/engine/plan/plan.h"
#include "onnx/import/import_batch.h"

enum { MOST_NUMBERS = 1 << 28, CHANGED = 1 << 16 };
static const real TWINS_DIFFER = (real)1e-3; /* more than rounding */

/* The owners of each number, in storage order, which the caller frees; NULL: it has none. */
static int make_map(const mfm_batch_checker *c, int value, uint8_t **map)
{
    const mfm_owners *o = &c->owners[value];
    const mfm_shape *shape = &c->shapes[value];
    const int64_t count = mfm_shape_count(shape);
    int64_t stride[MFM_MAX_RANK], index[MFM_MAX_RANK] = {0};
    *map = mfm_batch_has_owner(c, value) ? mfm_alloc(c->ctx, (size_t)count, 1) : NULL;
    if (!*map)
        return mfm_batch_has_owner(c, value) ? MFM_ENOMEM : MFM_OK;
    if (o->map)
        memcpy(*map, o->map, (size_t)count);
    mfm_shape_strides(shape, stride);
    for (int64_t i = 0, image = 0, at = 0, left = o->run; i < count && o->run; i++) {
        (*map)[at] = image ? MFM_OWNED_OTHERS : MFM_OWNED_FIRST;
        if (--left == 0) {
            left = o->run;
            image = (image + 1) % c->batch;
        }
        mfm_broadcast_next(shape, stride, index, &at);
    }
    return MFM_OK;
}

/* A graph of one node. inputs and results are by slot; a slot that is not fed has NULL. */
typedef struct trial {
    const mfm_batch_checker *c;
    const mfm_graph_node *node;
    mfm_graph *graph;
    mfm_plan *plan;
    int *in, *out;    /* values of the graph */
    real **inputs;    /* by slot */
    uint8_t **maps;   /* owners of each number, by slot; NULL: it has none */
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
    const int status = mfm_plan_new(t->c->ctx, t->graph, &spec, &t->plan);
    mfm_free(t->c->ctx, keep);
    if (status)
        return status;
    if (t->graph->state_size)
        mfm_plan_bind_state(t->plan, t->graph->state);
    for (int i = 0; i < t->node->n_in; i++)
        if (t->inputs[i])
            mfm_plan_bind_input(t->plan, t->in[i], MFM_X, t->inputs[i]);
    return MFM_OK;
}

/* Between 1/2 and 3/2, the same for each call. */
static real number(int slot, int64_t i)
{
    uint32_t h = (uint32_t)i * 2654435761U + (uint32_t)slot * 40503U;
    h = (h ^ h >> 15) * 2246822519U;
    return (real)0.5 + (real)(h >> 8) / (real)(1 << 24);
}

/* What an owner has becomes larger, or smaller, than all else; other numbers, too, since of a
 * multiple a normalisation makes the same. */
static void run(trial *t, uint8_t owner, real factor)
{
    for (int k = 0; k < t->node->n_in; k++) {
        const int64_t count = t->inputs[k] ? count_of(t, t->node->in[k]) : 0;
        const uint8_t *map = t->maps[k];
        for (int64_t i = 0; i < count; i++)
            t->inputs[k][i] =
                map && (map[i] & owner) ? factor * number(k + CHANGED, i) : number(k, i);
    }
    mfm_plan_run(t->plan, 0);
}

/* Two images that are the same: number k of the one is number k of the other. What is neither's, as
 * numbers that Pad has added or a token for each image, is one number everywhere; parameters, which
 * have the same shape for any batch, have many. */
static void run_twins(trial *t)
{
    for (int k = 0; k < t->node->n_in; k++) {
        const int value = t->node->in[k];
        const int64_t count = t->inputs[k] ? count_of(t, value) : 0;
        const bool param = count && t->c->im->graph->values[value].kind == MFM_VALUE_PARAM;
        int64_t seen[MFM_OWNED_BOTH + 1] = {0};
        for (int64_t i = 0; i < count; i++) {
            const uint8_t owner = t->maps[k] ? t->maps[k][i] : 0;
            t->inputs[k][i] = number(k, owner || param ? seen[owner]++ : 0);
        }
    }
    mfm_plan_run(t->plan, 0);
}

/* The place from `at` on that an image owns; count when there is none. */
static int64_t next_owned(const uint8_t *map, uint8_t owner, int64_t at, int64_t count)
{
    while (at < count && map[at] != owner)
        at++;
    return at;
}

/* Whether the two have the same result, number by number. */
static bool are_twins(const trial *t, int output, const uint8_t *map)
{
    const int64_t count = count_of(t, t->node->out[output]);
    const real *now = mfm_plan_lane(t->plan, t->out[output], MFM_X);
    int64_t a = next_owned(map, MFM_OWNED_FIRST, 0, count);
    int64_t b = next_owned(map, MFM_OWNED_OTHERS, 0, count);
    while (a < count && b < count) {
        if (fabs(now[a] - now[b]) > TWINS_DIFFER * (1 + fabs(now[a])))
            return false;
        a = next_owned(map, MFM_OWNED_FIRST, a + 1, count);
        b = next_owned(map, MFM_OWNED_OTHERS, b + 1, count);
    }
    return a == b;
}

/* What ScatterElements writes at a fixed place of the batch ties no images together. */
static int check_twins(trial *t)
{
    if (t->c->batch != 2)
        return MFM_OK;
    run_twins(t);
    int status = MFM_OK;
    for (int k = 0; k < t->node->n_out && !status; k++) {
        uint8_t *map = NULL;
        status = make_map(t->c, t->node->out[k], &map);
        if (!status && map && !are_twins(t, k, map))
            status = mfm_batch_fail(t->c, t->node, "treats images differently");
        mfm_free(t->c->ctx, map);
    }
    return status;
}

static int try_images(trial *t)
{
    run(t, 0, 1);
    for (int k = 0; k < t->node->n_out; k++) {
        const size_t count = (size_t)count_of(t, t->node->out[k]);
        t->results[k] = mfm_alloc(t->c->ctx, count, sizeof *t->results[k]);
        if (!t->results[k])
            return MFM_ENOMEM;
        if (count) /* else there is no lane */
            memcpy(t->results[k], mfm_plan_lane(t->plan, t->out[k], MFM_X), count * sizeof(real));
    }
    for (int change = 0; change < 4; change++) {
        const uint8_t owner = change & 1 ? MFM_OWNED_OTHERS : MFM_OWNED_FIRST;
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
    const mfm_shape *shape = &t->c->shapes[t->node->in[slot]];
    int64_t from[MFM_MAX_RANK], to[MFM_MAX_RANK], index[2][MFM_MAX_RANK] = {{0}};
    const int64_t count = mfm_shape_count(full);
    mfm_broadcast_strides(shape, full, from);
    mfm_shape_strides(full, to);
    for (int64_t i = 0, source = 0, at = 0; i < count; i++) {
        map[at] |= t->maps[slot][source];
        mfm_broadcast_next(full, from, index[0], &source);
        mfm_broadcast_next(full, to, index[1], &at);
    }
}

static void follow_numbers(trial *t)
{
    for (int k = 0; k < t->node->n_out; k++)
        for (int i = 0; i < t->node->n_in; i++)
            if (t->maps[i])
                add_owners(t, i, &t->c->shapes[t->node->out[k]], t->owners[k]);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int make_owners(trial *t)
{
    int status = MFM_OK;
    for (int i = 0; i < t->node->n_in && !status; i++)
        status = t->node->in[i] >= 0 ? make_map(t->c, t->node->in[i], &t->maps[i]) : MFM_OK;
    for (int k = 0; k < t->node->n_out && !status; k++) {
        t->owners[k] = mfm_alloc(t->c->ctx, (size_t)count_of(t, t->node->out[k]), 1);
        status = t->owners[k] ? MFM_OK : MFM_ENOMEM;
    }
    return status;
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
        if (owner == MFM_OWNED_BOTH)
            return mfm_batch_fail(t->c, t->node, "mixes images");
        *(i < first ? &owners_first : &owners_others) |= owner;
    }
    *met |= owners_first | owners_others;
    mfm_owners *o = &t->c->owners[value];
    o->run = owners_first | owners_others ? 0 : mfm_batch_copies(t->c, value);
    if (o->run)
        return MFM_OK;
    if (shape->rank && shape->dim[0] == t->c->batch && !(owners_first & MFM_OWNED_OTHERS) &&
        !(owners_others & MFM_OWNED_FIRST)) {
        o->run = mfm_batch_in_order(t->c, value);
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
    for (int i = 0; i < t->node->n_in; i++) {
        mfm_free_aligned(ctx, t->inputs ? t->inputs[i] : NULL);
        mfm_free(ctx, t->maps ? t->maps[i] : NULL);
    }
    for (int i = 0; i < t->node->n_out; i++) {
        mfm_free(ctx, t->results ? t->results[i] : NULL);
        mfm_free(ctx, t->owners ? t->owners[i] : NULL);
    }
    mfm_free(ctx, t->in);
    mfm_free(ctx, t->inputs);
    mfm_free(ctx, t->maps);
    mfm_free(ctx, t->results);
    mfm_free(ctx, t->owners);
}

/* A node that needs gigabytes for two images comes from a file that is not what it seems. */
static int check_size(const mfm_batch_checker *c, const mfm_graph_node *node)
{
    int64_t total = 0;
    for (int i = 0; i < node->n_in + node->n_out; i++) {
        const int value = i < node->n_in ? node->in[i] : node->out[i - node->n_in];
        total += value < 0 ? 0 : mfm_shape_count(&c->shapes[value]);
        if (total > MOST_NUMBERS)
            return mfm_batch_fail(c, node, "is too large to be tried");
    }
    return MFM_OK;
}

static int try_node(const mfm_batch_checker *c, const mfm_graph_node *node)
{
    const size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
    trial t = {.c = c, .node = node};
    t.in = mfm_alloc(c->ctx, n_in + n_out, sizeof *t.in);
    t.out = t.in ? t.in + n_in : NULL;
    t.inputs = mfm_alloc(c->ctx, n_in, sizeof *t.inputs);
    t.maps = mfm_alloc(c->ctx, n_in, sizeof *t.maps);
    t.results = mfm_alloc(c->ctx, n_out, sizeof *t.results);
    t.owners = mfm_alloc(c->ctx, n_out, sizeof *t.owners);
    int status =
        t.in && t.inputs && t.maps && t.results && t.owners ? check_size(c, node) : MFM_ENOMEM;
    if (!status)
        status = make_owners(&t);
    if (!status)
        status = make_graph(&t);
    if (!status)
        status = make_plan(&t);
    if (!status && node->op->batch == MFM_BATCH_ALL)
        follow_numbers(&t);
    else if (!status)
        status = try_images(&t);
    uint8_t met = 0;
    for (int k = 0; k < node->n_out && !status; k++)
        status = take_owners(&t, k, &met);
    if (!status && met && met != MFM_OWNED_BOTH)
        status = mfm_batch_fail(c, node, "leaves images out");
    if (!status)
        status = check_twins(&t);
    free_trial(&t);
    return status;
}

/* ---- nodes that are alike -------------------------------------------------------------------- */

static bool is_given(const mfm_value *value)
{
    return value->kind == MFM_VALUE_CONST || value->kind == MFM_VALUE_STATE;
}

/* For a trial: parameters of one shape are, because it puts its own numbers in their place. */
static bool is_same_input(const mfm_batch_checker *c, int a, int b)
{
    const mfm_graph *graph = c->im->graph;
    if (a < 0 || b < 0)
        return a == b;
    const mfm_value *u = &graph->values[a], *v = &graph->values[b];
    const mfm_owners *o = &c->owners[a], *p = &c->owners[b];
    const size_t count = (size_t)mfm_shape_count(&c->shapes[a]);
    if (!mfm_shape_equal(&c->shapes[a], &c->shapes[b]) || is_given(u) != is_given(v) ||
        o->run != p->run || !o->map != !p->map)
        return false;
    if (is_given(u)) {
        const real *here = u->kind == MFM_VALUE_CONST ? u->data : graph->state + u->offset;
        const real *there = v->kind == MFM_VALUE_CONST ? v->data : graph->state + v->offset;
        return u->kind == v->kind && memcmp(here, there, count * sizeof *here) == 0;
    }
    return !o->map || memcmp(o->map, p->map, count) == 0;
}

static bool is_alike(const mfm_batch_checker *c, const mfm_graph_node *a, const mfm_graph_node *b)
{
    if (a->op != b->op || a->opset != b->opset || a->n_in != b->n_in || a->n_out != b->n_out ||
        (a->op->attr_size && memcmp(a->attr, b->attr, a->op->attr_size) != 0))
        return false;
    for (int i = 0; i < a->n_in; i++) {
        if (!is_same_input(c, a->in[i], b->in[i]))
            return false;
        for (int j = 0; j < i; j++)
            if ((a->in[i] == a->in[j]) != (b->in[i] == b->in[j]))
                return false;
    }
    for (int k = 0; k < a->n_out; k++)
        if (!mfm_shape_equal(&c->shapes[a->out[k]], &c->shapes[b->out[k]]))
            return false;
    return true;
}

static int copy_owners(const mfm_batch_checker *c, const mfm_graph_node *from,
                       const mfm_graph_node *to)
{
    for (int k = 0; k < to->n_out; k++) {
        const mfm_owners *owners = &c->owners[from->out[k]];
        mfm_owners *copy = &c->owners[to->out[k]];
        const size_t count = (size_t)mfm_shape_count(&c->shapes[to->out[k]]);
        copy->run = owners->run;
        if (!owners->map)
            continue;
        copy->map = mfm_alloc(c->ctx, count, 1);
        if (!copy->map)
            return MFM_ENOMEM;
        memcpy(copy->map, owners->map, count);
    }
    return MFM_OK;
}

int mfm_batch_try_node(mfm_batch_checker *c, const mfm_graph_node *node)
{
    for (size_t i = c->n_tried; i-- > 0;)
        if (is_alike(c, c->tried[i], node))
            return copy_owners(c, c->tried[i], node);
    const int status = try_node(c, node);
    if (!status)
        c->tried[c->n_tried++] = node;
    return status;
}
