#include "onnx/proto/nearest.h"

#include <stdio.h>
#include <string.h>

enum {
    LENGTH = 128, /* letters that are compared; a longer name differs by the rest */
    FEW = 8       /* names that are listed when none of them is near */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, one row at a time: row[j] is that of the letters of a read so far to the
 * first j letters of b, `diagonal` the value that row[j - 1] had before. */
static size_t distance(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    const size_t rows = smaller(n, LENGTH), columns = smaller(m, LENGTH);
    size_t row[LENGTH + 1];
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[columns] + (n - rows) + (m - columns);
}

void mfm_nearest_init(mfm_nearest *nearest, const char *text)
{
    *nearest = (mfm_nearest){.text = text};
}

void mfm_nearest_offer(mfm_nearest *nearest, const char *name)
{
    const size_t d = distance(nearest->text, name);
    size_t at = 0;
    for (; at < MFM_NEAREST && nearest->names[at] && nearest->distances[at] <= d; at++)
        if (strcmp(nearest->names[at], name) == 0)
            return;
    if (at == MFM_NEAREST)
        return;
    for (size_t i = MFM_NEAREST - 1; i > at; i--) {
        nearest->names[i] = nearest->names[i - 1];
        nearest->distances[i] = nearest->distances[i - 1];
    }
    nearest->names[at] = name;
    nearest->distances[at] = d;
}

/* Near enough to be meant: a third of its letters wrong at most. */
static bool is_near(const mfm_nearest *near, size_t i)
{
    return i < MFM_NEAREST && near->names[i] && 3 * near->distances[i] <= strlen(near->text) + 1;
}

static void add(char text[MFM_SUGGEST_TEXT], const char *before, const char *name)
{
    const size_t used = strlen(text);
    snprintf(text + used, MFM_SUGGEST_TEXT - used, "%s%.60s", before, name);
}

char *mfm_nearest_say(const mfm_nearest *near, char text[MFM_SUGGEST_TEXT])
{
    text[0] = '\0';
    if (!is_near(near, 0))
        return text;
    add(text, ": did you mean ", near->names[0]);
    for (size_t i = 1; is_near(near, i) && near->distances[i] == near->distances[0]; i++)
        add(text, " or ", near->names[i]);
    add(text, "?", "");
    return text;
}

char *mfm_suggest(const char *name, const char *const *names, size_t count,
                  char text[MFM_SUGGEST_TEXT])
{
    mfm_nearest near;
    mfm_nearest_init(&near, name);
    for (size_t i = 0; i < count; i++)
        mfm_nearest_offer(&near, names[i]);
    mfm_nearest_say(&near, text);
    for (size_t i = 0; i < count && count <= FEW && !is_near(&near, 0); i++)
        add(text, i ? ", " : ": one of ", names[i]);
    return text;
}
