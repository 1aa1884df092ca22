/* Characters of UTF-8 (RFC 3629). */
#ifndef MFM_UTF8_H
#define MFM_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/linkage.h"

MFM_C_BEGIN

/* The bytes of the character that text begins with, whose number becomes *code; 0 at the end of
 * text, and where no well-formed character stands. */
size_t mfm_utf8_character(const char *text, uint32_t *code);
/* Whether text is UTF-8 without control characters (below U+0020, and U+007F): a name that JSON can
 * hold and a line can show. */
bool mfm_utf8_is_name(const char *text);

MFM_C_END

#endif
