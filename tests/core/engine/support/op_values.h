/* Tables of what operators compute and of what they refuse. */
#ifndef MFM_OP_VALUES_H
#define MFM_OP_VALUES_H

#include <stdbool.h>
#include <stddef.h>

/* Input i holds ((37 k + 11 i) mod 101) - 50 at its row-major element k; y is the first output. */
typedef struct mfm_op_value {
    const char *op, *sample;
    const char *shape;
    double y[64];
} mfm_op_value;

/* The operator says MFM_EDATA for this sample, in a message with these words. */
typedef struct mfm_op_refusal {
    const char *op, *sample, *words;
} mfm_op_refusal;

/* Each tells on standard error what was found instead. */
bool mfm_op_value_holds(const mfm_op_value *expected);
bool mfm_op_refusal_holds(const mfm_op_refusal *expected);

#endif
