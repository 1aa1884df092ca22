/* What the files of the splitter share: split_network.c walks the paths, split_copies.c copies
 * nodes and what they read, the frozen prefix among them. */
#ifndef MFM_SPLIT_PARTS_H
#define MFM_SPLIT_PARTS_H

#include "core/train/problem/frozen_nodes.h"
#include "core/train/problem/network.h"
#include "core/train/problem/problem.h"

/* What a value of the network depends on. */
enum { MFM_ON_IMAGES = 1, MFM_ON_MODULATION = 2 };

/* Per value of the network: its dependence, whether each path and the frozen prefix need it, and
 * the value that stands for it in the plain path, the modulated path, the modulator graph and the
 * prefix (-1: not there yet). */
typedef struct mfm_splitter {
    mfm_ctx *ctx;
    mfm_network *network;
    const mfm_graph *from;
    mfm_problem *to;
    bool modulated;       /* the objective is wanted, too */
    mfm_graph *modulator; /* the hyper graph */
    mfm_frozen_nodes frozen;
    uint8_t *depends, *plain_needs, *tail_needs, *prefix_needs;
    int *plain, *tail, *hyper, *prefix;
    mfm_shape *shapes, *larger; /* at MFM_SPLIT_BATCH, and at one more */
    int *arguments;             /* room for the inputs of any node */
    int status;                 /* sticky */
} mfm_splitter;

/* Shapes at two batch sizes tell which axes follow the batch. */
enum { MFM_SPLIT_BATCH = 3 };

/* Whether anybody needs what the node makes. */
bool mfm_split_needs(const mfm_graph_node *node, const uint8_t *needs);
/* A parameter, running statistic or constant in `graph`, copied at its first use. */
int mfm_split_leaf(mfm_splitter *s, mfm_graph *graph, int *map, int value);
/* A copy of node number `index` of the network, which reads s->arguments. */
int mfm_split_copy(mfm_splitter *s, mfm_graph *graph, const mfm_graph_node *node, int index,
                   int segment, int *map);

/* Makes the prefix's graph; MFM_ENOTSUP by s->status where one of its parameters is trained in the
 * main graph, once that is made. */
void mfm_split_prefix(mfm_splitter *s);
void mfm_split_check_prefix(mfm_splitter *s);
/* What stands in the main graph for a value that the images alone have reached: a node's value, the
 * images, or what the prefix gives. -1: not there. */
int mfm_split_from_images(mfm_splitter *s, int value);

#endif
