/*
 * Operators of the file that are carried out as several of the engine's. The file keeps its node;
 * only the engine's view of it has the parts. An operator is expanded by one function and one line
 * of the table in expand.c.
 */
#ifndef MFM_ONNX_EXPAND_H
#define MFM_ONNX_EXPAND_H

#include "core/base/linkage.h"
#include "onnx/proto/proto.h"

MFM_C_BEGIN

typedef struct mfm_importer mfm_importer;

typedef struct mfm_expansion {
    const char *name; /* ONNX op_type; of another domain than ONNX's own DOMAIN.OP_TYPE */
    int since, until; /* opsets of the domain; until = 0: no end */
    const char *summary;
    int (*make)(mfm_importer *im, const Onnx__NodeProto *node);
    /* Whether this node is one; NULL: every one that the engine has no operator for, or folds. */
    bool (*applies)(const mfm_importer *im, const Onnx__NodeProto *node);
} mfm_expansion;

/* Every one, ended by one without a name. */
extern const mfm_expansion mfm_expansions[];
/* How a node is expanded; NULL for one that is not. */
const mfm_expansion *mfm_expansion_of(const mfm_model *model, const Onnx__NodeProto *node);

MFM_C_END

#endif
