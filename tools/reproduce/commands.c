#include "tools/reproduce/commands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void mfm_words_take(mfm_words *w, char *word)
{
    if (!word || w->count == MFM_MOST_WORDS) {
        w->status = MFM_ENOMEM;
        mfm_free(w->ctx, word);
        return;
    }
    w->item[w->count++] = word;
}

void mfm_words_add(mfm_words *w, const char *word)
{
    mfm_words_take(w, mfm_strdup(w->ctx, word));
}

void mfm_words_add_number(mfm_words *w, const char *option, long long number)
{
    mfm_words_add(w, option);
    mfm_words_take(w, mfm_format(w->ctx, "%lld", number));
}

void mfm_words_add_all(mfm_words *w, const char *text)
{
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        const int length = (int)strcspn(text, " ");
        mfm_words_take(w, mfm_format(w->ctx, "%.*s", length, text));
        text += length;
    }
}

void mfm_words_clear(mfm_words *w)
{
    for (int i = 0; i < w->count; i++)
        mfm_free(w->ctx, w->item[i]);
    *w = (mfm_words){.ctx = w->ctx};
}

const char *mfm_reproduce_dataset(const mfm_paper_run *run)
{
    return run->row->data ? run->row->data : run->column->data;
}

const char *mfm_reproduce_specification(const mfm_reproduce *r, const mfm_paper_run *run)
{
    const char *data = mfm_reproduce_dataset(run);
    return strcmp(data, "cifar10") == 0    ? r->cifar10
           : strcmp(data, "cifar100") == 0 ? r->cifar100
           : strcmp(data, "mit67") == 0    ? r->mit67
                                           : r->fashion;
}

static int classes_of(const mfm_paper_run *run)
{
    const char *data = mfm_reproduce_dataset(run);
    return strcmp(data, "cifar100") == 0 ? 100 : strcmp(data, "mit67") == 0 ? 67 : 10;
}

/* An epoch of the table's run in one of `epochs` epochs. */
static int scaled(int epoch, int of, int epochs)
{
    return (int)lround((double)epoch * epochs / of);
}

/* Milestones at the same shares of the run; those that fall together, or at its ends, go. */
static char *milestones_of(const mfm_reproduce *r, const mfm_paper_row *row)
{
    const int epochs = mfm_reproduce_epochs(r, row);
    const int of = row->epochs ? row->epochs : r->table->epochs;
    const char *list = row->milestones ? row->milestones : r->table->milestones;
    char *text = mfm_strdup(r->ctx, "");
    int last = 0;
    for (const char *at = list; *at && text; at += *at == ',') {
        const int epoch = scaled(atoi(at), of, epochs);
        if (epoch > last && epoch < epochs) {
            char *longer = mfm_format(r->ctx, "%s%s%d", text, last ? "," : "", epoch);
            mfm_free(r->ctx, text);
            text = longer;
            last = epoch;
        }
        at += strcspn(at, ",");
    }
    if (text && last == 0) {
        mfm_free(r->ctx, text);
        text = mfm_strdup(r->ctx, "none");
    }
    return text;
}

char *mfm_reproduce_start_path(const mfm_reproduce *r, const mfm_paper_run *run)
{
    const bool fresh = r->table->architecture != NULL;
    return mfm_format(r->ctx, "%s/models/%s%s-%d-seed-%llu.onnx", r->folder,
                      fresh ? r->table->architecture : "pretrained-",
                      fresh ? "" : r->pretrained_hash, classes_of(run),
                      (unsigned long long)run->seed);
}

void mfm_reproduce_write_start(const mfm_reproduce *r, const mfm_paper_run *run, const char *start,
                               mfm_words *w)
{
    const bool fresh = r->table->architecture != NULL;
    mfm_words_add_all(w, fresh ? "onnx-mfm new" : "onnx-mfm head");
    mfm_words_add(w, fresh ? r->table->architecture : r->pretrained);
    mfm_words_add(w, "-o");
    mfm_words_add(w, start);
    if (fresh) {
        mfm_words_add(w, "--input");
        mfm_words_add(w, r->table->input);
    } else {
        mfm_words_add(w, "--pool");
    }
    mfm_words_add_number(w, "--classes", classes_of(run));
    mfm_words_add_number(w, "--seed", (long long)run->seed);
}

void mfm_reproduce_write_train(const mfm_reproduce *r, const mfm_paper_run *run, const char *start,
                               mfm_words *w)
{
    const mfm_paper_row *row = run->row;
    const int epochs = mfm_reproduce_epochs(r, row);
    const int of = row->epochs ? row->epochs : r->table->epochs;
    mfm_words_add_all(w, "onnx-mfm train");
    mfm_words_add(w, start);
    mfm_words_add(w, "--data");
    mfm_words_add(w, mfm_reproduce_specification(r, run));
    mfm_words_add_all(w, r->table->options);
    mfm_words_add_all(w, run->column->options);
    mfm_words_add_all(w, row->options);
    mfm_words_add_number(w, "--epochs", epochs);
    mfm_words_add(w, "--milestones");
    mfm_words_take(w, milestones_of(r, row));
    if (row->defer)
        mfm_words_add_number(w, "--defer-reweight", scaled(row->defer, of, epochs));
    if (row->from_row) {
        mfm_words_add(w, "--modulator");
        mfm_words_take(w, mfm_format(r->ctx, "%s/%s/%s/%s/seed-%llu/modulator.onnx", r->folder,
                                     r->table->name, row->from_row, row->from_key,
                                     (unsigned long long)run->seed));
    }
    mfm_words_add_number(w, "--seed", (long long)run->seed);
    mfm_words_add_number(w, "--split-seed", (long long)run->seed);
}
