/*
 * Numbers, or blocks of them, at given places of a tensor: what GatherElements and GatherND read
 * and what Scatter, ScatterElements and ScatterND write. Place i pairs block i of the picked tensor
 * with a block of the data:
 *     elements    indices have the picked tensor's shape; index i replaces the coordinate `axis`
 *     lists       the last axis of the indices lists coordinates along the data's axes from
 *                 `batch_dims` on; the axes before are common; a block has the axes behind
 * A negative index counts from the end. Constant indices, which files have, are checked in set-up;
 * others beyond the axis are read as the nearest there is.
 */
#ifndef MFM_PLACES_H
#define MFM_PLACES_H

#include "core/engine/rules.h"

typedef struct mfm_places {
    bool elements;
    int axis;       /* of elements */
    int batch_dims; /* of lists */
    const mfm_tensor *indices, *data, *picked;
} mfm_places;

/* Shared by shape hooks. The indices are input 1, the data input 0; `picked` is the shape of what
 * is read or written there. */
int mfm_places_elements_shape(mfm_ctx *ctx, const mfm_node *node, int64_t axis, mfm_shape *picked);
int mfm_places_lists_shape(mfm_ctx *ctx, const mfm_node *node, int64_t batch_dims,
                           mfm_shape *picked);
/* Constant indices are within the data. */
int mfm_places_check(mfm_ctx *ctx, const mfm_node *node, const mfm_places *p);

/* picked = [picked +] what lies at the places of the data; data NULL is zero. */
void mfm_places_read(const mfm_places *p, const real *data, real *picked, bool add);
/* data += picked, a place that occurs twice gets both. */
void mfm_places_add(const mfm_places *p, const real *picked, real *data);
/* data = picked, the last of those at one place; NULL is zero. */
void mfm_places_write(const mfm_places *p, const real *picked, real *data);
/* The adjoint of writing: picked = [picked +] what lies at the places, whose data become 0, from
 * the last to the first. picked NULL: nobody wants it. */
void mfm_places_take(const mfm_places *p, real *data, real *picked, bool add);

/* The largest (sign 1) or smallest (-1) of the data and the updates at each place, by X; of several
 * that are alike the data's, then the first update's. picked: the lane of the updates that is
 * chosen from, NULL is zero; `to`: of the data before, of the result after. best: likewise, of X.
 */
void mfm_places_choose(const mfm_places *p, int sign, const real *updates, const real *picked,
                       real *best, real *to);
/* The adjoint: of what is left at a place the first update that is the best gets all. data is taken
 * from, updates are X, picked = [picked +] its share. */
void mfm_places_share(const mfm_places *p, const real *updates, const real *best, real *data,
                      real *picked, bool add);

/* GatherElements and GatherND: all passes. `of` makes the places of a node. */
typedef mfm_places mfm_places_of(const mfm_node *node);
void mfm_gather_apply(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of);
void mfm_gather_adjoint(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of);

/* What Scatter, ScatterElements and ScatterND do with what lies there. */
enum mfm_scatter_reduction {
    MFM_SCATTER_NONE,
    MFM_SCATTER_ADD,
    MFM_SCATTER_MUL, /* refused: it is not linear; import writes it as others */
    MFM_SCATTER_MAX,
    MFM_SCATTER_MIN
};
#define MFM_SCATTER_REDUCTIONS "none|add|mul|max|min"
int mfm_scatter_check(mfm_ctx *ctx, const mfm_node *node, int reduction, const mfm_shape *picked);
int mfm_scatter_setup(mfm_ctx *ctx, mfm_node *node, mfm_places_of *of);
void mfm_scatter_apply(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of, int reduction);
void mfm_scatter_adjoint(const mfm_node *node, enum mfm_lane lane, mfm_places_of *of,
                         int reduction);
extern const mfm_port mfm_scatter_inputs[], mfm_scatter_outputs[];

#endif
