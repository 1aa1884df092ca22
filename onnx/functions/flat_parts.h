/* What the files of flat views share: flat.c replaces calls, flat_node.c copies one node of a
 * function. */
#ifndef MFM_ONNX_FLAT_PARTS_H
#define MFM_ONNX_FLAT_PARTS_H

#include "onnx/functions/flat.h"
#include "onnx/proto/names.h"
#include "onnx/proto/strmap.h"

/* Where a node of the view comes from. */
typedef struct mfm_flat_from {
    Onnx__NodeProto *source;
    ptrdiff_t at; /* in the model's graph; -1 */
} mfm_flat_from;

struct mfm_flat {
    mfm_ctx *ctx;
    const mfm_model *model; /* what is looked at */
    mfm_model view;         /* used when the graph calls functions */
    Onnx__ModelProto proto;
    Onnx__GraphProto graph;
    mfm_flat_from *origins; /* [graph.n_node] */
    size_t nodes_capacity, origins_capacity;
    void **blocks; /* memory of the view's own nodes */
    size_t n_blocks, blocks_capacity;
    Onnx__AttributeProto **defaults; /* unpacked ones */
    size_t n_defaults, defaults_capacity;
    mfm_names *names;
    mfm_strmap opsets; /* first output of a node of a function -> version of its domain */
};

/* The names of a graph or body, and what they are called in the view. */
typedef struct mfm_flat_scope {
    const struct mfm_flat_scope *outer;  /* who calls; NULL: the graph */
    const Onnx__FunctionProto *function; /* NULL: the graph */
    const Onnx__NodeProto *call;         /* with names of the view */
    const char *title;                   /* what its values are called by */
    mfm_strmap names;                    /* name -> number of texts */
    mfm_strmap given;                    /* output of the function -> number of the call's */
    const char **texts;
    size_t n_texts, texts_capacity;
    size_t depth;
    bool fused; /* the function is none of the file's (fused.h) */
} mfm_flat_scope;

typedef struct mfm_flattener {
    mfm_flat *flat;
    mfm_ctx *ctx;
    const mfm_model *model;
    mfm_strmap functions; /* domain:name:overload -> number */
} mfm_flattener;

/* Memory that lives as long as the view: a block that is taken over, or a new one. NULL with
 * MFM_ENOMEM recorded. */
void *mfm_flat_own(mfm_flat *flat, void *block);
void *mfm_flat_alloc(mfm_flattener *f, size_t count, size_t size);
int mfm_flat_refuse(const mfm_flattener *f, const Onnx__FunctionProto *function, int code,
                    const char *rule, const char *detail);
/* From now on `name` of the scope is called `text`. */
int mfm_flat_call_it(mfm_flat_scope *s, const char *name, const char *text);
/* What a name is called in the view; NULL where a body does not know it. */
const char *mfm_flat_called(const mfm_flat_scope *s, const char *name);
/* The node with the names of the view, and the attributes of the call. */
int mfm_flat_copy(mfm_flattener *f, mfm_flat_scope *s, const Onnx__NodeProto *node,
                  Onnx__NodeProto **made);

#endif
