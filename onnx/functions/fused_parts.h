/* What bodies of fused operators are made with: fused.c has the nodes, fused_operators.c says which
 * each operator has. */
#ifndef MFM_ONNX_FUSED_PARTS_H
#define MFM_ONNX_FUSED_PARTS_H

#include "onnx/functions/flat_parts.h"
#include "onnx/functions/fused.h"

/* The opset of what is made, whatever the file's is. */
enum { MFM_FUSED_OPSET = 24 };

struct mfm_fused_maker {
    mfm_flattener *f;
    const Onnx__NodeProto *call;
    Onnx__FunctionProto *made;
    Onnx__NodeProto *last; /* that was made */
    size_t n_values;
    int status;
    bool refused;
};

/* Up to five inputs, ended by NULL; "" for one that is left out. */
typedef struct mfm_fused_inputs {
    const char *at[6];
} mfm_fused_inputs;

/* Input `at` of the call; NULL: it has none. */
const char *mfm_fused_input(const mfm_fused_maker *m, size_t at);
/* A node with that many outputs, m->last from now on; the name of the first, "" after a failure. */
const char *mfm_fused_step(mfm_fused_maker *m, const char *op, mfm_fused_inputs inputs,
                           size_t n_outputs);
const char *mfm_fused_node(mfm_fused_maker *m, const char *op, const char *a, const char *b,
                           const char *c);
/* Output `at` of the last node. */
const char *mfm_fused_output(const mfm_fused_maker *m, size_t at);
const char *mfm_fused_number(mfm_fused_maker *m, double number);
const char *mfm_fused_ints(mfm_fused_maker *m, int64_t *ints, size_t count);
/* Attributes of the last node; `text` and `ints` must outlive the view. */
void mfm_fused_set_float(mfm_fused_maker *m, const char *name, double value);
void mfm_fused_set_int(mfm_fused_maker *m, const char *name, int64_t value);
void mfm_fused_set_text(mfm_fused_maker *m, const char *name, const char *text);
/* The call's attribute `from`, if it has one, as `name`. */
void mfm_fused_pass(mfm_fused_maker *m, const char *from, const char *name);
/* Of the call. */
double mfm_fused_float(const mfm_fused_maker *m, const char *name, double fallback);
/* What output `at` of the call is. */
void mfm_fused_give(mfm_fused_maker *m, size_t at, const char *value);

#endif
