/* Everything that a run writes, before it begins. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/data/file_writer.h"
#include "onnx/checkpoint.h"
#include "onnx/modulator.h"
#include "tools/files.h"
#include "tools/train/job/train_job.h"

/* A file without a name, by the name that /proc has for it; or, of a model that takes two files,
 * one in a folder that is there meanwhile. */
typedef struct scratch {
    mfm_ctx *ctx;
    int file;     /* or that of the folder, which is locked */
    char *folder; /* NULL: none */
    char *path;   /* to write to */
} scratch;

/* That of the run, where it is there (*made), or the one that it will be made in. */
static char *folder_of_run(const mfm_train_job *job, bool *made)
{
    const char *path = job->folder.path, *slash = strrchr(path, '/');
    *made = access(path, F_OK) == 0;
    return *made   ? mfm_strdup(job->ctx, path)
           : slash ? mfm_format(job->ctx, "%.*s", slash == path ? 1 : (int)(slash - path), path)
                   : mfm_strdup(job->ctx, ".");
}

/* Where the run will be, so that a disk that is full shows; in memory where files without a name
 * cannot be. */
static int open_file(const mfm_train_job *job, const char *place, scratch *s)
{
    s->file = open(place, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->file < 0)
        s->file = memfd_create("rehearsal", MFD_CLOEXEC);
    if (s->file < 0)
        return mfm_fail_errno(job->ctx, errno, "make", "a file for what is written");
    s->path = mfm_format(job->ctx, "/proc/self/fd/%d", s->file);
    return s->path ? MFM_OK : MFM_ENOMEM;
}

/* Under one name for one run: what was left by a process that was killed is taken over. */
static int open_folder(const mfm_train_job *job, const char *place, bool made, scratch *s)
{
    const char *slash = strrchr(job->folder.path, '/');
    const char *name = made ? "rehearsal" : slash ? slash + 1 : job->folder.path;
    s->folder = mfm_format(job->ctx, "%s/.%.200s" MFM_TEMPORARY_SUFFIX, place, name);
    if (!s->folder)
        return MFM_ENOMEM;
    if (mkdir(s->folder, 0700) && errno != EEXIST)
        return mfm_fail_errno(job->ctx, errno, "make the folder", s->folder);
    s->file = open(s->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->file < 0)
        return mfm_fail_errno(job->ctx, errno, "use the folder", s->folder);
    if (flock(s->file, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return mfm_fail(job->ctx, MFM_EINVAL, "run folder %s: another run is beginning there",
                        job->folder.path);
    s->path = mfm_format(job->ctx, "%s/model.onnx", s->folder);
    return s->path ? MFM_OK : MFM_ENOMEM;
}

static int empty_folder(const scratch *s)
{
    DIR *folder = opendir(s->folder);
    int error = folder ? 0 : errno;
    const struct dirent *entry;
    while (!error && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(folder), entry->d_name, 0))
            error = errno;
    if (folder)
        closedir(folder);
    return error ? mfm_fail_errno(s->ctx, error, "empty the folder", s->folder) : MFM_OK;
}

static int empty(const scratch *s)
{
    if (s->folder)
        return empty_folder(s);
    const bool done = ftruncate(s->file, 0) == 0 && lseek(s->file, 0, SEEK_SET) == 0;
    return done ? MFM_OK : mfm_fail_errno(s->ctx, errno, "empty", "a file for what is written");
}

static int open_scratch(const mfm_train_job *job, scratch *s)
{
    bool made;
    *s = (scratch){.ctx = job->ctx, .file = -1};
    char *place = folder_of_run(job, &made);
    if (!place)
        return MFM_ENOMEM;
    const bool one =
        mfm_model_fits_one_file(job->session.model, mfm_training_kept_bytes(job->training));
    int status = one ? open_file(job, place, s) : open_folder(job, place, made, s);
    mfm_free(job->ctx, place);
    return status || one ? status : empty_folder(s);
}

/* A folder goes, unless it is another's. */
static int close_scratch(scratch *s)
{
    int status = s->folder && s->path ? empty_folder(s) : MFM_OK;
    if (!status && s->path && s->folder && rmdir(s->folder))
        status = mfm_fail_errno(s->ctx, errno, "remove the folder", s->folder);
    if (s->file >= 0)
        close(s->file);
    mfm_free(s->ctx, s->folder);
    mfm_free(s->ctx, s->path);
    return status;
}

/* The counters and vectors that come back are those that went in. */
static int rehearse_checkpoint(mfm_train_job *job, const scratch *s)
{
    mfm_model *read = NULL;
    int status =
        mfm_checkpoint_save(job->ctx, job->session.model, job->training, "{}", s->path, NULL);
    if (!status)
        status = mfm_checkpoint_load(job->ctx, s->path, &read);
    if (!status)
        status = mfm_checkpoint_restore(job->ctx, read, job->training);
    mfm_model_free(read);
    return status;
}

static int rehearse_plain(mfm_train_job *job, const scratch *s)
{
    mfm_model *plain = NULL;
    mfm_session written = {.ctx = job->ctx};
    int status = empty(s);
    if (!status)
        status = mfm_train_job_plain(job, &plain);
    if (!status)
        status = mfm_model_save(job->ctx, plain, s->path);
    if (!status)
        status = mfm_session_open(&written, s->path);
    if (!status)
        status = mfm_session_import(&written);
    if (!status)
        status = mfm_session_build(&written, NULL, false);
    mfm_session_clear(&written);
    mfm_model_free(plain);
    return status;
}

static int rehearse_modulator(mfm_train_job *job, const scratch *s)
{
    mfm_model *modulator = NULL;
    int status = empty(s);
    if (!status)
        status = mfm_model_modulator(job->ctx, job->session.model, &modulator);
    if (!status)
        status = mfm_model_save(job->ctx, modulator, s->path);
    mfm_model_free(modulator);
    return status;
}

static int rehearse_all(mfm_train_job *job, const scratch *s)
{
    const char *what = "the checkpoint";
    int status = rehearse_checkpoint(job, s);
    if (!status) {
        what = "the plain model";
        status = rehearse_plain(job, s);
    }
    if (!status && job->training->options.method->needs_modulator) {
        what = "the modulator";
        status = rehearse_modulator(job, s);
    }
    return status ? mfm_fail_in(job->ctx, status, "training would fail at its first checkpoint: %s",
                                what)
                  : MFM_OK;
}

/* A model of two files goes nowhere but to a name. */
static int check_output(const mfm_train_job *job)
{
    const char *output = job->arguments.output;
    return mfm_is_regular_output(output) || mfm_model_fits_one_file(job->session.model, 0)
               ? MFM_OK
               : mfm_fail(job->ctx, MFM_EINVAL,
                          "-o %s: a model of more than 2 GiB takes two files: give the name of one",
                          output);
}

int mfm_train_job_rehearse(mfm_train_job *job)
{
    scratch s;
    int status = check_output(job);
    if (status)
        return status;
    mfm_ctx_hold_warnings(job->ctx); /* what is read back was imported before */
    status = open_scratch(job, &s);
    if (!status)
        status = rehearse_all(job, &s);
    if (!status) {
        status = close_scratch(&s);
    } else {
        char *why = mfm_strdup(job->ctx, mfm_message(job->ctx));
        close_scratch(&s);
        if (why)
            mfm_fail(job->ctx, status, "%s", why);
        mfm_free(job->ctx, why);
    }
    mfm_ctx_release_warnings(job->ctx);
    return status;
}
