/* What the files of folding share: the call of one operator, and arithmetic with numbers. */
#ifndef MFM_ONNX_FOLD_PARTS_H
#define MFM_ONNX_FOLD_PARTS_H

#include "onnx/fold/fold.h"

typedef struct mfm_folding {
    mfm_folder *folder;
    const Onnx__NodeProto *node;
    int opset;
    const mfm_folded *const *in;
    size_t n_in;
    mfm_folded **out; /* [node->n_output] */
    int status;       /* of what failed; MFM_OK where it is just not folded */
} mfm_folding;

/* One operator. False: it is not folded, or f->status says what failed. */
typedef bool mfm_fold_fn(mfm_folding *f);
#define MFM_FOLD_OPERATOR(name, function) mfm_fold_fn function;
#include "onnx/fold/operators.def"
#undef MFM_FOLD_OPERATOR

/* fold.c */
const mfm_folded *mfm_fold_in(const mfm_folding *f, size_t input);
/* Output `output` with room for its numbers; NULL beyond the limits or without memory. */
mfm_folded *mfm_fold_out(mfm_folding *f, size_t output, int32_t type, const mfm_shape *shape);
/* Output 0 with the numbers of `from` in another shape of as many. */
bool mfm_fold_as(mfm_folding *f, const mfm_folded *from, const mfm_shape *shape);
int64_t mfm_fold_int(const mfm_folding *f, const char *name, int64_t fallback);
/* A list of whole numbers that do not depend on the batch, from the attribute of that name or from
 * an input; *count -1: there is neither. False: there is, and it is none, or one of more than
 * MFM_MAX_RANK. */
bool mfm_fold_list(const mfm_folding *f, const char *name, size_t input, int64_t list[MFM_MAX_RANK],
                   int *count);
/* An axis in [-rank, rank) as one in [0, rank). */
bool mfm_fold_axis(int64_t axis, int rank, int *result);
/* The axes that are listed, as a set; all of them when there is no list, or it is empty. */
bool mfm_fold_axes(const mfm_folding *f, size_t input, int rank, bool axes[MFM_MAX_RANK]);

/* number.c: types are ONNX's. */
bool mfm_fold_type_is_whole(int32_t type); /* bool included */
/* Rounds to the type, or false where the number is none of it. */
bool mfm_number_fit(int32_t type, mfm_number *number);
bool mfm_number_convert(int32_t from, int32_t to, const mfm_number *number, mfm_number *result);
bool mfm_number_add(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result);
bool mfm_number_times(int32_t type, const mfm_number *a, const mfm_number *b, mfm_number *result);
/* -1, 0, 1: a is less than, equal to, or greater than b for every batch; false: that depends. */
bool mfm_number_order(int32_t type, const mfm_number *a, const mfm_number *b, int *order);
/* Whether they are equal, likewise. */
bool mfm_number_equal(int32_t type, const mfm_number *a, const mfm_number *b, bool *equal);

/* constant.c: the number a + b N that is at[k] at each of the batches; false where none is. */
bool mfm_number_of_batch(const int64_t at[MFM_FOLD_BATCHES], mfm_number *number);

/* A walk over the elements of a shape in row-major order, with an offset that moves by a stride
 * along each axis. */
typedef struct mfm_steps {
    mfm_shape shape;
    int64_t stride[MFM_MAX_RANK], at[MFM_MAX_RANK];
    int64_t offset;
} mfm_steps;

/* Strides of a row-major tensor. */
void mfm_row_strides(const mfm_shape *shape, int64_t stride[MFM_MAX_RANK]);
void mfm_steps_next(mfm_steps *steps);
/* Strides that repeat a tensor along the axes in which `from` has length 1 and `to` more; false
 * where it cannot be broadcast. */
bool mfm_steps_broadcast(const mfm_shape *from, const mfm_shape *to, mfm_steps *steps);

#endif
