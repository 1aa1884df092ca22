#include "core/report/charts/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"

/* The data's place in a chart without a legend: 44 to 390 across, 202 up to 32. */

static mfm_ctx *ctx;
static mfm_markup m;

static void start(void)
{
    ctx = mfm_ctx_new(NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
    mfm_markup_init(&m, ctx);
}

static void finish(void)
{
    CU_ASSERT_EQUAL(m.status, MFM_OK);
    mfm_markup_clear(&m);
    mfm_ctx_free(ctx);
}

static int count(const char *part)
{
    int n = 0;
    for (const char *at = m.text; at && (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

/* Slots of 173; 84 % of each is bar. 25 of 0 .. 100 is 42.5 units high, 0 none. */
static void test_bars(void)
{
    start();
    static const char *const names[] = {"cat & dog", "b"};
    static const double numbers[] = {25, 0};
    static const double *const values[] = {numbers};
    mfm_svg_bars(&m, &(mfm_bars){.title = "Recall",
                                 .unit = "%",
                                 .names = names,
                                 .values = values,
                                 .count = 2,
                                 .series = 1,
                                 .colour = 1,
                                 .at_end = 100});
    CU_ASSERT_EQUAL(count("<rect class=\"bar c1\" x=\"57.84\" y=\"159.50\" width=\"145.32\" "
                          "height=\"42.50\"><title>cat &amp; dog: 25 %</title></rect>"),
                    1);
    CU_ASSERT_EQUAL(count("x=\"230.84\" y=\"202.00\" width=\"145.32\" height=\"0.00\""), 1);
    CU_ASSERT_EQUAL(count("cat &amp; dog"), 2);
    CU_ASSERT_EQUAL(count("class=\"grid\""), 6);
    CU_ASSERT_EQUAL(count("cat & dog"), 0);
    finish();
}

/* Two runs: 72.66 wide each, beside each other, named in the legend, which moves the data down. */
static void test_groups(void)
{
    start();
    static const char *const names[] = {"a", "b"}, *const runs[] = {"one", "<two>"};
    static const double first[] = {50, 100}, second[] = {NAN, 25};
    static const double *const values[] = {first, second};
    mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                 .unit = "%",
                                 .names = names,
                                 .values = values,
                                 .count = 2,
                                 .series = 2,
                                 .series_names = runs,
                                 .at_end = 100});
    CU_ASSERT_EQUAL(count("class=\"bar c0\" x=\"57.84\" y=\"132.00\" width=\"72.66\" "
                          "height=\"85.00\"><title>a, one: 50 %<"),
                    1);
    CU_ASSERT_EQUAL(count("height=\"0.00\"><title>a, &lt;two&gt;: not known<"), 1);
    CU_ASSERT_EQUAL(count("<title>b, &lt;two&gt;: 25 %<"), 1);
    CU_ASSERT_EQUAL(count(">&lt;two&gt;</text>"), 1);
    CU_ASSERT_EQUAL(count("nan"), 0);
    finish();
}

/* 18 bytes of a name are shown, and no half character; a pointer over the bar shows it all. Of
 * a .. r, 3 letters (i, j, l) are 4 wide, m is 10, the other 14 are 6.6, and the ellipsis is 11:
 * 125.4 in all. Turned by 40 degrees that is 125.4 x 0.642788 = 80.606 high, below 202 and 20. */
static void test_long_names(void)
{
    start();
    static const char *const names[] = {"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopq\xc3\xa4z"};
    static const double numbers[] = {1, 2};
    static const double *const values[] = {numbers};
    mfm_svg_bars(
        &m,
        &(mfm_bars){
            .title = "t", .unit = "u", .names = names, .values = values, .count = 2, .series = 1});
    CU_ASSERT_EQUAL(count(">abcdefghijklmnopqr&#8230;</text>"), 1);
    CU_ASSERT_EQUAL(count(">abcdefghijklmnopq&#8230;</text>"), 1);
    CU_ASSERT_EQUAL(count("<title>abcdefghijklmnopqrstuvwxyz: 1 u</title>"), 1);
    CU_ASSERT_EQUAL(count("viewBox=\"0 0 400 302.606\""), 1);
    finish();
}

/* A name with one byte more than are shown is whole: an ellipsis would take as much room. */
static void test_names_of_one_more(void)
{
    start();
    static const char *const names[] = {"abcdefghijklmnopqrs", "abcdefghijklmnopqrst"};
    static const double numbers[] = {1, 2};
    static const double *const values[] = {numbers};
    mfm_svg_bars(
        &m,
        &(mfm_bars){
            .title = "t", .unit = "u", .names = names, .values = values, .count = 2, .series = 1});
    CU_ASSERT_EQUAL(count(">abcdefghijklmnopqrs</text>"), 1);
    CU_ASSERT_EQUAL(count(">abcdefghijklmnopqr&#8230;</text>"), 1);
    finish();
}

/* Twelve groups 28.8 apart: 18 letters of 6.6, turned by 40 degrees, are 91 wide. The first ends at
 * 61.4 and would begin left of the picture, the last at 378.5. */
static void test_names_at_the_left(void)
{
    static const double numbers[12];
    static const double *const values[] = {numbers};
    for (int longest = 0; longest < 12; longest += 11) {
        const char *names[12];
        for (int i = 0; i < 12; i++)
            names[i] = i == longest ? "aaaaaaaaaaaaaaaaaa" : "a";
        start();
        mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                     .unit = "u",
                                     .names = names,
                                     .values = values,
                                     .count = 12,
                                     .series = 1});
        CU_ASSERT_EQUAL(count("rotate(-65 "), longest == 0 ? 12 : 0);
        CU_ASSERT_EQUAL(count("rotate(-40 "), longest == 0 ? 0 : 12);
        finish();
    }
}

