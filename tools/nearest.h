/* Suggestions for a name that does not exist. */
#ifndef MFM_NEAREST_H
#define MFM_NEAREST_H

#include <stddef.h>

enum { MFM_NEAREST_TEXT = 256 };

/* "the nearest are A, B and C": up to three of names, by the number of letters to change; returns
 * text. With three names or fewer it lists them all. */
char *mfm_nearest(const char *name, const char *const *names, size_t count,
                  char text[MFM_NEAREST_TEXT]);

#endif
