/* One node built by hand, for tests that compare an operator with numbers worked out on paper. */
#ifndef MFM_HAND_NODE_H
#define MFM_HAND_NODE_H

#include "core/engine/impl.h"

enum { MFM_HAND_INPUTS = 5, MFM_HAND_OUTPUTS = 2 };

typedef struct mfm_hand {
    mfm_ctx *ctx;
    mfm_node node;
    mfm_tensor inputs[MFM_HAND_INPUTS], outputs[MFM_HAND_OUTPUTS];
    mfm_tensor *in[MFM_HAND_INPUTS], *out[MFM_HAND_OUTPUTS];
    uint8_t accumulates[MFM_HAND_INPUTS];
    void *attr;
} mfm_hand;

/* The operator of that name at an opset, default attributes, no inputs, one output. Aborts the test
 * when there is none. */
void mfm_hand_init(mfm_hand *hand, const char *domain, const char *name, int opset);
void mfm_hand_clear(mfm_hand *hand);
void mfm_hand_set(mfm_hand *hand, const char *attribute, const char *text);
/* Appends an input of that shape with its X lane, zero, and returns that lane. */
real *mfm_hand_input(mfm_hand *hand, mfm_shape shape);
/* Infers the shapes and sets the node up. When it succeeds, the other lanes of inputs and all of
 * outputs are there too, zero, except that the results of passes (X, DX of outputs, G, DG of
 * inputs) are NaN; saved and scratch are NaN. */
int mfm_hand_infer(mfm_hand *hand);
/* Copies n numbers, as `real`. */
void mfm_hand_fill(real *to, const double *from, int n);
/* The largest |a[i] - b[i]|; NaN counts as infinite. */
double mfm_hand_distance(const real *a, const double *b, int n);

#endif
