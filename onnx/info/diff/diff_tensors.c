/* Initialisers of two graphs, matched by their names, with the norms of what differs. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx/info/diff/diff_parts.h"
#include "onnx/proto/strmap.h"
#include "onnx/storage/tensor_data.h"

const char *mfm_diff_type(int32_t data_type)
{
    static const char *const names[] = {
        [1] = "float32",  [2] = "uint8",   [3] = "int8",    [4] = "uint16",   [5] = "int16",
        [6] = "int32",    [7] = "int64",   [8] = "string",  [9] = "bool",     [10] = "float16",
        [11] = "float64", [12] = "uint32", [13] = "uint64", [16] = "bfloat16"};
    const size_t count = sizeof names / sizeof names[0];
    const char *name = data_type > 0 && (size_t)data_type < count ? names[data_type] : NULL;
    return name ? name : "another type";
}

static void describe(const Onnx__TensorProto *t, char text[MFM_DIFF_TEXT])
{
    size_t used = (size_t)snprintf(text, MFM_DIFF_TEXT, "%s [", mfm_diff_type(t->data_type));
    for (size_t i = 0; i < t->n_dims && used < MFM_DIFF_TEXT; i++)
        used += (size_t)snprintf(text + used, MFM_DIFF_TEXT - used, "%s%" PRId64, i ? "," : "",
                                 t->dims[i]);
    if (used < MFM_DIFF_TEXT)
        snprintf(text + used, MFM_DIFF_TEXT - used, "]");
}

static bool same_shape(const Onnx__TensorProto *a, const Onnx__TensorProto *b)
{
    for (size_t i = 0; a->n_dims == b->n_dims && i < a->n_dims; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return a->n_dims == b->n_dims;
}

/* Numbers that are none count as apart, and leave the norms alone. */
static void measure(const double *x, const double *y, size_t count, mfm_difference *m)
{
    double before = 0, after = 0, apart = 0;
    m->numbers = count;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs(x[i] - y[i]);
        m->n_apart += memcmp(&x[i], &y[i], sizeof *x) != 0;
        before += isfinite(x[i]) ? x[i] * x[i] : 0;
        after += isfinite(y[i]) ? y[i] * y[i] : 0;
        apart += isfinite(difference) ? difference * difference : 0;
        m->most_apart = difference > m->most_apart ? difference : m->most_apart;
    }
    m->numeric = true;
    m->norm_before = sqrt(before);
    m->norm_after = sqrt(after);
    m->norm_apart = sqrt(apart);
}

static int measure_floats(mfm_diff *d, const mfm_model *a, const Onnx__TensorProto *x,
                          const mfm_model *b, const Onnx__TensorProto *y, mfm_difference *m)
{
    const size_t count = mfm_tensor_size(x);
    double *numbers = mfm_alloc(d->ctx, 2 * count, sizeof *numbers);
    if (!numbers)
        return MFM_ENOMEM;
    int status = mfm_tensor_read_doubles(a, x, numbers);
    if (!status)
        status = mfm_tensor_read_doubles(b, y, numbers + count);
    if (!status)
        measure(numbers, numbers + count, count, m);
    mfm_free(d->ctx, numbers);
    return status;
}

static int ints_differ(mfm_diff *d, const mfm_model *a, const Onnx__TensorProto *x,
                       const mfm_model *b, const Onnx__TensorProto *y, bool *differ)
{
    const size_t count = mfm_tensor_size(x);
    int64_t *numbers = mfm_alloc(d->ctx, 2 * count, sizeof *numbers);
    if (!numbers)
        return MFM_ENOMEM;
    int status = mfm_tensor_read_ints(a, x, numbers);
    if (!status)
        status = mfm_tensor_read_ints(b, y, numbers + count);
    *differ = memcmp(numbers, numbers + count, count * sizeof *numbers) != 0;
    mfm_free(d->ctx, numbers);
    return status;
}

static int diff_pair(mfm_diff *d, const mfm_model *a, const Onnx__TensorProto *x,
                     const mfm_model *b, const Onnx__TensorProto *y)
{
    const bool floats = mfm_tensor_is_float(x) && mfm_tensor_is_float(y);
    const bool ints = mfm_tensor_is_int(x) && mfm_tensor_is_int(y);
    char before[MFM_DIFF_TEXT], after[MFM_DIFF_TEXT];
    mfm_difference m = {.numeric = false};
    bool differ = x->data_type != y->data_type || !same_shape(x, y);
    int status = MFM_OK;
    if (floats && same_shape(x, y))
        status = measure_floats(d, a, x, b, y, &m);
    else if (ints && !differ)
        status = ints_differ(d, a, x, b, y, &differ);
    else if (!differ)
        differ = !mfm_diff_same(d->ctx, &x->base, &y->base, &status);
    if (status || (!differ && m.n_apart == 0))
        return status;
    describe(x, before);
    describe(y, after);
    mfm_difference *item = mfm_diff_add(d, MFM_DIFF_TENSOR, mfm_proto_text(x->name), before, after);
    if (!item)
        return MFM_ENOMEM;
    m.part = item->part;
    m.name = item->name;
    m.before = item->before;
    m.after = item->after;
    *item = m;
    return MFM_OK;
}

static int index_tensors(const Onnx__GraphProto *graph, mfm_strmap *map)
{
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_initializer && !status; i++)
        status = mfm_strmap_set(map, mfm_proto_text(graph->initializer[i]->name), i);
    return status;
}

/* Those of one side that the other does not have. */
static int lone_tensors(mfm_diff *d, const Onnx__GraphProto *graph, const mfm_strmap *others,
                        bool after)
{
    char text[MFM_DIFF_TEXT];
    int status = MFM_OK;
    for (size_t i = 0; i < graph->n_initializer && !status; i++) {
        const char *name = mfm_proto_text(graph->initializer[i]->name);
        if (mfm_strmap_get(others, name, NULL))
            continue;
        describe(graph->initializer[i], text);
        status = mfm_diff_texts(d, MFM_DIFF_TENSOR, name, after ? NULL : text, after ? text : NULL);
    }
    return status;
}

int mfm_diff_tensors(mfm_diff *d, const mfm_model *a, const mfm_model *b)
{
    const Onnx__GraphProto *x = a->proto->graph, *y = b->proto->graph;
    mfm_strmap in_a, in_b;
    size_t at;
    mfm_strmap_init(&in_a, d->ctx);
    mfm_strmap_init(&in_b, d->ctx);
    int status = index_tensors(x, &in_a);
    if (!status)
        status = index_tensors(y, &in_b);
    for (size_t i = 0; i < x->n_initializer && !status; i++)
        if (mfm_strmap_get(&in_b, mfm_proto_text(x->initializer[i]->name), &at))
            status = diff_pair(d, a, x->initializer[i], b, y->initializer[at]);
    if (!status)
        status = lone_tensors(d, x, &in_b, false);
    if (!status)
        status = lone_tensors(d, y, &in_a, true);
    mfm_strmap_clear(&in_a);
    mfm_strmap_clear(&in_b);
    return status;
}
