#include "tools/report/run_version.h"

#include <string.h>

#include "tools/report/run_command.h"

static const char began_with[] = "began_with";

/* The version under a key, where it is another than this program's. */
static const char *another(const json_t *run, const char *key)
{
    const char *version = json_string_value(json_object_get(run, key));
    return version && strcmp(version, MFM_VERSION) != 0 ? version : NULL;
}

int mfm_run_version(mfm_ctx *ctx, const json_t *run, const char *place, const char **other)
{
    *other = another(run, "onnx-mfm");
    if (!*other)
        *other = another(run, began_with);
    return json_is_string(json_object_get(run, "onnx-mfm"))
               ? MFM_OK
               : mfm_fail(ctx, MFM_EDATA,
                          "cannot read %s: onnx-mfm: expected the version that wrote it", place);
}

int mfm_run_version_note(mfm_ctx *ctx, const json_t *run, const char *folder, char **note)
{
    const char *other, *unknown = mfm_run_command_lacks(ctx, run);
    char *place = mfm_format(ctx, "%s/run.json", folder);
    const int status = place ? mfm_run_version(ctx, run, place, &other) : MFM_ENOMEM;
    mfm_free(ctx, place);
    *note = NULL;
    if (status || (!other && !unknown))
        return status;
    char *version = other ? mfm_format(ctx,
                                       "Made by onnx-mfm %s, read by " MFM_VERSION
                                       ": what its options say may mean something else. ",
                                       other)
                          : mfm_strdup(ctx, "");
    char *option =
        unknown ? mfm_format(ctx, "The command leaves out --%s, which is unknown here.", unknown)
                : mfm_strdup(ctx, "");
    *note = version && option ? mfm_format(ctx, "%s%s", version, option) : NULL;
    mfm_free(ctx, version);
    mfm_free(ctx, option);
    return *note ? MFM_OK : MFM_ENOMEM;
}

const char *mfm_run_began_with(const json_t *run)
{
    const char *first = another(run, began_with);
    return first ? first : another(run, "onnx-mfm");
}
