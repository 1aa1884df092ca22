#include <math.h>

#include "core/report/charts/svg.h"
#include "core/report/charts/svg_frame.h"

/* Classes up to which cells have numbers, and all rows and columns names; of more some have, except
 * in a large picture, whose cells have the size of a small letter. */
enum { MOST_NUMBERS = 16, MOST_NAMES = 30, SOME_NAMES = 12, LARGE_CELL = 11, LARGE_SIDE = 1100 };
enum { LONGEST_NAME = 12, ABOVE = 26, BELOW = 20, MARGIN = 6 };
/* Shares from which a cell is half dark, and dark. Between them black is read best on the colour of
 * either scheme: with them a number's contrast is 3.8 at least. */
static const double mid_from = 0.55, dark_from = 0.82;

typedef struct grid {
    double left, top, cell;
} grid;

static void add_cell(mfm_markup *m, const mfm_heat *h, const grid *g, int row, int column,
                     double images)
{
    const uint32_t count = h->count[(size_t)row * (size_t)h->n + (size_t)column];
    const double share = count / images, x = g->left + g->cell * column, y = g->top + g->cell * row;
    mfm_markup_add(m,
                   "<rect class=\"cell\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" "
                   "fill-opacity=\"%.3f\"><title>",
                   x, y, g->cell, g->cell, share);
    mfm_markup_text(m, h->names[row]);
    mfm_markup_add(m, " as ");
    mfm_markup_text(m, h->names[column]);
    mfm_markup_add(m, ": %u of %.0f, %.1f %%</title></rect>\n", count, images, 100 * share);
    if (h->n <= MOST_NUMBERS)
        mfm_markup_add(m, "<text class=\"value %s\" x=\"%.2f\" y=\"%.2f\">%u</text>\n",
                       share > dark_from  ? "ondark"
                       : share > mid_from ? "onmid"
                                          : "onlight",
                       x + g->cell / 2, y + g->cell / 2 + 3, count);
}

/* The cells of a row that have images: an empty one is the background. */
static void add_row(mfm_markup *m, const mfm_heat *h, const grid *g, int row)
{
    double images = 0;
    for (int c = 0; c < h->n; c++)
        images += h->count[(size_t)row * (size_t)h->n + (size_t)c];
    for (int c = 0; c < h->n; c++)
        if (h->count[(size_t)row * (size_t)h->n + (size_t)c])
            add_cell(m, h, g, row, c, images);
}

static double left_of(const mfm_heat *h)
{
    return 10 + mfm_svg_names_width(h->names, h->n, LONGEST_NAME);
}

double mfm_svg_heat_width(const mfm_heat *h)
{
    if (!h->large || h->n <= MOST_NAMES)
        return MFM_CHART_WIDTH;
    return left_of(h) + fmin(LARGE_CELL * h->n, LARGE_SIDE) + MARGIN;
}

/* The names of every so many classes. */
static void add_names(mfm_markup *m, const mfm_heat *h, const grid *g, double turn)
{
    const bool small = mfm_svg_heat_width(h) > MFM_CHART_WIDTH;
    const int most = small ? LARGE_SIDE / LARGE_CELL : SOME_NAMES;
    const int step = h->n <= MOST_NAMES ? 1 : (h->n + most - 1) / most;
    const double bottom = g->top + g->cell * h->n;
    for (int i = 0; i < h->n; i += step) {
        const double middle = g->cell * (i + 0.5);
        mfm_svg_name(m, h->names[i], LONGEST_NAME, g->left - 4, g->top + middle + (small ? 3 : 4),
                     0, small);
        mfm_svg_name(m, h->names[i], LONGEST_NAME, g->left + middle + 3, bottom + 10, turn, small);
    }
}

void mfm_svg_heat(mfm_markup *m, const mfm_heat *h)
{
    const double width = mfm_svg_heat_width(h);
    grid g = {.left = left_of(h), .top = ABOVE};
    g.cell = (width - g.left - MARGIN) / h->n;
    const double turn = width > MFM_CHART_WIDTH ? mfm_svg_names_turn(LARGE_CELL) : -40;
    const double side = g.cell * h->n, below = 12 - (g.left - 10) * sin(turn * acos(-1) / 180);
    mfm_svg_open(m, width, g.top + side + below + BELOW, h->title);
    mfm_markup_add(m,
                   "<rect class=\"grid\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
                   g.left, g.top, side, side);
    for (int i = 0; i < h->n; i++)
        add_row(m, h, &g, i);
    add_names(m, h, &g, turn);
    mfm_markup_add(m,
                   "<text class=\"x\" x=\"%.2f\" y=\"%.2f\">predicted; rows: true class</text>\n",
                   g.left + side / 2, g.top + side + below + 14);
    mfm_markup_add(m, "</svg>\n");
}
