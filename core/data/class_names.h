/* The names of classes as a text, a line for each in the order of the classes. */
#ifndef MFM_CLASS_NAMES_H
#define MFM_CLASS_NAMES_H

#include <stddef.h>

#include "core/base/context.h"

typedef struct mfm_class_names {
    char *text; /* which the names point into */
    const char **name;
    size_t count;
} mfm_class_names;

/* text: a file's size bytes and a zero behind them, released by mfm_free with the names; path is
 * for messages. Lines end with LF, CR LF or CR. MFM_EDATA for an empty line, a byte of zero, or two
 * classes of one name. Cleared by the caller, also after a failure. */
int mfm_class_names_parse(mfm_ctx *ctx, const char *path, char *text, size_t size,
                          mfm_class_names *names);
void mfm_class_names_clear(mfm_ctx *ctx, mfm_class_names *names);

#endif
