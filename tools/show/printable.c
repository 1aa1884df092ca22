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

static bool among(uint32_t code, const uint32_t (*ranges)[2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

int mfm_columns(const char *text)
{
    enum { ESCAPED = 4, ACCENTS = 1, WIDE = 8 };
    static const uint32_t accents[ACCENTS][2] = {{0x300, 0x36F}};
    static const uint32_t wide[WIDE][2] = {{0x1100, 0x115F},   {0x2E80, 0xA4CF},  {0xAC00, 0xD7A3},
                                           {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},  {0xFF00, 0xFF60},
                                           {0x1F300, 0x1F9FF}, {0x20000, 0x3FFFD}};
    int columns = 0;
    while (*text) {
        uint32_t code = 0;
        const size_t length = character(text);
        if (length)
            mfm_utf8_character(text, &code);
        columns += !length                         ? ESCAPED
                   : among(code, accents, ACCENTS) ? 0
                   : among(code, wide, WIDE)       ? 2
                                                   : 1;
        text += length ? length : 1;
    }
    return columns;
}

void mfm_print_name(FILE *to, const char *name, int columns)
{
    const int blanks = columns - mfm_columns(name);
    mfm_print(to, "%s%*s", name, blanks > 0 ? blanks : 0, "");
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
