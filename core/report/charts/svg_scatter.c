#include <math.h>

#include "core/report/charts/svg.h"
#include "core/report/charts/svg_frame.h"

enum { SIDE = 340, ABOVE = 26, MARGIN = 8, ROW = 15 };

typedef struct view {
    double low[2], size; /* of a square around all points */
} view;

static view view_of(const mfm_scatter *s)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < 2 * s->count; i++) {
        low[i % 2] = fmin(low[i % 2], s->xy[i]);
        high[i % 2] = fmax(high[i % 2], s->xy[i]);
    }
    const double size = fmax(1e-12, fmax(high[0] - low[0], high[1] - low[1]));
    return (view){.low = {(low[0] + high[0] - size) / 2, (low[1] + high[1] - size) / 2},
                  .size = size};
}

/* A few classes have the colours of series; more share the circle of hues by the golden angle. */
static void add_colour(mfm_markup *m, int group, int groups)
{
    if (groups <= MFM_CHART_COLOURS)
        mfm_markup_add(m, "class=\"dot c%d\"", group);
    else
        mfm_markup_add(m, "class=\"dot\" style=\"fill: hsl(%.0f, 65%%, 50%%)\"",
                       fmod(137.508 * group, 360));
}

void mfm_svg_scatter(mfm_markup *m, const mfm_scatter *s)
{
    if (s->count < 1)
        return;
    const view v = view_of(s);
    const bool legend = s->groups <= MFM_CHART_COLOURS;
    mfm_legend names[MFM_CHART_COLOURS];
    for (int g = 0; g < s->groups && legend; g++)
        names[g] = (mfm_legend){s->names[g], g};
    const int rows = mfm_svg_legend(NULL, names, legend ? s->groups : 0, MARGIN,
                                    MFM_CHART_WIDTH - 2 * MARGIN, 0);
    mfm_svg_open(m, MFM_CHART_WIDTH, ABOVE + SIDE + 2 * MARGIN + ROW * rows, s->title);
    mfm_markup_add(m, "<rect class=\"grid\" x=\"1\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", ABOVE,
                   MFM_CHART_WIDTH - 2, SIDE + MARGIN);
    const double left = (MFM_CHART_WIDTH - SIDE) / 2.0;
    for (int i = 0; i < s->count; i++) {
        mfm_markup_add(m, "<circle ");
        add_colour(m, s->group[i], s->groups);
        mfm_markup_add(m, " cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"><title>",
                       left + (s->xy[2 * i] - v.low[0]) / v.size * SIDE,
                       ABOVE + MARGIN / 2 + (1 - (s->xy[2 * i + 1] - v.low[1]) / v.size) * SIDE);
        mfm_markup_text(m, s->names[s->group[i]]);
        mfm_markup_add(m, "</title></circle>\n");
    }
    mfm_svg_legend(m, names, legend ? s->groups : 0, MARGIN, MFM_CHART_WIDTH - 2 * MARGIN,
                   ABOVE + SIDE + MARGIN + ROW);
    mfm_markup_add(m, "</svg>\n");
}
