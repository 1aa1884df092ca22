/*
 * Charts as inline SVG. Colours and lettering are the page's: elements have the classes axis, grid,
 * c0 to c11 (the colours of series) and so on, which mfm_svg_style gives. Numbers that are NaN are
 * missing, and leave a gap. A pointer that rests on something is told its numbers.
 */
#ifndef MFM_SVG_H
#define MFM_SVG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report/charts/markup.h"

enum { MFM_CHART_COLOURS = 12 };

/* Style sheets: of the charts, and of the colours in light, in dark and in print. */
extern const char mfm_svg_style[], mfm_svg_light[], mfm_svg_dark[], mfm_svg_print[];

/* Where a figure begins and ends in the text, for files of their own. */
typedef struct mfm_figure {
    const char *name; /* of the file, without an ending; borrowed */
    int run;          /* of which run it is; -1: of all */
    size_t start, end;
} mfm_figure;

/* A figure as a file by itself: text[start .. end) of a page with its style, in light. */
void mfm_svg_file(mfm_markup *file, const char *text, const mfm_figure *figure);

/* Bars in groups: one group a class, one bar in each for a series. */
typedef struct mfm_bars {
    const char *title, *unit; /* of the numbers: "images" */
    const char *const *names; /* [count] of the groups */
    int count, series;
    const char *const *series_names; /* [series]; NULL for a single one */
    const double *const *values;     /* [series][count], >= 0 */
    int colour;                      /* of the first series */
    bool log;                        /* of counts; no bar for 0 */
    double at_end;                   /* the axis ends here at least */
} mfm_bars;

void mfm_svg_bars(mfm_markup *markup, const mfm_bars *bars);
/* The width that the chart takes, at which its letters are of the page's size. */
double mfm_svg_bars_width(const mfm_bars *bars);

typedef struct mfm_curve {
    const char *name;
    const double *x, *y; /* [count], x ascending */
    int count, colour;
    bool dashed;
} mfm_curve;

/* Curves over epochs, or over any numbers. */
typedef struct mfm_lines {
    const char *title, *x_name, *unit;
    const mfm_curve *curves;
    int n_curves;
    bool counted;   /* x are whole numbers, and the axis ends at the first and last of them */
    bool from_zero; /* of y */
    bool percent;   /* both axes are 0 to 100, with the diagonal */
} mfm_lines;

void mfm_svg_lines(mfm_markup *markup, const mfm_lines *lines);

/* Counts of (row, column) as a grid, each row shaded by its own shares. */
typedef struct mfm_heat {
    const char *title;
    const char *const *names; /* [n] */
    const uint32_t *count;    /* [n, n]: row is the true class, column the predicted one */
    int n;
    bool large; /* many classes have cells that can be told apart, and all their names */
} mfm_heat;

/* The width that the picture takes, at which its letters are of the page's size. */
double mfm_svg_heat_width(const mfm_heat *heat);
void mfm_svg_heat(mfm_markup *markup, const mfm_heat *heat);

/* Points in the plane, in the colour of their class. */
typedef struct mfm_scatter {
    const char *title;
    const double *xy; /* [count, 2] */
    const int *group; /* [count], below groups */
    int count, groups;
    const char *const *names; /* [groups] */
} mfm_scatter;

void mfm_svg_scatter(mfm_markup *markup, const mfm_scatter *scatter);

#endif
