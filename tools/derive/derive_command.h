/* What `grad` and `hvp` share: options, the files that they read, and the files that they write. */
#ifndef MFM_DERIVE_COMMAND_H
#define MFM_DERIVE_COMMAND_H

#include "tools/options/options.h"

typedef struct mfm_derive_options {
    const char *output, *input, *labels, *cotangent, *jvp;
    mfm_strings wrt, directions;
    uint64_t seed, threads;
    bool training;
} mfm_derive_options;

enum { MFM_DERIVE_OPTIONS = 8 };
extern const mfm_option mfm_derive_table[MFM_DERIVE_OPTIONS];

/* hvp: Hessian-vector products, else gradients, and J v where o->jvp leads. */
int mfm_derive(mfm_ctx *ctx, const char *path, const mfm_derive_options *o, bool hvp);

#endif
