/* Text of files on a terminal: control characters and bytes that are not UTF-8 as \xNN, so that a
 * name can neither move the cursor nor pass for a line of the program's own. */
#ifndef MFM_PRINTABLE_H
#define MFM_PRINTABLE_H

#include <stdio.h>

enum { MFM_PRINTABLE_GROWTH = 4 };

/* Writes text and its end to room for MFM_PRINTABLE_GROWTH times its length and one more. */
void mfm_printable(const char *text, char *room);
/* printf of a whole piece of output, after which only its line breaks are left of what is not
 * printable. */
void mfm_print(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
