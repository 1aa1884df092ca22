#include "tools/suggest.h"

#include <stdio.h>

#include "onnx/nearest.h"

char *mfm_suggest(const char *name, const char *const *names, size_t count,
                  char text[MFM_SUGGEST_TEXT])
{
    mfm_nearest near;
    mfm_nearest_init(&near, name);
    for (size_t i = 0; i < count; i++)
        mfm_nearest_offer(&near, names[i]);
    int found = 0;
    while (found < MFM_NEAREST && near.names[found])
        found++;
    if (found == 0)
        snprintf(text, MFM_SUGGEST_TEXT, "there are none");
    else if (found == 1)
        snprintf(text, MFM_SUGGEST_TEXT, "there is only %.60s", near.names[0]);
    else if (found == 2)
        snprintf(text, MFM_SUGGEST_TEXT, "there are %.60s and %.60s", near.names[0], near.names[1]);
    else
        snprintf(text, MFM_SUGGEST_TEXT, "the nearest are %.60s, %.60s and %.60s", near.names[0],
                 near.names[1], near.names[2]);
    return text;
}
