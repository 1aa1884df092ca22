#include "core/engine/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MFM_OP(name) extern const mfm_op mfm_op_##name;
#include "core/engine/ops/ops.def"
#undef MFM_OP

#define MFM_OP(name) &mfm_op_##name,
const mfm_op *const mfm_ops[] = {
#include "core/engine/ops/ops.def"
    NULL};
#undef MFM_OP

static bool same_name(const mfm_op *op, const char *domain, const char *name)
{
    const char *plain = strcmp(domain, "ai.onnx") == 0 ? "" : domain;
    return strcmp(op->name, name) == 0 && strcmp(op->domain, plain) == 0;
}

static bool is_op(const mfm_op *op, const char *domain, const char *name, int opset)
{
    return same_name(op, domain, name) && opset >= op->since && (!op->until || opset <= op->until);
}

const mfm_op *mfm_op_find(const char *domain, const char *name, int opset)
{
    for (int i = 0; mfm_ops[i]; i++)
        if (is_op(mfm_ops[i], domain, name, opset))
            return mfm_ops[i];
    return NULL;
}

int mfm_infer_fail(mfm_ctx *ctx, const mfm_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mfm_vfail(ctx, MFM_EDATA, format, args);
    va_end(args);
    return mfm_fail_in(ctx, MFM_EDATA, "%s '%s'", node->op->name, node->name ? node->name : "");
}

int mfm_infer_axis(mfm_ctx *ctx, const mfm_node *node, int64_t axis, int rank, int *result)
{
    if (axis < -rank || axis >= rank)
        return mfm_infer_fail(ctx, node, "axis %lld: must be in [-%d, %d)", (long long)axis, rank,
                              rank);
    *result = (int)(axis < 0 ? axis + rank : axis);
    return MFM_OK;
}

int mfm_infer_same(mfm_ctx *ctx, mfm_node *node)
{
    (void)ctx;
    node->out[0]->shape = node->in[0]->shape;
    return MFM_OK;
}
