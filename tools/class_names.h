/* The names of classes as a text, a line for each in the order of the classes: --class-names. */
#ifndef MFM_CLASS_NAMES_H
#define MFM_CLASS_NAMES_H

#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_class_names {
    char *text; /* which the names point into */
    const char **name;
    size_t count;
} mfm_class_names;

/* Lines end with LF, CR LF or CR. MFM_EDATA for an empty line, a byte of zero, or two classes of
 * one name; MFM_EIO. Cleared by the caller, also after a failure. */
int mfm_class_names_read(mfm_ctx *ctx, const char *path, mfm_class_names *names);
void mfm_class_names_clear(mfm_ctx *ctx, mfm_class_names *names);

#endif
