/*
 * The main graph of a model as values and who uses them. A view: it borrows the model's names and
 * is stale after any edit.
 */
#ifndef MFM_ONNX_LINKS_H
#define MFM_ONNX_LINKS_H

#include "onnx/proto/proto.h"
#include "onnx/proto/strmap.h"

enum { MFM_NOWHERE = -1, MFM_LINK_RANK = 8 };

typedef struct mfm_link {
    const char *name;
    ptrdiff_t producer; /* the node that writes it, or MFM_NOWHERE */
    size_t first_use;   /* its n_uses entries in mfm_links.uses, by node */
    size_t n_uses;
    const Onnx__TensorProto *initializer; /* NULL when it is none */
    bool output;                          /* of the graph */
    bool captured;                        /* read inside a node's graph attribute */
    bool constant; /* follows from initializers and constants alone, whatever is fed */
    int rank;      /* as the operators of the graph make it; -1: not known */
} mfm_link;

typedef struct mfm_links {
    const mfm_model *model;
    mfm_strmap map;
    mfm_link *values;
    size_t n_values;
    size_t *uses; /* numbers of nodes; a node that reads a value twice is there twice */
    size_t n_uses;
} mfm_links;

/* *links is cleared with mfm_links_clear, also after a failure. */
int mfm_links_make(const mfm_model *model, mfm_links *links);
void mfm_links_clear(mfm_links *links);
/* The value of that name; NULL for "" and for a name that the graph does not have. */
const mfm_link *mfm_links_find(const mfm_links *links, const char *name);
/* Input or output number i of a node; NULL when it has none there. */
const mfm_link *mfm_links_input(const mfm_links *links, size_t node, size_t i);
const mfm_link *mfm_links_output(const mfm_links *links, size_t node, size_t i);
/* The one node that reads the value; MFM_NOWHERE when there are none or several, or when a graph
 * attribute or the graph's outputs take it, too. */
ptrdiff_t mfm_links_sole_use(const mfm_links *links, const mfm_link *value);

/* Whether a node is a BatchNormalization in training form of a constant: of weights, by their own
 * statistics. Those that stand beside it are read by nothing. */
bool mfm_links_own_statistics(const mfm_links *links, const Onnx__NodeProto *node);

/* For the files of links_*.c: fills the ranks. */
int mfm_links_find_ranks(mfm_links *links);

/* The shape of a constant, seen through Identity, Cast, Transpose, Reshape and the like; false when
 * it does not follow from the file alone. */
bool mfm_links_dims(const mfm_links *links, const char *name, int64_t dims[MFM_LINK_RANK],
                    size_t *rank);
/* The numbers of an int64 or int32 vector that is an initializer or a Constant node's value; false
 * for anything else, and for more than MFM_LINK_RANK. value may be NULL. */
bool mfm_links_ints(const mfm_links *links, const mfm_link *value, int64_t ints[MFM_LINK_RANK],
                    size_t *count);
/* The shape that the file declares for any value; -1 where it is symbolic. False when it does not.
 * For inner values this may be stale: nothing reads it but the file's author. */
bool mfm_links_declared(const mfm_links *links, const char *name, int64_t dims[MFM_LINK_RANK],
                        size_t *rank);

#endif
