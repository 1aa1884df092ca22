/*
 * What a graph computes about itself: constants made of constants, and arithmetic with the shapes
 * of values (Shape, Gather, Unsqueeze, Concat, ...), carried out while importing. The file keeps
 * its nodes; only the engine's view of it has the results.
 *
 * The batch size N is not known then. A number may depend on it as a + b N, and what follows from
 * it is folded where it is of this form again, or the same for every N from 1 on: N == -1 is
 * false, 3 N / 3 is N, N > 4 is not folded.
 *
 * An operator is folded by one function and one line of operators.def.
 */
#ifndef MFM_ONNX_FOLD_H
#define MFM_ONNX_FOLD_H

#include "core/base/shape.h"
#include "onnx/proto/proto.h"

/* A number of a whole, boolean (0, 1) or real element type: i or r, plus n times the batch size. */
typedef struct mfm_number {
    union {
        int64_t i;
        double r;
    };
    int64_t n;
} mfm_number;

typedef struct mfm_folded {
    int32_t type; /* the ONNX element type */
    mfm_shape shape;
    mfm_number *v; /* [mfm_shape_count(shape)], row-major */
} mfm_folded;

/* Most numbers of one folded value, of all that are there at a time, and of all that are ever made:
 * files that are more than that compute with data. */
enum { MFM_FOLD_MOST = 1 << 20, MFM_FOLD_MOST_ALL = 1 << 23, MFM_FOLD_MOST_MADE = 1 << 27 };

typedef struct mfm_folder {
    mfm_ctx *ctx;
    const mfm_model *model;
    int64_t used; /* numbers that are there */
    int64_t made; /* and that were ever */
    /* What kept the last value from being made that was beyond the limits, and its numbers; NULL:
     * whoever asks sets it before. */
    const char *limit;
    int64_t wanted;
} mfm_folder;

/* Released with mfm_folded_free. */
void mfm_folded_free(mfm_ctx *ctx, mfm_folded *folded);
/* Likewise, of the folder's numbers: makes room for others. */
void mfm_folded_drop(mfm_folder *folder, mfm_folded *folded);
bool mfm_folded_is_real(const mfm_folded *folded);
/* Whether some number depends on the batch size. */
bool mfm_folded_varies(const mfm_folded *folded);
/* Whether so many numbers are within the limits; if not, folder->limit says which. */
bool mfm_fold_has_room(mfm_folder *folder, int64_t count);
/* Room for a value; *folded is NULL where it is beyond the limits. MFM_ENOMEM. */
int mfm_folded_new(mfm_folder *folder, int32_t type, const mfm_shape *shape, mfm_folded **folded);
/* The numbers of a tensor; NULL for a type that is not folded, or beyond the limits. MFM_EIO,
 * MFM_ENOMEM. */
int mfm_fold_tensor(mfm_folder *folder, const Onnx__TensorProto *tensor, mfm_folded **folded);

/* The batch sizes at which Shape wants to know a shape: by the first two the numbers are found, by
 * the third they are checked. */
enum { MFM_FOLD_BATCHES = 3 };
extern const int64_t mfm_fold_batches[MFM_FOLD_BATCHES];
/* A Shape (opset 15: with start and end) or Size node over a value with these shapes; NULL where a
 * number is not a + b N. */
int mfm_fold_shape(mfm_folder *folder, const Onnx__NodeProto *node,
                   const mfm_shape shapes[MFM_FOLD_BATCHES], mfm_folded **folded);

/* Whether nodes of this kind can be folded, given the right inputs. */
bool mfm_fold_knows(const Onnx__NodeProto *node);
/* A node over folded inputs (NULL: absent) at an opset: out[n_out] gets the results, all NULL where
 * it is not folded. MFM_ENOMEM. */
int mfm_fold_node(mfm_folder *folder, const Onnx__NodeProto *node, int opset,
                  const mfm_folded *const *in, size_t n_in, mfm_folded **out);

/* The depth of a OneHot: one number that does not depend on the batch, whole or made so, from 1 to
 * MFM_FOLD_MOST. */
bool mfm_fold_depth(const mfm_folded *depth, int64_t *result);

/* The inputs of a node, of which some are known at the batch sizes alone (batches.c). */
typedef struct mfm_fold_inputs {
    size_t count;
    const mfm_folded *const *always; /* NULL: at each batch */
    mfm_folded *const (*at)[MFM_FOLD_BATCHES];
} mfm_fold_inputs;

/* Likewise at each of the batches: *always gets the result where it is a + b N again, else at[]
 * gets all of them; all NULL where it is not folded. */
int mfm_fold_node_batches(mfm_folder *folder, const Onnx__NodeProto *node, int opset,
                          const mfm_fold_inputs *in, mfm_folded **always,
                          mfm_folded *at[MFM_FOLD_BATCHES]);

#endif
