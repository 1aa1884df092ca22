#include "tools/show/meter.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 20, LINE = 256, NARROWEST = 20, ERROR_TEXT = 64 };

static const double redraw_seconds = 0.1;

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

static void format_bar(uint64_t done, uint64_t all, char bar[BAR + 1])
{
    const int full = all ? (int)(done * BAR / all) : BAR;
    for (int i = 0; i < BAR; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
}

/* A line longer than the terminal is wide would wrap, and could not be taken back. */
static void draw(mfm_meter *meter, char line[LINE])
{
    struct winsize size;
    if (ioctl(fileno(meter->stream), TIOCGWINSZ, &size) == 0 && size.ws_col > NARROWEST &&
        strlen(line) >= size.ws_col)
        line[size.ws_col - 1] = '\0';
    fprintf(meter->stream, "\r\033[K%s", line);
    fflush(meter->stream);
    meter->drawn = true;
}

/* Whether it is time for a new line; the first and the last are left to chance as well. */
static bool due(mfm_meter *meter)
{
    const double t = now();
    if (!meter->terminal || t - meter->drawn_at < redraw_seconds)
        return false;
    meter->drawn_at = t;
    return true;
}

/* "  error 12.34 %  validation 13.50 %", of what is known. */
static void format_errors(double test, double validation, char text[ERROR_TEXT])
{
    text[0] = '\0';
    if (test >= 0)
        snprintf(text, ERROR_TEXT, "  error %.2f %%", test);
    const size_t used = strlen(text);
    if (!isnan(validation))
        snprintf(text + used, ERROR_TEXT - used, "  validation %.2f %%", validation);
}

void mfm_meter_progress(mfm_meter *meter, const mfm_progress *p)
{
    if (!due(meter))
        return;
    char bar[BAR + 1], left[32], doing[64], error[ERROR_TEXT], line[LINE];
    if (p->to_evaluate) {
        format_bar(p->evaluated, p->to_evaluate, bar);
        snprintf(doing, sizeof doing, "evaluating");
    } else {
        format_bar(p->step - p->epoch_first_step, p->epoch_end_step - p->epoch_first_step, bar);
        snprintf(doing, sizeof doing, "%.0f images/s", p->images_per_second);
    }
    format_time(p->seconds_left, left);
    format_errors(meter->last_error, meter->last_validation, error);
    snprintf(line, sizeof line, "epoch %llu/%u [%s] loss %.4f%s  %s  %s left",
             (unsigned long long)p->epoch + 1, meter->epochs, bar, p->train_loss, error, doing,
             left);
    draw(meter, line);
}

void mfm_meter_images(mfm_meter *meter, const char *doing, uint32_t done, uint32_t total)
{
    if (!done)
        meter->begun_at = now();
    if (!due(meter))
        return;
    char bar[BAR + 1], line[LINE], time[32], left[40] = "";
    format_bar(done, total, bar);
    if (done) {
        format_time((now() - meter->begun_at) / done * (total - done), time);
        snprintf(left, sizeof left, ", %s left", time);
    }
    snprintf(line, sizeof line, "%s [%s] %u of %u images%s", doing, bar, done, total, left);
    draw(meter, line);
}

void mfm_meter_epoch(mfm_meter *meter, const mfm_epoch_report *r)
{
    meter->last_error = r->test_error;
    meter->last_validation = r->validation_error;
    if (meter->terminal)
        return;
    char meta[40] = "", spent[32], error[ERROR_TEXT];
    if (isfinite(r->meta_loss))
        snprintf(meta, sizeof meta, "  meta loss %.4f", r->meta_loss);
    format_time(r->seconds, spent);
    format_errors(r->test_error, r->validation_error, error);
    fprintf(meter->stream, "epoch %u/%u  loss %.4f%s%s  lr %g  %s\n", r->epoch, meter->epochs,
            r->train_loss, meta, error, r->lr, spent);
    fflush(meter->stream);
}

void mfm_meter_clear(mfm_meter *meter)
{
    if (!meter->drawn)
        return;
    fprintf(meter->stream, "\r\033[K");
    fflush(meter->stream);
    meter->drawn = false;
}
