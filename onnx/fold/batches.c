/*
 * Numbers that depend on the batch size N otherwise than as a + b N, and lists as long as the
 * batch: above all Range(0, N), from which exporters compute where the numbers of a strided view
 * lie among all. They are known at the batch sizes mfm_fold_batches alone.
 *
 * Few batches tell about all only of operators that ask nothing of N: sums, products, and what
 * moves numbers. What is there at each batch is then a polynomial of N, and who reads it checks
 * that it is the one that is looked for. Comparisons, quotients and extremes are not carried out:
 * whether N is more than 100 is false at each of the batches. Real numbers and truth values are the
 * engine's, which has them at every batch.
 */
#include <string.h>

#include "onnx/fold/fold_parts.h"
#include "onnx/storage/tensor_data.h"

/* Of numbers that are looked at together. */
static const int64_t MOST_PLACE = (int64_t)1 << 48;

enum { BOOL = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL };

/* ---- what is carried out --------------------------------------------------------------------- */

/* Range(start, limit, 1) with start <= limit at every batch size: it is never cut off at none. */
static bool only_grows(const mfm_fold_inputs *in)
{
    int order;
    if (in->count != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!in->always[i] || mfm_folded_is_real(in->always[i]) ||
            in->always[i]->type != in->always[0]->type ||
            mfm_shape_count(&in->always[i]->shape) != 1)
            return false;
    const mfm_number *start = in->always[0]->v, *step = in->always[2]->v;
    mfm_number behind = in->always[1]->v[0]; /* limit + 1, which is greater than start */
    return step->n == 0 && step->i == 1 && !__builtin_add_overflow(behind.i, 1, &behind.i) &&
           mfm_number_order(in->always[0]->type, &behind, start, &order) && order > 0;
}

static int32_t type_of(const mfm_fold_inputs *in, size_t i)
{
    return in->always[i] ? in->always[i]->type : in->at[i][0]->type;
}

static bool asks_nothing(const Onnx__NodeProto *node, const mfm_fold_inputs *in)
{
    static const char *const names[] = {
        "Add",  "Concat",    "ConstantOfShape", "Expand", "Flatten", "Identity",
        "Mul",  "Neg",       "Reshape",         "Shape",  "Size",    "Sub",
        "Tile", "Transpose", "Unsqueeze"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mfm_proto_is(node, names[i]))
            return true;
    if (mfm_proto_is(node, "Cast"))
        return in->count == 1 && !mfm_type_is_float(type_of(in, 0)) &&
               mfm_proto_int(node, "to", 0) != BOOL;
    return mfm_proto_is(node, "Range") && only_grows(in);
}

/* ---- at each batch --------------------------------------------------------------------------- */

static bool number_at(bool real_type, const mfm_number *number, int64_t batch, mfm_number *at)
{
    int64_t more;
    *at = *number;
    at->n = 0;
    if (__builtin_mul_overflow(number->n, batch, &more))
        return false;
    if (real_type)
        at->r += (double)more;
    return real_type || !__builtin_add_overflow(number->i, more, &at->i);
}

/* The numbers of a value at a batch size; NULL where that is none, or beyond the limits. */
static int at_batch(mfm_folder *folder, const mfm_folded *always, int64_t batch, mfm_folded **made)
{
    const int status = mfm_folded_new(folder, always->type, &always->shape, made);
    const int64_t count = *made ? mfm_shape_count(&always->shape) : 0;
    bool exact = true;
    for (int64_t i = 0; i < count && exact; i++)
        exact = number_at(mfm_folded_is_real(always), &always->v[i], batch, &(*made)->v[i]);
    if (!exact) {
        mfm_folded_drop(folder, *made);
        *made = NULL;
    }
    return status;
}

static int fold_at(mfm_folder *folder, const Onnx__NodeProto *node, int opset,
                   const mfm_fold_inputs *in, int k, mfm_folded **out)
{
    const mfm_folded **x = mfm_alloc(folder->ctx, in->count, sizeof *x);
    mfm_folded **own = mfm_alloc(folder->ctx, in->count, sizeof *own);
    int status = x && own ? MFM_OK : MFM_ENOMEM;
    bool room = true;
    for (size_t i = 0; i < in->count && !status; i++) {
        if (in->always[i])
            status = at_batch(folder, in->always[i], mfm_fold_batches[k], &own[i]);
        x[i] = in->always[i] ? own[i] : in->at[i][k];
        room &= x[i] != NULL;
    }
    if (!status && room)
        status = mfm_fold_node(folder, node, opset, x, in->count, out);
    for (size_t i = 0; own && i < in->count; i++)
        mfm_folded_drop(folder, own[i]);
    mfm_free(folder->ctx, x);
    mfm_free(folder->ctx, own);
    return status;
}

/* ---- as a + b N, where they are ---------------------------------------------------------------
 */

static bool join_number(mfm_folded *const at[MFM_FOLD_BATCHES], int64_t i, mfm_number *number)
{
    int64_t whole[MFM_FOLD_BATCHES];
    if (mfm_folded_is_real(at[0])) {
        *number = at[0]->v[i];
        return at[1]->v[i].r == number->r && at[2]->v[i].r == number->r;
    }
    for (int k = 0; k < MFM_FOLD_BATCHES; k++) {
        whole[k] = at[k]->v[i].i;
        if (whole[k] < -MOST_PLACE || whole[k] > MOST_PLACE)
            return false;
    }
    return mfm_number_of_batch(whole, number) && mfm_number_fit(at[0]->type, number);
}

static int join(mfm_folder *folder, mfm_folded *const at[MFM_FOLD_BATCHES], mfm_folded **always)
{
    for (int k = 1; k < MFM_FOLD_BATCHES; k++)
        if (!mfm_shape_equal(&at[0]->shape, &at[k]->shape))
            return MFM_OK;
    const int status = mfm_folded_new(folder, at[0]->type, &at[0]->shape, always);
    const int64_t count = *always ? mfm_shape_count(&at[0]->shape) : 0;
    bool joined = true;
    for (int64_t i = 0; i < count && joined; i++)
        joined = join_number(at, i, &(*always)->v[i]);
    if (!joined) {
        mfm_folded_drop(folder, *always);
        *always = NULL;
    }
    return status;
}

static void drop_all(mfm_folder *folder, mfm_folded *at[MFM_FOLD_BATCHES])
{
    for (int k = 0; k < MFM_FOLD_BATCHES; k++) {
        mfm_folded_drop(folder, at[k]);
        at[k] = NULL;
    }
}

int mfm_fold_node_batches(mfm_folder *folder, const Onnx__NodeProto *node, int opset,
                          const mfm_fold_inputs *in, mfm_folded **always,
                          mfm_folded *at[MFM_FOLD_BATCHES])
{
    int status = MFM_OK;
    bool whole = node->n_output == 1 && asks_nothing(node, in);
    *always = NULL;
    for (int k = 0; k < MFM_FOLD_BATCHES; k++)
        at[k] = NULL;
    for (int k = 0; k < MFM_FOLD_BATCHES && whole && !status; k++) {
        status = fold_at(folder, node, opset, in, k, &at[k]);
        whole = at[k] && mfm_fold_type_is_whole(at[k]->type) && at[k]->type != BOOL;
    }
    if (!status && whole)
        status = join(folder, at, always);
    if (status || !whole || *always)
        drop_all(folder, at);
    return status;
}
