/*
 * What a model file says of itself, for reports: read off the file alone, whether or not its
 * operators can be trained. Free of protobuf, so that whoever prints needs none of it.
 */
#ifndef MFM_ONNX_INSPECT_H
#define MFM_ONNX_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "onnx/proto/model.h"

enum { MFM_PORT_RANK = 8 };

/* An input or output of the graph. */
typedef struct mfm_model_port {
    const char *name;
    int rank;                   /* -1: not told, or beyond MFM_PORT_RANK */
    int64_t dim[MFM_PORT_RANK]; /* -1: symbolic */
} mfm_model_port;

/* A node whose operator cannot be trained. */
typedef struct mfm_model_gap {
    const char *op_type, *domain;
    const char *title; /* the node's name, else its output's */
} mfm_model_gap;

/* Names are borrowed from the model. */
typedef struct mfm_model_facts {
    int64_t ir_version, opset;
    const char *graph, *producer, *producer_version;
    size_t n_nodes, n_initializers;
    uint64_t elements;                /* numbers in all initialisers */
    mfm_model_port *inputs, *outputs; /* inputs that have no initialiser */
    size_t n_inputs, n_outputs;
    mfm_model_gap *gaps;
    size_t n_gaps;
    bool ends_in_softmax;  /* the logits' output is made by Softmax or LogSoftmax */
    struct mfm_flat *flat; /* what the gaps' names are borrowed from, too */
} mfm_model_facts;

/* The caller frees *facts, before any edit of the model. */
int mfm_model_facts_new(mfm_ctx *ctx, const mfm_model *model, mfm_model_facts **facts);
void mfm_model_facts_free(mfm_ctx *ctx, mfm_model_facts *facts);

/* The node that is the first to add a constant to the images or to multiply them by one, before any
 * layer: part of a normalisation that the file has itself. *title is its name, or its output's,
 * borrowed from the model; NULL when there is none. MFM_ENOMEM. */
int mfm_model_own_scale(const mfm_model *model, const char **title);

/* metadata_props[key], borrowed from the model; NULL: there is none. */
const char *mfm_model_metadata(const mfm_model *model, const char *key);
/* The entries in the file's order, from 0 on, borrowed. Of a key that stands twice the first
 * counts.
 */
size_t mfm_model_metadata_count(const mfm_model *model);
void mfm_model_metadata_at(const mfm_model *model, size_t index, const char **key,
                           const char **value);
/* Sets an entry, adds it at the end, or removes it (value NULL). MFM_ENOMEM. */
int mfm_model_set_metadata(mfm_model *model, const char *key, const char *value);

/* A node's operator, the numbers in the tensors that it reads as its own, directly or behind nodes
 * that only move them, and those of its second input, the weight of a convolution or fully
 * connected layer. */
typedef struct mfm_model_node {
    const char *op_type;
    uint64_t parameters, weights;
} mfm_model_node;
struct mfm_roles;
mfm_model_node mfm_model_node_at(const struct mfm_roles *roles, size_t node);

#endif
