/*
 * DepthToSpace and SpaceToDepth: b x b blocks of places stand for b^2 times the channels. Both are
 * one copy between views with the axes [n, c, h, block row, w, block column]: of `deep`
 * [n, c b^2, h, w] and of `wide` [n, c, h b, w b].
 */
#ifndef MFM_BLOCKS_H
#define MFM_BLOCKS_H

#include "core/engine/rules.h"

/* Which of the deep channels is outermost: the block's place (depth, column, row: DCR), or the
 * channel (CRD). */
enum mfm_blocks_mode { MFM_BLOCKS_DCR, MFM_BLOCKS_CRD };

typedef struct mfm_blocks_attr {
    int mode;
    int64_t blocksize;
} mfm_blocks_attr;

/* Checks that in[0] is an image batch and blocksize sane. */
int mfm_blocks_infer(mfm_ctx *ctx, const mfm_node *node);
/* to = [to +] from: from deep to wide, or back. from NULL is zero. */
void mfm_blocks_copy(const mfm_blocks_attr *attr, const mfm_shape *deep, const mfm_shape *wide,
                     bool widen, const real *from, real *to, bool add);

#endif
