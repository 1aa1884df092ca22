/*
 * Charts as inline SVG. Colours and lettering are the page's: elements have the classes axis, grid,
 * bar0, line0, dot0, mark and so on. Numbers that are NaN are missing, and leave a gap.
 */
#ifndef MFM_SVG_H
#define MFM_SVG_H

#include <stdbool.h>

#include "core/report/markup.h"

/* One bar a class. */
typedef struct mfm_bars {
    const char *title, *unit; /* of the numbers: "images" */
    const char *series;       /* CSS class of the bars */
    const char *const *names;
    const double *values; /* >= 0 */
    int count;
    bool log;      /* no bar for 0 */
    double at_end; /* the axis ends here at least */
    bool labels;   /* names under the bars, when there are few enough */
} mfm_bars;

void mfm_svg_bars(mfm_markup *markup, const mfm_bars *bars);

enum { MFM_MOST_SERIES = 2 };

/* Curves over numbered epochs. */
typedef struct mfm_lines {
    const char *title;
    const double *epochs; /* [count], ascending */
    int count;
    const char *names[MFM_MOST_SERIES];
    const double *values[MFM_MOST_SERIES]; /* [count] each */
    int series;
    bool from_zero;
    int mark; /* a point of the first series, its text in place of the legend; -1: none */
    const char *mark_text;
} mfm_lines;

void mfm_svg_lines(mfm_markup *markup, const mfm_lines *lines);

#endif
