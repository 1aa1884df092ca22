#include "core/report/page.h"

#include <math.h>
#include <stdio.h>

#include "core/report/svg.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n";

static const char style[] =
    "<style>\n"
    ":root { --back: #fff; --text: #1c2430; --quiet: #5b6675; --rule: #dbe0e7; --one: #2459b3;\n"
    "  --two: #b3540b; --mark: #a3123a; }\n"
    "@media (prefers-color-scheme: dark) { :root { --back: #14181f; --text: #e5e9ef;\n"
    "  --quiet: #9aa5b4; --rule: #323a46; --one: #82aef5; --two: #f0a35e; --mark: #ff7d9c; } }\n"
    "@media print { :root { --back: #fff; --text: #000; --quiet: #444; --rule: #ccc;\n"
    "  --one: #2459b3; --two: #b3540b; --mark: #a3123a; }\n"
    "  svg, table { break-inside: avoid; } }\n"
    "body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif;\n"
    "  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }\n"
    "h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }\n"
    "p, footer { color: var(--quiet); } a { color: var(--one); }\n"
    "table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top;\n"
    "  padding: .15rem 1.5rem .15rem 0; border-bottom: 1px solid var(--rule); }\n"
    "th { font-weight: 600; } .n { text-align: right; font-variant-numeric: tabular-nums; }\n"
    ".two { columns: 2 22rem; } svg { display: block; width: 100%; height: auto;\n"
    "  margin: .5rem 0 1rem; font: 12px system-ui, sans-serif; }\n"
    "svg text { fill: var(--quiet); } svg text.title { fill: var(--text); font-weight: 600; }\n"
    ".y, .name, .marked { text-anchor: end; } .x, .value { text-anchor: middle; }\n"
    ".grid, .axis { fill: none; stroke: var(--rule); } .axis { stroke: var(--quiet); }\n"
    ".bar0, .dot0 { fill: var(--one); } .bar1, .dot1 { fill: var(--two); }\n"
    ".line0, .line1 { fill: none; stroke-width: 1.8; stroke-linejoin: round; }\n"
    ".line0 { stroke: var(--one); } .line1 { stroke: var(--two); stroke-dasharray: 6 3; }\n"
    ".mark { fill: none; stroke: var(--mark); stroke-width: 2; }\n"
    "svg text.marked { fill: var(--mark); font-weight: 600; }\n"
    "</style>\n";

int mfm_page_lowest(const mfm_page *page, const double *errors)
{
    int lowest = -1;
    for (int i = 0; i < page->epochs; i++)
        if (!isnan(errors[i]) && (lowest < 0 || errors[i] < errors[lowest]))
            lowest = i;
    return lowest;
}

static void add_rows(mfm_markup *m, const char *title, const char *class, const mfm_page_row *rows,
                     int count)
{
    mfm_markup_element(m, "h2", title);
    mfm_markup_add(m, "\n<div class=\"%s\"><table>\n", class);
    for (int i = 0; i < count; i++) {
        mfm_markup_add(m, "<tr>");
        mfm_markup_element(m, "th", rows[i].name);
        mfm_markup_element(m, "td", rows[i].text);
        mfm_markup_add(m, "</tr>\n");
    }
    mfm_markup_add(m, "</table></div>\n");
}

static void add_files(mfm_markup *m, const mfm_page *p)
{
    mfm_markup_add(m, "<h2>Files</h2>\n<table>\n");
    for (int i = 0; i < p->n_files; i++) {
        mfm_markup_add(m, "<tr><th><a href=\"");
        mfm_markup_text(m, p->files[i].name);
        mfm_markup_add(m, "\">");
        mfm_markup_text(m, p->files[i].name);
        mfm_markup_add(m, "</a></th>");
        mfm_markup_element(m, "td", p->files[i].text);
        mfm_markup_add(m, "</tr>\n");
    }
    mfm_markup_add(m, "</table>\n");
}

