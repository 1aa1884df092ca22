/* Element by element, with broadcasting. */
#include <math.h>

#include "onnx/fold/fold_parts.h"
#include "onnx/storage/tensor_data.h"

enum { BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, MOST_INPUTS = 3 };

/* One element of numbers of a type; false: it does not follow, or not for every batch. */
typedef bool element_fn(int32_t type, const mfm_number *const *x, mfm_number *y);

/* The shape of inputs 0 to `last` together. */
static bool joined_shape(const mfm_folding *f, size_t last, mfm_shape *shape)
{
    *shape = (mfm_shape){.rank = 0};
    for (size_t i = 0; i <= last; i++) {
        const mfm_shape *x = &f->in[i]->shape;
        mfm_shape both = shape->rank >= x->rank ? *shape : *x;
        for (int k = 1; k <= both.rank; k++) {
            const int64_t a = k <= shape->rank ? shape->dim[shape->rank - k] : 1;
            const int64_t b = k <= x->rank ? x->dim[x->rank - k] : 1;
            if (a != b && a != 1 && b != 1)
                return false;
            both.dim[both.rank - k] = a == 1 ? b : a;
        }
        *shape = both;
    }
    return true;
}

/* Inputs 0 to n - 1, of which the one numbered `typed` and those behind it have the operands' type.
 * Broadcasting came with opset 7; before, shapes must be equal. */
static bool each(mfm_folding *f, size_t n, size_t typed, int32_t result, element_fn *element)
{
    mfm_shape shape;
    mfm_steps steps[MOST_INPUTS];
    const mfm_number *x[MOST_INPUTS];
    for (size_t i = 0; i < n; i++)
        if (!mfm_fold_in(f, i) || (i > typed && f->in[i]->type != f->in[typed]->type))
            return false;
    if (f->n_in != n || !joined_shape(f, n - 1, &shape))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!mfm_steps_broadcast(&f->in[i]->shape, &shape, &steps[i]) ||
            (f->opset < 7 && !mfm_shape_equal(&f->in[i]->shape, &shape)))
            return false;
    }
    const int32_t type = f->in[typed]->type;
    mfm_folded *out = mfm_fold_out(f, 0, result ? result : type, &shape);
    const int64_t count = out ? mfm_shape_count(&shape) : 0;
    for (int64_t k = 0; k < count; k++) {
        for (size_t i = 0; i < n; i++) {
            x[i] = &f->in[i]->v[steps[i].offset];
            mfm_steps_next(&steps[i]);
        }
        if (!element(type, x, &out->v[k]) || !mfm_number_fit(out->type, &out->v[k]))
            return false;
    }
    return out != NULL;
}

static bool two(mfm_folding *f, element_fn *element)
{
    return each(f, 2, 0, 0, element);
}

