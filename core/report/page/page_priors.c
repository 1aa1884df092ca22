/* Test images drawn to have other label distributions: how many, and what the runs do with them. */
#include <math.h>
#include <stdio.h>

#include "core/report/page/page_parts.h"

enum { MOST_SERIES = MFM_PAGE_MOST_RUNS + 1 };

/* Series of a chart with room for their numbers: [series, classes]. */
typedef struct chart {
    const mfm_page *page;
    double *room;
    const double *values[MOST_SERIES];
    char text[MOST_SERIES][MFM_PAGE_SERIES_NAME];
    const char *names[MOST_SERIES];
    int series;
} chart;

static double *add_series(chart *c)
{
    double *values = c->room + (size_t)c->series * (size_t)c->page->classes;
    c->names[c->series] = c->text[c->series];
    c->values[c->series++] = values;
    return values;
}

static void draw(mfm_page_text *t, const chart *c, const char *name, int number, mfm_bars bars)
{
    bars.names = c->page->class_names;
    bars.count = c->page->classes;
    bars.series = c->series;
    bars.series_names = c->names;
    bars.values = c->values;
    mfm_page_figure(t, name, number, mfm_svg_bars_width(&bars));
    mfm_svg_bars(&t->markup, &bars);
    mfm_page_figure_end(t);
}

/* Runs of one page have their test images in common: those of the first that was evaluated. */
static const mfm_page_run *first_with_priors(const mfm_page *p)
{
    for (int i = 0; i < p->n_runs; i++)
        if (p->runs[i].n_priors > 0)
            return &p->runs[i];
    return NULL;
}

static void add_counts(mfm_page_text *t, chart *c, const mfm_page_run *r)
{
    char title[MFM_PAGE_SERIES_NAME] = "Test images, drawn by label distribution";
    if (r->n_priors == 1) /* which is not named besides */
        snprintf(title, sizeof title, "Test images, drawn as %.80s", r->prior_names[0]);
    c->series = 0;
    for (int k = 0; k < r->n_priors && k < MOST_SERIES; k++) {
        double *images = add_series(c);
        c->names[k] = r->prior_names[k];
        for (int i = 0; i < c->page->classes; i++)
            images[i] = (double)mfm_confusion_class_images(&r->priors[k], i);
    }
    draw(t, c, "test-priors", -1, (mfm_bars){.title = title, .unit = "images"});
}

/* Recall of each run on the images of prior number k. */
static void add_recall(mfm_page_text *t, chart *c, const char *prior, int k)
{
    char title[MFM_PAGE_SERIES_NAME];
    snprintf(title, sizeof title, "Recall on test images drawn as %.80s, %%", prior);
    c->series = 0;
    for (int i = 0; i < c->page->n_runs && i < MFM_PAGE_MOST_RUNS; i++) {
        const mfm_page_run *r = &c->page->runs[i];
        if (r->n_priors <= k)
            continue;
        char *name = c->text[c->series];
        double *recall = add_series(c);
        for (int n = 0; n < c->page->classes; n++)
            recall[n] = mfm_confusion_recall(&r->priors[k], n);
        mfm_page_name_with_mean(r->name, recall, c->page->classes, name);
    }
    draw(t, c, "prior-recall", k, (mfm_bars){.title = title, .unit = "%", .at_end = 100});
}

/* Of all images of a confusion, the shares that belong to each class, or are predicted as it. */
static void add_shares(const mfm_confusion *f, bool predicted, double *shares)
{
    for (int n = 0; n < f->classes; n++) {
        double images = predicted ? 0 : (double)mfm_confusion_class_images(f, n);
        for (int truth = 0; truth < f->classes && predicted; truth++)
            images += f->count[(size_t)truth * (size_t)f->classes + (size_t)n];
        shares[n] = f->images ? 100 * images / (double)f->images : 0;
    }
}

static void add_labels(mfm_page_text *t, chart *c, const mfm_page_run *first, int k)
{
    char title[MFM_PAGE_SERIES_NAME];
    snprintf(title, sizeof title, "Labels of test images drawn as %.80s, %%",
             first->prior_names[k]);
    c->series = 0;
    snprintf(c->text[0], sizeof c->text[0], "drawn");
    add_shares(&first->priors[k], false, add_series(c));
    for (int i = 0; i < c->page->n_runs && i < MFM_PAGE_MOST_RUNS; i++) {
        const mfm_page_run *r = &c->page->runs[i];
        if (r->n_priors <= k)
            continue;
        snprintf(c->text[c->series], sizeof c->text[0], "predicted by %.100s", r->name);
        add_shares(&r->priors[k], true, add_series(c));
    }
    draw(t, c, "prior-labels", k, (mfm_bars){.title = title, .unit = "%"});
}

void mfm_page_priors(mfm_page_text *t, const mfm_page *p)
{
    mfm_markup *m = &t->markup;
    const mfm_page_run *first = first_with_priors(p);
    chart *c = first ? mfm_alloc(m->ctx, 1, sizeof *c) : NULL;
    if (c)
        *c = (chart){.page = p,
                     .room = mfm_alloc(m->ctx, MOST_SERIES * (size_t)p->classes, sizeof(double))};
    if (first && (!c || !c->room))
        m->status = MFM_ENOMEM;
    if (c && c->room) {
        add_counts(t, c, first);
        for (int k = 0; k < first->n_priors; k++) {
            add_recall(t, c, first->prior_names[k], k);
            add_labels(t, c, first, k);
        }
    }
    if (c)
        mfm_free(m->ctx, c->room);
    mfm_free(m->ctx, c);
}
