/*
 * The one authority over names: everything in a model that is called something, inside graphs of
 * any depth, so that what is inserted never takes a name in use.
 */
#ifndef MFM_ONNX_NAMES_H
#define MFM_ONNX_NAMES_H

#include "onnx/proto/proto.h"

typedef struct mfm_names mfm_names;

/* The names of values and nodes of the model as it is now, copied. The caller frees *names. */
int mfm_names_new(const mfm_model *model, mfm_names **names);
void mfm_names_free(mfm_names *names);
bool mfm_names_taken(const mfm_names *names, const char *name);
/* base when it is free, else base.1, base.2 and so on; it is taken from then on. *name lives as
 * long as names. */
int mfm_names_unique(mfm_names *names, const char *base, const char **name);

#endif
