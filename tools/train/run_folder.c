#include "tools/train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file_io.h"
#include "core/data/file_writer.h"
#include "onnx/checkpoint.h"
#include "tools/commands/command.h"
#include "tools/files.h"

#define DAMAGED "checkpoint.damaged.onnx"

/* "out.run" for "out.onnx". */
static int default_path(mfm_ctx *ctx, const char *output, char **path)
{
    if (!mfm_is_regular_output(output))
        return mfm_fail(ctx, MFM_EUSAGE,
                        "missing required option --run DIR: -o %s gives the run folder no name",
                        output);
    const size_t length = strlen(output);
    const bool ends = length > 5 && strcmp(output + length - 5, ".onnx") == 0;
    *path = mfm_format(ctx, "%.*s.run", (int)(ends ? length - 5 : length), output);
    return *path ? MFM_OK : MFM_ENOMEM;
}

static int set_paths(mfm_run_folder *f, const char *path, const char *output)
{
    int status = MFM_OK;
    if (!path)
        status = default_path(f->ctx, output, &f->path);
    else if ((f->path = mfm_strdup(f->ctx, path)) == NULL)
        status = MFM_ENOMEM;
    if (status)
        return status;
    size_t length = strlen(f->path);
    while (length > 1 && f->path[length - 1] == '/')
        f->path[--length] = '\0';
    f->run = mfm_format(f->ctx, "%s/run.json", f->path);
    f->images = mfm_format(f->ctx, "%s/images.txt", f->path);
    f->metrics = mfm_format(f->ctx, "%s/metrics.jsonl", f->path);
    f->checkpoint = mfm_format(f->ctx, "%s/" MFM_RUN_CHECKPOINT, f->path);
    f->previous = mfm_format(f->ctx, "%s/" MFM_RUN_PREVIOUS, f->path);
    f->model = mfm_format(f->ctx, "%s/model.onnx", f->path);
    f->best = mfm_format(f->ctx, "%s/best.onnx", f->path);
    f->modulator = mfm_format(f->ctx, "%s/modulator.onnx", f->path);
    f->report = mfm_format(f->ctx, "%s/report.html", f->path);
    const bool all = f->run && f->images && f->metrics && f->checkpoint && f->previous &&
                     f->model && f->best && f->modulator && f->report;
    return all ? MFM_OK : MFM_ENOMEM;
}

static bool is_temporary(const char *name)
{
    const size_t length = strlen(name), suffix = strlen(MFM_TEMPORARY_SUFFIX);
    return name[0] == '.' && length > suffix &&
           strcmp(name + length - suffix, MFM_TEMPORARY_SUFFIX) == 0;
}

/* A run that ended before its first checkpoint leaves a description, metrics and perhaps temporary
 * files, or weights without the model that would name them: nothing is lost when another takes its
 * place. */
static bool may_be_there(const char *name)
{
    static const char *const names[] = {".", "..", "run.json", "images.txt", "metrics.jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return is_temporary(name) || mfm_model_makes(name, MFM_RUN_CHECKPOINT);
}

static bool has_checkpoint(const mfm_run_folder *f)
{
    return access(f->checkpoint, F_OK) == 0 || access(f->previous, F_OK) == 0;
}

/* Whether a fresh run may begin in the open folder. */
static int check_empty(const mfm_run_folder *f, DIR *folder)
{
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL && may_be_there(entry->d_name))
        continue;
    if (!entry)
        return MFM_OK;
    if (has_checkpoint(f))
        return mfm_fail(f->ctx, MFM_EINVAL,
                        "run folder %s: not empty: --resume goes on with the run in it, --run DIR "
                        "takes another",
                        f->path);
    return mfm_fail(f->ctx, MFM_EINVAL,
                    "run folder %s: not empty: it holds %.80s and no run that could go on: "
                    "--run DIR takes another",
                    f->path, entry->d_name);
}

static int check_fresh(const mfm_run_folder *f)
{
    DIR *folder = opendir(f->path);
    if (!folder && errno == ENOENT)
        return mfm_check_place(f->ctx, f->path);
    if (!folder)
        return mfm_fail_errno(f->ctx, errno, "use the run folder", f->path);
    const int status = check_empty(f, folder);
    closedir(folder);
    if (status)
        return status;
    return access(f->path, W_OK | X_OK)
               ? mfm_fail_errno(f->ctx, errno, "use the run folder", f->path)
               : MFM_OK;
}

