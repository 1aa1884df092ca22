/* Functions of one number, element by element. */
#include <math.h>

#include "onnx/fold/fold_parts.h"

/* Real functions, of numbers that do not depend on the batch. */
static bool each_real(mfm_folding *f, double (*function)(double))
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x || !mfm_folded_is_real(x) || f->n_in != 1)
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &x->shape);
    const int64_t count = out ? mfm_shape_count(&x->shape) : 0;
    for (int64_t i = 0; i < count; i++) {
        if (x->v[i].n)
            return false;
        out->v[i] = (mfm_number){.r = function(x->v[i].r)};
        mfm_number_fit(x->type, &out->v[i]);
    }
    return out != NULL;
}

/* Functions that leave whole numbers as they are, and so a + b N, where a is made whole. */
static bool each_rounded(mfm_folding *f, double (*function)(double))
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x || !mfm_folded_is_real(x))
        return false;
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &x->shape);
    const int64_t count = out ? mfm_shape_count(&x->shape) : 0;
    for (int64_t i = 0; i < count; i++)
        out->v[i] = (mfm_number){.r = function(x->v[i].r), .n = x->v[i].n};
    return out != NULL;
}

bool mfm_fold_ceil(mfm_folding *f)
{
    return each_rounded(f, ceil);
}

bool mfm_fold_floor(mfm_folding *f)
{
    return each_rounded(f, floor);
}

/* Halves to the even number, which is the way of nearbyint. */
bool mfm_fold_round(mfm_folding *f)
{
    return each_rounded(f, nearbyint);
}

bool mfm_fold_cos(mfm_folding *f)
{
    return each_real(f, cos);
}

bool mfm_fold_exp(mfm_folding *f)
{
    return each_real(f, exp);
}

bool mfm_fold_log(mfm_folding *f)
{
    return each_real(f, log);
}

bool mfm_fold_sin(mfm_folding *f)
{
    return each_real(f, sin);
}

bool mfm_fold_sqrt(mfm_folding *f)
{
    return each_real(f, sqrt);
}

static double reciprocal(double x)
{
    return 1 / x;
}

bool mfm_fold_reciprocal(mfm_folding *f)
{
    return each_real(f, reciprocal);
}

/* ---- by the sign ---------------------------------------------------------------------------- */

/* factors[order + 1] is what a number is multiplied by that is less than, equal to, or greater than
 * zero; with `one` the factor is the result. */
static bool by_sign(mfm_folding *f, const int factors[3], bool one)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x)
        return false;
    const bool real_type = mfm_folded_is_real(x);
    const mfm_number zero = real_type ? (mfm_number){.r = 0} : (mfm_number){.i = 0};
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &x->shape);
    const int64_t count = out ? mfm_shape_count(&x->shape) : 0;
    for (int64_t i = 0; i < count; i++) {
        int order;
        if (!mfm_number_order(x->type, &x->v[i], &zero, &order))
            return false;
        const int k = factors[order + 1];
        const mfm_number factor = real_type ? (mfm_number){.r = k} : (mfm_number){.i = k};
        if (one)
            out->v[i] = factor;
        else if (!mfm_number_times(x->type, &x->v[i], &factor, &out->v[i]))
            return false;
    }
    return out != NULL;
}

bool mfm_fold_abs(mfm_folding *f)
{
    return by_sign(f, (const int[3]){-1, 1, 1}, false);
}

bool mfm_fold_relu(mfm_folding *f)
{
    return by_sign(f, (const int[3]){0, 1, 1}, false);
}

bool mfm_fold_sign(mfm_folding *f)
{
    return by_sign(f, (const int[3]){-1, 0, 1}, true);
}

bool mfm_fold_neg(mfm_folding *f)
{
    const mfm_folded *x = mfm_fold_in(f, 0);
    if (!x)
        return false;
    const mfm_number minus = mfm_folded_is_real(x) ? (mfm_number){.r = -1} : (mfm_number){.i = -1};
    mfm_folded *out = mfm_fold_out(f, 0, x->type, &x->shape);
    const int64_t count = out ? mfm_shape_count(&x->shape) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!mfm_number_times(x->type, &x->v[i], &minus, &out->v[i]))
            return false;
    return out != NULL;
}
