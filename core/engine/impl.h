/*
 * How a back end carries out an operator: its implementation (mfm_impl), found by operator and back
 * end. The processor's stands in the operator's own file and is the reference; another back end
 * brings files of its own, and plans, training and surgery do not know of it.
 *
 * PASSES. For y = f(x), with J the Jacobian of f at x:
 *     forward  y.X  = f(x.X)
 *     jvp      y.DX = J x.DX                                     (x.DX NULL: zero)
 *     vjp      x.G  = [x.G +] J^T y.G
 *     vjp_t    x.DG = [x.DG +] J^T y.DG + (d/de J(x + e x.DX))^T y.G
 * jvp overwrites its outputs. vjp and vjp_t add when mfm_accumulates() says so and otherwise
 * overwrite what lies there (garbage): every wanted input lane must be written, with zeros if need
 * be. Inputs are handled in slot order, because one tensor may stand at several. The passes run on
 * planned buffers: they cannot fail, allocate nothing and return void. A pass is only called when
 * it has something to do: jvp when some input has DX, vjp when some output has G, vjp_t when some
 * output has DG or (nonlinear operators) G together with some input's DX.
 */
#ifndef MFM_IMPL_H
#define MFM_IMPL_H

#include "core/engine/op.h"

MFM_C_BEGIN

typedef struct mfm_rule {
    void (*forward)(const mfm_node *node);
    void (*jvp)(const mfm_node *node);
    void (*vjp)(const mfm_node *node);
    void (*vjp_t)(const mfm_node *node);
} mfm_rule;

/* Which X lanes the passes after forward read, and which DX lanes of outputs vjp_t reads; the
 * others may be reused by then. DX of the inputs is kept for the vjp_t of every operator that is
 * not linear. Neither holds for inputs that are only added. */
enum { MFM_READS_NONE = 0, MFM_READS_IN = 1, MFM_READS_OUT = 2 };

/* The back end that every operator has. */
#define MFM_CPU "cpu"

struct mfm_impl {
    const mfm_op *op;
    const char *backend;
    /* Shapes are known: sets saved_size, scratch_size, packed_size, makes the kernel. NULL: needs
     * none of them. */
    int (*setup)(mfm_ctx *ctx, mfm_node *node);
    /* Also called after a failed setup, with what it made. NULL: nothing to release. */
    void (*release)(mfm_ctx *ctx, mfm_node *node);
    const mfm_rule *rule;
    const void *parts; /* ingredients of a generic rule (rules.h) */
    unsigned reads;
    /* Frozen nodes with a packed_size, whenever their parameters and states are bound: brings these
     * into the form that forward reads. May use scratch. NULL for most. */
    void (*prepare)(const mfm_node *node);
    /* Writes the outputs' X anew from the inputs' and saved, the same bits as forward: for
     * operators whose outputs cost less to make again than to keep. NULL for most. */
    void (*restore)(const mfm_node *node);
    /* Whether output 0 holds the numbers of input 0 as they lie in memory, and the adjoints
     * likewise: a plan may give both one place, and calls no pass then. NULL: never. */
    bool (*is_view)(const mfm_node *node);
    /* Inputs (bit i) whose adjoint is that of output 0, as it lies in memory: a plan may give both
     * one place, and then vjp and vjp_t, which find one address, leave it as it is. NULL: none. */
    uint32_t (*hands_back)(const mfm_node *node);
    /* After the un-modulated forward over training data: writes STATE inputs. NULL for most. */
    void (*update)(const mfm_node *node);
};

/* What a back end carries out by itself, ended by NULL; the processor does the rest. */
struct mfm_backend {
    const char *name;
    const mfm_impl *const *impls;
};

/* By a context's back end (core/base/context.h), else by the processor; NULL for an operator that
 * neither knows. */
const mfm_impl *mfm_impl_find(const mfm_ctx *ctx, const mfm_op *op);

/* Finds the implementation of a node whose shapes are known and sets it up. On failure, too, the
 * node must be released. */
int mfm_node_setup(mfm_ctx *ctx, mfm_node *node);
void mfm_node_release(mfm_ctx *ctx, mfm_node *node);

MFM_C_END

#endif
