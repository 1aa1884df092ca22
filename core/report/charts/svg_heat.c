#include <string.h>

#include "core/report/charts/svg.h"
#include "core/report/charts/svg_frame.h"

/* Classes up to which cells have numbers, and all rows and columns names; of more some have. */
enum { MOST_NUMBERS = 16, MOST_NAMES = 30, SOME_NAMES = 12 };
enum { LONGEST_NAME = 12, ABOVE = 26, BELOW = 20 };
static const double letter = 5.6, dark_from = 0.55; /* share from which a cell is dark */

typedef struct grid {
    double left, top, cell;
} grid;

static void add_name(mfm_markup *m, const char *name, double x, double y, bool row)
{
    const size_t length = mfm_svg_shown(name, LONGEST_NAME);
    char text[LONGEST_NAME + 1] = "";
    memcpy(text, name, length);
    mfm_markup_add(m, "<text class=\"name\" x=\"%.2f\" y=\"%.2f\"", x, y);
    if (!row)
        mfm_markup_add(m, " transform=\"rotate(-40 %.2f %.2f)\"", x, y);
    mfm_markup_add(m, ">");
    mfm_markup_text(m, text);
    mfm_markup_add(m, "%s</text>\n", name[length] ? "&#8230;" : "");
}

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
                       share > dark_from ? "ondark" : "onlight", x + g->cell / 2,
                       y + g->cell / 2 + 3, count);
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

void mfm_svg_heat(mfm_markup *m, const mfm_heat *h)
{
    size_t longest = 0;
    for (int i = 0; i < h->n; i++) {
        const size_t length = mfm_svg_shown(h->names[i], LONGEST_NAME);
        longest = length > longest ? length : longest;
    }
    const int step = h->n <= MOST_NAMES ? 1 : (h->n + SOME_NAMES - 1) / SOME_NAMES;
    grid g = {.left = 10 + letter * (double)longest, .top = ABOVE};
    g.cell = (MFM_CHART_WIDTH - g.left - 6) / h->n;
    const double side = g.cell * h->n, below = 12 + 4.2 * (double)longest;
    mfm_svg_open(m, MFM_CHART_WIDTH, g.top + side + below + BELOW, h->title);
    mfm_markup_add(m,
                   "<rect class=\"grid\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>\n",
                   g.left, g.top, side, side);
    for (int i = 0; i < h->n; i++) {
        add_row(m, h, &g, i);
        if (i % step)
            continue;
        add_name(m, h->names[i], g.left - 4, g.top + g.cell * (i + 0.5) + 4, true);
        add_name(m, h->names[i], g.left + g.cell * (i + 0.5) + 3, g.top + side + 10, false);
    }
    mfm_markup_add(m,
                   "<text class=\"x\" x=\"%.2f\" y=\"%.2f\">predicted; rows: true class</text>\n",
                   g.left + side / 2, g.top + side + below + 14);
    mfm_markup_add(m, "</svg>\n");
}
