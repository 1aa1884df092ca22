/* Runs that an earlier command has left in the folder: they count where they were asked for the
 * same. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/data/fnv.h"
#include "tools/files.h"
#include "tools/options/option_json.h"
#include "tools/options/option_parts.h"
#include "tools/reproduce/commands.h"
#include "tools/show/print_json.h"
#include "tools/train/job/train_options.h"

enum { CHUNK = 1 << 16, SHORT = 200 };

/* ---- the pretrained model ---- */

int mfm_reproduce_hash_pretrained(mfm_reproduce *r)
{
    uint64_t hash = MFM_FNV_START;
    size_t size;
    FILE *file = fopen(r->pretrained, "rb");
    char *bytes = mfm_alloc(r->ctx, CHUNK, 1);
    while (file && bytes && (size = fread(bytes, 1, CHUNK, file)) > 0)
        hash = mfm_fnv(hash, bytes, size);
    const bool whole = file && bytes && !ferror(file);
    if (file)
        fclose(file);
    snprintf(r->pretrained_hash, sizeof r->pretrained_hash, "%016llx", (unsigned long long)hash);
    mfm_free(r->ctx, bytes);
    if (!bytes)
        return MFM_ENOMEM;
    return whole ? MFM_OK
                 : mfm_fail(r->ctx, MFM_EIO, "--pretrained: cannot read %s", r->pretrained);
}

/* ---- what differs ---- */

typedef struct earlier {
    const mfm_reproduce *r;
    const mfm_paper_run *run;
    const json_t *told; /* its run.json */
} earlier;

static int refuse(const earlier *e, const char *option, const char *then, const char *now)
{
    return mfm_fail(e->r->ctx, MFM_EINVAL,
                    "%s was trained with %s %.*s, not %.*s: choose another folder with --run DIR, "
                    "or remove that run",
                    e->run->place, option, SHORT, then, SHORT, now);
}

static int compare_values(const earlier *e, const mfm_option *option, const json_t *now)
{
    const json_t *then = json_object_get(json_object_get(e->told, "options"), option->name);
    if (!now)
        return mfm_fail(e->r->ctx, MFM_ENOMEM, "options: out of memory");
    if (then && json_equal(now, then))
        return MFM_OK;
    const size_t form = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9);
    char *one = then ? json_dumps(then, form) : NULL, *two = json_dumps(now, form), name[80];
    snprintf(name, sizeof name, "--%s", option->name);
    const int status = refuse(e, name, one ? one : "another value", two ? two : "this");
    free(one);
    free(two);
    return status;
}

/* "idx:data" with the folder's whole path, as it is found from `from`. */
static char *whole_place(mfm_ctx *ctx, const char *data, const char *from)
{
    const char *colon = strchr(data, ':'), *path = colon ? colon + 1 : "";
    if (!*path)
        return mfm_strdup(ctx, data);
    char *place =
        path[0] == '/' || !from ? mfm_strdup(ctx, path) : mfm_format(ctx, "%s/%s", from, path);
    char *resolved = place ? realpath(place, NULL) : NULL;
    char *text =
        place ? mfm_format(ctx, "%.*s%s", (int)(path - data), data, resolved ? resolved : place)
              : NULL;
    free(resolved);
    mfm_free(ctx, place);
    return text;
}

/* The same folder, by whatever name. */
static int compare_data(const earlier *e, const char *now)
{
    mfm_ctx *ctx = e->r->ctx;
    const json_t *stored = json_object_get(json_object_get(e->told, "options"), "data");
    const json_t *folder = json_object_get(e->told, "folder");
    char *then = NULL, *from = NULL, *one = NULL, *two = NULL;
    int status = mfm_json_exact_text(ctx, stored, &then);
    if (!status && folder)
        status = mfm_json_exact_text(ctx, folder, &from);
    if (!status) {
        one = whole_place(ctx, then, from);
        two = whole_place(ctx, now, NULL);
        status = one && two ? MFM_OK : MFM_ENOMEM;
    }
    if (!status && strcmp(one, two) != 0)
        status = refuse(e, "--data", then, now);
    char *const texts[] = {then, from, one, two};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        mfm_free(ctx, texts[i]);
    return status;
}

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Models of one name in the folder are one model, wherever the folder is. */
static int compare_start(const earlier *e, const char *start)
{
    char *then = NULL;
    int status = mfm_json_exact_text(e->r->ctx, json_object_get(e->told, "model_file"), &then);
    if (!status && strcmp(name_in(then), name_in(start)) != 0)
        status = refuse(e, "the model", then, start);
    mfm_free(e->r->ctx, then);
    return status;
}

