/* The picture around a chart's data: its size, title, legend and vertical axis. */
#ifndef MFM_SVG_FRAME_H
#define MFM_SVG_FRAME_H

#include "core/report/charts/markup.h"
#include "core/report/charts/scale.h"

enum { MFM_CHART_WIDTH = 400, MFM_CHART_LEFT = 44, MFM_CHART_RIGHT = 10 };

/* What the colours mean. */
typedef struct mfm_legend {
    const char *name;
    int colour;
} mfm_legend;

/* In the picture's own units, in which a letter is about 6 wide; it is scaled to its place. */
typedef struct mfm_frame {
    mfm_scale y;
    double width, height;            /* of the picture */
    double left, top, right, bottom; /* of the data */
    const mfm_legend *legend;
    int n_legend; /* a single one is not shown */
} mfm_frame;

/* A frame with `below` units for what stands under the data. */
mfm_frame mfm_frame_make(const mfm_scale *y, double width, double below, const mfm_legend *legend,
                         int n_legend);
void mfm_frame_open(mfm_markup *markup, const mfm_frame *frame, const char *title);
void mfm_frame_close(mfm_markup *markup);
double mfm_frame_y(const mfm_frame *frame, double value);
/* The beginning of any picture: its size and title. */
void mfm_svg_open(mfm_markup *markup, double width, double height, const char *title);
/* Legends in rows within a width from `left` on, the first at y: rows are 15 apart. Draws nothing
 * where markup is NULL; returns the number of rows. */
int mfm_svg_legend(mfm_markup *markup, const mfm_legend *legend, int count, double left,
                   double width, double y);

/* Bytes of a name of which no more than `most`, or one more, are shown: whole characters of UTF-8.
 */
size_t mfm_svg_shown(const char *name, size_t most);
/* The width of so many bytes of a text, about: fonts differ. */
double mfm_svg_text_width(const char *text, size_t length);
/* A class's name that ends at (x, y), turned by so many degrees, cut after `most` bytes. In small
 * letters they are 9 high instead of 11. */
void mfm_svg_name(mfm_markup *markup, const char *name, size_t most, double x, double y,
                  double turn, bool small);
/* The width that the longest of these names takes in letters of the usual size. */
double mfm_svg_names_width(const char *const *names, int count, size_t most);
/* Degrees by which names at such distances are turned: the denser, the steeper. */
double mfm_svg_names_turn(double distance);

#endif