static int take_lock(mfm_run_folder *f)
{
    f->lock = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0)
        return mfm_fail_errno(f->ctx, errno, "use the run folder", f->path);
    if (flock(f->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return mfm_fail(f->ctx, MFM_EIO, "run folder %s: another training is using it", f->path);
    return MFM_OK;
}

/* Locked from here on: what is read is what the run goes on from. */
static int check_resumable(mfm_run_folder *f)
{
    if (has_checkpoint(f))
        return take_lock(f);
    const int error = errno;
    const bool begun = access(f->run, F_OK) == 0;
    return mfm_fail(f->ctx, MFM_EIO, "cannot resume from %s: %s: %s", f->checkpoint,
                    strerror(error),
                    begun ? "the run ended before its first checkpoint: begin it again, without "
                            "--resume"
                          : "no run is in this folder: --run DIR tells another");
}

int mfm_run_folder_name(mfm_ctx *ctx, const char *path, const char *output, mfm_run_folder *folder)
{
    *folder = (mfm_run_folder){.ctx = ctx, .lock = -1, .log = -1};
    return set_paths(folder, path, output);
}

int mfm_run_folder_init(mfm_ctx *ctx, const char *path, const char *output, bool resume,
                        mfm_run_folder *folder)
{
    const int status = mfm_run_folder_name(ctx, path, output, folder);
    if (status)
        return status;
    return resume ? check_resumable(folder) : check_fresh(folder);
}

int mfm_run_folder_load(mfm_run_folder *f, mfm_model **checkpoint)
{
    int status = mfm_checkpoint_load(f->ctx, f->checkpoint, checkpoint);
    if (status != MFM_EDATA && status != MFM_EIO)
        return status;
    char *wrong = mfm_strdup(f->ctx, mfm_message(f->ctx));
    if (!wrong)
        return MFM_ENOMEM;
    status = mfm_checkpoint_load(f->ctx, f->previous, checkpoint);
    if (!status) {
        mfm_warn(f->ctx, "%s: the run goes on from the checkpoint before it, %s", wrong,
                 f->previous);
        f->fell_back = true;
    } else if (status == MFM_EDATA || status == MFM_EIO) {
        mfm_fail(f->ctx, status,
                 "cannot resume: %s: nor is there an earlier one in %s: begin the run again with "
                 "another --run DIR",
                 wrong, f->path);
    }
    mfm_free(f->ctx, wrong);
    return status;
}

/* ---- the beginning ---- */

/* What killed processes left; the folder is locked. */
static void sweep(const mfm_run_folder *f)
{
    DIR *folder = opendir(f->path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL)
        if (is_temporary(entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
}

/* The damaged checkpoint makes way for the one before, which would else be the next to go. */
static int fall_back(const mfm_run_folder *f)
{
    char *damaged = mfm_format(f->ctx, "%s/" DAMAGED, f->path);
    if (!damaged)
        return MFM_ENOMEM;
    int error = rename(f->checkpoint, damaged) && errno != ENOENT ? errno : 0;
    if (!error && rename(f->previous, f->checkpoint))
        error = errno;
    if (!error && fsync(f->lock) && errno != EINVAL)
        error = errno;
    mfm_free(f->ctx, damaged);
    return error ? mfm_fail_errno(f->ctx, error, "put back", f->previous) : MFM_OK;
}

/* The epoch that a line of the metrics tells; MFM_EDATA names the line. */
static int read_epoch(const mfm_run_folder *f, const char *line, size_t length, size_t number,
                      json_int_t *epoch)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *value = json_object_get(object, "epoch");
    const bool good = json_is_integer(value);
    const json_int_t before = *epoch;
    *epoch = json_integer_value(value);
    json_decref(object);
    if (!good)
        return mfm_fail(f->ctx, MFM_EDATA,
                        "cannot read %s: line %zu: expected an object with an epoch", f->metrics,
                        number);
    if (*epoch <= before)
        return mfm_fail(f->ctx, MFM_EDATA,
                        "cannot read %s: line %zu: its epoch must be a later one", f->metrics,
                        number);
    return MFM_OK;
}

/* The length of the whole lines that tell of the first `epochs` epochs, and their number. What
 * follows is of no account: an epoch that the checkpoint does not have, or half a line. */
static int measure(const mfm_run_folder *f, const char *text, uint32_t epochs, size_t *length,
                   size_t *lines)
{
    json_int_t epoch = 0;
    const char *at = text, *end;
    *length = *lines = 0;
    while (epoch < (json_int_t)epochs && (end = strchr(at, '\n')) != NULL) {
        const int status = read_epoch(f, at, (size_t)(end - at), *lines + 1, &epoch);
        if (status)
            return status;
        if (epoch > (json_int_t)epochs)
            break;
        at = end + 1;
        ++*lines;
        *length = (size_t)(at - text);
    }
    return MFM_OK;
}

static int keep_metrics(const mfm_run_folder *f, uint32_t epochs)
{
    char *text = NULL;
    size_t size = 0, length = 0, lines = 0;
    int status = MFM_OK;
    if (access(f->metrics, F_OK) == 0)
        status = mfm_read_file(f->ctx, f->metrics, &text, &size);
    if (!status && text)
        status = measure(f, text, epochs, &length, &lines);
    if (!status && (!text || length < size))
        status = mfm_write_file(f->ctx, f->metrics, text ? text : "", length);
    mfm_free(f->ctx, text);
    if (!status && lines < epochs)
        mfm_warn(f->ctx, "%s: lines of %zu of the %u epochs that are over: the others are lost",
                 f->metrics, lines, epochs);
    return status;
}

int mfm_run_folder_describe(const mfm_run_folder *f, const json_t *run)
{
    char *text = json_dumps(run, JSON_INDENT(2));
    if (!text)
        return mfm_fail(f->ctx, MFM_ENOMEM, "run.json: out of memory");
    const int status = mfm_write_file(f->ctx, f->run, text, strlen(text));
    free(text);
    return status;
}

/* A fresh run makes its folder, and looks again once nobody else can begin there. */
static int enter(mfm_run_folder *f)
{
    if (f->lock >= 0)
        return MFM_OK;
    if (mkdir(f->path, 0777) && errno != EEXIST)
        return mfm_fail_errno(f->ctx, errno, "make the run folder", f->path);
    const int status = take_lock(f);
    return status ? status : check_fresh(f);
}

int mfm_run_folder_begin(mfm_run_folder *folder, const json_t *run, uint32_t epochs)
{
    int status = enter(folder);
    if (!status)
        sweep(folder);
    if (!status && folder->fell_back)
        status = fall_back(folder);
    if (!status)
        status = mfm_run_folder_sweep(folder);
    if (!status)
        status = keep_metrics(folder, epochs);
    if (!status)
        status = mfm_run_folder_describe(folder, run);
    if (status)
        return status;
    folder->log = open(folder->metrics, O_WRONLY | O_APPEND | O_CLOEXEC);
    return folder->log >= 0 ? MFM_OK : mfm_fail_errno(folder->ctx, errno, "write", folder->metrics);
}

int mfm_run_folder_sweep(const mfm_run_folder *f)
{
    char *damaged = mfm_format(f->ctx, "%s/" DAMAGED, f->path);
    const char *const others[] = {f->previous, damaged};
    const char *const alone[] = {f->model, f->best, f->modulator};
    int status = damaged ? mfm_model_sweep(f->ctx, f->checkpoint, others, 2) : MFM_ENOMEM;
    for (size_t i = 0; i < sizeof alone / sizeof alone[0] && !status; i++)
        status = mfm_model_sweep(f->ctx, alone[i], NULL, 0);
    mfm_free(f->ctx, damaged);
    return status;
}

int mfm_run_folder_log(mfm_run_folder *folder, const json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (!text)
        return mfm_fail(folder->ctx, MFM_ENOMEM, "metrics: out of memory");
    const size_t length = strlen(text);
    text[length] = '\n';
    int error = mfm_write_all(folder->log, text, length + 1);
    free(text);
    if (!error && fdatasync(folder->log) && errno != EINVAL)
        error = errno;
    return error ? mfm_fail_errno(folder->ctx, error, "write", folder->metrics) : MFM_OK;
}

void mfm_run_folder_clear(mfm_run_folder *folder)
{
    if (folder->log >= 0)
        close(folder->log);
    if (folder->lock >= 0)
        close(folder->lock);
    mfm_free(folder->ctx, folder->path);
    mfm_free(folder->ctx, folder->run);
    mfm_free(folder->ctx, folder->images);
    mfm_free(folder->ctx, folder->metrics);
    mfm_free(folder->ctx, folder->checkpoint);
    mfm_free(folder->ctx, folder->previous);
    mfm_free(folder->ctx, folder->model);
    mfm_free(folder->ctx, folder->best);
    mfm_free(folder->ctx, folder->modulator);
    mfm_free(folder->ctx, folder->report);
}
