#include "core/report/charts/markup.h"

#include <stdio.h>
#include <string.h>

void mfm_markup_init(mfm_markup *markup, mfm_ctx *ctx)
{
    *markup = (mfm_markup){.ctx = ctx};
}

void mfm_markup_clear(mfm_markup *markup)
{
    mfm_free(markup->ctx, markup->text);
    *markup = (mfm_markup){.ctx = markup->ctx};
}

/* Room for `more` bytes and the zero byte behind them. */
static int make_room(mfm_markup *m, size_t more)
{
    if (m->status || m->length + more < m->capacity)
        return m->status;
    const size_t capacity = 2 * (m->length + more) + 256;
    char *text = mfm_alloc(m->ctx, capacity, 1);
    if (!text)
        return m->status = MFM_ENOMEM;
    if (m->length)
        memcpy(text, m->text, m->length);
    mfm_free(m->ctx, m->text);
    m->text = text;
    m->capacity = capacity;
    return MFM_OK;
}

static void append(mfm_markup *m, const char *bytes, size_t size)
{
    if (make_room(m, size))
        return;
    memcpy(m->text + m->length, bytes, size);
    m->length += size;
    m->text[m->length] = '\0';
}

void mfm_markup_add(mfm_markup *m, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    if (length >= 0 && !make_room(m, (size_t)length)) {
        vsnprintf(m->text + m->length, (size_t)length + 1, format, again);
        m->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return ((unsigned char)c < 0x20 && c != '\t' && c != '\n') || c == 0x7f ? "?" : NULL;
    }
}

void mfm_markup_part(mfm_markup *m, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char *escape = escape_of(text[i]);
        append(m, escape ? escape : text + i, escape ? strlen(escape) : 1);
    }
}

void mfm_markup_text(mfm_markup *m, const char *text)
{
    mfm_markup_part(m, text, strlen(text));
}

void mfm_markup_element(mfm_markup *m, const char *tag, const char *text)
{
    mfm_markup_add(m, "<%s>", tag);
    mfm_markup_text(m, text);
    mfm_markup_add(m, "</%.*s>", (int)strcspn(tag, " "), tag);
}
