#include "tools/print_json.h"

#include <math.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/files.h"

int mfm_print_json(mfm_ctx *ctx, json_t *root)
{
    if (!root)
        return mfm_fail(ctx, MFM_ENOMEM, "JSON: out of memory");
    errno = 0;
    const int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (failed)
        return mfm_fail_errno(ctx, errno ? errno : EIO, "write", "to standard output");
    printf("\n");
    return MFM_OK;
}

json_t *mfm_json_text(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    char *copy = strdup(text);
    for (char *at = copy; at && *at; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    string = copy ? json_string(copy) : NULL;
    free(copy);
    return string;
}

json_t *mfm_json_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}
