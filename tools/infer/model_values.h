/* Values of a model for random images, for seeing that two files mean the same. */
#ifndef MFM_MODEL_VALUES_H
#define MFM_MODEL_VALUES_H

#include "core/engine/plan/plan.h"
#include "onnx/proto/model.h"

typedef struct mfm_model_value {
    mfm_shape shape; /* of all images together */
    real *numbers;   /* row-major; released with mfm_free_aligned */
} mfm_model_value;

/* Of n images with normally distributed numbers, the same for every model of the same input shape:
 * names[count] of values; NULL among them: the logits. A modulator is switched off. The model is
 * edited (onnx/import/import.h: mfm_model_untie). MFM_ENOTSUP for a model that cannot be imported;
 * the caller frees values also after a failure. */
int mfm_model_values(mfm_ctx *ctx, mfm_model *model, size_t n, const char *const *names,
                     size_t count, mfm_model_value *values);
/* What a plan has computed for the values from[count] of its graph; freed in the same way. */
int mfm_model_values_read(mfm_ctx *ctx, const mfm_plan *plan, const int *from, size_t count,
                          mfm_model_value *values);
void mfm_model_values_free(mfm_ctx *ctx, mfm_model_value *values, size_t count);
/* The largest difference, relative to the largest number of b; infinite for other shapes and for
 * numbers that are none. */
double mfm_model_value_apart(const mfm_model_value *a, const mfm_model_value *b);

#endif