/* From 5 to 500 the axis is 1000 / 5 times long: 500 is at the top, 5 at log 2 / log 200. */
static void test_log_bars(void)
{
    start();
    static const char *const names[] = {"a", "b", "c", "d"};
    static const double numbers[] = {500, 5, 0, NAN};
    static const double *const values[] = {numbers};
    char place[64];
    mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                 .unit = "images",
                                 .names = names,
                                 .values = values,
                                 .count = 4,
                                 .series = 1,
                                 .log = true});
    snprintf(place, sizeof place, "height=\"%.2f\"><title>b: 5 images", 170 * log(2) / log(200));
    CU_ASSERT_EQUAL(count("y=\"32.00\" width=\"72.66\" height=\"170.00\"><title>a: 500"), 1);
    CU_ASSERT_EQUAL(count(place), 1);
    CU_ASSERT_EQUAL(count("height=\"0.00\"><title>c: 0 images"), 1);
    CU_ASSERT_EQUAL(count("height=\"0.00\"><title>d: not known"), 1);
    CU_ASSERT_EQUAL(count("nan"), 0);
    finish();
}

/* 67 classes of six runs need a wide picture; a thousand have numbers under some, and no names. */
static void test_many_bars(void)
{
    start();
    static const char *names[1000], *runs[6];
    static double numbers[1000];
    static const double *values[6];
    for (int i = 0; i < 1000; i++) {
        names[i] = "n";
        numbers[i] = i;
    }
    for (int i = 0; i < 6; i++) {
        runs[i] = "r";
        values[i] = numbers;
    }
    const mfm_bars wide = {.title = "t",
                           .unit = "u",
                           .names = names,
                           .values = values,
                           .count = 67,
                           .series = 6,
                           .series_names = runs};
    CU_ASSERT_EQUAL(mfm_svg_bars_width(&wide), 44 + 10 + 5 * 67 * 6.5);
    mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                 .unit = "u",
                                 .names = names,
                                 .values = values,
                                 .count = 1000,
                                 .series = 1});
    CU_ASSERT_EQUAL(count("<rect"), 1000);
    CU_ASSERT_EQUAL(count("class=\"name\"") + count("class=\"value\""), 0);
    CU_ASSERT_EQUAL(count("class=\"x\""), 10);
    finish();
}

/* Epochs 1 to 3 are 173 apart; losses 0 to 4 fill 170 units, below a row of legends. The second run
 * has its own epochs, and a gap. */
