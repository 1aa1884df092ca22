#include "onnx/import/fold.h"

#include <string.h>

#include "onnx/storage/tensor_data.h"

bool mfm_fold_tensor(const Onnx__TensorProto *tensor, mfm_folded *result)
{
    if (!mfm_tensor_is_int(tensor) || tensor->n_dims > 1 || mfm_tensor_size(tensor) > MFM_FOLD_MAX)
        return false;
    *result = (mfm_folded){.rank = (int)tensor->n_dims, .count = (int)mfm_tensor_size(tensor)};
    mfm_tensor_get_ints(tensor, result->v);
    return true;
}

static int64_t int_attr(const Onnx__NodeProto *node, const char *name, int64_t fallback)
{
    const Onnx__AttributeProto *attr = mfm_proto_attr(node, name);
    return attr ? attr->i : fallback;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

bool mfm_fold_shape(const Onnx__NodeProto *node, const mfm_shape *shape, const mfm_shape *larger,
                    mfm_folded *result)
{
    int64_t start = int_attr(node, "start", 0), end = int_attr(node, "end", shape->rank);
    start = clamp(start < 0 ? start + shape->rank : start, 0, shape->rank);
    end = clamp(end < 0 ? end + shape->rank : end, 0, shape->rank);
    *result = (mfm_folded){.rank = 1};
    for (int64_t i = start; i < end; i++) {
        const bool varies = shape->dim[i] != larger->dim[i];
        if (varies && (shape->dim[i] != MFM_FOLD_BATCH || larger->dim[i] != MFM_FOLD_BATCH + 1))
            return false;
        result->v[result->count] = shape->dim[i];
        result->batch[result->count++] = varies;
    }
    return true;
}

static void put(mfm_folded *to, const mfm_folded *from, int64_t i)
{
    to->v[to->count] = from->v[i];
    to->batch[to->count++] = from->batch[i];
}

static bool gather(const mfm_folded *data, const mfm_folded *index, mfm_folded *result)
{
    *result = (mfm_folded){.rank = index->rank};
    if (data->rank != 1)
        return false;
    for (int i = 0; i < index->count; i++) {
        const int64_t at = index->v[i] < 0 ? index->v[i] + data->count : index->v[i];
        if (index->batch[i] || at < 0 || at >= data->count)
            return false;
        put(result, data, at);
    }
    return true;
}

static bool concat(const mfm_folded *const *inputs, size_t n_inputs, mfm_folded *result)
{
    *result = (mfm_folded){.rank = 1};
    for (size_t k = 0; k < n_inputs; k++)
        for (int i = 0; inputs[k] && i < inputs[k]->count; i++) {
            if (result->count == MFM_FOLD_MAX)
                return false;
            put(result, inputs[k], i);
        }
    return true;
}

/* The single number of input `index`, or `fallback` where there is no such input. */
static bool one_number(const mfm_folded *const *inputs, size_t n_inputs, size_t index,
                       int64_t fallback, int64_t *number)
{
    *number = fallback;
    if (index >= n_inputs || !inputs[index])
        return true;
    *number = inputs[index]->v[0];
    return inputs[index]->count == 1 && !inputs[index]->batch[0];
}

/* Opset 10 and later: starts, ends, axes, steps as inputs, over the one axis of a list. */
static bool slice(const mfm_folded *const *inputs, size_t n_inputs, mfm_folded *result)
{
    int64_t from, to, axis, step;
    if (n_inputs < 3 || !inputs[1] || !inputs[2] || !one_number(inputs, n_inputs, 1, 0, &from) ||
        !one_number(inputs, n_inputs, 2, 0, &to) || !one_number(inputs, n_inputs, 3, 0, &axis) ||
        !one_number(inputs, n_inputs, 4, 1, &step))
        return false;
    if (inputs[0]->rank != 1 || (axis != 0 && axis != -1) || step != 1)
        return false;
    const int64_t n = inputs[0]->count;
    const int64_t start = clamp(from < 0 ? from + n : from, 0, n);
    const int64_t end = clamp(to < 0 ? to + n : to, 0, n);
    *result = (mfm_folded){.rank = 1};
    for (int64_t i = start; i < end; i++)
        put(result, inputs[0], i);
    return true;
}

static bool compute(char operation, int64_t a, int64_t b, int64_t *result)
{
    switch (operation) {
    case 'A':
        return !__builtin_add_overflow(a, b, result);
    case 'S':
        return !__builtin_sub_overflow(a, b, result);
    case 'M':
        return !__builtin_mul_overflow(a, b, result);
    default:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *result = a / b;
        return true;
    }
}

/* Whether a Cast leaves whole numbers whole: dividing would round otherwise. */
static bool casts_to_ints(const Onnx__NodeProto *node)
{
    const int64_t to = int_attr(node, "to", 0);
    return to == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || to == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
}

/* Add, Sub, Mul, Div element by element; a scalar or a list of one meets every element. */
static bool arithmetic(char operation, const mfm_folded *a, const mfm_folded *b, mfm_folded *result)
{
    if ((a->count != b->count && a->count != 1 && b->count != 1) || !a->count || !b->count)
        return false;
    const mfm_folded *longer = a->count >= b->count ? a : b;
    *result = (mfm_folded){.rank = a->rank > b->rank ? a->rank : b->rank, .count = longer->count};
    for (int i = 0; i < longer->count; i++) {
        const int j = a->count == 1 ? 0 : i, k = b->count == 1 ? 0 : i;
        if (a->batch[j] || b->batch[k] || !compute(operation, a->v[j], b->v[k], &result->v[i]))
            return false;
    }
    return true;
}

bool mfm_fold_node(const Onnx__NodeProto *node, const mfm_folded *const *inputs, size_t n_inputs,
                   mfm_folded *result)
{
    const char *type = mfm_proto_text(node->op_type);
    if (!n_inputs || !inputs[0])
        return false;
    if (strcmp(type, "Concat") == 0)
        return concat(inputs, n_inputs, result);
    if (strcmp(type, "Identity") == 0 || (strcmp(type, "Cast") == 0 && casts_to_ints(node))) {
        *result = *inputs[0];
        return true;
    }
    if (strcmp(type, "Unsqueeze") == 0) {
        *result = *inputs[0];
        result->rank = 1;
        return inputs[0]->rank == 0;
    }
    if (strcmp(type, "Squeeze") == 0) {
        *result = *inputs[0];
        result->rank = 0;
        return inputs[0]->count == 1;
    }
    if (strcmp(type, "Slice") == 0)
        return slice(inputs, n_inputs, result);
    if (n_inputs < 2 || !inputs[1])
        return false;
    if (strcmp(type, "Gather") == 0)
        return gather(inputs[0], inputs[1], result);
    const bool pointwise = strcmp(type, "Add") == 0 || strcmp(type, "Sub") == 0 ||
                           strcmp(type, "Mul") == 0 || strcmp(type, "Div") == 0;
    return pointwise && arithmetic(type[0], inputs[0], inputs[1], result);
}
