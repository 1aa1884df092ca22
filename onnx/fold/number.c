/* Arithmetic with numbers that may depend on the batch size N, for N from 1 on. */
#include <math.h>

#include "onnx/fold/fold_parts.h"
#include "onnx/storage/tensor_data.h"

enum { BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL };

/* A whole number as a real one is exact, and so are sums and products with it, up to this. */
static const double MOST_EXACT = 1 << 24;

/* The ends of a type of whole numbers; uint64 to the end of int64. */
static bool whole_range(int32_t type, int64_t *least, int64_t *most)
{
    static const struct {
        int32_t type;
        int64_t least, most;
    } ranges[] = {{ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, 0, 1},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, INT8_MIN, INT8_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, INT16_MIN, INT16_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, INT32_MIN, INT32_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, INT64_MIN, INT64_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 0, UINT8_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, 0, UINT16_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, 0, UINT32_MAX},
                  {ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, 0, INT64_MAX}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].type == type) {
            *least = ranges[i].least;
            *most = ranges[i].most;
            return true;
        }
    return false;
}

bool mfm_fold_type_is_whole(int32_t type)
{
    int64_t least, most;
    return whole_range(type, &least, &most);
}

/* A real number that depends on the batch must be exact for every batch that memory holds. */
bool mfm_number_fit(int32_t type, mfm_number *number)
{
    int64_t least, most;
    if (mfm_type_is_float(type)) {
        number->r = mfm_tensor_round(type, number->r);
        return number->n == 0 || (number->r == floor(number->r) && fabs(number->r) < MOST_EXACT &&
                                  fabs((double)number->n) < MOST_EXACT);
    }
    return whole_range(type, &least, &most) && number->i >= least && number->i <= most &&
           (number->n == 0 || type != BOOL);
}

bool mfm_number_convert(int32_t from, int32_t to, const mfm_number *number, mfm_number *result)
{
    const bool was_real = mfm_type_is_float(from);
    bool equal;
    *result = *number;
    if (to == BOOL && from != BOOL) {
        const mfm_number zero = {.i = 0};
        const mfm_number real_zero = {.r = 0};
        if (!mfm_number_equal(from, number, was_real ? &real_zero : &zero, &equal))
            return false;
        *result = (mfm_number){.i = !equal};
        return true;
    }
    if (mfm_type_is_float(to)) {
        if (!was_real)
            result->r = (double)number->i;
        return mfm_number_fit(to, result);
    }
    if (!was_real)
        return mfm_number_fit(to, result);
    /* Towards zero; with a batch in it the number is whole already. */
    if (!(fabs(number->r) < 0x1p62))
        return false;
    result->i = (int64_t)number->r;
    return mfm_number_fit(to, result);
}

bool mfm_number_add(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result)
{
    mfm_number sum = {.i = 0};
    if (__builtin_add_overflow(a->n, b->n, &sum.n))
        return false;
    if (mfm_type_is_float(type))
        sum.r = a->r + b->r;
    else if (__builtin_add_overflow(a->i, b->i, &sum.i))
        return false;
    *result = sum;
    return mfm_number_fit(type, result);
}

static bool times_real(const mfm_number *a, const mfm_number *b, mfm_number *result)
{
    const mfm_number *varies = a->n ? a : b, *fixed = a->n ? b : a;
    const double n = (double)varies->n * fixed->r;
    *result = (mfm_number){.r = a->r * b->r};
    if (varies->n == 0)
        return true;
    if (n != floor(n) || !(fabs(n) < MOST_EXACT))
        return false;
    result->n = (int64_t)n;
    return true;
}

bool mfm_number_times(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result)
{
    if (a->n && b->n)
        return false;
    mfm_number product;
    if (mfm_type_is_float(type)) {
        if (!times_real(a, b, &product))
            return false;
    } else {
        const int64_t n = a->n ? a->n : b->n, factor = a->n ? b->i : a->i;
        product = (mfm_number){.i = 0};
        if (__builtin_mul_overflow(a->i, b->i, &product.i) ||
            __builtin_mul_overflow(n, factor, &product.n))
            return false;
    }
    *result = product;
    return mfm_number_fit(type, result);
}

/* a - b as what it is at N = 0, and by how much it grows. */
static bool minus(int32_t type, const mfm_number *a, const mfm_number *b, double *start,
                  double *slope)
{
    int64_t difference, n;
    if (__builtin_sub_overflow(a->n, b->n, &n))
        return false;
    if (mfm_type_is_float(type))
        *start = a->r - b->r;
    else if (__builtin_sub_overflow(a->i, b->i, &difference))
        return false;
    else
        *start = (double)difference;
    *slope = (double)n;
    return true;
}

bool mfm_number_order(int32_t type, const mfm_number *a, const mfm_number *b, int *order)
{
    double start, slope;
    if (a->n == 0 && b->n == 0) {
        const bool real_type = mfm_type_is_float(type);
        *order = real_type ? (a->r > b->r) - (a->r < b->r) : (a->i > b->i) - (a->i < b->i);
        return !real_type || (!isnan(a->r) && !isnan(b->r));
    }
    if (!minus(type, a, b, &start, &slope) || isnan(start))
        return false;
    const double first = start + slope; /* at N = 1, from where on it grows or falls */
    *order = slope == 0 ? (start > 0) - (start < 0) : slope > 0 ? 1 : -1;
    return slope == 0 || (slope > 0 ? first > 0 : first < 0);
}

bool mfm_number_equal(int32_t type, const mfm_number *a, const mfm_number *b, bool *equal)
{
    double start, slope;
    if (a->n == 0 && b->n == 0) {
        *equal = mfm_type_is_float(type) ? a->r == b->r : a->i == b->i;
        return true;
    }
    if (!minus(type, a, b, &start, &slope) || isnan(start))
        return false;
    *equal = slope == 0 && start == 0;
    /* They meet where start + slope N = 0. */
    const double meet = slope == 0 ? 0 : -start / slope;
    return slope == 0 || meet < 1 || meet != floor(meet);
}

/* ---- walks ---------------------------------------------------------------------------------- */

void mfm_row_strides(const mfm_shape *shape, int64_t stride[MFM_MAX_RANK])
{
    int64_t product = 1;
    for (int i = shape->rank; i-- > 0;) {
        stride[i] = product;
        product *= shape->dim[i];
    }
}

void mfm_steps_next(mfm_steps *steps)
{
    for (int i = steps->shape.rank; i-- > 0;) {
        steps->offset += steps->stride[i];
        if (++steps->at[i] < steps->shape.dim[i])
            return;
        steps->offset -= steps->at[i] * steps->stride[i];
        steps->at[i] = 0;
    }
}

bool mfm_steps_broadcast(const mfm_shape *from, const mfm_shape *to, mfm_steps *steps)
{
    int64_t stride[MFM_MAX_RANK];
    const int added = to->rank - from->rank;
    *steps = (mfm_steps){.shape = *to};
    if (added < 0)
        return false;
    mfm_row_strides(from, stride);
    for (int i = 0; i < from->rank; i++) {
        if (from->dim[i] != to->dim[i + added] && from->dim[i] != 1)
            return false;
        steps->stride[i + added] = from->dim[i] == 1 ? 0 : stride[i];
    }
    return true;
}
