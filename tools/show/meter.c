#include "tools/show/meter.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 20, LEAST_BAR = 5, LINE = 256, PIECE = 64, MOST_PIECES = 8, ASSUMED_COLUMNS = 80 };

static const double redraw_seconds = 0.1, log_seconds = 300;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void mfm_meter_init(mfm_meter *meter, FILE *stream, uint32_t epochs, double last_error,
                    double last_validation)
{
    *meter = (mfm_meter){.stream = stream,
                         .terminal = isatty(fileno(stream)),
                         .epochs = epochs,
                         .last_error = last_error,
                         .last_validation = last_validation};
}

static void format_time(double seconds, char text[32])
{
    const unsigned long s = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(text, 32, "%lu h %02lu min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, 32, "%lu min %02lu s", s / 60, s % 60);
    else
        snprintf(text, 32, "%lu s", s);
}

/* ---- a line on a terminal -------------------------------------------------------------------- */

/* What a line consists of, from left to right; behind the first piece there is a bar. Of a line
 * that is too long pieces are left out, those of the least worth first. */
typedef struct piece {
    char text[PIECE];
    int worth;
} piece;

typedef struct line {
    piece pieces[MOST_PIECES];
    int n;
    uint64_t done, all; /* of the bar */
} line;

__attribute__((format(printf, 3, 4))) static void add(line *l, int worth, const char *format, ...)
{
    va_list args;
    piece *p = &l->pieces[l->n++];
    assert(l->n <= MOST_PIECES);
    va_start(args, format);
    vsnprintf(p->text, sizeof p->text, format, args);
    va_end(args);
    p->worth = worth;
}

static size_t length_of(const line *l)
{
    size_t length = 0;
    for (int i = 0; i < l->n; i++)
        length += strlen(l->pieces[i].text);
    return length;
}

static void leave_one_out(line *l)
{
    int least = l->n - 1;
    for (int i = l->n - 1; i > 0; i--)
        if (l->pieces[i].worth < l->pieces[least].worth)
            least = i;
    memmove(&l->pieces[least], &l->pieces[least + 1],
            (size_t)(--l->n - least) * sizeof l->pieces[0]);
}

static void format_bar(const line *l, size_t width, char bar[PIECE])
{
    const size_t full = l->all ? (size_t)(l->done * width / l->all) : width;
    bar[0] = '\0';
    if (width < LEAST_BAR)
        return;
    strcpy(bar, " [");
    for (size_t i = 0; i < width; i++)
        bar[2 + i] = i < full ? '#' : '.';
    strcpy(bar + 2 + width, "]");
}

/* Whole pieces and a bar, in as many columns. */
static void format_line(line *l, size_t columns, char text[LINE])
{
    enum { FRAME = 3 };
    char bar[PIECE];
    while (l->n > 1 && length_of(l) + FRAME + LEAST_BAR > columns)
        leave_one_out(l);
    const size_t length = length_of(l) + FRAME, left = length < columns ? columns - length : 0;
    format_bar(l, left < BAR ? left : BAR, bar);
    size_t used = (size_t)snprintf(text, LINE, "%s%s", l->pieces[0].text, bar);
    for (int i = 1; i < l->n; i++)
        used += (size_t)snprintf(text + used, LINE - used, "%s", l->pieces[i].text);
    if (used > columns)
        text[columns] = '\0';
}

/* A line as long as the terminal is wide would wrap, and could not be taken back. */
static void draw(mfm_meter *meter, line *l)
{
    struct winsize size;
    char text[LINE];
    const bool known = ioctl(fileno(meter->stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    const size_t columns = known ? size.ws_col : ASSUMED_COLUMNS;
    format_line(l, columns < LINE ? columns - 1 : LINE - 1, text);
    fprintf(meter->stream, "\r\033[K%s", text);
    fflush(meter->stream);
    meter->drawn = true;
}

/* The same in a file, where it stays. */
static void write_line(const mfm_meter *meter, const line *l)
{
    for (int i = 0; i < l->n; i++)
        fputs(l->pieces[i].text, meter->stream);
    fputc('\n', meter->stream);
    fflush(meter->stream);
}

/* Whether it is time for a new line; the first and the last are left to chance as well. In a file
 * there is one now and then, of what takes long. */
static bool due(mfm_meter *meter)
{
    const double t = now();
    if (!meter->terminal && meter->drawn_at == 0)
        meter->drawn_at = t;
    if (t - meter->drawn_at < (meter->terminal ? redraw_seconds : log_seconds))
        return false;
    meter->drawn_at = t;
    return true;
}

static void show(mfm_meter *meter, line *l)
{
    if (meter->terminal)
        draw(meter, l);
    else
        write_line(meter, l);
}

/* ---- what is told ---------------------------------------------------------------------------- */

void mfm_meter_progress(mfm_meter *meter, const mfm_progress *p)
{
    char left[32];
    meter->seconds_left = p->seconds_left;
    if (!due(meter))
        return;
    line l = {.done = p->to_evaluate ? p->evaluated : p->step - p->epoch_first_step,
              .all = p->to_evaluate ? p->to_evaluate : p->epoch_end_step - p->epoch_first_step};
    format_time(p->seconds_left, left);
    add(&l, 9, "epoch %llu/%u", (unsigned long long)p->epoch + 1, meter->epochs);
    if (!meter->terminal && !p->to_evaluate)
        add(&l, 1, "  step %llu of %llu", (unsigned long long)l.done, (unsigned long long)l.all);
    add(&l, 3, "%sloss %.4f", meter->terminal ? " " : "  ", p->train_loss);
    if (meter->last_error >= 0)
        add(&l, 1, "  error %.2f %%", meter->last_error);
    if (!isnan(meter->last_validation))
        add(&l, 2, "  validation %.2f %%", meter->last_validation);
    if (p->to_evaluate)
        add(&l, 2, "  evaluating");
    else
        add(&l, 2, "  %.0f images/s", p->images_per_second);
    add(&l, 5, "  %s left", left);
    show(meter, &l);
}

void mfm_meter_images(mfm_meter *meter, const char *doing, uint32_t done, uint32_t total)
{
    if (!done)
        meter->begun_at = now();
    if (!due(meter))
        return;
    char time[32];
    line l = {.done = done, .all = total};
    add(&l, 9, "%s", doing);
    add(&l, 1, "%s%u of %u images", meter->terminal ? " " : ": ", done, total);
    if (done) {
        format_time((now() - meter->begun_at) / done * (total - done), time);
        add(&l, 5, ", %s left", time);
    }
    show(meter, &l);
}

/* "  error 12.34 %  validation 13.50 %", of what is known. */
static void format_errors(double test, double validation, char text[PIECE])
{
    text[0] = '\0';
    if (test >= 0)
        snprintf(text, PIECE, "  error %.2f %%", test);
    const size_t used = strlen(text);
    if (!isnan(validation))
        snprintf(text + used, PIECE - used, "  validation %.2f %%", validation);
}

void mfm_meter_epoch(mfm_meter *meter, const mfm_epoch_report *r)
{
    meter->last_error = r->test_error;
    meter->last_validation = r->validation_error;
    if (meter->terminal)
        return;
    char meta[40] = "", spent[32], left[32], error[PIECE];
    if (isfinite(r->meta_loss))
        snprintf(meta, sizeof meta, "  meta loss %.4f", r->meta_loss);
    format_time(r->seconds, spent);
    format_time(meter->seconds_left, left);
    format_errors(r->test_error, r->validation_error, error);
    fprintf(meter->stream, "epoch %u/%u  loss %.4f%s%s  lr %g  %s in steps, %s left\n", r->epoch,
            meter->epochs, r->train_loss, meta, error, r->lr, spent, left);
    fflush(meter->stream);
    meter->drawn_at = now();
}

void mfm_meter_clear(mfm_meter *meter)
{
    if (!meter->drawn)
        return;
    fprintf(meter->stream, "\r\033[K");
    fflush(meter->stream);
    meter->drawn = false;
}
