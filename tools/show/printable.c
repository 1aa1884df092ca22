#include "tools/show/printable.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The length of the printable character that text begins with; 0: there is none. */
static size_t character(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        size_t length;
        unsigned least;
    } forms[] = {{0xE0, 0xC0, 2, 0xA0}, {0xF0, 0xE0, 3, 0x800}, {0xF8, 0xF0, 4, 0x10000}};
    if (text[0] < 0x80)
        return text[0] >= 0x20 && text[0] != 0x7F;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((text[0] & forms[i].mask) != forms[i].lead)
            continue;
        unsigned code = text[0] & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((text[k] & 0xC0) != 0x80)
                return 0;
            code = code << 6 | (text[k] & 0x3F);
        }
        const bool surrogate = code >= 0xD800 && code < 0xE000;
        /* U+0080 to U+009F are controls; U+202A to U+202E and U+2066 to U+2069 turn text round. */
        const bool turns = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
        return code >= forms[i].least && code <= 0x10FFFF && !surrogate && !turns ? forms[i].length
                                                                                  : 0;
    }
    return 0;
}

static char *put(const char *text, bool lines, char *room)
{
    static const char digits[] = "0123456789abcdef";
    while (*text) {
        size_t length = character((const unsigned char *)text);
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
