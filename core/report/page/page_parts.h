/* The parts of a page, in their order. */
#ifndef MFM_PAGE_PARTS_H
#define MFM_PAGE_PARTS_H

#include "core/report/page/page.h"

/* A figure begins: what is drawn until mfm_page_figure_end is its picture, of that width in units
 * of pixels. One that is wider than the others takes the page's whole width, and is moved sideways
 * where that is not enough. */
void mfm_page_figure(mfm_page_text *text, const char *name, int run, double wide);
void mfm_page_figure_end(mfm_page_text *text);

enum { MFM_PAGE_SERIES_NAME = 160 };

/* "base, mean 71.20 %", of the classes whose recall is a number. */
void mfm_page_name_with_mean(const char *run, const double *recall, int classes,
                             char name[MFM_PAGE_SERIES_NAME]);

void mfm_page_table(mfm_page_text *text, const mfm_page *page);   /* of all runs, with means */
void mfm_page_curves(mfm_page_text *text, const mfm_page *page);  /* by epoch */
void mfm_page_classes(mfm_page_text *text, const mfm_page *page); /* recall, distributions */
void mfm_page_priors(mfm_page_text *text, const mfm_page *page);  /* test images drawn otherwise */
void mfm_page_tests(mfm_page_text *text, const mfm_page *page);   /* confusion, calibration */
void mfm_page_scatters(mfm_page_text *text, const mfm_page *page);
void mfm_page_mistakes(mfm_page_text *text, const mfm_page *page);
void mfm_page_details(mfm_page_text *text, const mfm_page *page); /* of each run */

#endif
