#include "core/report/page/page.h"

#include <math.h>

#include "core/report/charts/svg_frame.h"
#include "core/report/page/page_parts.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "script-src 'sha256-5VUGmX2PDvv/jLcNeNtzO8m2inNcZfd023OKUhM6NaY='\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n";

/* Sorts a table by the column whose head is chosen. The page says all without it. Its SHA-256
 * stands in the head, so that nothing else can run; no character of it needs escaping. */
static const char script[] =
    "document.querySelectorAll(\"table.sort\").forEach(function (table) {\n"
    "  var body = table.tBodies[0], told = Array.from(body.rows);\n"
    "  var heads = Array.from(table.tHead.rows[0].cells);\n"
    "  function compare(a, b) {\n"
    "    var x = parseFloat(a), y = parseFloat(b);\n"
    "    if (a === \"\" || b === \"\") return (a === \"\") - (b === \"\");\n"
    "    return isNaN(x) || isNaN(y) ? a.localeCompare(b, \"en\", { numeric: true }) : x - y;\n"
    "  }\n"
    "  function sort(column) {\n"
    "    var was = heads[column].getAttribute(\"aria-sort\");\n"
    "    var turn = was === \"ascending\" ? \"descending\" : was ? \"\" : \"ascending\";\n"
    "    var rows = told.slice(), way = turn === \"descending\" ? -1 : 1;\n"
    "    heads.forEach(function (head) { head.removeAttribute(\"aria-sort\"); });\n"
    "    if (turn) {\n"
    "      heads[column].setAttribute(\"aria-sort\", turn);\n"
    "      rows.sort(function (r, s) {\n"
    "        var a = r.cells[column].textContent.trim(), b = s.cells[column].textContent.trim();\n"
    "        return a === \"\" || b === \"\" ? compare(a, b) : way * compare(a, b);\n"
    "      });\n"
    "    }\n"
    "    rows.forEach(function (row) { body.appendChild(row); });\n"
    "  }\n"
    "  heads.forEach(function (head, column) {\n"
    "    head.tabIndex = 0;\n"
    "    head.title = \"sorts by this column: upwards, downwards, as it was\";\n"
    "    head.addEventListener(\"click\", function () { sort(column); });\n"
    "    head.addEventListener(\"keydown\", function (event) {\n"
    "      if (event.key === \"Enter\" || event.key === \" \") { event.preventDefault(); "
    "sort(column); }\n"
    "    });\n"
    "  });\n"
    "});\n";

static const char style[] =
    "body { background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif;\n"
    "  max-width: 78rem; margin: 1.5rem auto; padding: 0 1rem; overflow-wrap: anywhere; }\n"
    "h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }\n"
    "h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }\n"
    "p, footer { color: var(--quiet); margin: .3rem 0 .6rem; } a { color: var(--c0); }\n"
    ".row { display: grid; gap: 1rem 1.5rem;\n"
    "  grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); }\n"
    "figure { margin: 0; min-width: 0; } .wide { overflow-x: auto; grid-column: 1 / -1; }\n"
    ".scroll { overflow-x: auto; } summary { cursor: pointer; margin: .4rem 0; }\n"
    "table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top;\n"
    "  padding: .15rem 1.1rem .15rem 0; border-bottom: 1px solid var(--rule); }\n"
    "th { font-weight: 600; } .n { text-align: right; font-variant-numeric: tabular-nums;\n"
    "  white-space: nowrap; } tr.mean td { font-weight: 600; }\n"
    ".scroll td, .scroll th { white-space: nowrap; padding-right: .75rem; }\n"
    ".runs td:nth-child(2) { white-space: normal; } .runs td, .runs th { padding-right: .5rem; }\n"
    ".runs { font-size: .85rem; } .runs small { font-weight: 400; color: var(--quiet); }\n"
    ".runs td:first-child, .runs th:first-child { position: sticky; left: 0; background: "
    "var(--back); }\n"
    ".key { display: "
    "inline-block; width: .7em;\n"
    "  height: .7em; margin-right: .45em; border-radius: 2px; }\n"
    ".two { columns: 2 22rem; } pre { white-space: pre-wrap; background: var(--hover);\n"
    "  padding: .5rem .7rem; border-radius: 4px; font-size: .85rem; margin: .3rem 0; }\n"
    "pre span { display: inline-block; max-width: 100%; }\n"
    ".pictures { display: grid; gap: .8rem; overflow-wrap: anywhere;\n"
    "  grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); font-size: .8rem;\n"
    "  line-height: 1.35; } .pictures img { width: 100%; image-rendering: pixelated;\n"
    "  aspect-ratio: 1; object-fit: contain; background: var(--hover); } .pictures b { display: "
    "block; }\n"
    "figcaption { color: var(--quiet); font-size: .85rem; }\n"
    ".sort th[tabindex] { cursor: pointer; } th[aria-sort=ascending]::after { content: \" "
    "\\2191\"; }\n"
    "th[aria-sort=descending]::after { content: \" \\2193\"; }\n"
    ".sort th[tabindex]:hover { text-decoration: underline; }\n"
    ".sort th[tabindex]:focus-visible { outline: 2px solid var(--c0); outline-offset: -2px; }\n"
    "@media print { figure, tr, .pictures figure { break-inside: avoid; }\n"
    "  .scroll, .wide { overflow: visible; } .wide > div { min-width: 0 !important; }\n"
    "  .runs { font-size: 7pt; } .runs td, .runs th { padding-right: .4rem; }\n"
    "  h2, h3 { break-after: avoid; } .key { print-color-adjust: exact; } }\n";

