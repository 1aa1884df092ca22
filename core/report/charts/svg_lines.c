#include <math.h>
#include <string.h>

#include "core/report/charts/svg.h"
#include "core/report/charts/svg_frame.h"

enum {
    MOST_TICKS = 5,
    MOST_EPOCHS = 8,
    MOST_POINTS = 30,
    MOST_STOPS = 60,
    MOST_CURVES = 24,
    ROOM = 32,
    LEAST_PERCENT = 10
};

typedef struct plot {
    mfm_frame frame;
    mfm_scale x;
    mfm_legend legend[MOST_CURVES];
} plot;

static double place_x(const plot *p, double x)
{
    return p->frame.left + mfm_scale_at(&p->x, x) * (p->frame.right - p->frame.left);
}

static int curves_of(const mfm_lines *l)
{
    return l->n_curves < MOST_CURVES ? l->n_curves : MOST_CURVES;
}

static void widen(double value, double *low, double *high)
{
    if (isfinite(value)) {
        *low = fmin(*low, value);
        *high = fmax(*high, value);
    }
}

/* The numbers of all curves along one axis. */
static void range_of(const mfm_lines *l, bool y, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int s = 0; s < curves_of(l); s++)
        for (int i = 0; i < l->curves[s].count; i++)
            widen(y ? l->curves[s].y[i] : l->curves[s].x[i], low, high);
    if (!isfinite(*low)) {
        *low = 0;
        *high = 1;
    }
}

/* Of 0 to 100, ten at least: differences of a few images are not to fill the chart. */
static mfm_scale scale_percent(double low, double high)
{
    const double more = fmax(0, LEAST_PERCENT - (high - low));
    low = fmax(0, fmin(low - more / 2, 100 - LEAST_PERCENT));
    return mfm_scale_linear(low, fmax(high, low + (more > 0 ? LEAST_PERCENT : 0)), MOST_TICKS);
}

static mfm_scale scale_y(const mfm_lines *l)
{
    double low, high;
    if (l->percent)
        return mfm_scale_linear(0, 100, MOST_TICKS);
    range_of(l, true, &low, &high);
    if (strchr(l->unit, '%')) /* one number alone tells most between 0 and 100 */
        return low == high ? mfm_scale_linear(0, 100, MOST_TICKS) : scale_percent(low, high);
    return mfm_scale_linear(l->from_zero ? fmin(0, low) : low, high, MOST_TICKS);
}

static mfm_scale scale_x(const mfm_lines *l)
{
    double low, high;
    if (l->percent)
        return mfm_scale_linear(0, 100, MOST_TICKS);
    range_of(l, false, &low, &high);
    return l->counted ? mfm_scale_counted(low, high, MOST_EPOCHS)
                      : mfm_scale_linear(low, high, MOST_EPOCHS);
}

static void add_axis(mfm_markup *m, const plot *p, const mfm_lines *l)
{
    const mfm_frame *f = &p->frame;
    for (int i = 0; i < p->x.n_ticks; i++)
        mfm_markup_add(m, "<text class=\"x\" x=\"%.2f\" y=\"%g\">%.10g</text>\n",
                       place_x(p, p->x.tick[i]), f->bottom + 14, p->x.tick[i]);
    mfm_markup_add(m, "<text class=\"x\" x=\"%g\" y=\"%g\">", (f->left + f->right) / 2,
                   f->bottom + 28);
    mfm_markup_text(m, l->x_name);
    mfm_markup_add(m, "</text>\n");
    if (l->percent)
        mfm_markup_add(m, "<path class=\"ideal\" d=\"M%g %gL%g %g\"/>\n", f->left, f->bottom,
                       f->right, f->top);
}

static bool is_known(const mfm_curve *c, int i)
{
    return isfinite(c->y[i]) && isfinite(c->x[i]);
}

/* A number that is missing ends the line, and the next one begins another. */
static void add_line(mfm_markup *m, const plot *p, const mfm_curve *c)
{
    const int colour = c->colour % MFM_CHART_COLOURS;
    mfm_markup_add(m, "<path class=\"line c%d%s\" d=\"", colour, c->dashed ? " dashed" : "");
    for (int i = 0; i < c->count; i++)
        if (is_known(c, i))
            mfm_markup_add(m, "%c%.2f %.2f", i && is_known(c, i - 1) ? 'L' : 'M',
                           place_x(p, c->x[i]), mfm_frame_y(&p->frame, c->y[i]));
    mfm_markup_add(m, "\"/>\n");
    for (int i = 0; i < c->count && c->count <= MOST_POINTS; i++)
        if (is_known(c, i))
            mfm_markup_add(m, "<circle class=\"dot c%d\" cx=\"%.2f\" cy=\"%.2f\" r=\"2\"/>", colour,
                           place_x(p, c->x[i]), mfm_frame_y(&p->frame, c->y[i]));
}

/* The y of a curve at x; NAN where it has none. */
static double value_at(const mfm_curve *c, double x)
{
    int low = 0, high = c->count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (c->x[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->count && c->x[low] == x ? c->y[low] : NAN;
}

/* A strip around x that tells all curves' numbers there. */
static void add_stop(mfm_markup *m, const plot *p, const mfm_lines *l, double x, double from,
                     double to)
{
    const mfm_frame *f = &p->frame;
    mfm_markup_add(m,
                   "<rect class=\"hit\" x=\"%.2f\" y=\"%g\" width=\"%.2f\" height=\"%g\"><title>",
                   from, f->top, fmax(0.5, to - from), f->bottom - f->top);
    mfm_markup_text(m, l->x_name);
    mfm_markup_add(m, " %.6g", x);
    for (int s = 0; s < curves_of(l); s++) {
        const double y = value_at(&l->curves[s], x);
        if (!isfinite(y))
            continue;
        mfm_markup_add(m, "\n");
        mfm_markup_text(m, l->curves[s].name);
        mfm_markup_add(m, ": %.5g%s", y, l->unit);
    }
    mfm_markup_add(m, "</title></rect>\n");
}

/* Strips at some of the places of the longest curve, each half way to its neighbours. */
static void add_stops(mfm_markup *m, const plot *p, const mfm_lines *l)
{
    const mfm_curve *longest = &l->curves[0];
    for (int s = 1; s < curves_of(l); s++)
        longest = l->curves[s].count > longest->count ? &l->curves[s] : longest;
    const int step = (longest->count + MOST_STOPS - 1) / MOST_STOPS;
    double from = p->frame.left;
    for (int i = 0; i < longest->count; i += step) {
        const int next = i + step;
        if (!isfinite(longest->x[i]))
            continue;
        const double here = place_x(p, longest->x[i]);
        const double to = next < longest->count && isfinite(longest->x[next])
                              ? (here + place_x(p, longest->x[next])) / 2
                              : p->frame.right;
        add_stop(m, p, l, longest->x[i], from, to);
        from = to;
    }
}

void mfm_svg_lines(mfm_markup *m, const mfm_lines *l)
{
    if (l->n_curves < 1)
        return;
    const mfm_scale y = scale_y(l);
    plot p = {.x = scale_x(l)};
    for (int s = 0; s < curves_of(l); s++)
        p.legend[s] = (mfm_legend){l->curves[s].name, l->curves[s].colour};
    p.frame = mfm_frame_make(&y, MFM_CHART_WIDTH, ROOM, p.legend, curves_of(l));
    mfm_frame_open(m, &p.frame, l->title);
    add_axis(m, &p, l);
    for (int s = 0; s < curves_of(l); s++)
        add_line(m, &p, &l->curves[s]);
    add_stops(m, &p, l);
    mfm_frame_close(m);
}
