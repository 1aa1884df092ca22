/* What is to be trained for a table, and what has become of it. */
#ifndef MFM_REPRODUCE_PLAN_H
#define MFM_REPRODUCE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/context.h"
#include "tools/reproduce/paper.h"

enum { MFM_MOST_SEEDS = 100 };

/* What was asked for. */
typedef struct mfm_reproduce {
    mfm_ctx *ctx;
    const char *target; /* as it was asked for: a table or a figure */
    const mfm_paper_table *table;
    const char *prior;          /* of a figure: test images that its page shows besides; NULL */
    const char *rows, *columns; /* names and keys by commas; NULL: all */
    uint64_t seeds[MFM_MOST_SEEDS];
    int n_seeds;
    int epochs; /* 0: as the table tells */
    int jobs, threads;
    const char *folder;
    const char *fashion, *cifar10, *cifar100, *mit67; /* specifications of datasets; NULL */
    const char *pretrained;
    char pretrained_hash[17]; /* of its bytes, once it was asked for */
} mfm_reproduce;

/* One run: a row, a key and a seed. */
typedef struct mfm_paper_run {
    const mfm_paper_row *row;
    const mfm_paper_column *column; /* the first of its key */
    uint64_t seed;
    bool shown;   /* in the table: false for one whose modulator another takes */
    char *place;  /* FOLDER/TABLE/ROW/KEY/seed-N: of the run; with .onnx its model */
    double error; /* of the last epoch; NAN until it is known */
    bool failed;
} mfm_paper_run;

typedef struct mfm_plan_of_runs {
    mfm_paper_run *item;
    size_t count, capacity;
} mfm_plan_of_runs;

/* The runs that were asked for, those that others take a modulator from first. MFM_EUSAGE for a row
 * that there is not, or data that is not told, of which the message says where it comes from. */
int mfm_reproduce_plan(const mfm_reproduce *r, mfm_plan_of_runs *plan);
void mfm_reproduce_clear(const mfm_reproduce *r, mfm_plan_of_runs *plan);

/* Whether a row is asked for by --rows. */
bool mfm_reproduce_wants(const mfm_reproduce *r, const mfm_paper_row *row);
/* Columns of one key share their runs. */
bool mfm_paper_first_of_key(const mfm_paper_table *table, int column);
/* Whether a column is asked for by --columns. */
bool mfm_reproduce_wants_column(const mfm_reproduce *r, const mfm_paper_column *column);
int mfm_reproduce_epochs(const mfm_reproduce *r, const mfm_paper_row *row);
/* The last error that the run's metrics tell, and its epoch; false before the first. */
bool mfm_paper_run_last(mfm_ctx *ctx, const mfm_paper_run *run, int *epoch, double *error);

/* Runs that are in the folder already count, and go on, where they were asked for the same:
 * MFM_EINVAL tells the first that was not, and how. Whatever else they were, a table would show
 * them as what its row says. */
int mfm_reproduce_check_earlier(const mfm_reproduce *r, const mfm_plan_of_runs *plan);
/* Fills pretrained_hash from the file; MFM_EIO. */
int mfm_reproduce_hash_pretrained(mfm_reproduce *r);

/* Carries out what of the plan is not finished, several at a time; progress goes to standard error.
 * A run that fails is marked and told of. MFM_EINTR, MFM_ENOMEM. */
int mfm_reproduce_run(const mfm_reproduce *r, mfm_plan_of_runs *plan);
/* The error of a run's model on test images of a prior. */
int mfm_reproduce_test(const mfm_reproduce *r, const mfm_paper_run *run, const char *prior,
                       double *error);
/* The runs as pages, one for each dataset and column: FOLDER/TARGET.html, or of several
 * FOLDER/TARGET-KEY.html. What is written is told on standard error. */
int mfm_reproduce_report(const mfm_reproduce *r, const mfm_plan_of_runs *plan);

/* Markdown on standard output: the paper's figures beside these. */
int mfm_reproduce_print(const mfm_reproduce *r, const mfm_plan_of_runs *plan);

#endif
