/* The characters of RFC 3629: those at the ends of each form, and what is none. */
#include <string.h>

#include "core/base/utf8.h"
#include "tests/suite.h"

static void characters_of_every_length_are_read(void)
{
    static const struct {
        const char *text;
        size_t length;
        uint32_t code;
    } good[] = {{"\x01", 1, 1},
                {"a!", 1, 'a'},
                {"\x7F", 1, 0x7F},
                {"\xC2\x80", 2, 0x80},
                {"\xC3\xA9x", 2, 0xE9},
                {"\xDF\xBF", 2, 0x7FF},
                {"\xE0\xA0\x80", 3, 0x800},
                {"\xED\x9F\xBF", 3, 0xD7FF},
                {"\xEE\x80\x80", 3, 0xE000},
                {"\xEF\xBF\xBF", 3, 0xFFFF},
                {"\xF0\x90\x80\x80", 4, 0x10000},
                {"\xF4\x8F\xBF\xBF", 4, 0x10FFFF}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint32_t code = 0;
        CU_ASSERT_EQUAL(mfm_utf8_character(good[i].text, &code), good[i].length);
        CU_ASSERT_EQUAL(code, good[i].code);
    }
}

static void what_is_no_character_has_no_length(void)
{
    static const char *const bad[] = {"",             /* the end */
                                      "\x80",         /* what goes on, alone */
                                      "\xE9t\xE9",    /* Latin-1 */
                                      "\xC3",         /* cut off */
                                      "\xE2\x82",     /* the same */
                                      "\xC1\xBF",     /* longer than it must be */
                                      "\xE0\x9F\xBF", /* the same */
                                      "\xF0\x8F\xBF\xBF",
                                      "\xED\xA0\x80",     /* half of a pair of UTF-16 */
                                      "\xF4\x90\x80\x80", /* above U+10FFFF */
                                      "\xF8\x88\x80\x80\x80",
                                      "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t code;
        CU_ASSERT_EQUAL(mfm_utf8_character(bad[i], &code), 0);
    }
}

static void names_have_no_control_characters(void)
{
    CU_ASSERT(mfm_utf8_is_name(""));
    CU_ASSERT(mfm_utf8_is_name("Caf\xC3\xA9 \xE7\x8C\xAB \xF0\x9F\x90\x88"));
    CU_ASSERT_FALSE(mfm_utf8_is_name("caf\xE9"));
    CU_ASSERT_FALSE(mfm_utf8_is_name("a\tb"));
    CU_ASSERT_FALSE(mfm_utf8_is_name("a\nb"));
    CU_ASSERT_FALSE(mfm_utf8_is_name("a\x7F"));
}

static const mfm_case cases[] = {
    {"characters of every length are read", characters_of_every_length_are_read},
    {"what is no character has no length", what_is_no_character_has_no_length},
    {"names have no control characters", names_have_no_control_characters}};

MFM_SUITE("core/base/utf8", cases)
