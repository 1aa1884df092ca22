/* The table of runs, and what is told of each at the end of the page. */
#include <math.h>
#include <string.h>

#include "core/report/page/page_parts.h"

enum { COLUMNS = 8 };

/* The numbers of a run's row, in percent; NAN: there is none. */
static void row_of(const mfm_page_run *r, double row[COLUMNS])
{
    int classes;
    for (int i = 0; i < COLUMNS; i++)
        row[i] = NAN;
    const int last = r->epochs - 1;
    const double *error = r->series[MFM_PAGE_TEST_ERROR];
    if (last >= 0 && error) {
        const int lowest = mfm_page_lowest(error, r->epochs);
        row[0] = error[last];
        row[1] = lowest >= 0 ? error[lowest] : NAN;
    }
    static const enum mfm_page_series groups[] = {MFM_PAGE_MANY, MFM_PAGE_MEDIUM, MFM_PAGE_FEW};
    for (int g = 0; g < 3 && last >= 0; g++)
        row[2 + g] = r->series[groups[g]] ? r->series[groups[g]][last] : NAN;
    if (r->confusion) {
        row[5] = mfm_confusion_mean_recall(r->confusion, NULL, &classes);
        row[6] = mfm_confusion_geometric_mean(r->confusion);
    }
    if (r->predictions)
        row[7] = mfm_predictions_calibration(r->predictions).error;
}

static const char *const names[COLUMNS] = {"test error", "lowest error", "many",   "medium",
                                           "few",        "mean recall",  "G-mean", "ECE"};

static void add_number(mfm_markup *m, double number, double deviation)
{
    mfm_markup_add(m, "<td class=\"n\">");
    if (!isnan(number))
        mfm_markup_add(m, "%.2f", number);
    if (!isnan(number) && !isnan(deviation))
        mfm_markup_add(m, "<small> &#177; %.2f</small>", deviation);
    mfm_markup_add(m, "</td>");
}

static void add_run(mfm_markup *m, const mfm_page_run *r, int index, const bool *shown)
{
    double row[COLUMNS];
    row_of(r, row);
    mfm_markup_add(m, "<tr><td><span class=\"key\" style=\"background: var(--c%d)\"></span>",
                   index % MFM_CHART_COLOURS);
    mfm_markup_text(m, r->name);
    mfm_markup_add(m, "</td>");
    const char *const texts[] = {r->method, r->data, r->imbalance, r->seed};
    for (int i = 0; i < 4; i++)
        mfm_markup_element(m, i < 2 ? "td" : "td class=\"n\"", texts[i]);
    mfm_markup_add(m, "<td class=\"n\">%d</td>", r->epochs);
    for (int i = 0; i < COLUMNS; i++)
        if (shown[i])
            add_number(m, row[i], NAN);
    mfm_markup_add(m, "</tr>\n");
}

static int furthest(const mfm_page *p, int group)
{
    int epochs = 0;
    for (int i = 0; i < p->n_runs; i++)
        if (p->runs[i].group == group && p->runs[i].epochs > epochs)
            epochs = p->runs[i].epochs;
    return epochs;
}

/* Runs that have not come as far as others of their group would spoil its mean. */
static bool is_meant(const mfm_page *p, int index, int group)
{
    return p->runs[index].group == group && p->runs[index].epochs == furthest(p, group);
}

