/* Nodes added to a graph one behind the other: each reads what the one before it wrote. */
#ifndef MFM_CHAIN_H
#define MFM_CHAIN_H

#include "core/engine/graph.h"

typedef struct mfm_chain {
    mfm_graph *graph;
    int segment;
    const char *name; /* of all nodes */
    int last;         /* the value so far */
    int status;       /* sticky: nothing is added behind a failure */
} mfm_chain;

enum { MFM_CHAIN_OPSET = 13 };

/* last = op(last, second, third), -1 for those that are not there. ONNX's operators as of opset 13;
 * attributes as "axes=1 keepdims=1", NULL for none. */
void mfm_chain_add(mfm_chain *chain, const char *op_type, const char *attributes, int second,
                   int third);
/* last = op(first, last) */
void mfm_chain_add_second(mfm_chain *chain, const char *op_type, int first);

#endif
