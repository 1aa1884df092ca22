/*
 * What training does with each floating-point tensor of a model, read off its use alone, never off
 * its name:
 *
 *     statistic  a running mean or variance: follows the batches
 *     setting    sets an operator (Clip's bounds, Pad's value, Dropout's ratio), or is compared, so
 *                that no derivative comes to it: as in the file
 *     trained    where an operator has its weights: weight and bias of Conv, Gemm and MatMul,
 *                scale and shift of BatchNormalization, a bias added to their product; and an
 *                initialiser that is an operand elsewhere (a scale per channel, a position
 *                embedding)
 *     fixed      as an operand: a single number; what meets the image before the first layer with
 *                weights (its normalisation); a mask (0 and one other number), and one number
 *                everywhere of which a mask is made by comparison; the value of a
 *                Constant node. Also scale and shift of a BatchNormalization that are Constant
 *                nodes beside running statistics that are not, and those of an
 *                InstanceNormalization that are Constant nodes of ones and zeros, or, where other
 *                weights are initialisers, of a LayerNormalization, GroupNormalization or
 *                RMSNormalization: exporters write affine=False so. And a kernel of a Conv that
 *                only takes images apart, a channel for each number of a patch
 *
 * A Constant node within a function is fixed wherever it stands: the function's calls share it.
 *
 * Mean and variance beside a BatchNormalization of weights in training form are read by nothing.
 *
 * A weight that reaches its operator through Reshape, Transpose or Cast is a weight. Whoever trains
 * may say otherwise by name, for what is trained or fixed.
 *
 * Files name one tensor in several roles, and tools that merge equal tensors make one out of many.
 * Training then needs copies (mfm_model_untie): one for everything that stays as it is in the file,
 * one for each running statistic, one for each layer's scale, shift or bias. A matrix or kernel
 * that several layers read is a true tie, and so is the whole of a layer that is used twice.
 */
#ifndef MFM_ONNX_ROLES_H
#define MFM_ONNX_ROLES_H

#include "onnx/import/import.h"
#include "onnx/layers/links.h"

typedef enum mfm_fate {
    MFM_FATE_UNREAD, /* by no node of the graph itself */
    MFM_FATE_TRAINED,
    MFM_FATE_FIXED,
    MFM_FATE_STATISTIC,
    MFM_FATE_SETTING
} mfm_fate;
/* "unread", "trained", "fixed", "statistic", "setting" */
const char *mfm_fate_name(mfm_fate fate);

/* Where a tensor is read. */
typedef struct mfm_tensor_use {
    size_t node, input;
    mfm_fate fate;
    const char *why;
    uint64_t tie; /* uses of one tensor with the same number are one value; 0: stays as it is */
} mfm_tensor_use;

/* An initialiser, the value of a Constant node, or an Identity of either. Names are the model's. */
typedef struct mfm_tensor_role {
    const char *name;
    const Onnx__TensorProto *tensor; /* NULL: numbers in another attribute of a Constant node */
    bool constant;                   /* of a Constant node */
    bool inner;                      /* of one in a function: for all its calls, never trained */
    bool injected;                   /* part of a modulator */
    bool chosen;                     /* the user said so */
    double rate;                     /* of the learning rate: 1 unless the user says otherwise */
    size_t rank;
    const int64_t *dims;
    uint64_t numbers;
    size_t n_readers;             /* nodes that read it as anything at all */
    const char *op_type, *reader; /* the first of them and its name, or its output's; NULL */
    mfm_fate fate;                /* of its first use, when they differ */
    const char *why;
    bool divided; /* its uses need copies of their own */
    mfm_tensor_use *uses;
    size_t n_uses;
} mfm_tensor_role;

typedef struct mfm_roles {
    mfm_ctx *ctx;
    const mfm_model *model;
    mfm_links links;
    mfm_strmap map;           /* name -> tensor */
    mfm_tensor_role *tensors; /* initialisers in the file's order, then by node */
    size_t n_tensors;
    mfm_tensor_use *uses; /* those of all tensors */
} mfm_roles;

/* A view of the model as it is now, which calls no function (onnx/functions/flat.h); choice NULL:
 * as the rules say. The caller frees *roles. MFM_EINVAL names what the choice cannot mean. */
int mfm_roles_new(mfm_ctx *ctx, const mfm_model *model, const mfm_role_choice *choice,
                  mfm_roles **roles);
void mfm_roles_free(mfm_roles *roles);
const mfm_tensor_role *mfm_roles_find(const mfm_roles *roles, const char *name);
/* The tensor that a name stands for, also behind nodes that only move or cast it; NULL. */
const mfm_tensor_role *mfm_roles_behind(const mfm_roles *roles, const char *name);
/* Whether a node makes of numbers the same numbers: Reshape, Transpose, Cast and the like. */
bool mfm_only_moves(const Onnx__NodeProto *node);

/* For the files of roles_*.c: members[n_tensors] of a name as mfm_role_choice has it; of a layer,
 * or glob, *exact is false. MFM_EINVAL: there is nothing of that name, with the nearest; verb is
 * what should be done with it. */
int mfm_roles_named(mfm_roles *roles, const char *verb, const char *name, bool *members,
                    bool *exact);
/* members: what is read by a node that the input of the layer is made by. MFM_EINVAL: one of them
 * is trained elsewhere, too, or there is no such layer. */
int mfm_roles_before(mfm_roles *roles, const char *layer, bool *members);
/* Applies the choice. */
int mfm_roles_choose(mfm_roles *roles, const mfm_role_choice *choice);
/* Of a tensor's numbers; nothing holds of one with too many axes. MFM_EIO, MFM_ENOMEM. */
typedef struct mfm_tensor_look {
    bool mask;    /* 0 and one other number, both, and several */
    bool uniform; /* all alike */
    bool moves;   /* as a kernel it only moves numbers: one 1 for each input, place and output */
    real first;
} mfm_tensor_look;
int mfm_roles_look(const mfm_roles *roles, const mfm_tensor_role *role, mfm_tensor_look *look);
/* What each place of a node does with a constant that stands there, and the ties between places;
 * called once, fills tensors[].uses. */
int mfm_roles_find_uses(mfm_roles *roles);

#endif
