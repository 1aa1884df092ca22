/* What import_batch.c, which follows the images through a network, import_images.c, which knows
 * where they come to lie, and import_trial.c, which tries a node by itself, share: which numbers
 * depend on which images. */
#ifndef MFM_ONNX_IMPORT_BATCH_H
#define MFM_ONNX_IMPORT_BATCH_H

#include "onnx/import/import_parts.h"

/* Owners of a number: bits. */
enum {
    MFM_OWNED_FIRST = 1, /* by the first image */
    MFM_OWNED_OTHERS = 2,
    MFM_OWNED_BOTH = MFM_OWNED_FIRST | MFM_OWNED_OTHERS
};

enum { MFM_BATCH_MANY = 257 }; /* more images than a file is fixed to, and a prime */

/* Owners of the numbers of a value. */
typedef struct mfm_owners {
    int64_t run;  /* in row-major order, numbers of an image before the next one's; 0: no such */
    uint8_t *map; /* else of each number, in storage order; NULL: no image's */
} mfm_owners;

typedef struct mfm_batch_checker {
    mfm_importer *im;
    mfm_ctx *ctx;
    int64_t batch;
    const mfm_shape *shapes;      /* per value, at that batch */
    const mfm_shape *many;        /* at MFM_BATCH_MANY */
    mfm_owners *owners;           /* per value */
    const mfm_graph_node **tried; /* in their order */
    size_t n_tried;
} mfm_batch_checker;

static inline bool mfm_batch_has_owner(const mfm_batch_checker *c, int value)
{
    return value >= 0 && (c->owners[value].run || c->owners[value].map);
}

/* MFM_ENOTSUP: what the node does that ties images together. */
int mfm_batch_fail(const mfm_batch_checker *c, const mfm_graph_node *node, const char *what);
/* Numbers of an image, where they lie image by image. */
int64_t mfm_batch_in_order(const mfm_batch_checker *c, int value);
/* import_images.c: the run of an output of a node, as its operator's description has it; 0 where
 * that says nothing. */
int64_t mfm_batch_run(const mfm_batch_checker *c, const mfm_graph_node *node, int output);
/* The run of a value that no image has numbers of, yet that has copies for each, as a token that is
 * stretched to the batch: they count as theirs; 0 where that is not along one axis. */
int64_t mfm_batch_copies(const mfm_batch_checker *c, int value);
/* import_trial.c: the owners of a node's outputs, found by carrying it out, or those of an earlier
 * node that is the same but for parameters. MFM_ENOTSUP when a number has two. */
int mfm_batch_try_node(mfm_batch_checker *c, const mfm_graph_node *node);

#endif
