/*
 * What an operator says of the chains that it carries out in fewer sweeps (mfm_op.fuses): patterns
 * such as
 *     "n = BatchNormalization X scale B mean var; s = Add n summand; Y = Relu s"
 * Each statement names an operator, ONNX's or as "mfm:Layout", and its inputs in order. An input is
 * the result of an earlier statement, which nothing outside the chain reads; or an input port of
 * the operator, at one place or several; or a value that `fused` asks for, such as a constant; or,
 * "others...", all inputs from there on, which the operator's variadic port of that name takes. The
 * last statement gives the operator's output. Where an operator commutes, its inputs are tried both
 * ways. The whole is named after the first node, or that of a statement with a star before its
 * result.
 *
 * "?name" is an input that may be absent. A chain that has become one node is looked at again: a
 * pattern may add to it what stands before it, "q = Mul Q scale; *Y = mfm:Attention q K V ?mask".
 */
#ifndef MFM_FUSION_H
#define MFM_FUSION_H

#include "core/engine/op.h"

/* A chain that fits the pattern. Names are those of the pattern. */
typedef struct mfm_fusion mfm_fusion;

/* At a batch size of 2. */
const mfm_shape *mfm_fusion_shape(const mfm_fusion *fusion, const char *name);
/* The attributes of a statement's node: the struct; a list, or a number, of that name. */
const void *mfm_fusion_attr(const mfm_fusion *fusion, const char *statement);
const mfm_ints *mfm_fusion_ints(const mfm_fusion *fusion, const char *statement, const char *name);
double mfm_fusion_attr_number(const mfm_fusion *fusion, const char *statement, const char *name);
/* Whether the statement, of several patterns one, is this operator. */
bool mfm_fusion_is(const mfm_fusion *fusion, const char *statement, const char *op_type);
/* Whether the value is a constant of the graph. */
bool mfm_fusion_is_constant(const mfm_fusion *fusion, const char *name);
/* One constant number; false when the value is none. */
bool mfm_fusion_number(const mfm_fusion *fusion, const char *name, double *number);

#endif
