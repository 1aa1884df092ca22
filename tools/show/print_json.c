#include "tools/show/print_json.h"

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

/* {"text": for people, "bytes": in hexadecimal} where the text is no UTF-8. */
json_t *mfm_json_exact(const char *text)
{
    json_t *string = json_string(text);
    if (string)
        return string;
    const size_t length = strlen(text);
    char *digits = malloc(2 * length + 1);
    for (size_t i = 0; digits && i < length; i++)
        snprintf(digits + 2 * i, 3, "%02x", (unsigned char)text[i]);
    json_t *both =
        digits ? json_pack("{s:o, s:s}", "text", mfm_json_text(text), "bytes", digits) : NULL;
    free(digits);
    return both;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mfm_json_exact_text(mfm_ctx *ctx, const json_t *json, char **text)
{
    const char *digits = json_string_value(json_object_get(json, "bytes"));
    const char *plain = json_string_value(json);
    *text = NULL;
    if (!plain && !digits)
        return MFM_EDATA;
    *text = plain ? mfm_strdup(ctx, plain) : mfm_alloc(ctx, strlen(digits) / 2 + 1, 1);
    if (!*text)
        return MFM_ENOMEM;
    for (size_t i = 0; !plain && digits[2 * i] && digits[2 * i + 1]; i++) {
        const int high = digit(digits[2 * i]), low = digit(digits[2 * i + 1]);
        if (high < 0 || low < 0) {
            mfm_free(ctx, *text);
            *text = NULL;
            return MFM_EDATA;
        }
        (*text)[i] = (char)(high << 4 | low);
    }
    return MFM_OK;
}

json_t *mfm_json_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}
