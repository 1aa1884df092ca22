/* Counts in messages: printf("%d %s", n, mfm_plural(n, "class", "classes")). */
#ifndef MFM_WORDS_H
#define MFM_WORDS_H

#include <stdint.h>

static inline const char *mfm_plural(uint64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

#endif