static void test_lines(void)
{
    start();
    static const double epochs[] = {1, 2, 3}, a[] = {4, 2, 1}, b[] = {NAN, 3};
    const mfm_curve curves[] = {
        {.name = "training", .x = epochs, .y = a, .count = 3},
        {.name = "meta <set>", .x = epochs, .y = b, .count = 2, .colour = 1}};
    mfm_svg_lines(&m, &(mfm_lines){.title = "Loss",
                                   .x_name = "epoch",
                                   .unit = "",
                                   .curves = curves,
                                   .n_curves = 2,
                                   .counted = true,
                                   .from_zero = true});
    CU_ASSERT_EQUAL(count("class=\"line c0\" d=\"M44.00 47.00L217.00 132.00L390.00 174.50\""), 1);
    CU_ASSERT_EQUAL(count("class=\"line c1\" d=\"M217.00 89.50\""), 1);
    CU_ASSERT_EQUAL(count("class=\"dot c0\""), 3);
    CU_ASSERT_EQUAL(count("class=\"dot c1\""), 1);
    CU_ASSERT_EQUAL(count("class=\"hit\""), 3);
    CU_ASSERT_EQUAL(count("<title>epoch 2\ntraining: 2\nmeta &lt;set&gt;: 3</title>"), 1);
    CU_ASSERT_EQUAL(count("<title>epoch 3\ntraining: 1</title>"), 1);
    CU_ASSERT_EQUAL(count("nan"), 0);
    finish();
}

/* One curve over counted epochs. */
static void draw_curve(const double *epochs, const double *values, int points, const char *unit)
{
    const mfm_curve curve = {.name = "x", .x = epochs, .y = values, .count = points};
    mfm_svg_lines(&m, &(mfm_lines){.title = "t",
                                   .x_name = "epoch",
                                   .unit = unit,
                                   .curves = &curve,
                                   .n_curves = 1,
                                   .counted = true});
}

/* Beside the axis is room for about six letters. */
static void test_small_numbers(void)
{
    start();
    static const double x[] = {1, 2}, y[] = {0, 0.00015};
    draw_curve(x, y, 2, "");
    CU_ASSERT_EQUAL(count(">0.0001</text>"), 1);
    CU_ASSERT_EQUAL(count(">1.5e-4</text>"), 1);
    finish();
}

/* A recall of 0 in every epoch is at the bottom of 0 to 100, not of 0 to 1. */
static void test_flat_percentages(void)
{
    start();
    static const double x[] = {1, 2}, y[] = {0, 0};
    draw_curve(x, y, 2, " %");
    CU_ASSERT_EQUAL(count("d=\"M44.00 202.00L390.00 202.00\""), 1);
    CU_ASSERT_EQUAL(count(">100</text>"), 1);
    finish();
}

/* A recall that moves by little is at the bottom of 0 to 10, at the top of 90 to 100, and in the
 * middle of ten elsewhere. */
static void test_narrow_percentages(void)
{
    static const double x[] = {1, 2}, low[] = {0, 0.1}, high[] = {99.9, 100}, middle[] = {50, 51};
    start();
    draw_curve(x, low, 2, " %");
    CU_ASSERT_EQUAL(count(">0</text>"), 1);
    CU_ASSERT_EQUAL(count(">10</text>"), 1);
    finish();
    start();
    draw_curve(x, high, 2, " %");
    CU_ASSERT_EQUAL(count(">90</text>"), 1);
    CU_ASSERT_EQUAL(count(">100</text>"), 1);
    CU_ASSERT_EQUAL(count(">102</text>"), 0);
    finish();
    start();
    draw_curve(x, middle, 2, " %");
    CU_ASSERT_EQUAL(count(">44</text>"), 1);
    CU_ASSERT_EQUAL(count(">56</text>"), 1);
    finish();
}

/* Long runs have no dots, and places for the pointer at some of their epochs. */
static void test_long_lines(void)
{
    start();
    static double epochs[1000], values[1000];
    for (int i = 0; i < 1000; i++) {
        epochs[i] = i + 1;
        values[i] = i;
    }
    draw_curve(epochs, values, 1000, "");
    CU_ASSERT_EQUAL(count("<circle"), 0);
    CU_ASSERT_EQUAL(count("class=\"hit\""), 59);
    finish();
}

/* Accuracy by confidence: both axes 0 to 100, with the diagonal. */
static void test_percent(void)
{
    start();
    static const double x[] = {50}, y[] = {25};
    const mfm_curve curve = {.name = "x", .x = x, .y = y, .count = 1};
    mfm_svg_lines(&m, &(mfm_lines){.title = "t",
                                   .x_name = "confidence",
                                   .unit = "",
                                   .curves = &curve,
                                   .n_curves = 1,
                                   .percent = true});
    CU_ASSERT_EQUAL(count("class=\"ideal\" d=\"M44 202L390 32\""), 1);
    CU_ASSERT_EQUAL(count("cx=\"217.00\" cy=\"159.50\""), 1);
    finish();
}

