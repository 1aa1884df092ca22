/*
 * A network as the engine sees it: values and nodes in topological order, without a batch size and
 * without buffers. Parameters lie in one flat vector, running statistics in another; the graph
 * holds their initial numbers, and a plan is bound to any vector of the same layout.
 */
#ifndef MFM_GRAPH_H
#define MFM_GRAPH_H

#include "core/base/linkage.h"
#include "core/engine/op.h"

MFM_C_BEGIN

enum mfm_value_kind {
    MFM_VALUE_INPUT, /* given by the caller */
    MFM_VALUE_PARAM, /* in the parameter vector at offset */
    MFM_VALUE_STATE, /* in the state vector at offset */
    MFM_VALUE_CONST, /* data, in storage order, owned by the graph */
    MFM_VALUE_NODE   /* output of a node */
};

typedef struct mfm_value {
    char *name;
    enum mfm_value_kind kind;
    enum mfm_role role;
    mfm_shape shape; /* of NODE the layout alone; an INPUT's dim[0] of -1 is the batch */
    size_t offset;   /* PARAM, STATE: in reals */
    bool trainable;  /* PARAM */
    double rate;     /* PARAM: it is trained at so many times the learning rate; 1 */
    real *data;      /* CONST */
    int producer;    /* NODE: index of the node */
} mfm_value;

enum { MFM_MAX_SEGMENT = 31 };

typedef struct mfm_graph_node {
    const mfm_op *op;
    char *name;
    void *attr;
    int opset;
    int n_in, n_out;
    int *in;        /* values; -1: absent */
    int *out;       /* values */
    int segment;    /* 0 .. MFM_MAX_SEGMENT: the part of the schedule it runs in */
    uint32_t key;   /* copies of one node share it: same dropout mask */
    bool inference; /* in training plans, too: running statistics, nothing drawn or updated */
} mfm_graph_node;

typedef struct mfm_graph {
    mfm_ctx *ctx;
    mfm_value *values;
    size_t n_values, values_capacity;
    mfm_graph_node *nodes;
    size_t n_nodes, nodes_capacity;
    real *params; /* initial parameters, 64-byte aligned; gaps between them are zero */
    size_t params_size, params_capacity;
    real *state;
    size_t state_size, state_capacity;
} mfm_graph;

int mfm_graph_new(mfm_ctx *ctx, mfm_graph **graph);
void mfm_graph_free(mfm_graph *graph);

/* Each adds a value and sets *value to its index. Names are copied; data (storage order) too.
 * Parameters may be added without numbers, data NULL, and then all of them are:
 * mfm_graph_alloc_params makes room for the numbers, which the caller writes. */
int mfm_graph_input(mfm_graph *graph, const char *name, enum mfm_role role, const mfm_shape *shape,
                    int *value);
int mfm_graph_param(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                    int *value);
int mfm_graph_alloc_params(mfm_graph *graph);
int mfm_graph_state(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                    int *value);
int mfm_graph_const(mfm_graph *graph, const char *name, const mfm_shape *shape, const real *data,
                    int *value);

/* Adds a node after those it reads. attr is copied (attr_size bytes); NULL takes the defaults.
 * Checks arity against the operator's ports. out_names may be NULL (unnamed) or hold NULLs; the
 * values of the n_out outputs are written to out. */
int mfm_graph_add(mfm_graph *graph, const mfm_op *op, int opset, const char *name, const void *attr,
                  const int *in, int n_in, const char *const *out_names, int n_out, int *out);

/* After nodes have moved: every value's producer again. */
void mfm_graph_number_producers(mfm_graph *graph);

/* The value of that name, -1 when there is none. */
int mfm_graph_find(const mfm_graph *graph, const char *name);
/* The shape of every value at a batch size: shapes[n_values]. training as in mfm_plan_spec. */
int mfm_graph_shapes(const mfm_graph *graph, int64_t batch, bool training, mfm_shape *shapes);

MFM_C_END

#endif
