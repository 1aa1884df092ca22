/*
 * What of a network no step changes. A parameter is frozen by the user (a parameter that cannot be
 * trained; what the file's rules fix are constants). Frozen nodes:
 *
 *     prefix     nodes that the images alone reach, that read no parameter which is trained and no
 *                value of a node that is not frozen itself, up to the last with parameters or
 *                running statistics, and what follows these without drawing: they run in inference
 *                form, apart from everything else, and are not differentiated. A Dropout behind
 *                the last frozen layer is not among them: it regularises what is trained
 *     inference  a BatchNormalization anywhere whose scale and shift are frozen: it reads its
 *                running statistics, and leaves them as they are; and a Dropout anywhere in front
 *                of frozen layers alone: it drops nothing
 */
#ifndef MFM_FROZEN_NODES_H
#define MFM_FROZEN_NODES_H

#include "core/train/problem/network.h"

typedef struct mfm_frozen_nodes {
    bool *prefix, *inference; /* [n_nodes] of the network's graph; one block, owned by prefix */
    bool any;                 /* the prefix has a node */
} mfm_frozen_nodes;

/* features -1: as above. Otherwise the prefix is all that makes this value, Dropout included.
 * MFM_ENOMEM. The caller releases nodes->prefix by mfm_free, also after a failure. */
int mfm_frozen_nodes_find(mfm_ctx *ctx, const mfm_network *network, int features,
                          mfm_frozen_nodes *nodes);

#endif
