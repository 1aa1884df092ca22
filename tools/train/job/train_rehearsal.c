/* Everything that a run writes, before it begins. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "onnx/checkpoint.h"
#include "onnx/modulator.h"
#include "tools/files.h"
#include "tools/train/job/train_job.h"

/* A file without a name, and the name that /proc has for it. */
typedef struct scratch {
    int file;
    char path[64];
} scratch;

/* In the folder of the run or the one that it will be made in, so that a disk that is full shows;
 * in memory where files without a name cannot be. */
static int open_scratch(const mfm_train_job *job, scratch *s)
{
    const char *slash = strrchr(job->folder.path, '/');
    char *parent =
        slash ? mfm_format(job->ctx, "%.*s/", (int)(slash - job->folder.path), job->folder.path)
              : mfm_strdup(job->ctx, ".");
    if (!parent)
        return MFM_ENOMEM;
    s->file = open(job->folder.path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->file < 0)
        s->file = open(parent, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->file < 0)
        s->file = memfd_create("rehearsal", MFD_CLOEXEC);
    mfm_free(job->ctx, parent);
    snprintf(s->path, sizeof s->path, "/proc/self/fd/%d", s->file);
    return s->file < 0 ? mfm_fail_errno(job->ctx, errno, "make", "a file for what is written")
                       : MFM_OK;
}

static int empty(mfm_ctx *ctx, const scratch *s)
{
    const bool done = ftruncate(s->file, 0) == 0 && lseek(s->file, 0, SEEK_SET) == 0;
    return done ? MFM_OK : mfm_fail_errno(ctx, errno, "empty", "a file for what is written");
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
    int status = empty(job->ctx, s);
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
    int status = empty(job->ctx, s);
    if (!status)
        status = mfm_model_modulator(job->ctx, job->session.model, &modulator);
    if (!status)
        status = mfm_model_save(job->ctx, modulator, s->path);
    mfm_model_free(modulator);
    return status;
}

int mfm_train_job_rehearse(mfm_train_job *job)
{
    scratch s = {.file = -1};
    const char *what = "the checkpoint";
    int status = open_scratch(job, &s);
    if (status)
        return status;
    status = rehearse_checkpoint(job, &s);
    if (!status) {
        what = "the plain model";
        status = rehearse_plain(job, &s);
    }
    if (!status && job->training->options.method->needs_modulator) {
        what = "the modulator";
        status = rehearse_modulator(job, &s);
    }
    close(s.file);
    return status ? mfm_fail_in(job->ctx, status, "training would fail at its first checkpoint: %s",
                                what)
                  : MFM_OK;
}