/* Numbers that are all missing, and none at all. */
static void test_no_lines(void)
{
    start();
    static const double epoch[] = {1}, nothing[] = {NAN};
    const mfm_curve curve = {.name = "x", .x = epoch, .y = nothing, .count = 1};
    mfm_lines lines = {.title = "t", .x_name = "epoch", .unit = "", .curves = &curve};
    mfm_svg_lines(&m, &lines);
    CU_ASSERT_PTR_NULL(m.text);
    lines.n_curves = 1;
    mfm_svg_lines(&m, &lines);
    CU_ASSERT_EQUAL(count("<circle"), 0);
    CU_ASSERT_EQUAL(count("nan") + count("inf"), 0);
    finish();
}

/* Class 0: 3 of 4 right; class 1 without images: no cell and no division by nothing. */
static void test_heat(void)
{
    start();
    static const char *const names[] = {"a<b", "c"};
    static const uint32_t counts[] = {3, 1, 0, 0};
    mfm_svg_heat(&m, &(mfm_heat){.title = "t", .names = names, .count = counts, .n = 2});
    CU_ASSERT_EQUAL(count("class=\"cell\""), 2);
    CU_ASSERT_EQUAL(count("fill-opacity=\"0.750\"><title>a&lt;b as a&lt;b: 3 of 4, 75.0 %<"), 1);
    CU_ASSERT_EQUAL(count("fill-opacity=\"0.250\"><title>a&lt;b as c: 1 of 4, 25.0 %<"), 1);
    CU_ASSERT_EQUAL(count("nan") + count("inf"), 0);
    finish();
}

/* 67 classes by themselves: cells of 11 right of names that take 10 + 6.6, and 6 at the edge, 759.6
 * in all; each row and column has its name. Beside others they take 400, with every sixth name. */
static void test_large_heat(void)
{
    start();
    static const char *names[67];
    static uint32_t counts[67 * 67];
    for (int i = 0; i < 67; i++) {
        names[i] = "n";
        counts[68 * i] = 1;
    }
    mfm_heat heat = {.title = "t", .names = names, .count = counts, .n = 67, .large = true};
    CU_ASSERT_DOUBLE_EQUAL(mfm_svg_heat_width(&heat), 759.6, 1e-9);
    mfm_svg_heat(&m, &heat);
    CU_ASSERT_EQUAL(count("<svg viewBox=\"0 0 759.6 "), 1);
    CU_ASSERT_EQUAL(count("x=\"16.60\" y=\"26.00\" width=\"11.00\" height=\"11.00\""), 1);
    CU_ASSERT_EQUAL(count("x=\"742.60\" y=\"752.00\" width=\"11.00\" height=\"11.00\""), 1);
    CU_ASSERT_EQUAL(count("class=\"name small\""), 2 * 67);
    CU_ASSERT_EQUAL(count("class=\"value"), 0);
    mfm_markup_clear(&m);
    mfm_markup_init(&m, ctx);
    heat.large = false;
    CU_ASSERT_EQUAL(mfm_svg_heat_width(&heat), 400);
    mfm_svg_heat(&m, &heat);
    CU_ASSERT_EQUAL(count("class=\"name\""), 2 * 12);
    finish();
}

