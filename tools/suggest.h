/* Suggestions for a name that does not exist. */
#ifndef MFM_SUGGEST_H
#define MFM_SUGGEST_H

#include <stddef.h>

enum { MFM_SUGGEST_TEXT = 256 };

/* "the nearest are A, B and C": up to three of names, by the number of letters to change; returns
 * text. */
char *mfm_suggest(const char *name, const char *const *names, size_t count,
                  char text[MFM_SUGGEST_TEXT]);

#endif
