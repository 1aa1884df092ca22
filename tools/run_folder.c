#include "tools/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/files.h"

static char *default_path(mfm_ctx *ctx, const char *output)
{
    const size_t length = strlen(output);
    const bool ends = length > 5 && strcmp(output + length - 5, ".onnx") == 0;
    return mfm_format(ctx, "%.*s.run", (int)(ends ? length - 5 : length), output);
}

static int set_paths(mfm_run_folder *f, const char *path, const char *output)
{
    f->path = path ? mfm_strdup(f->ctx, path) : default_path(f->ctx, output);
    if (!f->path)
        return MFM_ENOMEM;
    size_t length = strlen(f->path);
    while (length > 1 && f->path[length - 1] == '/')
        f->path[--length] = '\0';
    f->run = mfm_format(f->ctx, "%s/run.json", f->path);
    f->metrics = mfm_format(f->ctx, "%s/metrics.jsonl", f->path);
    f->checkpoint = mfm_format(f->ctx, "%s/checkpoint.onnx", f->path);
    f->model = mfm_format(f->ctx, "%s/model.onnx", f->path);
    f->modulator = mfm_format(f->ctx, "%s/modulator.onnx", f->path);
    f->report = mfm_format(f->ctx, "%s/report.html", f->path);
    const bool all = f->run && f->metrics && f->checkpoint && f->model && f->modulator && f->report;
    return all ? MFM_OK : MFM_ENOMEM;
}

/* A run that ended before its first checkpoint leaves a description and metrics: nothing is lost
 * when another takes its place. */
static bool nothing_to_lose(DIR *folder)
{
    static const char *const may_be_there[] = {".", "..", "run.json", "metrics.jsonl"};
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        bool known = false;
        for (size_t i = 0; i < sizeof may_be_there / sizeof may_be_there[0]; i++)
            known |= strcmp(entry->d_name, may_be_there[i]) == 0;
        if (!known)
            return false;
    }
    return true;
}

static int check_fresh(const mfm_run_folder *f)
{
    DIR *folder = opendir(f->path);
    if (!folder && errno == ENOENT)
        return mfm_check_output(f->ctx, f->path, NULL);
    if (!folder)
        return mfm_fail_errno(f->ctx, errno, "use the run folder", f->path);
    const bool free_to_use = nothing_to_lose(folder);
    closedir(folder);
    if (!free_to_use)
        return mfm_fail(f->ctx, MFM_EINVAL,
                        "run folder %s: not empty: --resume goes on with the run in it, --run DIR "
                        "takes another",
                        f->path);
    return access(f->path, W_OK | X_OK)
               ? mfm_fail_errno(f->ctx, errno, "use the run folder", f->path)
               : MFM_OK;
}

static int check_resumable(const mfm_run_folder *f)
{
    if (access(f->checkpoint, R_OK))
        return mfm_fail(f->ctx, MFM_EIO, "cannot resume from %s: %s", f->checkpoint,
                        strerror(errno));
    return MFM_OK;
}

int mfm_run_folder_init(mfm_ctx *ctx, const char *path, const char *output, bool resume,
                        mfm_run_folder *folder)
{
    *folder = (mfm_run_folder){.ctx = ctx, .lock = -1};
    const int status = set_paths(folder, path, output);
    if (status)
        return status;
    return resume ? check_resumable(folder) : check_fresh(folder);
}

static int take_lock(mfm_run_folder *f)
{
    if (mkdir(f->path, 0777) && errno != EEXIST)
        return mfm_fail_errno(f->ctx, errno, "make the run folder", f->path);
    f->lock = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0)
        return mfm_fail_errno(f->ctx, errno, "use the run folder", f->path);
    if (flock(f->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return mfm_fail(f->ctx, MFM_EIO, "run folder %s: another training is at work in it",
                        f->path);
    return MFM_OK;
}

/* The length of the first `lines` lines. */
static size_t length_of_lines(const char *text, uint32_t lines)
{
    const char *at = text;
    while (lines-- > 0) {
        const char *end = strchr(at, '\n');
        if (!end)
            break;
        at = end + 1;
    }
    return (size_t)(at - text);
}

static int keep_metrics(const mfm_run_folder *f, uint32_t epochs)
{
    char *text = NULL;
    size_t size = 0;
    int status =
        access(f->metrics, F_OK) == 0 ? mfm_read_file(f->ctx, f->metrics, &text, &size) : MFM_OK;
    if (!status)
        status = mfm_write_file(f->ctx, f->metrics, text ? text : "",
                                text ? length_of_lines(text, epochs) : 0);
    mfm_free(f->ctx, text);
    return status;
}

static int write_run(const mfm_run_folder *f, const json_t *run)
{
    char *text = json_dumps(run, JSON_INDENT(2));
    if (!text)
        return mfm_fail(f->ctx, MFM_ENOMEM, "run.json: out of memory");
    const int status = mfm_write_file(f->ctx, f->run, text, strlen(text));
    free(text);
    return status;
}

int mfm_run_folder_begin(mfm_run_folder *folder, const json_t *run, uint32_t epochs)
{
    int status = take_lock(folder);
    if (!status)
        status = write_run(folder, run);
    if (!status)
        status = keep_metrics(folder, epochs);
    if (status)
        return status;
    folder->log = fopen(folder->metrics, "ae");
    return folder->log ? MFM_OK : mfm_fail_errno(folder->ctx, errno, "write", folder->metrics);
}

int mfm_run_folder_log(mfm_run_folder *folder, const json_t *line)
{
    const int failed = json_dumpf(line, folder->log, JSON_COMPACT | JSON_REAL_PRECISION(9)) ||
                       fputc('\n', folder->log) == EOF || fflush(folder->log);
    return failed ? mfm_fail_errno(folder->ctx, errno, "write", folder->metrics) : MFM_OK;
}

void mfm_run_folder_clear(mfm_run_folder *folder)
{
    if (folder->log)
        fclose(folder->log);
    if (folder->lock >= 0)
        close(folder->lock);
    mfm_free(folder->ctx, folder->path);
    mfm_free(folder->ctx, folder->run);
    mfm_free(folder->ctx, folder->metrics);
    mfm_free(folder->ctx, folder->checkpoint);
    mfm_free(folder->ctx, folder->model);
    mfm_free(folder->ctx, folder->modulator);
    mfm_free(folder->ctx, folder->report);
}
