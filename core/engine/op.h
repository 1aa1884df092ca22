/*
 * What an operator is: its description (mfm_op), true wherever it is carried out. How a back end
 * carries it out is its implementation (impl.h).
 *
 * LANES. Every tensor has four: X value, DX tangent (derivative along one direction), G adjoint
 * (derivative of the loss), DG the adjoint's tangent. A NULL lane means "identically zero, or not
 * wanted": a pass skips that term, so that plain training pays nothing for the second order.
 *
 * Passes over graphs (folding, fusion, splitting, the choice of layouts) compare no names: what
 * they may assume of an operator is said by its ports, traits and hooks.
 *
 * Adding an operator: one file in ops/ that defines `const mfm_op mfm_op_NAME` and, apart from it,
 * the processor's `const mfm_impl mfm_cpu_NAME`; one line in ops/ops.def. The checks run from its
 * samples.
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
#include "core/base/share.h"

MFM_C_BEGIN

enum mfm_lane { MFM_X, MFM_DX, MFM_G, MFM_DG, MFM_LANES };

struct mfm_factors;

typedef struct mfm_tensor {
    mfm_shape shape;
    real *lane[MFM_LANES];
    const struct mfm_factors
        *factors[MFM_LANES]; /* not NULL: what stands for the lane (factors.h) */
} mfm_tensor;

/* DATA and PARAM are differentiated. STATE (running statistics) is read in inference and written by
 * `update` only. INDEX has whole numbers or truth values (class numbers, places, masks), held as
 * reals, and no derivative; as the role of an output it says that no derivative passes through. */
enum mfm_role { MFM_DATA, MFM_PARAM, MFM_STATE, MFM_INDEX };

typedef struct mfm_port {
    const char *name; /* as ONNX names it */
    enum mfm_role role;
    bool optional;
    bool variadic; /* last port only: one or more tensors */
} mfm_port;

enum { MFM_MAX_INTS = 32, MFM_MAX_FLOATS = 32, MFM_MAX_TEXT = 128 };

/* A list attribute; count -1 means that the model does not give it. */
typedef struct mfm_ints {
    int count;
    int64_t v[MFM_MAX_INTS];
} mfm_ints;

typedef struct mfm_floats {
    int count;
    double v[MFM_MAX_FLOATS];
} mfm_floats;

enum mfm_attr_type {
    MFM_INT,    /* int64_t */
    MFM_FLOAT,  /* double */
    MFM_INTS,   /* mfm_ints */
    MFM_FLOATS, /* mfm_floats */
    MFM_CHOICE, /* int: index into choices */
    MFM_TEXT,   /* char[MFM_MAX_TEXT] */
};

/* One attribute of the operator's attribute struct. Import, samples, validation and printing all
 * read this table. */
typedef struct mfm_attr_def {
    const char *name;
    enum mfm_attr_type type;
    size_t offset;
    bool required;
    double fallback;     /* INT, FLOAT and CHOICE; an absent list has count -1 */
    const char *choices; /* CHOICE: "NOTSET|SAME_UPPER|..." */
    int from_input;      /* > 0: from opset `since` on, ONNX gives it as this (constant) input */
    int since;
    bool batch; /* INTS: -k stands for k times the batch size, which input `like` then has at axis 0
                 */
    bool lengths; /* INTS: lengths of the result, where -1 is what is left, 0 what the input has */
    bool by_axis; /* INTS: lengths of the result by axis (of `axes`), where 0 is what the input has
                   */
} mfm_attr_def;

typedef struct mfm_op mfm_op;
typedef struct mfm_impl mfm_impl;

/* An operator in a plan. */
typedef struct mfm_node {
    const mfm_op *op;
    const mfm_impl *impl; /* NULL until it is set up */
    const char *name;
    const void *attr; /* the operator's attribute struct */
    int opset;        /* of the operator's domain, for meanings that changed */
    bool training;    /* batch statistics, dropout */
    mfm_share share;  /* the samples at hand, of those of all ranks */
    bool seeded;      /* the adjoint of output 0 is given, the same on all ranks */
    bool frozen;      /* parameters keep their values over many passes: `prepare` is called */
    int n_in, n_out;
    mfm_tensor **in; /* NULL: absent optional input */
    mfm_tensor **out;
    uint8_t *accumulates;  /* per input: bit MFM_G and bit MFM_DG */
    size_t saved_size;     /* reals kept from forward to the other passes; by setup */
    size_t scratch_size;   /* reals usable within one call of any pass; by setup */
    size_t packed_size;    /* reals for what prepare makes; by setup of a frozen node */
    real *saved, *scratch; /* 64-byte aligned */
    real *packed;          /* NULL when packed_size is 0 */
    void *kernel;          /* made by setup, taken back by release */
    mfm_key key;           /* of this step: same seed, step and node, same draws */
} mfm_node;

/* What becomes of the batch, axis 0, as far as an operator's own axes and attributes leave no
 * choice. Where it says nothing, import finds out by trial. */
enum mfm_batch_rule {
    MFM_BATCH_UNKNOWN,
    MFM_BATCH_FIRST, /* sample n of the output is made of sample n of input 0 and of the other
                        inputs whole (unless attribute transA or heads is set) */
    MFM_BATCH_STACK, /* the same; and of three axes on, of sample n of every input */
    MFM_BATCH_ALL    /* element by element, with broadcasting */
};