/* What chose the epoch that is marked belongs to the number. */
static void add_error_curve(mfm_markup *m, const mfm_page *p, const char *title, const char *name,
                            const double *errors, const char *chosen)
{
    char text[96] = "";
    const int lowest = mfm_page_lowest(p, errors);
    if (lowest >= 0)
        snprintf(text, sizeof text, "lowest: %.2f %% (epoch %.10g%s)", errors[lowest],
                 p->epoch[lowest], chosen);
    mfm_svg_lines(m, &(mfm_lines){.title = title,
                                  .epochs = p->epoch,
                                  .count = p->epochs,
                                  .names = {name},
                                  .values = {errors},
                                  .series = 1,
                                  .mark = lowest,
                                  .mark_text = text});
}

static void add_curves(mfm_markup *m, const mfm_page *p)
{
    mfm_markup_add(m, "<h2>Training</h2>\n");
    if (p->epochs < 1) {
        mfm_markup_add(m, "<p>No epoch was finished.</p>\n");
        return;
    }
    mfm_svg_lines(m, &(mfm_lines){.title = "Loss",
                                  .epochs = p->epoch,
                                  .count = p->epochs,
                                  .names = {"training", "meta set"},
                                  .values = {p->train_loss, p->meta_loss},
                                  .series = p->meta_loss ? 2 : 1,
                                  .from_zero = true,
                                  .mark = -1});
    add_error_curve(m, p, "Test error in percent", "test error", p->test_error,
                    ", chosen on the test images");
    if (p->validation_error)
        add_error_curve(m, p, "Validation error in percent", "validation error",
                        p->validation_error, "");
}

static void add_class_table(mfm_markup *m, const mfm_page *p)
{
    mfm_markup_add(m, "<details><summary>The numbers</summary>\n<table>\n<tr><th>class</th>"
                      "<th class=\"n\">training images</th><th class=\"n\">meta images</th>"
                      "<th class=\"n\">recall, %%</th></tr>\n");
    for (int c = 0; c < p->classes; c++) {
        mfm_markup_add(m, "<tr>");
        mfm_markup_element(m, "td", p->class_names[c]);
        mfm_markup_add(m, "<td class=\"n\">%.10g</td><td class=\"n\">%.10g</td><td class=\"n\">",
                       p->train[c], p->meta[c]);
        if (p->recall && !isnan(p->recall[c]))
            mfm_markup_add(m, "%.2f", p->recall[c]);
        mfm_markup_add(m, "</td></tr>\n");
    }
    mfm_markup_add(m, "</table></details>\n");
}

/* The two charts have one horizontal axis: a class stands in the same place in both. */
static void add_classes(mfm_markup *m, const mfm_page *p)
{
    mfm_markup_add(m, "<h2>Classes</h2>\n");
    mfm_svg_bars(m, &(mfm_bars){.title = "Training images, logarithmic",
                                .unit = "images",
                                .series = "bar0",
                                .names = p->class_names,
                                .values = p->train,
                                .count = p->classes,
                                .log = true,
                                .labels = !p->recall});
    if (p->recall)
        mfm_svg_bars(m, &(mfm_bars){.title = "Recall after the last epoch, in percent",
                                    .unit = "%",
                                    .series = "bar1",
                                    .names = p->class_names,
                                    .values = p->recall,
                                    .count = p->classes,
                                    .at_end = 100,
                                    .labels = true});
    add_class_table(m, p);
}

int mfm_page_html(mfm_ctx *ctx, const mfm_page *p, char **text)
{
    mfm_markup m;
    mfm_markup_init(&m, ctx);
    mfm_markup_add(&m, "%s", head);
    mfm_markup_element(&m, "title", p->title);
    mfm_markup_add(&m, "\n%s</head>\n<body>\n", style);
    mfm_markup_element(&m, "h1", p->title);
    mfm_markup_element(&m, "p", p->summary);
    add_rows(&m, "Results", "one", p->figures, p->n_figures);
    add_curves(&m, p);
    add_classes(&m, p);
    add_rows(&m, "Options", "two", p->options, p->n_options);
    add_files(&m, p);
    mfm_markup_add(&m, "<footer><p>Written by onnx-mfm %s.</p></footer>\n</body>\n</html>\n",
                   MFM_VERSION);
    const int status = m.status;
    if (status)
        mfm_markup_clear(&m);
    *text = m.text;
    return status;
}