/* Up to such a factor a chart that is wider than the others stands among them, in smaller letters.
 */
static const double little_more = 1.1;

int mfm_page_lowest(const double *errors, int count)
{
    int lowest = -1;
    for (int i = 0; i < count; i++)
        if (!isnan(errors[i]) && (lowest < 0 || errors[i] < errors[lowest]))
            lowest = i;
    return lowest;
}

void mfm_page_figure(mfm_page_text *t, const char *name, int run, double wide)
{
    if (wide > little_more * MFM_CHART_WIDTH)
        mfm_markup_add(&t->markup,
                       "<figure class=\"wide\"><div style=\"min-width: %.0fpx; "
                       "max-width: %.0fpx\">",
                       wide, 1.2 * wide);
    else
        mfm_markup_add(&t->markup, "<figure><div>");
    if (t->n_figures < MFM_PAGE_MOST_FIGURES)
        t->figures[t->n_figures++] =
            (mfm_figure){.name = name, .run = run, .start = t->markup.length};
}

void mfm_page_figure_end(mfm_page_text *t)
{
    if (t->n_figures > 0 && t->figures[t->n_figures - 1].end == 0)
        t->figures[t->n_figures - 1].end = t->markup.length;
    mfm_markup_add(&t->markup, "</div></figure>\n");
}

static void add_head(mfm_markup *m, const mfm_page *p)
{
    mfm_markup_add(m, "%s", head);
    if (p->under_way)
        mfm_markup_add(m, "<meta http-equiv=\"refresh\" content=\"30\"/>\n");
    mfm_markup_element(m, "title", p->title);
    mfm_markup_add(
        m,
        "\n<style>\n:root { %s }\n@media screen and (prefers-color-scheme: dark) { :root { %s } }\n"
        "@media print { :root { %s } }\n%s%s</style>\n</head>\n<body>\n",
        mfm_svg_light, mfm_svg_dark, mfm_svg_print, style, mfm_svg_style);
}

int mfm_page_html(mfm_ctx *ctx, const mfm_page *page, mfm_page_text *text)
{
    mfm_markup *m = &text->markup;
    *text = (mfm_page_text){.n_figures = 0};
    mfm_markup_init(m, ctx);
    add_head(m, page);
    mfm_markup_element(m, "h1", page->title);
    mfm_markup_add(m, "\n");
    mfm_markup_element(m, "p", page->summary);
    mfm_markup_add(m, "\n");
    mfm_page_table(text, page);
    mfm_page_curves(text, page);
    mfm_page_classes(text, page);
    mfm_page_tests(text, page);
    mfm_page_scatters(text, page);
    mfm_page_mistakes(text, page);
    mfm_page_details(text, page);
    mfm_markup_add(m,
                   "<footer>Written by onnx-mfm " MFM_VERSION ".</footer>\n<script>%s</script>\n"
                   "</body>\n</html>\n",
                   script);
    if (!m->status)
        return MFM_OK;
    const int status = m->status;
    mfm_markup_clear(m);
    return status;
}
