/*
 * A sample of an operator: one node written as a line of text (op.h, `samples`).
 *
 *     [2,3,5,5] [4,3,3,3] - [4]<7 [3]+ pads=1,1,1,1 @train outputs=2 opset=11
 *
 * Inputs come in slot order: a shape, "-" for an absent one, "<7" for whole numbers 0 .. 6, "+" for
 * positive values. "@train" runs the node in training, "outputs" is the number of outputs (1 unless
 * given), "opset" the version of its domain (the newest that fits unless given); everything else is
 * an attribute.
 */
#ifndef MFM_OP_CHECK_SAMPLE_H
#define MFM_OP_CHECK_SAMPLE_H

#include "core/engine/impl.h"

enum { MFM_SAMPLE_PORTS = 8 };

typedef struct mfm_sample_input {
    bool absent;
    bool positive;
    int64_t below; /* > 0: whole numbers 0 .. below-1 */
    mfm_shape shape;
} mfm_sample_input;

typedef struct mfm_sample {
    const mfm_op *op;
    const char *text;
    mfm_sample_input in[MFM_SAMPLE_PORTS];
    int n_in, n_out;
    int opset;
    bool training;
    mfm_share share; /* not in the text; zero: input 0 has all samples */
    void *attr;      /* owned */
} mfm_sample;

/* text must outlive the sample. MFM_EDATA names the word that is wrong; nothing is left to clear.
 */
int mfm_sample_parse(mfm_ctx *ctx, const mfm_op *op, const char *text, mfm_sample *sample);
void mfm_sample_clear(mfm_ctx *ctx, mfm_sample *sample);

/* The role of an input; slots at and beyond a variadic port have that port's. */
enum mfm_role mfm_sample_role(const mfm_op *op, int input);
/* DATA and PARAM inputs that are there: those with derivatives. */
bool mfm_sample_differentiates(const mfm_sample *sample, int input);

#endif
