/*
 * One training run as a page of HTML that needs nothing else: no script, no file, no network. It is
 * well-formed XML too, readable in light and dark, and can be printed.
 */
#ifndef MFM_PAGE_H
#define MFM_PAGE_H

#include <stdint.h>

#include "core/base/context.h"

typedef struct mfm_page_row {
    const char *name, *text;
} mfm_page_row;

/* Texts may be any: the page escapes them. Numbers that are NaN are missing. */
typedef struct mfm_page {
    const char *title, *summary;
    const mfm_page_row *figures, *options, *files; /* files: name beside the page, what is in it */
    int n_figures, n_options, n_files;

    int classes;
    const char *const *class_names;
    const double *train, *meta; /* [classes] images */
    const double *recall;       /* [classes] percent, of the last epoch; NULL before the first */

    int epochs;          /* those finished */
    const double *epoch; /* [epochs], counted from 1, ascending */
    const double *train_loss, *test_error;
    const double *meta_loss;        /* NULL for a method without meta set */
    const double *validation_error; /* NULL without a validation part */
} mfm_page;

/* *text is the page, ended by a zero byte; the caller releases it by mfm_free. MFM_ENOMEM. */
int mfm_page_html(mfm_ctx *ctx, const mfm_page *page, char **text);
/* The index of the smallest of these errors, one per epoch, the first of them; -1 when none is
 * known. */
int mfm_page_lowest(const mfm_page *page, const double *errors);

#endif
