/*
 * Training runs side by side as a page of HTML that needs nothing else: no file, no network, and
 * its script only sorts tables. It is well-formed XML too, readable in light and dark, on narrow
 * screens and in print.
 */
#ifndef MFM_PAGE_H
#define MFM_PAGE_H

#include <stdint.h>

#include "core/base/context.h"
#include "core/report/charts/svg.h"
#include "core/report/class_groups.h"
#include "core/report/predictions.h"

typedef struct mfm_page_row {
    const char *name, *text;
} mfm_page_row;

/* What is measured in every epoch. */
enum mfm_page_series {
    MFM_PAGE_TRAIN_LOSS,
    MFM_PAGE_META_LOSS,
    MFM_PAGE_VALIDATION_LOSS,
    MFM_PAGE_TEST_LOSS,
    MFM_PAGE_TEST_ERROR,
    MFM_PAGE_VALIDATION_ERROR,
    MFM_PAGE_LR,
    MFM_PAGE_MANY,
    MFM_PAGE_MEDIUM,
    MFM_PAGE_FEW,
    MFM_PAGE_SERIES
};

/* Points of images in the plane, by class. */
typedef struct mfm_page_scatter {
    const char *title;
    const double *xy; /* [count, 2] */
    const int *group; /* [count] classes */
    int count;
    double objective; /* what t-SNE came to */
} mfm_page_scatter;

enum { MFM_PAGE_GUESSES = 3 };

/* A test image that is classified wrongly. */
typedef struct mfm_page_mistake {
    const char *picture; /* PNG in base 64; NULL: not shown */
    const char *file;    /* that it lies in; NULL: none of its own */
    uint32_t index;      /* among the test images */
    int truth, guesses;
    int guess[MFM_PAGE_GUESSES];    /* the likeliest first */
    double share[MFM_PAGE_GUESSES]; /* percent */
} mfm_page_mistake;

/* Texts may be any: the page escapes them. Numbers that are NaN are missing. */
typedef struct mfm_page_run {
    const char *name;                              /* short, told apart from the others' */
    const char *command;                           /* that repeats it */
    const char *note;                              /* what could not be found out about it; NULL */
    const mfm_page_row *figures, *options, *files; /* files: name beside the page, what is in it */
    int n_figures, n_options, n_files;
    const char *method, *data, *imbalance, *seed;
    int group; /* runs of one number differ in their seeds only */

    const double *train, *meta;            /* [classes] images */
    const double *recall;                  /* [classes] percent; NULL before the first epoch */
    int epochs;                            /* those finished */
    const double *epoch;                   /* [epochs], counted from 1, ascending */
    const double *series[MFM_PAGE_SERIES]; /* [epochs] each; NULL: not measured in this run */

    const mfm_confusion *confusion;     /* of the test images; NULL */
    const mfm_predictions *predictions; /* NULL */
    const mfm_page_scatter *scatters;
    int n_scatters;
    const mfm_page_mistake *mistakes;
    int n_mistakes;
    /* Label distributions that its test images are drawn to have: names, and what it does with the
     * images that are drawn. */
    const char *const *prior_names;
    const mfm_confusion *priors;
    int n_priors;
} mfm_page_run;

enum { MFM_PAGE_MOST_RUNS = 24, MFM_PAGE_MOST_FIGURES = 512 };

typedef struct mfm_page {
    const char *title, *summary;
    int classes;
    const char *const *class_names;
    mfm_class_borders borders;
    const mfm_page_run *runs;
    int n_runs;
    bool under_way; /* the page will be replaced: it asks to be loaded again now and then */
} mfm_page;

/* The page's text and the figures in it. */
typedef struct mfm_page_text {
    mfm_markup markup;
    mfm_figure figures[MFM_PAGE_MOST_FIGURES];
    int n_figures;
} mfm_page_text;

/* Fills *text, which the caller clears by mfm_markup_clear. MFM_ENOMEM. */
int mfm_page_html(mfm_ctx *ctx, const mfm_page *page, mfm_page_text *text);
/* The index of the smallest of these errors, the first of equals; -1 when none is known. */
int mfm_page_lowest(const double *errors, int count);

#endif
