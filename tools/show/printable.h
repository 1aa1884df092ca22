/* Text of files on a terminal: control characters and bytes that are not UTF-8 as \xNN, so that a
 * name can neither move the cursor nor pass for a line of the program's own. */
#ifndef MFM_PRINTABLE_H
#define MFM_PRINTABLE_H

#include <stdio.h>

enum { MFM_PRINTABLE_GROWTH = 4 };

/* Writes text and its end to room for MFM_PRINTABLE_GROWTH times its length and one more. */
void mfm_printable(const char *text, char *room);
/* Columns that text takes on a terminal as mfm_print shows it: none for an accent by itself, which
 * goes with the character before it, two for ideographs and their like. */
int mfm_columns(const char *text);
/* As mfm_print, filled up with blanks to as many columns. */
void mfm_print_name(FILE *to, const char *name, int columns);
/* printf of a whole piece of output, after which only its line breaks are left of what is not
 * printable. */
void mfm_print(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
