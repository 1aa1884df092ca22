/* The text of --class-names. */
#ifndef MFM_TOOLS_CLASS_NAMES_H
#define MFM_TOOLS_CLASS_NAMES_H

#include "core/data/class_names.h"

/* As mfm_class_names_parse, of a file; or MFM_EIO. */
int mfm_class_names_read(mfm_ctx *ctx, const char *path, mfm_class_names *names);

#endif
