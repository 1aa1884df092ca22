#include "onnx/nearest.h"

#include <string.h>

enum { LENGTH = 128 }; /* letters that are compared; a longer name differs by the rest */

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
