/* What the test images tell: confusion, calibration, the modulator's outputs, mistakes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/report/page/page_parts.h"

enum { NAME = 160 };

/* Of several runs side by side: the page of one has it large. */
static void add_confusions(mfm_page_text *t, const mfm_page *p)
{
    char title[NAME];
    mfm_markup_add(&t->markup, "<h2>Confusion</h2>\n<div class=\"row\">\n");
    for (int i = 0; i < p->n_runs; i++) {
        const mfm_page_run *r = &p->runs[i];
        if (!r->confusion)
            continue;
        snprintf(title, sizeof title, "%.100s: error %.2f %%", r->name,
                 mfm_confusion_error(r->confusion));
        const mfm_heat heat = {.title = title,
                               .names = p->class_names,
                               .count = r->confusion->count,
                               .n = p->classes,
                               .large = p->n_runs == 1};
        mfm_page_figure(t, "confusion", i, mfm_svg_heat_width(&heat));
        mfm_svg_heat(&t->markup, &heat);
        mfm_page_figure_end(t);
    }
    mfm_markup_add(&t->markup, "</div>\n");
}

/* Bins without images are left out: a curve goes from bin to bin that has some. */
static void add_reliability(mfm_page_text *t, const mfm_page *p)
{
    double x[MFM_PAGE_MOST_RUNS][MFM_CALIBRATION_BINS];
    double y[MFM_PAGE_MOST_RUNS][MFM_CALIBRATION_BINS];
    char names[MFM_PAGE_MOST_RUNS][NAME];
    mfm_curve curves[MFM_PAGE_MOST_RUNS];
    int n = 0;
    for (int i = 0; i < p->n_runs && n < MFM_PAGE_MOST_RUNS; i++) {
        if (!p->runs[i].predictions)
            continue;
        const mfm_calibration c = mfm_predictions_calibration(p->runs[i].predictions);
        int bins = 0;
        for (int b = 0; b < MFM_CALIBRATION_BINS; b++)
            if (c.images[b] > 0) {
                x[n][bins] = c.confidence[b];
                y[n][bins++] = c.accuracy[b];
            }
        snprintf(names[n], NAME, "%.100s, ECE %.2f %%", p->runs[i].name, c.error);
        curves[n] = (mfm_curve){.name = names[n], .x = x[n], .y = y[n], .count = bins, .colour = i};
        n++;
    }
    if (n == 0)
        return;
    mfm_markup_add(&t->markup, "<h2>Calibration</h2>\n<div class=\"row\">\n");
    mfm_page_figure(t, "reliability", -1, 0);
    mfm_svg_lines(&t->markup, &(mfm_lines){.title = n > 1 ? "Accuracy by confidence, %" : names[0],
                                           .x_name = "confidence, %",
                                           .unit = " % right",
                                           .curves = curves,
                                           .n_curves = n,
                                           .percent = true});
    mfm_page_figure_end(t);
    mfm_markup_add(&t->markup, "</div>\n");
}

void mfm_page_tests(mfm_page_text *t, const mfm_page *p)
{
    bool any = false;
    for (int i = 0; i < p->n_runs; i++)
        any |= p->runs[i].confusion != NULL;
    if (any)
        add_confusions(t, p);
    add_reliability(t, p);
}

void mfm_page_scatters(mfm_page_text *t, const mfm_page *p)
{
    int scatters = 0;
    for (int i = 0; i < p->n_runs; i++)
        scatters += p->runs[i].n_scatters;
    if (scatters == 0)
        return;
    mfm_markup_add(&t->markup, "<h2>What the modulator gives</h2>\n<p>gamma and beta of test "
                               "images, laid out by t&#8209;SNE; colours are true classes.</p>\n"
                               "<div class=\"row\">\n");
    for (int i = 0; i < p->n_runs; i++)
        for (int k = 0; k < p->runs[i].n_scatters; k++) {
            const mfm_page_scatter *s = &p->runs[i].scatters[k];
            char title[2 * NAME];
            snprintf(title, sizeof title, "%.100s%s%.100s (KL %.3f)",
                     p->n_runs > 1 ? p->runs[i].name : "", p->n_runs > 1 ? ": " : "", s->title,
                     s->objective);
            mfm_page_figure(t, s->title, i, 0);
            mfm_svg_scatter(&t->markup, &(mfm_scatter){.title = title,
                                                       .xy = s->xy,
                                                       .group = s->group,
                                                       .count = s->count,
                                                       .groups = p->classes,
                                                       .names = p->class_names});
            mfm_page_figure_end(t);
        }
    mfm_markup_add(&t->markup, "</div>\n");
}

/* Lines may end behind a slash. */
static void add_path(mfm_markup *m, const char *path)
{
    while (*path) {
        const size_t name = strcspn(path, "/"), length = name + (path[name] == '/');
        mfm_markup_part(m, path, length);
        path += length;
        if (*path)
            mfm_markup_add(m, "<wbr/>");
    }
}

static void add_mistake(mfm_markup *m, const mfm_page *p, const mfm_page_mistake *k)
{
    mfm_markup_add(m, "<figure>");
    if (k->picture)
        mfm_markup_add(m, "<img alt=\"test image %u\" src=\"data:image/png;base64,%s\"/>", k->index,
                       k->picture);
    mfm_markup_element(m, "b", p->class_names[k->truth]);
    for (int i = 0; i < k->guesses; i++) {
        mfm_markup_text(m, p->class_names[k->guess[i]]);
        mfm_markup_add(m, " %.1f %%<br/>", k->share[i]);
    }
    mfm_markup_add(m, "<span class=\"x\">");
    if (k->file)
        add_path(m, k->file);
    else
        mfm_markup_add(m, "image %u", k->index);
    mfm_markup_add(m, "</span></figure>\n");
}

void mfm_page_mistakes(mfm_page_text *t, const mfm_page *p)
{
    mfm_markup *m = &t->markup;
    int mistakes = 0;
    for (int i = 0; i < p->n_runs; i++)
        mistakes += p->runs[i].n_mistakes;
    if (mistakes == 0)
        return;
    mfm_markup_add(m, "<h2>Misclassified images</h2>\n<p>The surest mistakes: the true class, and "
                      "what was predicted with which probability.</p>\n");
    for (int i = 0; i < p->n_runs; i++) {
        const mfm_page_run *r = &p->runs[i];
        if (r->n_mistakes == 0)
            continue;
        mfm_markup_element(m, "h3", r->name);
        mfm_markup_add(m, "\n<div class=\"pictures\">\n");
        for (int k = 0; k < r->n_mistakes; k++)
            add_mistake(m, p, &r->mistakes[k]);
        mfm_markup_add(m, "</div>\n");
    }
}
