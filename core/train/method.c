#include "core/train/method.h"

#include <string.h>

#define MFM_METHOD(name) extern const mfm_method mfm_method_##name;
#include "core/train/methods/methods.def"
#include "extra/methods.def"
#undef MFM_METHOD

#define MFM_METHOD(name) &mfm_method_##name,
const mfm_method *const mfm_methods[] = {
#include "core/train/methods/methods.def"
#include "extra/methods.def"
    NULL};
#undef MFM_METHOD

const mfm_method *mfm_method_find(const char *name)
{
    for (int i = 0; mfm_methods[i]; i++)
        if (strcmp(mfm_methods[i]->name, name) == 0)
            return mfm_methods[i];
    return NULL;
}
