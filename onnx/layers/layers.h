/*
 * The layers of any model, by their roles in the graph and never by their names, which files may
 * leave out: convolutions and fully connected layers, what follows each, and the residual blocks
 * they form. Whether the operators around them can be trained does not matter here.
 */
#ifndef MFM_ONNX_LAYERS_H
#define MFM_ONNX_LAYERS_H

#include "onnx/surgery/inject_info.h"
#include "onnx/layers/links.h"

typedef enum mfm_layer_kind { MFM_LAYER_CONV, MFM_LAYER_FC } mfm_layer_kind;

/* What a layer is to the features that go on. A shortcut is the branch of a block with fewer layers
 * than the other; where both have as many, each is one of several. */
typedef enum mfm_layer_part {
    MFM_PART_MAIN,
    MFM_PART_GATE,     /* only multiplies or weighs others: squeeze and excitation, split attention,
                          a softmax over positions */
    MFM_PART_CONTEXT,  /* one number for a whole map, added to it: a global context block */
    MFM_PART_SHORTCUT, /* around a block */
    MFM_PART_BRANCH,   /* one of several that a Concat, a sum or the like joins */
    MFM_PART_PATCHES   /* the convolution in front of a network of tokens */
} mfm_layer_part;
/* "makes the gate of other features"; "" for MFM_PART_MAIN. */
const char *mfm_layer_part_name(mfm_layer_part part);

/* Names are borrowed from the model. */
typedef struct mfm_layer {
    mfm_layer_kind kind;
    size_t number; /* among its kind, from 1 */
    size_t node;
    const char *node_name; /* "" when the node has none */
    const char *output;    /* its value, a bias that is added by a node of its own included */
    const char *norm; /* after its normalisation (and a constant scale and shift); NULL: none */
    const char *act;  /* after its activation; NULL: none before a sum */
    int64_t channels; /* 0: not known from the file */
    int rank;         /* of its value, from the operators; 0: not known */
    ptrdiff_t block;  /* the innermost block that one of whose branches it lies on, or -1 */
    mfm_layer_part part;
    bool other_output; /* what becomes of it goes to outputs alone that are not trained */
    bool classifier;   /* no later layer reads what becomes of it, and the outputs do */
} mfm_layer;

/* Two branches that part at one value and meet in an Add or Sum. */
typedef struct mfm_block {
    size_t node;        /* the sum */
    const char *output; /* after the sum and, when one follows, its activation */
    size_t layer; /* the last layer of the main branch, the one with more, that is no gate if any */
    ptrdiff_t fork; /* the node whose output both begin at; MFM_NOWHERE: an input of the graph */
} mfm_block;

typedef struct mfm_layers {
    const mfm_model *model;
    mfm_links links;
    mfm_layer *layers; /* in the order of the nodes */
    size_t n_layers;
    mfm_block *blocks; /* in the order of the sums */
    size_t n_blocks;
} mfm_layers;

/* A view of the model as it is now. The caller frees *layers. */
int mfm_layers_new(mfm_ctx *ctx, const mfm_model *model, mfm_layers **layers);
void mfm_layers_free(mfm_layers *layers);
/* What the layer is called in listings: its node's name, else its output's. */
const char *mfm_layer_title(const mfm_layer *layer);

/* Which layers the selectors mean, as ascending indices without repetition, released with mfm_free.
 * A selector is last_conv, first_conv, last_features, conv:3 (from 1), conv:-2 (from the end),
 * fc:1, block:2 (the last layer of that block's main branch), a node's name, an output's name, or a
 * glob over both. last_features is the last layer, convolution or not, whose features go on to the
 * classifier. last_conv and last_features pass over the classifier, gates, contexts, shortcuts
 * and what leads to other outputs than the trained one; that, and a layer of theirs or of a block
 * that is one branch of several or embeds patches, is warned of. MFM_EINVAL for one that fits
 * nothing: the message has the nearest names and what there is. */
int mfm_layers_select(mfm_ctx *ctx, const mfm_layers *layers, const char *const *selectors,
                      size_t n_selectors, size_t **picked, size_t *n_picked);

/* A value of the graph to modulate. */
typedef struct mfm_point {
    const char *value;
    int64_t channels; /* 0: not known */
    int rank;         /* 0: not known */
} mfm_point;

/* Where `position` is for a layer. MFM_EINVAL when the layer has no such place. */
int mfm_layers_point(mfm_ctx *ctx, const mfm_layers *layers, size_t layer, mfm_position position,
                     mfm_point *point);

/* For the files of layers_*.c: fills every layer's part, and each block's layer, after the blocks;
 * fills blocks and every
 * layer's block; and the value after the activation that alone reads `value`, x * sigmoid(x)
 * included, or NULL. */
void mfm_layers_find_parts(mfm_layers *layers);
int mfm_layers_find_blocks(mfm_ctx *ctx, mfm_layers *layers);
const char *mfm_layers_activated(const mfm_links *links, const mfm_link *value);

#endif
