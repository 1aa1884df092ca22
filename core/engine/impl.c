#include "core/engine/impl.h"

#define MFM_OP(name) extern const mfm_impl mfm_cpu_##name;
#include "core/engine/ops/ops.def"
#undef MFM_OP

/* In the order of mfm_ops. */
#define MFM_OP(name) &mfm_cpu_##name,
static const mfm_impl *const cpu[] = {
#include "core/engine/ops/ops.def"
    NULL};
#undef MFM_OP

static const mfm_impl *find(const mfm_impl *const *impls, const mfm_op *op)
{
    while (*impls && (*impls)->op != op)
        impls++;
    return *impls;
}

const mfm_impl *mfm_impl_find(const mfm_ctx *ctx, const mfm_op *op)
{
    const mfm_backend *backend = mfm_ctx_backend(ctx);
    const mfm_impl *own = backend ? find(backend->impls, op) : NULL;
    return own ? own : find(cpu, op);
}

int mfm_node_setup(mfm_ctx *ctx, mfm_node *node)
{
    node->impl = mfm_impl_find(ctx, node->op);
    if (!node->impl)
        return mfm_fail(ctx, MFM_ENOTSUP, "%s '%s': no back end carries it out", node->op->name,
                        node->name ? node->name : "");
    return node->impl->setup ? node->impl->setup(ctx, node) : MFM_OK;
}

void mfm_node_release(mfm_ctx *ctx, mfm_node *node)
{
    if (node->impl && node->impl->release)
        node->impl->release(ctx, node);
    node->impl = NULL;
}
