#include <math.h>
#include <string.h>

#include "core/report/svg.h"
#include "core/report/svg_frame.h"

enum { MOST_TICKS = 5, MOST_NAMES = 30, MOST_VALUES = 20, LONGEST_NAME = 18, ROOM = 22 };

/* Under a name that is turned by 40 degrees: its letters are about 7 wide. */
static const double room_of_a_letter = 4.5;

static mfm_scale scale_of(const mfm_bars *b)
{
    double low = INFINITY, high = b->at_end;
    for (int i = 0; i < b->count; i++) {
        high = fmax(high, b->values[i]);
        if (b->values[i] > 0)
            low = fmin(low, b->values[i]);
    }
    if (!b->log)
        return mfm_scale_linear(0, high, MOST_TICKS);
    return isfinite(low) ? mfm_scale_log(low, high) : mfm_scale_log(1, 10);
}

/* Bytes of a name that are shown, whole characters of UTF-8. */
static size_t shown(const char *name)
{
    size_t length = strlen(name);
    if (length <= LONGEST_NAME)
        return length;
    for (length = LONGEST_NAME; length && ((unsigned char)name[length] & 0xC0) == 0x80;)
        length--;
    return length;
}

static double room_for_names(const mfm_bars *b)
{
    size_t longest = 0;
    for (int i = 0; i < b->count; i++)
        longest = shown(b->names[i]) > longest ? shown(b->names[i]) : longest;
    return ROOM + room_of_a_letter * (double)longest;
}

static void add_name(mfm_markup *m, const mfm_frame *f, const char *name, double x)
{
    const double y = f->bottom + 12;
    const size_t length = shown(name);
    char text[LONGEST_NAME + 1] = "";
    memcpy(text, name, length);
    mfm_markup_add(m,
                   "<text class=\"name\" x=\"%.2f\" y=\"%g\" "
                   "transform=\"rotate(-40 %.2f %g)\">",
                   x, y, x, y);
    mfm_markup_text(m, text);
    mfm_markup_add(m, "%s</text>", name[length] ? "&#8230;" : "");
}

/* A bar with its number, which a pointer over it shows together with the name. */
static void add_bar(mfm_markup *m, const mfm_frame *f, const mfm_bars *b, int i)
{
    const double slot = (f->right - f->left) / b->count;
    const double x = f->left + slot * i, value = b->values[i];
    const double y = isnan(value) ? f->bottom : mfm_frame_y(f, value);
    mfm_markup_add(m, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\">",
                   b->series, x + 0.1 * slot, y, 0.8 * slot, f->bottom - y);
    mfm_markup_add(m, "<title>");
    mfm_markup_text(m, b->names[i]);
    if (!isnan(value))
        mfm_markup_add(m, ": %.6g ", value);
    mfm_markup_text(m, isnan(value) ? ": not known" : b->unit);
    mfm_markup_add(m, "</title></rect>");
    if (!isnan(value) && b->count <= MOST_VALUES)
        mfm_markup_add(m, "<text class=\"value\" x=\"%.2f\" y=\"%.2f\">%.4g</text>", x + 0.5 * slot,
                       y - 4, value);
    if (b->labels && b->count <= MOST_NAMES)
        add_name(m, f, b->names[i], x + 0.5 * slot);
    mfm_markup_add(m, "\n");
}

/* Many classes are numbered from 0. */
static void add_numbers(mfm_markup *m, const mfm_frame *f, int count)
{
    const mfm_scale x = mfm_scale_counted(0, count - 1, 10);
    const double slot = (f->right - f->left) / count;
    for (int i = 0; i < x.n_ticks; i++)
        mfm_markup_add(m, "<text class=\"x\" x=\"%.2f\" y=\"%g\">%.10g</text>\n",
                       f->left + slot * (x.tick[i] + 0.5), f->bottom + 16, x.tick[i]);
}

void mfm_svg_bars(mfm_markup *m, const mfm_bars *b)
{
    const mfm_scale y = scale_of(b);
    const bool names = b->labels && b->count <= MOST_NAMES;
    const mfm_frame frame = mfm_frame_make(&y, names ? room_for_names(b) : ROOM);
    mfm_frame_open(m, &frame, b->title);
    for (int i = 0; i < b->count; i++)
        add_bar(m, &frame, b, i);
    if (b->count > MOST_NAMES)
        add_numbers(m, &frame, b->count);
    mfm_frame_close(m);
}
