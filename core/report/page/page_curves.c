/* What is measured in every epoch, a chart for each thing and a curve for each run. */
#include "core/report/page/page_parts.h"

typedef struct chart {
    enum mfm_page_series series;
    const char *name, *title, *unit;
    bool from_zero;
} chart;

static const chart charts[] = {
    {MFM_PAGE_TRAIN_LOSS, "train-loss", "Training loss", "", true},
    {MFM_PAGE_META_LOSS, "meta-loss", "Loss on the meta set", "", true},
    {MFM_PAGE_VALIDATION_LOSS, "validation-loss", "Validation loss", "", true},
    {MFM_PAGE_TEST_LOSS, "test-loss", "Test loss", "", true},
    {MFM_PAGE_TEST_ERROR, "test-error", "Test error, %", " %", false},
    {MFM_PAGE_VALIDATION_ERROR, "validation-error", "Validation error, %", " %", false},
    {MFM_PAGE_MANY, "many", "Recall of classes with many images, %", " %", false},
    {MFM_PAGE_MEDIUM, "medium", "Recall of classes with a medium number, %", " %", false},
    {MFM_PAGE_FEW, "few", "Recall of classes with few images, %", " %", false},
    {MFM_PAGE_LR, "learning-rate", "Learning rate", "", true},
};

static void add_chart(mfm_page_text *t, const mfm_page *p, const chart *c)
{
    mfm_curve curves[MFM_PAGE_MOST_RUNS];
    int n = 0;
    for (int i = 0; i < p->n_runs && n < MFM_PAGE_MOST_RUNS; i++) {
        const mfm_page_run *r = &p->runs[i];
        if (r->series[c->series])
            curves[n++] = (mfm_curve){.name = r->name,
                                      .x = r->epoch,
                                      .y = r->series[c->series],
                                      .count = r->epochs,
                                      .colour = i,
                                      .dashed = i >= MFM_CHART_COLOURS};
    }
    if (n == 0)
        return;
    mfm_page_figure(t, c->name, -1, 0);
    mfm_svg_lines(&t->markup, &(mfm_lines){.title = c->title,
                                           .x_name = "epoch",
                                           .unit = c->unit,
                                           .curves = curves,
                                           .n_curves = n,
                                           .counted = true,
                                           .from_zero = c->from_zero});
    mfm_page_figure_end(t);
}

void mfm_page_curves(mfm_page_text *t, const mfm_page *p)
{
    int epochs = 0;
    for (int i = 0; i < p->n_runs; i++)
        epochs += p->runs[i].epochs;
    mfm_markup_add(&t->markup, "<h2>By epoch</h2>\n");
    if (epochs < 1) {
        mfm_markup_add(&t->markup, "<p>No epoch was finished.</p>\n");
        return;
    }
    mfm_markup_add(&t->markup, "<div class=\"row\">\n");
    for (size_t i = 0; i < sizeof charts / sizeof charts[0]; i++)
        add_chart(t, p, &charts[i]);
    mfm_markup_add(&t->markup, "</div>\n");
}