/* What passes over graphs may assume, a set of bits. */
enum mfm_trait {
    MFM_COMMUTES = 1 << 0, /* inputs 0 and 1 may change places */
    MFM_ADDS = 1 << 1,     /* the sum of its inputs */
    MFM_SCALES = 1 << 2,   /* input 0 times input 1: a factor of 1 may be left out */
    MFM_MATRIX = 1 << 3,   /* a matrix product of inputs 0 and 1, plus input 2 where there is one;
                              attributes alpha, beta, transA, transB as Gemm has them, if any */
    MFM_JOINS = 1 << 4,    /* its inputs side by side */
    /* Each number of the output is the largest of some numbers of the input, to which alone it
     * passes back; and pointwise, never falling, and passing nothing back where it is flat. One
     * behind the other, the two may change places. */
    MFM_LARGEST = 1 << 5,
    MFM_MONOTONE = 1 << 6,
    /* In inference, the numbers of the input: */
    MFM_SAME_ORDER = 1 << 7,  /* in the same row-major order, perhaps of other lengths */
    MFM_OTHER_ORDER = 1 << 8, /* in another order */
    /* Of logits, over `axis` as Softmax has it: */
    MFM_SOFTMAX = 1 << 9,
    MFM_LOG_SOFTMAX = 1 << 10,
    MFM_PROBABILITIES = 1 << 11, /* gives numbers between 0 and 1 of logits */
    MFM_LOGARITHM = 1 << 12,
    MFM_CONVERTS = 1 << 13, /* changes the layout alone */
    /* Inputs behind the first may be whole numbers, as constants, where the first is real. */
    MFM_MIXES_TYPES = 1 << 14,
    /* At every place of the other axes, which remain, it does the same with what input 0 (that
     * joins: each input) has there: along `axis`, or `axes`, of these those that have `pads`, if
     * any; or along `axis` and all behind it. */
    MFM_ALONG_AXES = 1 << 15,
    MFM_ALONG_LAST = 1 << 16,
    MFM_LOGISTIC = 1 << 17 /* 1 / (1 + exp(-x)), pointwise */
};

/* How the values of rank 4 that an operator reads and writes may lie in memory (layout.h). */
enum mfm_layout_rule {
    MFM_LAYOUT_IMAGES, /* channels-last */
    MFM_LAYOUT_ALIKE,  /* all alike: element by element through memory */
    MFM_LAYOUT_NEAR,   /* in any way each; alike is faster */
    MFM_LAYOUT_FREE,   /* in any way each */
    MFM_LAYOUT_ROWS    /* row-major; otherwise slow */
};

struct mfm_fusion;

struct mfm_op {
    const char *name;        /* ONNX op_type */
    const char *domain;      /* "" is ONNX's own; "mfm" is this engine's */
    int since, until;        /* opset range; until 0: no end */
    const mfm_port *inputs;  /* ended by a port without name; attributes from inputs are not here */
    const mfm_port *outputs; /* ended likewise; outputs beyond these are not supported */
    const mfm_attr_def *attrs; /* ended by a definition without name; NULL for none */
    size_t attr_size;
    /* Inference of shapes: checks attributes and input shapes, which are known, sets
     * out[]->shape. Makes nothing and allocates nothing. */
    int (*shape)(mfm_ctx *ctx, mfm_node *node);
    bool linear; /* J is constant, at least piece by piece: vjp_t needs DG only */
    bool random; /* draws in training form */
    unsigned traits;
    enum mfm_batch_rule batch;
    enum mfm_layout_rule layout;
    uint32_t additive; /* set of inputs (bit i) that are only added to the result */
    /* Multiplications per forward pass, for reports; NULL: not counted. */
    int64_t (*macs)(const mfm_node *node);
    /* Chains of other operators that it carries out at once (fusion.h): patterns, ended by NULL.
     * `fused` says whether a chain that fits is one, by shapes and attributes, and sets the
     * attributes of the whole, which have their defaults. NULL: it always is. */
    const char *const *fuses;
    bool (*fused)(const struct mfm_fusion *chain, void *attr);
    /* Runs forward alone, in plans over parameters that stay (mfm_plan_spec.frozen): chains become
     * it there only, where its parameters and states are the graph's own. */
    bool frozen;
    const char *summary; /* one line for the operator table */
    /* What the checks run on, ended by NULL: input shapes, then attributes.
     *     "[2,3,5,5] [4,3,3,3] - pads=1,1,1,1 @train outputs=2"
     * "-" is an absent input, "[3]+" draws positive values, "[4]<7" whole numbers 0..6. */
    const char *const *samples;
};

static inline bool mfm_has_trait(const mfm_op *op, unsigned any)
{
    return (op->traits & any) != 0;
}

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

/* Fills an attribute struct with the defaults. */
void mfm_attr_defaults(const mfm_op *op, void *attr);
const mfm_attr_def *mfm_attr_find(const mfm_op *op, const char *name);
/* A whole number, a number or the place of a choice in an attribute struct; `fallback` when the
 * operator has none of that name. */
double mfm_attr_number(const mfm_op *op, const void *attr, const char *name, double fallback);
/* Sets one attribute from text: "2", "0.5", "1,1,1,1", "SAME_UPPER". */
int mfm_attr_parse(mfm_ctx *ctx, const mfm_op *op, void *attr, const char *name, const char *text);

/* Shared by shape hooks. An axis in [-rank, rank) becomes [0, rank). */
int mfm_infer_axis(mfm_ctx *ctx, const mfm_node *node, int64_t axis, int rank, int *result);
int mfm_infer_same(mfm_ctx *ctx, mfm_node *node); /* out[0] has the shape of in[0] */
/* "Conv 'layer1.conv': what: rule". */
int mfm_infer_fail(mfm_ctx *ctx, const mfm_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

MFM_C_END

#endif
