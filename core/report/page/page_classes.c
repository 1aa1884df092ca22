/* Recall of each class, and label distributions. */
#include <math.h>
#include <stdio.h>

#include "core/report/page/page_parts.h"

enum { NAME = MFM_PAGE_SERIES_NAME };

void mfm_page_name_with_mean(const char *run, const double *recall, int classes,
                             char name[MFM_PAGE_SERIES_NAME])
{
    double sum = 0;
    int tested = 0;
    for (int c = 0; c < classes; c++)
        if (!isnan(recall[c])) {
            sum += recall[c];
            tested++;
        }
    if (tested)
        snprintf(name, MFM_PAGE_SERIES_NAME, "%.100s, mean %.2f %%", run, sum / tested);
    else
        snprintf(name, MFM_PAGE_SERIES_NAME, "%.100s", run);
}

/* Runs without a finished epoch have no bars. */
static void add_recall(mfm_page_text *t, const mfm_page *p)
{
    char names[MFM_PAGE_MOST_RUNS][NAME];
    const char *series[MFM_PAGE_MOST_RUNS];
    const double *values[MFM_PAGE_MOST_RUNS];
    int n = 0;
    for (int i = 0; i < p->n_runs && n < MFM_PAGE_MOST_RUNS; i++)
        if (p->runs[i].recall) {
            mfm_page_name_with_mean(p->runs[i].name, p->runs[i].recall, p->classes, names[n]);
            series[n] = names[n];
            values[n++] = p->runs[i].recall;
        }
    if (n == 0)
        return;
    const mfm_bars bars = {.title = n > 1 ? "Recall of each class after the last epoch, %"
                                          : "Recall after the last epoch, %",
                           .unit = "%",
                           .names = p->class_names,
                           .count = p->classes,
                           .series = n,
                           .series_names = series,
                           .values = values,
                           .at_end = 100};
    mfm_page_figure(t, "recall", -1, mfm_svg_bars_width(&bars));
    mfm_svg_bars(&t->markup, &bars);
    mfm_page_figure_end(t);
}

static bool same_split(const mfm_page *p, int a, int b)
{
    for (int c = 0; c < p->classes; c++)
        if (p->runs[a].train[c] != p->runs[b].train[c])
            return false;
    return true;
}

/* Runs that have the images of run number `run`; 0 where an earlier one has them, too. */
static int runs_with_split(const mfm_page *p, int run)
{
    int runs = 0;
    for (int i = 0; i < p->n_runs; i++)
        if (same_split(p, i, run)) {
            if (i < run)
                return 0;
            runs++;
        }
    return runs;
}

/* A chart for each split that runs have. */
static void add_images(mfm_page_text *t, const mfm_page *p, int run)
{
    char title[NAME], more[32] = "";
    const mfm_page_run *r = &p->runs[run];
    const int runs = runs_with_split(p, run);
    if (runs == 0)
        return;
    if (runs > 1)
        snprintf(more, sizeof more, " and %d more", runs - 1);
    if (runs == p->n_runs)
        snprintf(title, sizeof title, "Training images, logarithmic");
    else
        snprintf(title, sizeof title, "Training images of %.60s%s, logarithmic", r->name, more);
    const double *values[] = {r->train};
    const mfm_bars bars = {.title = title,
                           .unit = "images",
                           .names = p->class_names,
                           .count = p->classes,
                           .series = 1,
                           .values = values,
                           .colour = runs == p->n_runs ? 0 : run,
                           .log = true};
    mfm_page_figure(t, "training-images", runs == p->n_runs ? -1 : run, mfm_svg_bars_width(&bars));
    mfm_svg_bars(&t->markup, &bars);
    mfm_page_figure_end(t);
}

static double sum_of(const double *numbers, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += numbers[i];
    return sum;
}

/* Shares of classes: training, meta, test and predicted labels. room: [4, classes]. */
static int add_shares(const mfm_page *p, const mfm_page_run *r, double *room, const char *names[4],
                      const double *values[4])
{
    const int n = p->classes;
    int series = 0;
    const double *const counted[] = {r->train, r->meta};
    static const char *const called[] = {"training", "meta set"};
    for (int k = 0; k < 2; k++) {
        const double sum = sum_of(counted[k], n);
        if (!(sum > 0))
            continue;
        for (int c = 0; c < n; c++)
            room[series * n + c] = 100 * counted[k][c] / sum;
        names[series++] = called[k];
    }
    const double images = r->confusion ? (double)r->confusion->images : 0;
    for (int k = 0; k < 2 && images > 0; k++) {
        for (int c = 0; c < n; c++) {
            double count = k ? 0 : (double)mfm_confusion_class_images(r->confusion, c);
            for (int truth = 0; truth < n && k; truth++)
                count +=
                    r->confusion->count[(size_t)truth * (size_t)r->confusion->classes + (size_t)c];
            room[series * n + c] = 100 * count / images;
        }
        names[series++] = k ? "predicted" : "test";
    }
    for (int s = 0; s < series; s++)
        values[s] = room + s * n;
    return series;
}

static void add_distribution(mfm_page_text *t, const mfm_page *p, int run)
{
    mfm_markup *m = &t->markup;
    const mfm_page_run *r = &p->runs[run];
    double *room = mfm_alloc(m->ctx, 4 * (size_t)p->classes, sizeof *room);
    if (!room) {
        m->status = MFM_ENOMEM;
        return;
    }
    const char *names[4];
    const double *values[4];
    char title[NAME];
    snprintf(title, sizeof title, "Label distributions%s%.100s, %%", p->n_runs > 1 ? " of " : "",
             p->n_runs > 1 ? r->name : "");
    const mfm_bars bars = {.title = title,
                           .unit = "%",
                           .names = p->class_names,
                           .count = p->classes,
                           .series = add_shares(p, r, room, names, values),
                           .series_names = names,
                           .values = values};
    mfm_page_figure(t, "labels", run, mfm_svg_bars_width(&bars));
    mfm_svg_bars(m, &bars);
    mfm_page_figure_end(t);
    mfm_free(m->ctx, room);
}

void mfm_page_classes(mfm_page_text *t, const mfm_page *p)
{
    mfm_markup_add(&t->markup, "<h2>Classes</h2>\n<div class=\"row\">\n");
    add_recall(t, p);
    for (int i = 0; i < p->n_runs; i++)
        add_images(t, p, i);
    for (int i = 0; i < p->n_runs; i++)
        if (p->runs[i].confusion)
            add_distribution(t, p, i);
    mfm_page_priors(t, p);
    mfm_markup_add(&t->markup, "</div>\n");
}
