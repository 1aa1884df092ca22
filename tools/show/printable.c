#include "tools/show/printable.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"

/* The length of the printable character that text begins with; 0: there is none. */
static size_t character(const char *text)
{
    uint32_t code;
    const size_t length = mfm_utf8_character(text, &code);
    /* U+0080 to U+009F are controls, too; U+202A to U+202E and U+2066 to U+2069 turn text round. */
    const bool control = length > 0 && (code < 0x20 || (code >= 0x7F && code < 0xA0));
    const bool turns =
        length > 0 && ((code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069));
    return control || turns ? 0 : length;
}

static char *put(const char *text, bool lines, char *room)
{
    static const char digits[] = "0123456789abcdef";
    while (*text) {
        size_t length = character(text);
        if (!length && lines && *text == '\n')
            length = 1;
        if (length) {
            memcpy(room, text, length);
            room += length;
            text += length;
            continue;
        }
        const unsigned char byte = (unsigned char)*text++;
        *room++ = '\\';
        *room++ = 'x';
        *room++ = digits[byte >> 4];
        *room++ = digits[byte & 15];
    }
    *room = '\0';
    return room;
}

void mfm_printable(const char *text, char *room)
{
    put(text, false, room);
}

void mfm_print(FILE *to, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    char *room = length < 0 ? NULL : malloc(MFM_PRINTABLE_GROWTH * (size_t)length + 1);
    if (text && room) {
        vsnprintf(text, (size_t)length + 1, format, again);
        put(text, true, room);
        fputs(room, to);
    } else {
        fputs("out of memory\n", to);
    }
    free(text);
    free(room);
    va_end(again);
    va_end(args);
}