/* Each option that the command gives; paths within the folder are not compared. */
static int compare_options(const earlier *e, const mfm_words *w)
{
    mfm_ctx *ctx = e->r->ctx;
    mfm_train_arguments *arguments = mfm_alloc(ctx, 1, sizeof *arguments);
    mfm_form *form = mfm_alloc(ctx, 1, sizeof *form);
    mfm_arguments given = {.positional = NULL};
    mfm_option_entry entry;
    int status = arguments && form ? MFM_OK : MFM_ENOMEM;
    if (!status) {
        mfm_train_form_init(form, arguments);
        status = mfm_options_parse(ctx, &form->table, w->count - 1, (const char **)w->item + 1,
                                   arguments, &given);
    }
    for (size_t i = 0; !status && mfm_option_at(&form->table, i, &entry); i++) {
        if (!given.given[i] || entry.option->scope == MFM_OPTION_LOCAL ||
            entry.option->path != MFM_OPTION_NO_PATH)
            continue;
        json_t *now = mfm_option_to_json(entry.option, (const char *)arguments + entry.offset);
        status = compare_values(e, entry.option, now);
        json_decref(now);
    }
    if (!status)
        status = compare_data(e, arguments->data);
    if (!status)
        status = compare_start(e, given.positional);
    mfm_arguments_free(ctx, &given);
    mfm_free(ctx, arguments);
    mfm_free(ctx, form);
    return status;
}

static int check_run(const mfm_reproduce *r, const mfm_paper_run *run, const char *path)
{
    mfm_words w = {.ctx = r->ctx};
    size_t size;
    char *text, *start = mfm_reproduce_start_path(r, run);
    int status = start ? mfm_read_file(r->ctx, path, &text, &size) : MFM_ENOMEM;
    if (!status) {
        earlier e = {.r = r, .run = run, .told = json_loadb(text, size, 0, NULL)};
        mfm_free(r->ctx, text);
        mfm_reproduce_write_train(r, run, start, &w);
        status = w.status;
        if (!status && !e.told)
            status = mfm_fail(r->ctx, MFM_EDATA, "cannot read %s: expected JSON", path);
        if (!status)
            status = compare_options(&e, &w);
        json_decref((json_t *)e.told);
    }
    mfm_words_clear(&w);
    mfm_free(r->ctx, start);
    return status;
}

/* One that has nothing to go on from begins anew, whatever it was. */
static bool counts(mfm_ctx *ctx, const mfm_paper_run *run)
{
    static const char *const files[] = {".onnx", "/checkpoint.onnx", "/checkpoint.previous.onnx"};
    bool any = false;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = mfm_format(ctx, "%s%s", run->place, files[i]);
        any |= path && access(path, F_OK) == 0;
        mfm_free(ctx, path);
    }
    return any;
}

int mfm_reproduce_check_earlier(const mfm_reproduce *r, const mfm_plan_of_runs *plan)
{
    int status = MFM_OK;
    for (size_t i = 0; i < plan->count && !status; i++) {
        char *path = mfm_format(r->ctx, "%s/run.json", plan->item[i].place);
        if (!path)
            return MFM_ENOMEM;
        if (access(path, F_OK) == 0 && counts(r->ctx, &plan->item[i]))
            status = check_run(r, &plan->item[i], path);
        mfm_free(r->ctx, path);
    }
    return status;
}
