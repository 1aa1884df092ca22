/*
 * The operator interface: what an operator is (mfm_op) and how it is carried out (mfm_rule).
 *
 * LANES. Every tensor has four: X value, DX tangent (derivative along one direction), G adjoint
 * (derivative of the loss), DG the adjoint's tangent. A NULL lane means "identically zero, or not
 * wanted": a pass skips that term, so that plain training pays nothing for the second order.
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
 *
 * Adding an operator: one file in ops/ that defines `const mfm_op mfm_op_NAME`, one line in
 * ops/ops.def. The checks run from its samples.
 */
#ifndef MFM_OP_H
#define MFM_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/context.h"
#include "core/base/linkage.h"
#include "core/base/random.h"
#include "core/base/real.h"
#include "core/base/shape.h"

MFM_C_BEGIN

enum mfm_lane { MFM_X, MFM_DX, MFM_G, MFM_DG, MFM_LANES };

typedef struct mfm_tensor {
    mfm_shape shape;
    real *lane[MFM_LANES];
} mfm_tensor;

/* DATA and PARAM are differentiated. STATE (running statistics) is read in inference and written by
 * `update` only. INDEX (class numbers) has values that select and no derivative. */
enum mfm_role { MFM_DATA, MFM_PARAM, MFM_STATE, MFM_INDEX };

typedef struct mfm_port {
    const char *name; /* as ONNX names it */
    enum mfm_role role;
    bool optional;
    bool variadic; /* last port only: one or more tensors */
} mfm_port;

enum { MFM_MAX_INTS = 32 };

/* A list attribute; count -1 means that the model does not give it. */
typedef struct mfm_ints {
    int count;
    int64_t v[MFM_MAX_INTS];
} mfm_ints;

enum mfm_attr_type {
    MFM_INT,    /* int64_t */
    MFM_FLOAT,  /* double */
    MFM_INTS,   /* mfm_ints */
    MFM_CHOICE, /* int: index into choices */
};

/* One attribute of the operator's attribute struct. Import, samples, validation and printing all
 * read this table. */
typedef struct mfm_attr_def {
    const char *name;
    enum mfm_attr_type type;
    size_t offset;
    bool required;
    double fallback;     /* INT, FLOAT and CHOICE; an absent MFM_INTS has count -1 */
    const char *choices; /* CHOICE: "NOTSET|SAME_UPPER|..." */
    int from_input;      /* > 0: from opset `since` on, ONNX gives it as this (constant) input */
    int since;
} mfm_attr_def;

typedef struct mfm_op mfm_op;

/* An operator in a plan. */
typedef struct mfm_node {
    const mfm_op *op;
    const char *name;
    const void *attr; /* the operator's attribute struct */
    int opset;        /* of the operator's domain, for meanings that changed */
    bool training;    /* batch statistics, dropout */
    bool dry;         /* only shapes are wanted: infer makes no kernel */
    bool frozen;      /* parameters keep their values over many passes: `prepare` is called */
    int n_in, n_out;
    mfm_tensor **in; /* NULL: absent optional input */
    mfm_tensor **out;
    uint8_t *accumulates;  /* per input: bit MFM_G and bit MFM_DG */
    size_t saved_size;     /* reals kept from forward to the other passes; set by infer */
    size_t scratch_size;   /* reals usable within one call of any pass; set by infer */
    size_t packed_size;    /* reals for what prepare makes; set by infer of a frozen node */
    real *saved, *scratch; /* 64-byte aligned */
    real *packed;          /* NULL when packed_size is 0 */
    void *kernel;          /* made by infer, taken back by release */
    mfm_key key;           /* of this step: same seed, step and node, same draws */
} mfm_node;

typedef struct mfm_rule {
    void (*forward)(const mfm_node *node);
    void (*jvp)(const mfm_node *node);
    void (*vjp)(const mfm_node *node);
    void (*vjp_t)(const mfm_node *node);
    bool linear; /* J is constant, at least piece by piece: vjp_t needs DG only */
} mfm_rule;

/* Which X lanes the passes after forward read, and which DX lanes of outputs vjp_t reads; the
 * others may be reused by then. DX of the inputs is kept for the vjp_t of every rule that is not
 * linear. Neither holds for inputs that are only added. */
enum { MFM_READS_NONE = 0, MFM_READS_IN = 1, MFM_READS_OUT = 2 };

/* What becomes of the batch, axis 0, as far as an operator's own axes and attributes leave no
 * choice. Where it says nothing, import finds out by trial. */
