/* Small models that targets start from. */
#ifndef MFM_FUZZ_SEED_MODELS_H
#define MFM_FUZZ_SEED_MODELS_H

#include "onnx/proto/model.h"
#include "tests/fuzz/fuzz.h"

/* Each hands over seeds; false when one could not be made. */
/* A residual network of several versions of ONNX, plain and with a modulator. */
bool fuzz_seed_residuals(fuzz_take *take, void *self);
/* Networks of the other operators that images take. */
bool fuzz_seed_operators(fuzz_take *take, void *self);

/* Packs the model, hands it over and frees it. */
bool fuzz_take_model(mfm_ctx *ctx, mfm_model *model, fuzz_take *take, void *self);

#endif