static bool compare(mfm_folding *f, element_fn *element)
{
    return each(f, 2, 0, BOOL, element);
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static bool add(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    return mfm_number_add(type, x[0], x[1], y);
}

bool mfm_fold_add(mfm_folding *f)
{
    return two(f, add);
}

/* Not as a + (-b): of a type without negative numbers -b is none. */
static bool sub(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    *y = (mfm_number){.i = 0};
    if (__builtin_sub_overflow(x[0]->n, x[1]->n, &y->n))
        return false;
    if (mfm_type_is_float(type))
        y->r = x[0]->r - x[1]->r;
    else if (__builtin_sub_overflow(x[0]->i, x[1]->i, &y->i))
        return false;
    return true;
}

bool mfm_fold_sub(mfm_folding *f)
{
    return two(f, sub);
}

static bool mul(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    return mfm_number_times(type, x[0], x[1], y);
}

bool mfm_fold_mul(mfm_folding *f)
{
    return two(f, mul);
}

/* Whole numbers towards zero. A multiple of the batch must be divided evenly, unless it is divided
 * by itself. */
static bool div(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    const mfm_number *a = x[0], *b = x[1];
    if (mfm_type_is_float(type)) {
        const double n = (double)a->n / b->r;
        *y = (mfm_number){.r = a->r / b->r};
        if (a->n == 0)
            return b->n == 0;
        if (b->n || n != floor(n) || fabs(n) > 0x1p24)
            return false;
        y->n = (int64_t)n;
        return true;
    }
    if (b->n) { /* k (i + n N) / (i + n N) */
        const int64_t k = a->n / b->n;
        int64_t product;
        *y = (mfm_number){.i = k};
        int order;
        const mfm_number zero = {.i = 0};
        return a->n % b->n == 0 && !__builtin_mul_overflow(b->i, k, &product) && product == a->i &&
               mfm_number_order(type, b, &zero, &order) && order != 0;
    }
    if (b->i == 0 || (b->i == -1 && (a->i == INT64_MIN || a->n == INT64_MIN)))
        return false;
    *y = (mfm_number){.i = a->i / b->i, .n = a->n / b->i};
    return a->n == 0 || (a->n % b->i == 0 && a->i % b->i == 0);
}

bool mfm_fold_div(mfm_folding *f)
{
    return two(f, div);
}

/* With the divisor's sign. What a multiple of the divisor adds makes no difference. */
static bool mod(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    const mfm_number *a = x[0], *b = x[1];
    if (mfm_type_is_float(type) || b->n || b->i == 0)
        return false;
    const int64_t divisor = b->i == -1 ? 1 : b->i; /* INT64_MIN % -1 overflows */
    if (a->n % divisor != 0)
        return false;
    *y = (mfm_number){.i = a->i % divisor};
    if (y->i != 0 && (y->i < 0) != (b->i < 0))
        y->i += b->i;
    return true;
}

/* With the dividend's sign. */
static bool fmod_of(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    const mfm_number *a = x[0], *b = x[1];
    if (a->n || b->n)
        return false;
    if (mfm_type_is_float(type)) {
        *y = (mfm_number){.r = fmod(a->r, b->r)};
        return true;
    }
    if (b->i == 0)
        return false;
    *y = (mfm_number){.i = b->i == -1 ? 0 : a->i % b->i};
    return true;
}

bool mfm_fold_mod(mfm_folding *f)
{
    return two(f, mfm_fold_int(f, "fmod", 0) ? fmod_of : mod);
}

static bool power_of_int(const mfm_number *a, const mfm_number *b, mfm_number *y)
{
    *y = (mfm_number){.i = 1};
    if (b->i < 0 || b->i > 63)
        return false;
    for (int64_t k = 0; k < b->i; k++)
        if (__builtin_mul_overflow(y->i, a->i, &y->i))
            return false;
    return true;
}

static bool power(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    if (x[0]->n || x[1]->n)
        return false;
    if (!mfm_type_is_float(type))
        return power_of_int(x[0], x[1], y);
    *y = (mfm_number){.r = pow(x[0]->r, x[1]->r)};
    return true;
}

/* The exponent may have a type of its own: what is equal as a number of the base's type is. */
bool mfm_fold_pow(mfm_folding *f)
{
    const mfm_folded *base = mfm_fold_in(f, 0), *exponent = mfm_fold_in(f, 1);
    if (!base || !exponent || exponent->type == base->type)
        return base && exponent && two(f, power);
    mfm_folded *same;
    f->status = mfm_folded_new(f->folder, base->type, &exponent->shape, &same);
    bool done = same != NULL;
    const int64_t count = same ? mfm_shape_count(&same->shape) : 0;
    for (int64_t i = 0; i < count && done; i++) {
        mfm_number back;
        bool equal = false;
        done = mfm_number_convert(exponent->type, base->type, &exponent->v[i], &same->v[i]) &&
               mfm_number_convert(base->type, exponent->type, &same->v[i], &back) &&
               mfm_number_equal(exponent->type, &back, &exponent->v[i], &equal) && equal;
    }
    if (done) {
        const mfm_folded *in[2] = {base, same};
        mfm_folding of_same = *f;
        of_same.in = in;
        done = two(&of_same, power);
        f->status = of_same.status;
    }
    mfm_folded_free(f->folder->ctx, same);
    return done;
}

/* ---- order ---------------------------------------------------------------------------------- */

static bool greater_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    int order;
    *y = (mfm_number){.i = 0};
    if (!mfm_number_order(type, x[0], x[1], &order))
        return false;
    y->i = order > 0;
    return true;
}

