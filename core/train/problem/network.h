/*
 * A classifier as it comes out of a model file, possibly with feature modulators inside: one graph
 * with the image, and for a modulated one also the soft label and the switch, as inputs.
 */
#ifndef MFM_NETWORK_H
#define MFM_NETWORK_H

#include "core/engine/graph.h"
#include "core/base/linkage.h"

MFM_C_BEGIN

/* Where features are modulated: X (value) goes in, X + s ((gamma - 1) X + beta) comes out. No
 * site's value is what another site, or the same, gives. */
typedef struct mfm_site {
    int value;
    int modulated;
} mfm_site;

typedef struct mfm_network {
    mfm_graph *graph;
    int images;     /* input [batch, channels, height, width] */
    int logits;     /* [batch, classes] */
    int soft_label; /* input [batch, classes]; -1 without modulators */
    int toggle;     /* the switch s: 0 plain, 1 modulated; -1 without modulators */
    mfm_site *sites;
    size_t n_sites;
    int64_t classes;
    bool one_number; /* the file gives one number z for each image: the logits are (0, z) */
    bool bytes;      /* images are bytes, 0 to 255, which the network normalises itself */
} mfm_network;

void mfm_network_free(mfm_ctx *ctx, mfm_network *network);

MFM_C_END

#endif
