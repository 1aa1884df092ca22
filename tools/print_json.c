#include "tools/print_json.h"

#include <math.h>
#include <stdio.h>

int mfm_print_json(mfm_ctx *ctx, json_t *root)
{
    if (!root)
        return mfm_fail(ctx, MFM_ENOMEM, "JSON: out of memory");
    const int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (failed)
        return mfm_fail(ctx, MFM_EIO, "the results could not be written to standard output");
    printf("\n");
    return MFM_OK;
}

json_t *mfm_json_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}