static bool less_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    const mfm_number *const turned[2] = {x[1], x[0]};
    return greater_one(type, turned, y);
}

static bool not_less(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    const bool known = less_one(type, x, y);
    y->i = !y->i;
    return known;
}

static bool not_greater(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    const bool known = greater_one(type, x, y);
    y->i = !y->i;
    return known;
}

static bool equal_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    bool equal = false;
    const bool known = mfm_number_equal(type, x[0], x[1], &equal);
    *y = (mfm_number){.i = equal};
    return known;
}

bool mfm_fold_greater(mfm_folding *f)
{
    return compare(f, greater_one);
}

bool mfm_fold_less(mfm_folding *f)
{
    return compare(f, less_one);
}

bool mfm_fold_greater_or_equal(mfm_folding *f)
{
    return compare(f, not_less);
}

bool mfm_fold_less_or_equal(mfm_folding *f)
{
    return compare(f, not_greater);
}

bool mfm_fold_equal(mfm_folding *f)
{
    return compare(f, equal_one);
}

static bool larger(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    int order;
    if (!mfm_number_order(type, x[0], x[1], &order))
        return false;
    *y = order >= 0 ? *x[0] : *x[1];
    return true;
}

static bool smaller(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    int order;
    if (!mfm_number_order(type, x[0], x[1], &order))
        return false;
    *y = order <= 0 ? *x[0] : *x[1];
    return true;
}

static bool itself(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    (void)type;
    *y = *x[0];
    return true;
}

bool mfm_fold_max(mfm_folding *f)
{
    return f->n_in == 1 ? each(f, 1, 0, 0, itself) : two(f, larger);
}

bool mfm_fold_min(mfm_folding *f)
{
    return f->n_in == 1 ? each(f, 1, 0, 0, itself) : two(f, smaller);
}

/* Bounds are attributes before opset 11, inputs that may be left out after. */
bool mfm_fold_clip(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0), *low = mfm_fold_in(f, 1), *high = mfm_fold_in(f, 2);
    if (!x || f->opset < 11 ||
        (low && (low->type != x->type || mfm_shape_count(&low->shape) != 1)) ||
        (high && (high->type != x->type || mfm_shape_count(&high->shape) != 1)))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &x->shape);
    const int64_t count = out ? mfm_shape_count(&x->shape) : 0;
    for (int64_t i = 0; i < count; i++) {
        mfm_number at = x->v[i];
        const mfm_number *const with_low[2] = {&at, low ? low->v : NULL};
        if (low && !larger(x->type, with_low, &at))
            return false;
        const mfm_number *const with_high[2] = {&at, high ? high->v : NULL};
        if (high && !smaller(x->type, with_high, &at))
            return false;
        out->v[i] = at;
    }
    return out != NULL;
}

/* ---- truth ---------------------------------------------------------------------------------- */

static bool and_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    *y = (mfm_number){.i = x[0]->i && x[1]->i};
    return type == BOOL;
}

static bool or_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    *y = (mfm_number){.i = x[0]->i || x[1]->i};
    return type == BOOL;
}

static bool xor_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    *y = (mfm_number){.i = x[0]->i != x[1]->i};
    return type == BOOL;
}

static bool not_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    *y = (mfm_number){.i = !x[0]->i};
    return type == BOOL;
}

bool mfm_fold_and(mfm_folding *f)
{
    return two(f, and_one);
}

bool mfm_fold_or(mfm_folding *f)
{
    return two(f, or_one);
}

bool mfm_fold_xor(mfm_folding *f)
{
    return two(f, xor_one);
}

bool mfm_fold_not(mfm_folding *f)
{
    return each(f, 1, 0, 0, not_one);
}

static bool where_one(int32_t type, const mfm_number *const *x, mfm_number *y)
{
    (void)type;
    *y = x[0]->i ? *x[1] : *x[2];
    return true;
}

bool mfm_fold_where(mfm_folding *f)
{
    const mfm_folded *condition = mfm_fold_in(f, 0);
    return condition && condition->type == BOOL && each(f, 3, 1, 0, where_one);
}