/* Mean and deviation of a sample over the runs of a group, where a column has a number in each. */
static void summarise(const mfm_page *p, int group, int column, double *mean, double *deviation)
{
    double sum = 0, squares = 0, row[COLUMNS];
    int n = 0;
    for (int i = 0; i < p->n_runs; i++)
        if (is_meant(p, i, group)) {
            row_of(&p->runs[i], row);
            sum += row[column];
            n++;
        }
    *mean = sum / n;
    for (int i = 0; i < p->n_runs; i++)
        if (is_meant(p, i, group)) {
            row_of(&p->runs[i], row);
            squares += (row[column] - *mean) * (row[column] - *mean);
        }
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

static int runs_meant(const mfm_page *p, int group)
{
    int runs = 0;
    for (int i = 0; i < p->n_runs; i++)
        runs += is_meant(p, i, group);
    return runs;
}

/* Behind the last run of a group of several. */
static void add_mean(mfm_markup *m, const mfm_page *p, int index, const bool *shown)
{
    const mfm_page_run *r = &p->runs[index];
    const int runs = runs_meant(p, r->group);
    for (int i = index + 1; i < p->n_runs; i++)
        if (p->runs[i].group == r->group)
            return;
    if (runs < 2)
        return;
    mfm_markup_add(m, "<tr class=\"mean\"><td>mean of %d</td>", runs);
    const char *const texts[] = {r->method, r->data, r->imbalance};
    for (int i = 0; i < 3; i++)
        mfm_markup_element(m, i < 2 ? "td" : "td class=\"n\"", texts[i]);
    mfm_markup_add(m, "<td></td><td></td>");
    for (int i = 0; i < COLUMNS; i++) {
        double mean, deviation;
        summarise(p, r->group, i, &mean, &deviation);
        if (shown[i])
            add_number(m, mean, deviation);
    }
    mfm_markup_add(m, "</tr>\n");
}

/* A column without any number says nothing. */
static void choose_columns(const mfm_page *p, bool shown[COLUMNS])
{
    double row[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        shown[i] = false;
    for (int i = 0; i < p->n_runs; i++) {
        row_of(&p->runs[i], row);
        for (int k = 0; k < COLUMNS; k++)
            shown[k] |= !isnan(row[k]);
    }
}

void mfm_page_table(mfm_page_text *text, const mfm_page *p)
{
    mfm_markup *m = &text->markup;
    bool shown[COLUMNS];
    choose_columns(p, shown);
    mfm_markup_add(
        m,
        "<h2>Runs</h2>\n<div class=\"scroll runs\"><table class=\"sort\">\n<thead><tr><th>run</th>"
        "<th>method</th><th>data</th><th class=\"n\">imbalance</th>"
        "<th class=\"n\">seed</th><th class=\"n\">epochs</th>");
    for (int i = 0; i < COLUMNS; i++)
        if (shown[i])
            mfm_markup_add(m, "<th class=\"n\">%s</th>", names[i]);
    mfm_markup_add(m, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < p->n_runs; i++) {
        add_run(m, &p->runs[i], i, shown);
        add_mean(m, p, i, shown);
    }
    mfm_markup_add(
        m,
        "</tbody></table></div>\n<p>Percent. Errors and recalls are of the last epoch; the "
        "lowest error was chosen on the test images, and estimates nothing. Many: "
        "classes with over %u training images, few: under %u. G-mean: recalls' geometric mean. "
        "ECE: expected calibration error, 15 bins. &#177;: standard "
        "deviation of a sample over seeds, of runs of the same number of epochs.</p>\n",
        p->borders.many, p->borders.medium);
}

/* ---- details ---- */

static void add_rows(mfm_markup *m, const mfm_page_row *rows, int count)
{
    mfm_markup_add(m, "<table>\n");
    for (int i = 0; i < count; i++) {
        mfm_markup_add(m, "<tr>");
        mfm_markup_element(m, "th", rows[i].name);
        mfm_markup_element(m, "td", rows[i].text);
        mfm_markup_add(m, "</tr>\n");
    }
    mfm_markup_add(m, "</table>\n");
}

static void add_files(mfm_markup *m, const mfm_page_run *r)
{
    mfm_markup_add(m, "<details><summary>Files</summary>\n<table>\n");
    for (int i = 0; i < r->n_files; i++) {
        mfm_markup_add(m, "<tr><th><a href=\"");
        mfm_markup_text(m, r->files[i].name);
        mfm_markup_add(m, "\">");
        mfm_markup_text(m, r->files[i].name);
        mfm_markup_add(m, "</a></th>");
        mfm_markup_element(m, "td", r->files[i].text);
        mfm_markup_add(m, "</tr>\n");
    }
    mfm_markup_add(m, "</table></details>\n");
}

static void add_classes(mfm_markup *m, const mfm_page *p, const mfm_page_run *r)
{
    mfm_markup_add(
        m, "<details><summary>Classes</summary>\n<div class=\"scroll\">"
           "<table class=\"sort\">\n<thead><tr><th>class</th><th class=\"n\">training images</th>"
           "<th class=\"n\">meta images</th><th class=\"n\">recall, %%</th></tr></thead>\n"
           "<tbody>\n");
    for (int c = 0; c < p->classes; c++) {
        mfm_markup_add(m, "<tr>");
        mfm_markup_element(m, "td", p->class_names[c]);
        mfm_markup_add(m, "<td class=\"n\">%.10g</td><td class=\"n\">%.10g</td><td class=\"n\">",
                       r->train[c], r->meta[c]);
        if (r->recall && !isnan(r->recall[c]))
            mfm_markup_add(m, "%.2f", r->recall[c]);
        mfm_markup_add(m, "</td></tr>\n");
    }
    mfm_markup_add(m, "</tbody></table></div></details>\n");
}

/* Lines end between words, and not behind the hyphens of an option. */
static void add_command(mfm_markup *m, const char *command)
{
    mfm_markup_add(m, "<pre>");
    while (*command) {
        const size_t word = strcspn(command, " "), spaces = strspn(command + word, " ");
        mfm_markup_add(m, "<span>");
        mfm_markup_part(m, command, word);
        mfm_markup_add(m, "</span>%.*s", (int)spaces, command + word);
        command += word + spaces;
    }
    mfm_markup_add(m, "</pre>");
}

void mfm_page_details(mfm_page_text *text, const mfm_page *p)
{
    mfm_markup *m = &text->markup;
    mfm_markup_add(m, "<h2>Each run</h2>\n");
    for (int i = 0; i < p->n_runs; i++) {
        const mfm_page_run *r = &p->runs[i];
        mfm_markup_element(m, "h3", r->name);
        mfm_markup_add(m, "\n");
        add_rows(m, r->figures, r->n_figures);
        if (r->command) {
            mfm_markup_add(m, "<p>To repeat it:</p>\n");
            add_command(m, r->command);
        }
        if (r->note)
            mfm_markup_element(m, "p", r->note);
        mfm_markup_add(m, "<details><summary>Options</summary>\n<div class=\"two\">");
        add_rows(m, r->options, r->n_options);
        mfm_markup_add(m, "</div></details>\n");
        add_classes(m, p, r);
        if (r->n_files > 0)
            add_files(m, r);
    }
}
