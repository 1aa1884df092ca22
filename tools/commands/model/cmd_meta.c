#include <stdio.h>
#include <string.h>

#include "onnx/checkpoint.h"
#include "onnx/info/inspect.h"
#include "tools/files.h"
#include "tools/options/options.h"
#include "tools/show/print_json.h"
#include "tools/show/printable.h"

typedef struct options {
    const char *output;
    mfm_strings set, set_files, remove;
    bool own, json;
} options;

static const mfm_option table[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MFM_OPTION_STRING,
     .value = "FILE",
     .offset = offsetof(options, output),
     .help = "the ONNX file to write, when something is changed"},
    {.name = "set",
     .kind = MFM_OPTION_STRINGS,
     .value = "KEY=TEXT",
     .offset = offsetof(options, set),
     .help = "set an entry, or add it; may be given several times"},
    {.name = "set-file",
     .kind = MFM_OPTION_STRINGS,
     .value = "KEY=FILE",
     .offset = offsetof(options, set_files),
     .help = "the same with the whole text of a file"},
    {.name = "remove",
     .kind = MFM_OPTION_STRINGS,
     .value = "KEY",
     .offset = offsetof(options, remove),
     .help = "remove an entry; may be given several times"},
    {.name = "own",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, own),
     .help = "also change mfm.* entries, which train, eval and strip rely on"},
    {.name = "json",
     .kind = MFM_OPTION_FLAG,
     .offset = offsetof(options, json),
     .help = "print all entries as JSON"},
};

static const mfm_option_group groups[] = {
    {.title = "Options:", .options = table, .count = sizeof table / sizeof table[0]},
    {.title = NULL}};

static const mfm_option_table meta_options = {
    .positional = "MODEL",
    .purpose = "Shows and edits the metadata of a model (metadata_props). All else in the file\n"
               "stays as it is.",
    .groups = groups};

/* ---- showing -------------------------------------------------------------------------------- */

static int show_json(mfm_ctx *ctx, const mfm_model *model)
{
    json_t *root = json_object();
    const size_t count = mfm_model_metadata_count(model);
    for (size_t i = count; i-- > 0 && root;) { /* the first of a key that stands twice counts */
        const char *key, *value;
        mfm_model_metadata_at(model, i, &key, &value);
        json_t *text = mfm_json_text(key);
        if (!text || json_object_set_new(root, json_string_value(text), mfm_json_text(value))) {
            json_decref(root);
            root = NULL;
        }
        json_decref(text);
    }
    return mfm_print_json(ctx, root);
}

static int show(mfm_ctx *ctx, const mfm_model *model, bool json)
{
    if (json)
        return show_json(ctx, model);
    for (size_t i = 0; i < mfm_model_metadata_count(model); i++) {
        const char *key, *value;
        mfm_model_metadata_at(model, i, &key, &value);
        mfm_print(stdout, "%s = %s\n", key, value);
    }
    if (mfm_model_metadata_count(model) == 0)
        printf("no metadata\n");
    return MFM_OK;
}

/* ---- editing -------------------------------------------------------------------------------- */

/* One change; value NULL removes. */
static int change(mfm_ctx *ctx, mfm_model *model, const options *o, const char *key,
                  const char *value)
{
    const char *old = mfm_model_metadata(model, key);
    const bool own = strncmp(key, "mfm.", 4) == 0;
    if (own && !o->own)
        return mfm_fail(ctx, MFM_EINVAL,
                        "%s: an entry that train, eval and strip go by: --own changes it", key);
    if (!value && !old)
        return mfm_fail(ctx, MFM_EINVAL, "--remove: %s: no such entry in %s", key,
                        mfm_model_path(model));
    if (own)
        mfm_warn(ctx, "%s: changed as asked: train, eval and strip go by what it says now", key);
    mfm_print(stdout, "%s: %s -> %s\n", key, old ? old : "(none)", value ? value : "(removed)");
    return mfm_model_set_metadata(model, key, value);
}

/* "KEY=VALUE"; keys have no "=". */
static int set(mfm_ctx *ctx, mfm_model *model, const options *o, const char *text, bool file)
{
    const char *equals = strchr(text, '=');
    char *content = NULL;
    size_t size;
    if (!equals || equals == text)
        return mfm_fail(ctx, MFM_EUSAGE, "--set%s: %.80s: expected KEY=%s", file ? "-file" : "",
                        text, file ? "FILE" : "TEXT");
    char *key = mfm_format(ctx, "%.*s", (int)(equals - text), text);
    int status = key ? MFM_OK : MFM_ENOMEM;
    if (!status && file)
        status = mfm_read_file(ctx, equals + 1, &content, &size);
    if (!status && file && strlen(content) != size)
        status = mfm_fail(ctx, MFM_EDATA, "%s: has a zero byte: metadata is text", equals + 1);
    if (!status)
        status = change(ctx, model, o, key, file ? content : equals + 1);
    mfm_free(ctx, key);
    mfm_free(ctx, content);
    return status;
}

/* A checkpoint's checksum is over its metadata, too. */
static int refuse_checkpoint(mfm_ctx *ctx, const mfm_model *model)
{
    char *run = NULL;
    int status = mfm_checkpoint_options(ctx, model, &run);
    if (!status && run)
        status = mfm_fail(ctx, MFM_EINVAL,
                          "%s: a checkpoint, which is not edited: strip makes a model of it",
                          mfm_model_path(model));
    mfm_free(ctx, run);
    return status;
}

static int edit(mfm_ctx *ctx, mfm_model *model, const options *o)
{
    int status = refuse_checkpoint(ctx, model);
    for (size_t i = 0; i < o->remove.count && !status; i++)
        status = change(ctx, model, o, o->remove.item[i], NULL);
    for (size_t i = 0; i < o->set.count && !status; i++)
        status = set(ctx, model, o, o->set.item[i], false);
    for (size_t i = 0; i < o->set_files.count && !status; i++)
        status = set(ctx, model, o, o->set_files.item[i], true);
    if (!status)
        status = mfm_save_output(ctx, model, o->output);
    if (!status)
        printf("wrote %s (metadata of %s changed)\n", mfm_output_name(o->output),
               mfm_model_path(model));
    return status;
}

int mfm_cmd_meta(mfm_ctx *ctx, int argc, const char **argv)
{
    options o = {.output = NULL};
    mfm_arguments arguments;
    mfm_model *model = NULL;
    int status = mfm_options_parse(ctx, &meta_options, argc, argv, &o, &arguments);
    const bool edits = o.set.count || o.set_files.count || o.remove.count;
    if (!status && edits && !o.output)
        status = mfm_option_missing(ctx, &table[0]);
    if (!status && !edits && o.output)
        status = mfm_fail(ctx, MFM_EUSAGE,
                          "-o %s: nothing to write: give --set, --set-file or --remove", o.output);
    if (!status && edits)
        status = mfm_check_output(ctx, o.output, arguments.positional);
    if (!status)
        status = edits ? mfm_model_load(ctx, arguments.positional, &model)
                       : mfm_model_open(ctx, arguments.positional, &model);
    if (!status)
        status = edits ? edit(ctx, model, &o) : show(ctx, model, o.json);
    mfm_model_free(model);
    mfm_arguments_free(ctx, &arguments);
    return status;
}