enum mfm_batch_rule {
    MFM_BATCH_UNKNOWN,
    MFM_BATCH_FIRST, /* sample n of the output is made of sample n of input 0 and of the other
                        inputs whole (unless attribute transA is set) */
    MFM_BATCH_ALL    /* element by element, with broadcasting; the pointwise rules say it */
};

struct mfm_op {
    const char *name;        /* ONNX op_type */
    const char *domain;      /* "" is ONNX's own; "mfm" is this engine's */
    int since, until;        /* opset range; until 0: no end */
    const mfm_port *inputs;  /* ended by a port without name; attributes from inputs are not here */
    const mfm_port *outputs; /* ended likewise; outputs beyond these are not supported */
    const mfm_attr_def *attrs; /* ended by a definition without name; NULL for none */
    size_t attr_size;
    /* Checks the attributes, sets out[]->shape, saved_size, scratch_size, makes the kernel. The
     * only hook that can fail. Input shapes are known. */
    int (*infer)(mfm_ctx *ctx, mfm_node *node);
    /* Also called after a failed infer, with the kernel NULL. NULL: nothing to release. */
    void (*release)(mfm_ctx *ctx, mfm_node *node);
    const mfm_rule *rule;
    const void *impl; /* ingredients of a generic rule (rules.h) */
    unsigned reads;
    enum mfm_batch_rule batch;
    bool random;       /* draws in training form */
    uint32_t additive; /* set of inputs (bit i) that are only added to the result */
    /* Multiplications per forward pass, for reports; NULL: not counted. */
    int64_t (*macs)(const mfm_node *node);
    /* Frozen nodes with a packed_size, whenever their parameters are bound: brings these into the
     * form that forward reads. NULL for most. */
    void (*prepare)(const mfm_node *node);
    /* After the un-modulated forward over training data: writes STATE inputs. NULL for most. */
    void (*update)(const mfm_node *node);
    /* Writes the outputs' X anew from the inputs' and saved, the same bits as forward: for
     * operators whose outputs cost less to make again than to keep. NULL for most. */
    void (*restore)(const mfm_node *node);
    const char *summary; /* one line for the operator table */
    /* What the checks run on, ended by NULL: input shapes, then attributes.
     *     "[2,3,5,5] [4,3,3,3] - pads=1,1,1,1 @train outputs=2"
     * "-" is an absent input, "[3]+" draws positive values, "[4]<7" whole numbers 0..6. */
    const char *const *samples;
};

static inline bool mfm_is_additive(const mfm_op *op, int input)
{
    return input < 32 && (op->additive >> input & 1);
}

static inline bool mfm_accumulates(const mfm_node *node, int input, enum mfm_lane lane)
{
    return (node->accumulates[input] >> lane) & 1;
}

/* The lane of an input or output, NULL when the tensor is absent, or the lane zero or unwanted. */
static inline real *mfm_in(const mfm_node *node, int input, enum mfm_lane lane)
{
    return input < node->n_in && node->in[input] ? node->in[input]->lane[lane] : NULL;
}

static inline real *mfm_out(const mfm_node *node, int output, enum mfm_lane lane)
{
    return output < node->n_out && node->out[output] ? node->out[output]->lane[lane] : NULL;
}

/* Every operator, ended by NULL, in the order of ops.def. */
extern const mfm_op *const mfm_ops[];
/* The operator for an op_type at an opset version; NULL when there is none. "ai.onnx" is "". */
const mfm_op *mfm_op_find(const char *domain, const char *name, int opset);
/* True when some opset version of it is supported. */
bool mfm_op_known(const char *domain, const char *name);

/* Fills an attribute struct with the defaults. */
void mfm_attr_defaults(const mfm_op *op, void *attr);
const mfm_attr_def *mfm_attr_find(const mfm_op *op, const char *name);
/* Sets one attribute from text: "2", "0.5", "1,1,1,1", "SAME_UPPER". */
int mfm_attr_parse(mfm_ctx *ctx, const mfm_op *op, void *attr, const char *name, const char *text);

/* Shared checks for infer. An axis in [-rank, rank) becomes [0, rank). */
int mfm_infer_axis(mfm_ctx *ctx, const mfm_node *node, int64_t axis, int rank, int *result);
int mfm_infer_same(mfm_ctx *ctx, mfm_node *node); /* out[0] has the shape of in[0] */
/* "Conv 'layer1.conv': what: rule". */
int mfm_infer_fail(mfm_ctx *ctx, const mfm_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

MFM_C_END

#endif
