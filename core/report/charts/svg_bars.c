#include <math.h>

#include "core/report/charts/svg.h"
#include "core/report/charts/svg_frame.h"

enum { MOST_TICKS = 5, MOST_NAMES = 120, LONGEST_NAME = 18, ROOM = 20, MOST_SERIES = 24 };

/* The least widths of a bar and of a group with a name, and of a bar that has its number above. */
static const double least_bar = 5, least_group = 16, numbered_bar = 24;

static mfm_scale scale_of(const mfm_bars *b)
{
    double low = INFINITY, high = b->at_end;
    for (int s = 0; s < b->series; s++)
        for (int i = 0; i < b->count; i++) {
            high = fmax(high, b->values[s][i]);
            if (b->values[s][i] > 0)
                low = fmin(low, b->values[s][i]);
        }
    if (!b->log)
        return mfm_scale_linear(0, high, MOST_TICKS);
    return isfinite(low) ? mfm_scale_log(low, high) : mfm_scale_log(1, 10);
}

static bool has_names(const mfm_bars *b)
{
    return b->count <= MOST_NAMES;
}

double mfm_svg_bars_width(const mfm_bars *b)
{
    const double bars = least_bar * b->count * (b->series + 0.5);
    const double names = has_names(b) ? least_group * b->count : 0;
    return fmax(MFM_CHART_WIDTH,
                MFM_CHART_LEFT + MFM_CHART_RIGHT + (b->count > 200 ? 0 : fmax(bars, names)));
}

static double distance_of_groups(const mfm_bars *b)
{
    return (mfm_svg_bars_width(b) - MFM_CHART_LEFT - MFM_CHART_RIGHT) / b->count;
}

/* Where the name of group i ends. */
static double end_of_name(const mfm_bars *b, int i)
{
    return MFM_CHART_LEFT + distance_of_groups(b) * (i + 0.5) + 3;
}

/* Degrees; steeper where a name would begin left of the picture. */
static double turn_of(const mfm_bars *b)
{
    const double usual = mfm_svg_names_turn(distance_of_groups(b)), degree = acos(-1) / 180;
    for (int i = 0; i < b->count; i++)
        if (mfm_svg_names_width(&b->names[i], 1, LONGEST_NAME) * cos(usual * degree) >
            end_of_name(b, i))
            return mfm_svg_names_turn(0);
    return usual;
}

static double room_below(const mfm_bars *b)
{
    const double turn = turn_of(b) * acos(-1) / 180;
    return ROOM -
           (has_names(b) ? mfm_svg_names_width(b->names, b->count, LONGEST_NAME) * sin(turn) : 0);
}

/* Bar s of group i, of `wide` from x on. */
static void add_bar(mfm_markup *m, const mfm_frame *f, const mfm_bars *b, int s, int i, double x,
                    double wide)
{
    const double value = b->values[s][i];
    const double y = isnan(value) ? f->bottom : mfm_frame_y(f, value);
    mfm_markup_add(m,
                   "<rect class=\"bar c%d\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\">"
                   "<title>",
                   (b->colour + s) % MFM_CHART_COLOURS, x, y, wide, f->bottom - y);
    mfm_markup_text(m, b->names[i]);
    if (b->series > 1) {
        mfm_markup_add(m, ", ");
        mfm_markup_text(m, b->series_names[s]);
    }
    if (!isnan(value))
        mfm_markup_add(m, ": %.6g ", value);
    mfm_markup_text(m, isnan(value) ? ": not known" : b->unit);
    mfm_markup_add(m, "</title></rect>");
    if (!isnan(value) && wide >= numbered_bar)
        mfm_markup_add(m, "<text class=\"value\" x=\"%.2f\" y=\"%.2f\">%.4g</text>", x + 0.5 * wide,
                       y - 3, value);
    mfm_markup_add(m, "\n");
}

/* Many classes are numbered from 0. */
static void add_numbers(mfm_markup *m, const mfm_frame *f, int count)
{
    const mfm_scale x = mfm_scale_counted(0, count - 1, 10);
    const double slot = (f->right - f->left) / count;
    for (int i = 0; i < x.n_ticks; i++)
        mfm_markup_add(m, "<text class=\"x\" x=\"%.2f\" y=\"%g\">%.10g</text>\n",
                       f->left + slot * (x.tick[i] + 0.5), f->bottom + 14, x.tick[i]);
}

void mfm_svg_bars(mfm_markup *m, const mfm_bars *b)
{
    const mfm_scale y = scale_of(b);
    const int shown = b->series < MOST_SERIES ? b->series : MOST_SERIES;
    mfm_legend legend[MOST_SERIES];
    for (int s = 0; s < shown; s++)
        legend[s] = (mfm_legend){b->series > 1 ? b->series_names[s] : "", b->colour + s};
    const mfm_frame frame = mfm_frame_make(&y, mfm_svg_bars_width(b), room_below(b), legend, shown);
    const double slot = (frame.right - frame.left) / b->count, wide = 0.84 * slot / b->series;
    const double turn = turn_of(b);
    mfm_frame_open(m, &frame, b->title);
    for (int i = 0; i < b->count; i++) {
        const double left = frame.left + slot * (i + 0.08);
        for (int s = 0; s < b->series; s++)
            add_bar(m, &frame, b, s, i, left + wide * s, wide);
        if (has_names(b))
            mfm_svg_name(m, b->names[i], LONGEST_NAME, end_of_name(b, i), frame.bottom + 11, turn,
                         false);
    }
    if (!has_names(b))
        add_numbers(m, &frame, b->count);
    mfm_frame_close(m);
}
