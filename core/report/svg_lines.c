#include <math.h>

#include "core/report/svg.h"
#include "core/report/svg_frame.h"

enum { MOST_TICKS = 5, MOST_EPOCHS = 12, MOST_POINTS = 60, ROOM = 34 };

typedef struct plot {
    mfm_frame frame;
    mfm_scale x;
} plot;

static double place_x(const plot *p, double epoch)
{
    return p->frame.left + mfm_scale_at(&p->x, epoch) * (p->frame.right - p->frame.left);
}

static mfm_scale scale_of(const mfm_lines *l)
{
    double low = INFINITY, high = -INFINITY;
    for (int s = 0; s < l->series; s++)
        for (int i = 0; i < l->count; i++) {
            low = fmin(low, l->values[s][i]);
            high = fmax(high, l->values[s][i]);
        }
    if (!isfinite(low) || !isfinite(high))
        return mfm_scale_linear(0, 1, MOST_TICKS);
    return mfm_scale_linear(l->from_zero ? fmin(0, low) : low, high, MOST_TICKS);
}

static void add_epochs(mfm_markup *m, const plot *p)
{
    const mfm_frame *f = &p->frame;
    for (int i = 0; i < p->x.n_ticks; i++)
        mfm_markup_add(m, "<text class=\"x\" x=\"%.2f\" y=\"%g\">%.10g</text>\n",
                       place_x(p, p->x.tick[i]), f->bottom + 16, p->x.tick[i]);
    mfm_markup_add(m, "<text class=\"x\" x=\"%g\" y=\"%g\">epoch</text>\n",
                   (f->left + f->right) / 2, f->bottom + 31);
}

static void add_points(mfm_markup *m, const plot *p, const mfm_lines *l, int series)
{
    const double *values = l->values[series];
    for (int i = 0; i < l->count; i++)
        if (!isnan(values[i])) {
            mfm_markup_add(m, "<circle class=\"dot%d\" cx=\"%.2f\" cy=\"%.2f\" r=\"2.5\"><title>",
                           series, place_x(p, l->epochs[i]), mfm_frame_y(&p->frame, values[i]));
            mfm_markup_text(m, l->names[series]);
            mfm_markup_add(m, ", epoch %.10g: %.6g</title></circle>\n", l->epochs[i], values[i]);
        }
}

/* A number that is missing ends the line, and the next one begins another. */
static void add_line(mfm_markup *m, const plot *p, const mfm_lines *l, int series)
{
    const double *values = l->values[series];
    mfm_markup_add(m, "<path class=\"line%d\" d=\"", series);
    for (int i = 0; i < l->count; i++)
        if (!isnan(values[i]))
            mfm_markup_add(m, "%c%.2f %.2f", i && !isnan(values[i - 1]) ? 'L' : 'M',
                           place_x(p, l->epochs[i]), mfm_frame_y(&p->frame, values[i]));
    mfm_markup_add(m, "\"/>\n");
    if (l->count <= MOST_POINTS)
        add_points(m, p, l, series);
}

static void add_legend(mfm_markup *m, const plot *p, const mfm_lines *l)
{
    for (int s = 0; s < l->series; s++) {
        const double x = p->frame.right - 140.0 * (l->series - s);
        mfm_markup_add(m, "<path class=\"line%d\" d=\"M%g 10h20\"/><text x=\"%g\" y=\"14\">", s, x,
                       x + 26);
        mfm_markup_text(m, l->names[s]);
        mfm_markup_add(m, "</text>\n");
    }
}

/* A ring around the point; what it means stands above the data, where no line runs. */
static void add_mark(mfm_markup *m, const plot *p, const mfm_lines *l)
{
    static const char ring[] = "<circle class=\"mark\" cx=\"%.2f\" cy=\"%.2f\" r=\"5\"/>";
    const mfm_frame *f = &p->frame;
    mfm_markup_add(m, ring, place_x(p, l->epochs[l->mark]), mfm_frame_y(f, l->values[0][l->mark]));
    mfm_markup_add(m, ring, f->right - 6, 10.0);
    mfm_markup_add(m, "<text class=\"marked\" x=\"%g\" y=\"14\">", f->right - 18);
    mfm_markup_text(m, l->mark_text);
    mfm_markup_add(m, "</text>\n");
}

void mfm_svg_lines(mfm_markup *m, const mfm_lines *l)
{
    if (l->count < 1)
        return;
    const mfm_scale y = scale_of(l);
    const plot p = {.frame = mfm_frame_make(&y, ROOM),
                    .x = mfm_scale_counted(l->epochs[0], l->epochs[l->count - 1], MOST_EPOCHS)};
    mfm_frame_open(m, &p.frame, l->title);
    add_epochs(m, &p);
    if (l->mark < 0)
        add_legend(m, &p, l);
    for (int s = 0; s < l->series; s++)
        add_line(m, &p, l, s);
    if (l->mark >= 0)
        add_mark(m, &p, l);
    mfm_frame_close(m);
}
