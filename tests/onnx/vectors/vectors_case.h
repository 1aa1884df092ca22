/* One of ONNX's test vectors: a folder with model.onnx, and in test_data_set_0 the tensors
 * input_K.pb and output_K.pb in the order of the graph's inputs and outputs. */
#ifndef MFM_TESTS_VECTORS_CASE_H
#define MFM_TESTS_VECTORS_CASE_H

#include <stddef.h>

#include "core/base/context.h"

enum vector_outcome {
    VECTOR_PASSED,
    VECTOR_SKIPPED, /* outside of what the engine is for */
    VECTOR_REFUSED, /* every operator is known, and yet it cannot be run */
    VECTOR_FAILED
};

typedef struct vector_result {
    enum vector_outcome outcome;
    char op_type[64]; /* of the first node */
    char reason[512]; /* unless it passed */
    size_t ignored;   /* outputs that were not compared */
} vector_result;

void vector_run(mfm_ctx *ctx, const char *folder, vector_result *result);

#endif
