/* The options that say how a file is looked at where it leaves a choice, shared by train, eval and
 * inspect. */
#ifndef MFM_VIEW_OPTIONS_H
#define MFM_VIEW_OPTIONS_H

#include "onnx/import/import.h"
#include "tools/options/options.h"

typedef struct mfm_view_arguments {
    const char *input_size, *logits;
} mfm_view_arguments;

enum { MFM_VIEW_OPTIONS = 2 };
/* The option table of a structure of that type. */
extern const mfm_option mfm_view_table[MFM_VIEW_OPTIONS];

/* For all imports of the model that follow: images come in planes. MFM_EUSAGE for a size that is
 * none, MFM_EINVAL for an output that is not there. */
int mfm_view_apply(mfm_ctx *ctx, const mfm_view_arguments *arguments, mfm_model *model);

#endif
