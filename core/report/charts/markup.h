/* A text of HTML and SVG that grows. The first failure stays, and later calls then do nothing. */
#ifndef MFM_MARKUP_H
#define MFM_MARKUP_H

#include "core/base/context.h"

typedef struct mfm_markup {
    mfm_ctx *ctx;
    char *text; /* ended by a zero byte; NULL while empty */
    size_t length, capacity;
    int status;
} mfm_markup;

void mfm_markup_init(mfm_markup *markup, mfm_ctx *ctx);
void mfm_markup_clear(mfm_markup *markup);
/* Tags and numbers, as they are: never a text from outside. */
void mfm_markup_add(mfm_markup *markup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Any text, for content and for attributes in double quotes: characters with a meaning in HTML are
 * escaped, control characters other than tab and newline become '?'. */
void mfm_markup_text(mfm_markup *markup, const char *text);
/* The same of its first bytes. */
void mfm_markup_part(mfm_markup *markup, const char *text, size_t length);
/* <tag>text</tag>, the text escaped; tag may have attributes: `td class="n"`. */
void mfm_markup_element(mfm_markup *markup, const char *tag, const char *text);

#endif
