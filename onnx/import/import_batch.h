/* What import_batch.c, which follows the images through a network, and import_trial.c, which tries
 * a node by itself, share: which numbers depend on which images. */
#ifndef MFM_ONNX_IMPORT_BATCH_H
#define MFM_ONNX_IMPORT_BATCH_H

#include "onnx/import/import_parts.h"

/* Owners of a number: bits. */
enum {
    MFM_OWNED_FIRST = 1, /* by the first image */
    MFM_OWNED_OTHERS = 2,
    MFM_OWNED_BOTH = MFM_OWNED_FIRST | MFM_OWNED_OTHERS
};

/* Owners of the numbers of a value. Images lie one after the other where axis 0 is the batch: it is
 * the outermost in memory for every rank. */
typedef struct mfm_owners {
    bool in_order; /* image by image */
    uint8_t *map;  /* else of each number, in storage order; NULL: no image's */
} mfm_owners;

typedef struct mfm_batch_checker {
    mfm_importer *im;
    mfm_ctx *ctx;
    int64_t batch;
    mfm_shape *shapes;            /* per value, at that batch */
    mfm_owners *owners;           /* per value */
    const mfm_graph_node **tried; /* in their order */
    size_t n_tried;
} mfm_batch_checker;

static inline bool mfm_batch_has_owner(const mfm_batch_checker *c, int value)
{
    return value >= 0 && (c->owners[value].in_order || c->owners[value].map);
}

/* MFM_ENOTSUP: what the node does that ties images together. */
int mfm_batch_fail(const mfm_batch_checker *c, const mfm_graph_node *node, const char *what);
/* import_trial.c: the owners of a node's outputs, found by carrying it out, or those of an earlier
 * node that is the same but for parameters. MFM_ENOTSUP when a number has two. */
int mfm_batch_try_node(mfm_batch_checker *c, const mfm_graph_node *node);

#endif
