/*
 * Operators that ONNX Runtime's optimiser makes of several of ONNX's, most in its own domain
 * com.microsoft: they are called like functions of the file, whose bodies are made here of a call
 * (flat.h). The file keeps its nodes.
 */
#ifndef MFM_ONNX_FUSED_H
#define MFM_ONNX_FUSED_H

#include "onnx/proto/proto.h"

struct mfm_flattener;
typedef struct mfm_fused_maker mfm_fused_maker;

typedef struct mfm_fused {
    const char *domain, *name; /* op_type */
    int until;                 /* opset of the domain; 0: no end */
    unsigned inputs, outputs;  /* bits of those that may be there */
    size_t required;           /* inputs, from the first on */
    const char *attributes;    /* that may be there, each between spaces: " alpha beta " */
    const char *summary;
    void (*make)(mfm_fused_maker *m);
} mfm_fused;

/* Every one, ended by one without a name. */
extern const mfm_fused mfm_fused_operators[];
/* NULL: it is none. */
const mfm_fused *mfm_fused_of(const mfm_model *model, const Onnx__NodeProto *node);
/* The body of a call, whose names and attributes are those of the view; *function is NULL where it
 * asks for what no body has: then it stays as it is, an operator that is not supported. */
int mfm_fused_body(struct mfm_flattener *f, const mfm_fused *fused, const Onnx__NodeProto *call,
                   const Onnx__FunctionProto **function);

#endif
