#include "core/report/charts/scale.h"

#include <math.h>

/* Where steps of 1, 2 and 5 leave fewer than FEW_TICKS, the ends of a logarithmic scale are less
 * than 12.5 apart as a ratio. Of at most MOST_EVEN even steps three or more then end between them,
 * and the two uppermost farther from each other than digits are high. */
enum { FEW_TICKS = 3, MOST_EVEN = 8 };

/* Far beyond any loss on both sides, so that differences and steps are ordinary numbers. */
static const double most_value = 1e300, least_value = 1e-200;

static double tame(double value)
{
    if (!isfinite(value) || fabs(value) < least_value)
        return 0;
    return fmax(-most_value, fmin(most_value, value));
}

/* Too close for steps in double precision. */
static bool is_one_number(double low, double high)
{
    return high - low <= 1e-9 * fmax(fabs(low), fabs(high));
}

/* The smallest of 1, 2, 5 times a power of ten that covers range in at most `most` steps. */
static double step_for(double range, int most)
{
    const double rough = range / most;
    const double power = pow(10, floor(log10(rough)));
    const double ratio = rough / power * (1 - 1e-12);
    return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

/* The smallest step between ticks whose labels three digits tell apart. */
static double least_step(const mfm_scale *s)
{
    return pow(10, floor(log10(fmax(fabs(s->low), fabs(s->high))) + 1e-12) - 2);
}

static void add_tick(mfm_scale *s, double value)
{
    if (s->n_ticks < MFM_MOST_TICKS)
        s->tick[s->n_ticks++] = value;
}

mfm_scale mfm_scale_linear(double low, double high, int most)
{
    mfm_scale s = {.low = fmin(tame(low), tame(high)), .high = fmax(tame(low), tame(high))};
    if (is_one_number(s.low, s.high)) {
        s.low = fmin(s.low, 0);
        s.high = s.low == 0 && s.high == 0 ? 1 : fmax(s.high, 0);
    }
    const double step = fmax(step_for(s.high - s.low, most), least_step(&s));
    const double first = floor(s.low / step + 1e-9), last = ceil(s.high / step - 1e-9);
    s.low = first * step;
    s.high = last * step;
    for (double k = first; k <= last && s.n_ticks < MFM_MOST_TICKS; k++)
        add_tick(&s, k * step);
    return s;
}

mfm_scale mfm_scale_counted(double first, double last, int most)
{
    mfm_scale s = {.low = first, .high = last};
    const double step = last > first ? fmax(1, step_for(last - first, most)) : 1;
    for (double at = ceil(first / step) * step; at <= last && s.n_ticks < MFM_MOST_TICKS;
         at += step)
        add_tick(&s, at);
    if (first == last) {
        s.low -= 0.5;
        s.high += 0.5;
    }
    return s;
}

/* Ticks at powers of ten from 1 on; `all`: also at 2 and 5 times them. */
static void add_decades(mfm_scale *s, bool all)
{
    static const double times[] = {1, 2, 5};
    s->n_ticks = 0;
    for (double power = pow(10, fmax(0, floor(log10(s->low)))); power <= s->high; power *= 10)
        for (int i = 0; i < (all ? 3 : 1); i++)
            if (times[i] * power >= s->low && times[i] * power <= s->high)
                add_tick(s, times[i] * power);
}

/* Ticks in even steps, of whole numbers. */
static void add_even(mfm_scale *s)
{
    const double step = fmax(1, step_for(s->high - s->low, MOST_EVEN));
    s->n_ticks = 0;
    for (double k = ceil(s->low / step - 1e-9); k <= s->high / step + 1e-9; k++)
        add_tick(s, k * step);
}

mfm_scale mfm_scale_log(double low, double high)
{
    mfm_scale s = {.low = low / 2, .high = fmax(low, high), .log = true};
    add_decades(&s, false);
    if (s.n_ticks < FEW_TICKS)
        add_decades(&s, true);
    if (s.n_ticks < FEW_TICKS)
        add_even(&s);
    return s;
}

double mfm_scale_at(const mfm_scale *s, double value)
{
    const double place = s->log ? value > 0 ? log(value / s->low) / log(s->high / s->low) : 0
                                : (value - s->low) / (s->high - s->low);
    return fmax(0, fmin(1, place));
}
