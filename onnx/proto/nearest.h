/* Suggestions for a name that does not exist: what messages about it end with. */
#ifndef MFM_ONNX_NEAREST_H
#define MFM_ONNX_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

enum { MFM_NEAREST = 3, MFM_SUGGEST_TEXT = 512 };

typedef struct mfm_nearest {
    const char *text;
    const char *names[MFM_NEAREST]; /* the nearest first; NULL at the end */
    size_t distances[MFM_NEAREST];
} mfm_nearest;

void mfm_nearest_init(mfm_nearest *nearest, const char *text);
/* Offers a name, which is kept when it is among the nearest so far and not there yet. */
void mfm_nearest_offer(mfm_nearest *nearest, const char *name);
/* ": did you mean A?" or ": did you mean A or B?" when what was offered is near enough to be meant,
 * else "". Returns text. */
char *mfm_nearest_say(const mfm_nearest *nearest, char text[MFM_SUGGEST_TEXT]);
/* The same from a list of names; when none is near and they are few, ": one of A, B, C". */
char *mfm_suggest(const char *name, const char *const *names, size_t count,
                  char text[MFM_SUGGEST_TEXT]);

#endif
