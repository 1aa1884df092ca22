/* The patterns of fusion (fusion.h): reading them, and finding a chain of nodes that fits one. */
#ifndef MFM_FUSE_PATTERN_H
#define MFM_FUSE_PATTERN_H

#include "core/engine/fusion.h"
#include "core/engine/graph.h"

enum {
    MFM_PATTERN_STATEMENTS = 16,
    MFM_PATTERN_INPUTS = 5, /* of a statement */
    MFM_PATTERN_NAMES = 24,
    MFM_PATTERN_TEXT = 36 /* length of a name or an operator's */
};

/* Names are numbered: first the results of the statements, in order, then the others. */
typedef struct mfm_pattern {
    const mfm_op *op; /* that carries the chain out */
    int n_statements, n_names;
    int named; /* the statement whose node gives the whole its name */
    int rest;  /* the statement whose last name stands for all inputs from there on; -1: none */
    struct {
        char op_type[MFM_PATTERN_TEXT];
        int n_in, in[MFM_PATTERN_INPUTS]; /* names */
    } statement[MFM_PATTERN_STATEMENTS];
    char name[MFM_PATTERN_NAMES][MFM_PATTERN_TEXT];
    int uses[MFM_PATTERN_NAMES]; /* input slots of the pattern that hold the name */
    bool optional[MFM_PATTERN_NAMES];
} mfm_pattern;

/* Pattern texts are part of the program: what they break, asserts tell. */
void mfm_pattern_parse(const mfm_op *op, const char *text, mfm_pattern *pattern);
/* The number of a name, -1 when the pattern has none. */
int mfm_pattern_find(const mfm_pattern *pattern, const char *name);

/* What is known of a graph while chains are looked for. */
typedef struct mfm_fuse_graph {
    mfm_graph *graph;
    int *readers;      /* per value: input slots that hold it, and one for a caller that keeps it */
    int *reader;       /* per value: the node that reads it last; -1: none does */
    mfm_shape *shapes; /* per value */
} mfm_fuse_graph;

struct mfm_fusion {
    const mfm_fuse_graph *in;
    const mfm_pattern *pattern;
    int value[MFM_PATTERN_NAMES]; /* of the graph, by name */
};

/* Whether a chain that fits the pattern ends at node number `end`. Does not ask op->fused. Of two
 * ways to see a commuting operator, the one whose chain begins earlier is found. */
bool mfm_pattern_match(const mfm_fuse_graph *in, const mfm_pattern *pattern, size_t end,
                       mfm_fusion *fusion);
/* Of a pattern with a rest, the inputs that it stands for. */
int mfm_fusion_rest(const mfm_fusion *fusion, const int **values);
/* The node of a statement. */
size_t mfm_fusion_node(const mfm_fusion *fusion, int statement);
/* The first node of the chain in the order of the graph. */
size_t mfm_fusion_first(const mfm_fusion *fusion);

#endif
