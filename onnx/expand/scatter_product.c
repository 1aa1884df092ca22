/*
 * ScatterElements (ONNX 16, 18) and ScatterND (16, 18) with reduction mul, at constant places that
 * each occur once:
 *     y = data, but y[place] = data[place] u[place]
 * What lies there is read, multiplied and written back, by the operators that do so, whose
 * derivatives are exact for factors of 0, too. Where a place occurs more than once, this is done
 * for one slice of the updates after the other: along `axis` those of one slice have places of
 * their own, and along the first axis of the lists they may have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/expand/expand_parts.h"

enum { DATA, PLACES, UPDATES, MOST_STEPS = 64 };

typedef struct product {
    mfm_parts p;
    bool elements;
    int axis;                 /* of elements; along which slices are cut: 0 of lists */
    const mfm_folded *places; /* all of them */
    mfm_shape data;
} product;

bool mfm_scatter_multiplies(const mfm_importer *im, const Onnx__NodeProto *node)
{
    (void)im;
    const Onnx__AttributeProto *reduction = mfm_proto_attr(node, "reduction");
    return reduction && reduction->s.len == 3 && memcmp(reduction->s.data, "mul", 3) == 0;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* Slice `slice` of the places along the axis, or all of them (-1). */
static mfm_shape slice_shape(const product *m, int64_t slice)
{
    mfm_shape shape = m->places->shape;
    if (slice >= 0)
        shape.dim[m->axis] = 1;
    return shape;
}

/* Number i of a slice. */
static int64_t place_number(const product *m, int64_t slice, int64_t i)
{
    int64_t inner = 1;
    for (int k = m->axis + 1; k < m->places->shape.rank; k++)
        inner *= m->places->shape.dim[k];
    const int64_t length = m->places->shape.dim[m->axis];
    return m->places->v[slice < 0 ? i : (i / inner * length + slice) * inner + i % inner].i;
}

/* Where in the data place i of a slice is; an index beyond its axis is told by the operator. */
static int64_t offset_of(const product *m, int64_t slice, const mfm_shape *shape, int64_t i)
{
    const int listed = m->elements ? m->data.rank : (int)shape->dim[shape->rank - 1];
    int64_t offset = 0, at[MFM_MAX_RANK] = {0}, rest = i;
    for (int k = shape->rank - 1; m->elements && k >= 0; rest /= shape->dim[k--])
        at[k] = rest % shape->dim[k];
    if (m->elements)
        at[m->axis] = place_number(m, slice, i);
    for (int k = 0; k < listed; k++) {
        const int64_t length = m->data.dim[k];
        int64_t index = m->elements ? at[k] : place_number(m, slice, i * listed + k);
        index += index < 0 ? length : 0;
        offset = offset * length + (index < 0 ? 0 : index < length ? index : length - 1);
    }
    return offset;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Whether no place of a slice occurs twice. */
static bool is_simple(product *m, int64_t slice)
{
    const mfm_shape shape = slice_shape(m, slice);
    const int64_t listed = m->elements ? 1 : shape.dim[shape.rank - 1];
    const int64_t count = mfm_shape_count(&shape) / (listed ? listed : 1);
    int64_t *offsets = mfm_alloc(m->p.im->ctx, (size_t)count, sizeof *offsets);
    bool simple = offsets || !count;
    if (!simple)
        m->p.status = MFM_ENOMEM;
    for (int64_t i = 0; i < count && offsets; i++)
        offsets[i] = offset_of(m, slice, &shape, i);
    if (offsets)
        qsort(offsets, (size_t)count, sizeof *offsets, by_size);
    for (int64_t i = 1; i < count && simple; i++)
        simple = offsets[i] != offsets[i - 1];
    mfm_free(m->p.im->ctx, offsets);
    return simple;
}

/* At every batch: a place from the end of an axis may then be another. */
static bool is_always_simple(product *m, int data, int64_t slice)
{
    bool simple = true;
    for (int k = 0; k < MFM_FOLD_BATCHES && simple && !m->p.status; k++) {
        m->p.status = mfm_import_shape(m->p.im, data, mfm_fold_batches[k], &m->data);
        simple = !m->p.status && is_simple(m, slice);
    }
    return simple;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static int places_value(product *m, int64_t slice)
{
    const mfm_shape shape = slice_shape(m, slice);
    const int64_t count = mfm_shape_count(&shape);
    real *numbers = mfm_alloc(m->p.im->ctx, (size_t)count, sizeof *numbers);
    if (!numbers && count) {
        m->p.status = MFM_ENOMEM;
        return MFM_NO_VALUE;
    }
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (real)place_number(m, slice, i);
    const int value = mfm_parts_const(&m->p, &shape, numbers);
    mfm_free(m->p.im->ctx, numbers);
    return value;
}

/* `data` with one slice of the updates, or all, multiplied in. */
static int multiply(product *m, int data, int updates, int64_t slice)
{
    char text[96];
    const int at = places_value(m, slice);
    if (slice >= 0) {
        snprintf(text, sizeof text, "Slice starts=%lld ends=%lld axes=%d", (long long)slice,
                 (long long)slice + 1, m->axis);
        updates = mfm_parts_add(&m->p, text, updates, MFM_NO_VALUE, MFM_NO_VALUE);
    }
    snprintf(text, sizeof text, m->elements ? "GatherElements axis=%d" : "GatherND", m->axis);
    const int there = mfm_parts_add(&m->p, text, data, at, MFM_NO_VALUE);
    const int made = mfm_parts_add(&m->p, "Mul", there, updates, MFM_NO_VALUE);
    snprintf(text, sizeof text, m->elements ? "ScatterElements axis=%d" : "ScatterND", m->axis);
    return mfm_parts_add(&m->p, text, data, at, made);
}

static int refuse(product *m, const char *rule)
{
    return m->p.status
               ? m->p.status
               : mfm_import_fail(m->p.im, m->p.node, MFM_ENOTSUP, "reduction mul: %s", rule);
}

static int refuse_steps(product *m)
{
    char rule[96];
    snprintf(rule, sizeof rule, "places that occur more than once: among at most %d along the axis",
             MOST_STEPS);
    return refuse(m, rule);
}

/* The places are constants, the axis one of theirs. */
static int read_places(product *m, int data)
{
    const mfm_folded **places = &m->places;
    mfm_parts *p = &m->p;
    p->status = mfm_import_folded(p->im, p->node->input[PLACES], places);
    const mfm_shape shape = mfm_parts_shape(p, data);
    if (p->status || !*places || mfm_folded_is_real(*places) || mfm_folded_varies(*places))
        return refuse(m, "places must be constant whole numbers");
    const int64_t axis = m->elements ? mfm_proto_int(p->node, "axis", 0) : 0;
    const int rank = (*places)->shape.rank;
    const int listed = rank && !m->elements ? (int)(*places)->shape.dim[rank - 1] : 0;
    m->axis = (int)(axis < 0 ? axis + shape.rank : axis);
    if (axis < -shape.rank || axis >= shape.rank || rank < 1 ||
        (m->elements ? rank != shape.rank : listed < 1 || listed > shape.rank))
        return mfm_import_fail(p->im, p->node, MFM_EDATA,
                               "places with %d axes do not fit data with %d", rank, shape.rank);
    return MFM_OK;
}

int mfm_expand_scatter_product(mfm_importer *im, const Onnx__NodeProto *node)
{
    product m = {.p = {.im = im, .node = node}, .elements = mfm_proto_is(node, "ScatterElements")};
    if (node->n_input != 3 || node->n_output != 1)
        return mfm_import_fail(im, node, MFM_EDATA, "must have three inputs and one output");
    int data = mfm_parts_input(&m.p, DATA, MFM_DATA);
    const int updates = mfm_parts_input(&m.p, UPDATES, MFM_DATA);
    if (m.p.status || read_places(&m, data))
        return mfm_code(im->ctx);
    const mfm_shape shape = mfm_parts_shape(&m.p, updates);
    if (is_always_simple(&m, data, -1)) {
        data = multiply(&m, data, updates, -1);
    } else {
        const int64_t steps = m.places->shape.dim[m.axis];
        if (steps > MOST_STEPS)
            return refuse_steps(&m);
        if (!m.p.status && (shape.rank <= m.axis || shape.dim[m.axis] != steps))
            return mfm_import_fail(im, node, MFM_EDATA, "updates do not have the places' lengths");
        for (int64_t i = 0; i < steps && !m.p.status; i++) {
            if (!is_always_simple(&m, data, i))
                return refuse(&m, "a place occurs more than once among the lists at one index");
            data = multiply(&m, data, updates, i);
        }
    }
    mfm_parts_output(&m.p, 0, data);
    return m.p.status;
}
