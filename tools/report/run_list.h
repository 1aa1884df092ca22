/* The runs that a page compares. */
#ifndef MFM_RUN_LIST_H
#define MFM_RUN_LIST_H

#include "core/base/option.h"
#include "tools/report/run_evaluation.h"

typedef struct mfm_run_list {
    mfm_ctx *ctx;
    mfm_run_record *records;         /* [count] */
    mfm_run_evaluation *evaluations; /* [count] */
    mfm_page_run *runs;              /* [count], what the page shows */
    int count;
} mfm_run_list;

/* The runs of these folders; a folder of several seeds (train --seeds) stands for its runs.
 * MFM_EIO for one without a run, MFM_EINVAL for more than a page holds, or of other classes than
 * the first. Clear the list after a failure too. */
int mfm_run_list_read(mfm_ctx *ctx, const mfm_strings *paths, const mfm_class_borders *borders,
                      mfm_run_list *list);
/* Evaluates each; what cannot be is warned of, and noted on the page. MFM_ENOMEM, MFM_EINTR. */
int mfm_run_list_evaluate(mfm_run_list *list, const mfm_run_evaluation_options *options);
/* The page of what has been read and evaluated. */
int mfm_run_list_page(const mfm_run_list *list, const mfm_class_borders *borders,
                      mfm_page_text *text);
void mfm_run_list_clear(mfm_run_list *list);

#endif
