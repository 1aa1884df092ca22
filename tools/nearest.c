#include "tools/nearest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NEAREST = 3, LONGEST = 64 };

static size_t least_of(size_t a, size_t b, size_t c)
{
    const size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance to the first LONGEST letters of name: row[j] is that of the text read so
 * far to the first j letters. */
static size_t distance(const char *text, const char *name)
{
    size_t row[LONGEST + 1];
    const size_t length = strnlen(name, LONGEST);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; text[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            const size_t replaced = diagonal + (text[i] != name[j]);
            diagonal = row[j + 1];
            row[j + 1] = least_of(replaced, row[j] + 1, diagonal + 1);
        }
    }
    return row[length];
}

/* Keeps near[] sorted by distance; of equals the first comes first. */
static void insert(const char *near[NEAREST], size_t far[NEAREST], const char *name, size_t d)
{
    if (d >= far[NEAREST - 1])
        return;
    int at = NEAREST - 1;
    for (; at > 0 && d < far[at - 1]; at--) {
        near[at] = near[at - 1];
        far[at] = far[at - 1];
    }
    near[at] = name;
    far[at] = d;
}

char *mfm_nearest(const char *name, const char *const *names, size_t count,
                  char text[MFM_NEAREST_TEXT])
{
    const char *near[NEAREST] = {NULL, NULL, NULL};
    size_t far[NEAREST] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < count; i++)
        insert(near, far, names[i], distance(name, names[i]));
    if (count == 0)
        snprintf(text, MFM_NEAREST_TEXT, "there are none");
    else if (count == 1)
        snprintf(text, MFM_NEAREST_TEXT, "there is only %.60s", near[0]);
    else if (count == 2)
        snprintf(text, MFM_NEAREST_TEXT, "there are %.60s and %.60s", near[0], near[1]);
    else
        snprintf(text, MFM_NEAREST_TEXT, "the nearest are %.60s, %.60s and %.60s", near[0], near[1],
                 near[2]);
    return text;
}
