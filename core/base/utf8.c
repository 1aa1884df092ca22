#include "core/base/utf8.h"

size_t mfm_utf8_character(const char *text, uint32_t *code)
{
    static const struct {
        uint8_t mask, lead;
        size_t length;
        uint32_t least; /* what is below has a shorter form */
    } forms[] = {{0x80, 0x00, 1, 1},
                 {0xE0, 0xC0, 2, 0x80},
                 {0xF0, 0xE0, 3, 0x800},
                 {0xF8, 0xF0, 4, 0x10000}};
    const uint8_t *at = (const uint8_t *)text;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if ((at[0] & forms[i].mask) != forms[i].lead)
            continue;
        uint32_t c = at[0] & (uint8_t)~forms[i].mask;
        for (size_t k = 1; k < forms[i].length; k++) {
            if ((at[k] & 0xC0) != 0x80)
                return 0;
            c = c << 6 | (at[k] & 0x3F);
        }
        *code = c;
        const bool surrogate = c >= 0xD800 && c < 0xE000;
        return c >= forms[i].least && c <= 0x10FFFF && !surrogate ? forms[i].length : 0;
    }
    return 0;
}

bool mfm_utf8_is_name(const char *text)
{
    uint32_t code;
    while (*text) {
        const size_t length = mfm_utf8_character(text, &code);
        if (length == 0 || code < 0x20 || code == 0x7F)
            return false;
        text += length;
    }
    return true;
}
