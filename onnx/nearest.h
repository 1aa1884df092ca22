/* The names nearest to one that was not found: for messages. */
#ifndef MFM_ONNX_NEAREST_H
#define MFM_ONNX_NEAREST_H

#include <stddef.h>

enum { MFM_NEAREST = 3 };

typedef struct mfm_nearest {
    const char *text;
    const char *names[MFM_NEAREST]; /* the nearest first; NULL at the end */
    size_t distances[MFM_NEAREST];
} mfm_nearest;

void mfm_nearest_init(mfm_nearest *nearest, const char *text);
/* Offers a name, which is kept when it is among the nearest so far and not there yet. */
void mfm_nearest_offer(mfm_nearest *nearest, const char *name);

#endif
