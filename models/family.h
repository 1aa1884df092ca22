/* A family of architectures: one file that builds its members from their layouts, and one line in
 * models.def. */
#ifndef MFM_MODELS_FAMILY_H
#define MFM_MODELS_FAMILY_H

#include "models/models.h"
#include "onnx/build/builder.h"

typedef struct mfm_family {
    const mfm_architecture *members;
    size_t count;
    mfm_model_options defaults;
    /* From the images x to the logits. options has no zeros left in it. */
    mfm_value (*build)(mfm_builder *b, mfm_value x, const void *layout,
                       const mfm_model_options *options);
} mfm_family;

#endif
