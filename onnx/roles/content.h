/* What the values of a model hold, off which the places of its constants are read. */
#ifndef MFM_ONNX_ROLES_CONTENT_H
#define MFM_ONNX_ROLES_CONTENT_H

#include "core/engine/op.h"
#include "onnx/layers/links.h"

typedef enum mfm_content {
    MFM_CONTENT_FILE,    /* numbers of the file, also where sizes tell which of them, or in what
                            order: a position embedding cut to the length of a sequence */
    MFM_CONTENT_SIZES,   /* what follows from shapes */
    MFM_CONTENT_IMAGE,   /* the image, before the first layer with weights */
    MFM_CONTENT_FEATURES /* what is behind one */
} mfm_content;

typedef struct mfm_contents {
    const mfm_links *links;
    const mfm_op **ops; /* per node; NULL: none carries it out */
    unsigned char *of;  /* mfm_content, per value of the links */
} mfm_contents;

/* MFM_ENOMEM. *contents is cleared with mfm_contents_clear, also after a failure. */
int mfm_contents_find(const mfm_links *links, mfm_contents *contents);
void mfm_contents_clear(mfm_contents *contents);

/* Of a value that is there; of input i of a node, where an absent one holds MFM_CONTENT_FILE. */
mfm_content mfm_content_of(const mfm_contents *contents, const mfm_link *value);
mfm_content mfm_content_read(const mfm_contents *contents, size_t node, size_t i);

/* MFM_INDEX where the operator has no such input. */
enum mfm_role mfm_role_at(const mfm_op *op, size_t input);
/* Whether a constant stands where the operator has its weights or statistics. */
bool mfm_has_weights(const mfm_contents *contents, size_t node);
/* The left factor of a product, which is a weight where the right one is computed. */
bool mfm_is_left_factor(const mfm_op *op, size_t input);
/* Of a CastLike, what stands for a type alone. */
bool mfm_lends_type(const Onnx__NodeProto *node, size_t input);

#endif
