/* Whether ranks were started alike: one model that differs would train without a word. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/engine/kernels/conv/conv.h"
#include "tools/options/option_json.h"
#include "tools/train/job/train_job.h"

typedef struct lines {
    mfm_ctx *ctx;
    char *text; /* NULL: memory ran out */
} lines;

static void add(lines *l, const char *name, const char *value)
{
    char *longer = l->text ? mfm_format(l->ctx, "%s%s\t%s\n", l->text, name, value) : NULL;
    mfm_free(l->ctx, l->text);
    l->text = longer;
}

static void add_hash(lines *l, const char *name, uint64_t hash)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    add(l, name, text);
}

static void add_options(lines *l, const mfm_train_job *job)
{
    json_t *options = mfm_options_to_json(&job->form.table, &job->arguments);
    const char *key;
    json_t *value;
    json_object_foreach(options, key, value)
    {
        char *name = mfm_format(l->ctx, "--%s", key);
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        if (name && text)
            add(l, name, text);
        mfm_free(l->ctx, name);
        free(text);
    }
    json_decref(options);
}

/* Where the run stands: its vectors, and the steps behind them. */
static void add_state(lines *l, const mfm_training *t)
{
    char text[MFM_DIGEST_TEXT];
    mfm_digest digest = mfm_digest_of(&t->counters.step, sizeof t->counters.step);
    for (int i = 0; i < t->n_kept; i++)
        digest = mfm_digest_more(digest, t->kept[i].data, t->kept[i].count * sizeof(real));
    digest = mfm_digest_more(digest, t->state, t->problem->main->state_size * sizeof(real));
    add(l, "weights to start from", mfm_digest_text(&digest, text));
}

int mfm_train_job_compare_start(mfm_train_job *job)
{
    const mfm_train_arguments *a = &job->arguments;
    char *text = mfm_format(job->ctx, "--seeds\t%s\n--resume\t%s\n", a->seeds ? a->seeds : "none",
                            a->resume ? "given" : "not given");
    int status = mfm_ranks_agree(job->ranks, text ? MFM_OK : MFM_ENOMEM);
    if (!status)
        status = mfm_ranks_alike(job->ranks, mfm_comm_compare(job->ranks->comm, job->ctx, text));
    mfm_free(job->ctx, text);
    return status;
}

int mfm_train_job_compare(mfm_train_job *job)
{
    mfm_ranks *ranks = job->ranks;
    lines l = {.ctx = job->ctx, .text = mfm_strdup(job->ctx, "")};
    if (!ranks->comm) {
        mfm_free(job->ctx, l.text);
        return MFM_OK;
    }
    add(&l, "version", MFM_VERSION);
    char kernels[MFM_KERNELS_TEXT];
    mfm_kernels_text(kernels);
    add(&l, "kernels", kernels);
    add(&l, "precision", sizeof(real) == sizeof(float) ? "float" : "double");
    add(&l, "MPI", mfm_comm_name(ranks->comm));
    add_options(&l, job);
    add_hash(&l, "model", job->model_hash);
    add_hash(&l, "training images", job->split->hash);
    add_hash(&l, "test images", job->test_hash);
    add_state(&l, job->training);
    int status = mfm_ranks_agree(ranks, l.text ? MFM_OK : MFM_ENOMEM);
    if (!status)
        status = mfm_ranks_alike(ranks, mfm_comm_compare(ranks->comm, job->ctx, l.text));
    mfm_free(job->ctx, l.text);
    return status;
}
