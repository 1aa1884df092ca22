#include "core/train/problem/chain.h"

#include <stdio.h>

/* "axes=1 keepdims=1" */
static int parse_attributes(mfm_ctx *ctx, const mfm_op *op, const char *text, void *attr)
{
    char name[32], value[64];
    int used, status = MFM_OK;
    mfm_attr_defaults(op, attr);
    for (; !status && sscanf(text, " %31[^=]=%63[^ ]%n", name, value, &used) == 2; text += used)
        status = mfm_attr_parse(ctx, op, attr, name, value);
    return status;
}

static int add(mfm_chain *c, const char *op_type, const char *attributes, const int *in, int n_in)
{
    mfm_ctx *ctx = c->graph->ctx;
    const mfm_op *op = mfm_op_find("", op_type, MFM_CHAIN_OPSET);
    if (!op)
        return mfm_fail(ctx, MFM_ENOTSUP, "operator %s: not built in", op_type);
    void *attr = attributes ? mfm_alloc(ctx, 1, op->attr_size) : NULL;
    if (attributes && !attr)
        return MFM_ENOMEM;
    const char *const names[1] = {c->name};
    int status = attributes ? parse_attributes(ctx, op, attributes, attr) : MFM_OK;
    if (!status)
        status = mfm_graph_add(c->graph, op, MFM_CHAIN_OPSET, c->name, attr, in, n_in, names, 1,
                               &c->last);
    if (!status)
        c->graph->nodes[c->graph->n_nodes - 1].segment = c->segment;
    mfm_free(ctx, attr);
    return status;
}

void mfm_chain_add(mfm_chain *c, const char *op_type, const char *attributes, int second, int third)
{
    const int in[3] = {c->last, second, third};
    if (!c->status)
        c->status = add(c, op_type, attributes, in, third >= 0 ? 3 : second >= 0 ? 2 : 1);
}

void mfm_chain_add_second(mfm_chain *c, const char *op_type, int first)
{
    const int in[2] = {first, c->last};
    if (!c->status)
        c->status = add(c, op_type, NULL, in, 2);
}
