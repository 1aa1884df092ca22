/* Which version of the program made a run, as its record tells: run.json, or a checkpoint's copy.
 */
#ifndef MFM_RUN_VERSION_H
#define MFM_RUN_VERSION_H

#include <jansson.h>

#include "core/base/context.h"

/* *other: a version that has had a part in the run and is not this program's, borrowed from the
 * record; NULL: this one made all of it. MFM_EDATA, naming the record's place, where it does not
 * tell. */
int mfm_run_version(mfm_ctx *ctx, const json_t *run, const char *place, const char **other);
/* What a page says of such a run, or of options that this version does not know; NULL: nothing. The
 * caller frees it by mfm_free. folder: that of its run.json. */
int mfm_run_version_note(mfm_ctx *ctx, const json_t *run, const char *folder, char **note);
/* What the record of a run that goes on tells as "began_with": NULL where that is this version. */
const char *mfm_run_began_with(const json_t *run);

#endif
