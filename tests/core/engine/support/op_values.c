#include "op_values.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "op_forward.h"

static void fill(int input, double *to)
{
    for (int k = 0; k < MFM_FORWARD_MOST; k++)
        to[k] = (37 * k + 11 * input) % 101 - 50;
}

static bool same(const mfm_op_value *expected, const mfm_forward_result *found)
{
    char text[MFM_SHAPE_TEXT];
    if (strcmp(mfm_shape_text(&found->shape[0], text), expected->shape) != 0) {
        fprintf(stderr, "%s %s: shape %s, not %s\n", expected->op, expected->sample, text,
                expected->shape);
        return false;
    }
    /* Sums of up to 64 products of numbers up to 50. */
    const double tolerance = 64 * 2500 * (sizeof(real) == 4 ? FLT_EPSILON : DBL_EPSILON);
    for (int64_t i = 0; i < mfm_shape_count(&found->shape[0]); i++)
        if (!(fabs(found->y[0][i] - expected->y[i]) <= tolerance)) {
            fprintf(stderr, "%s %s: element %lld is %.9g, not %.9g\n", expected->op,
                    expected->sample, (long long)i, found->y[0][i], expected->y[i]);
            return false;
        }
    return true;
}

bool mfm_op_value_holds(const mfm_op_value *expected)
{
    double values[MFM_SAMPLE_PORTS][MFM_FORWARD_MOST];
    const double *in[MFM_SAMPLE_PORTS];
    for (int i = 0; i < MFM_SAMPLE_PORTS; i++) {
        fill(i, values[i]);
        in[i] = values[i];
    }
    mfm_forward_result found;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return false;
    const bool ran = mfm_op_forward(ctx, expected->op, expected->sample, in, &found) == MFM_OK;
    if (!ran)
        fprintf(stderr, "%s %s: %s\n", expected->op, expected->sample, mfm_message(ctx));
    mfm_ctx_free(ctx);
    return ran && same(expected, &found);
}

bool mfm_op_refusal_holds(const mfm_op_refusal *expected)
{
    mfm_forward_result found;
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    if (!ctx)
        return false;
    const int status = mfm_op_forward(ctx, expected->op, expected->sample, NULL, &found);
    const bool told = status == MFM_EDATA && strstr(mfm_message(ctx), expected->words) != NULL;
    if (!told)
        fprintf(stderr, "%s %s: %d, \"%s\" without \"%s\"\n", expected->op, expected->sample,
                status, mfm_message(ctx), expected->words);
    mfm_ctx_free(ctx);
    return told;
}
