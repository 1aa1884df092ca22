#include "tools/show/shell_word.h"

#include <string.h>

char *mfm_shell_word(mfm_ctx *ctx, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+@%";
    if (text[0] && text[strspn(text, plain)] == '\0')
        return mfm_strdup(ctx, text);
    char *word = mfm_alloc(ctx, strlen(text) + 1, 4);
    if (!word)
        return NULL;
    char *at = word;
    *at++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            at = stpcpy(at, "'\\'");
        *at++ = *text;
    }
    strcpy(at, "'");
    return word;
}