static void colour_of(const char *scheme, const char *name, double rgb[3])
{
    const char *at = strstr(scheme, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    const char *hex = strchr(at, '#') + 1;
    const bool brief = strspn(hex, "0123456789abcdef") == 3;
    for (int i = 0; i < 3; i++) {
        const char digits[] = {hex[brief ? i : 2 * i], hex[brief ? i : 2 * i + 1], 0};
        rgb[i] = (double)strtol(digits, NULL, 16) / 255;
    }
}

/* WCAG 2.1, "relative luminance". */
static double luminance(const double rgb[3])
{
    static const double weight[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum +=
            weight[i] * (rgb[i] <= 0.03928 ? rgb[i] / 12.92 : pow((rgb[i] + 0.055) / 1.055, 2.4));
    return sum;
}

/* WCAG 2.1, "contrast ratio", of a number in a colour on a cell that is so much of c0. */
static double contrast(const char *scheme, const char *name, double share)
{
    double back[3], full[3], number[3], cell[3];
    colour_of(scheme, "--back:", back);
    colour_of(scheme, "--c0:", full);
    colour_of(scheme, name, number);
    for (int i = 0; i < 3; i++)
        cell[i] = share * full[i] + (1 - share) * back[i];
    const double a = luminance(cell), b = luminance(number);
    return (fmax(a, b) + 0.05) / (fmin(a, b) + 0.05);
}

/* Of 100 images, k are right: dark letters up to 55, black ones up to 82, then light ones (the
 * other way about where the page is dark). All can be read. */
static void test_numbers_of_cells(void)
{
    static const char *const names[] = {"a", "b"};
    for (uint32_t k = 1; k <= 100; k++) {
        start();
        const uint32_t counts[] = {k, 100 - k, 0, 0};
        mfm_svg_heat(&m, &(mfm_heat){.title = "t", .names = names, .count = counts, .n = 2});
        const char *shown = k <= 55 ? "onlight" : k <= 82 ? "onmid" : "ondark";
        const char *colour = k <= 55 ? "--text:" : k <= 82 ? "--mid:" : "--back:";
        const char *first = strstr(m.text, "class=\"value ");
        CU_ASSERT_PTR_NOT_NULL_FATAL(first);
        CU_ASSERT_EQUAL(strncmp(first + 13, shown, strlen(shown)), 0);
        CU_ASSERT(contrast(mfm_svg_light, colour, k / 100.) > 3.8);
        CU_ASSERT(contrast(mfm_svg_dark, colour, k / 100.) > 3.8);
        finish();
    }
}

/* The square around (0, 0) and (2, 1) has side 2: 340 units across; both lie half a unit inside. */
static void test_scatter(void)
{
    start();
    static const double xy[] = {0, 0, 2, 1};
    static const int group[] = {1, 0};
    static const char *const names[] = {"a", "b&c"};
    mfm_svg_scatter(
        &m, &(mfm_scatter){
                .title = "t", .xy = xy, .group = group, .count = 2, .groups = 2, .names = names});
    CU_ASSERT_EQUAL(count("class=\"dot c1\" cx=\"30.0\" cy=\"285.0\" r=\"2.6\"><title>b&amp;c<"),
                    1);
    CU_ASSERT_EQUAL(count("class=\"dot c0\" cx=\"370.0\" cy=\"115.0\""), 1);
    finish();
}

/* A figure by itself brings its name space and its style. */
static void test_file(void)
{
    start();
    static const double epoch[] = {1}, y[] = {2};
    const mfm_curve curve = {.name = "x", .x = epoch, .y = y, .count = 1};
    mfm_markup_add(&m, "<p>before</p>");
    mfm_figure figure = {.name = "f", .start = m.length};
    mfm_svg_lines(
        &m, &(mfm_lines){.title = "t", .x_name = "e", .unit = "", .curves = &curve, .n_curves = 1});
    figure.end = m.length;
    mfm_markup_add(&m, "<p>after</p>");
    mfm_markup file;
    mfm_markup_init(&file, ctx);
    mfm_svg_file(&file, m.text, &figure);
    static const char beginning[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 ";
    CU_ASSERT_EQUAL(strncmp(file.text, beginning, sizeof beginning - 1), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(file.text, ".c0 { fill: #2459b3; stroke: #2459b3; }"));
    CU_ASSERT_PTR_NOT_NULL(strstr(file.text, ".c10 { fill: #3f51b5;"));
    CU_ASSERT_PTR_NOT_NULL(strstr(file.text, "style=\"fill: #fff\""));
    CU_ASSERT_PTR_NULL(strstr(file.text, "var("));
    CU_ASSERT_PTR_NULL(strstr(file.text, "before"));
    CU_ASSERT_PTR_NULL(strstr(file.text, "after"));
    CU_ASSERT_EQUAL(strcmp(file.text + file.length - 8, "</svg>\n\n"), 0);
    mfm_markup_clear(&file);
    finish();
}

static const mfm_case cases[] = {
    {"bars have their numbers' heights", test_bars},
    {"bars of several runs stand side by side", test_groups},
    {"long names are cut", test_long_names},
    {"names with one letter more are not", test_names_of_one_more},
    {"no name begins left of the picture", test_names_at_the_left},
    {"logarithmic bars", test_log_bars},
    {"many bars", test_many_bars},
    {"lines go through their points", test_lines},
    {"ticks of small numbers are short", test_small_numbers},
    {"percentages that do not move have the whole range", test_flat_percentages},
    {"percentages that hardly move have ten of it", test_narrow_percentages},
    {"long lines have no dots", test_long_lines},
    {"percent of percent", test_percent},
    {"no lines", test_no_lines},
    {"a row's shares shade its cells", test_heat},
    {"many classes by themselves are large", test_large_heat},
    {"numbers can be read on their cells", test_numbers_of_cells},
    {"points lie in a square", test_scatter},
    {"a figure stands by itself", test_file},
};
MFM_SUITE("core/report/svg", cases)
