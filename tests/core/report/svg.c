#include "core/report/svg.h"

#include <math.h>
#include <string.h>

#include "tests/suite.h"

/* The data's place in a chart: 56 to 708 across, 240 up to 40. */

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

/* Slots of 326; 80 % of each is bar. 25 of 0 .. 100 is 50 units high, 0 none. */
static void test_bars(void)
{
    start();
    static const char *const names[] = {"cat & dog", "b"};
    static const double values[] = {25, 0};
    mfm_svg_bars(&m, &(mfm_bars){.title = "Recall",
                                 .unit = "%",
                                 .series = "bar1",
                                 .names = names,
                                 .values = values,
                                 .count = 2,
                                 .at_end = 100,
                                 .labels = true});
    CU_ASSERT_EQUAL(count("<rect class=\"bar1\" x=\"88.60\" y=\"190.00\" width=\"260.80\" "
                          "height=\"50.00\"><title>cat &amp; dog: 25 %</title></rect>"),
                    1);
    CU_ASSERT_EQUAL(count("x=\"414.60\" y=\"240.00\" width=\"260.80\" height=\"0.00\""), 1);
    CU_ASSERT_EQUAL(count("cat &amp; dog"), 2);
    CU_ASSERT_EQUAL(count("class=\"grid\""), 6);
    CU_ASSERT_EQUAL(count("cat & dog"), 0);
    finish();
}

/* 18 bytes of a name are shown, and no half character; a pointer over the bar shows it all. */
static void test_long_names(void)
{
    start();
    static const char *const names[] = {"abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopq\xc3\xa4z"};
    static const double values[] = {1, 2};
    mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                 .unit = "u",
                                 .series = "bar0",
                                 .names = names,
                                 .values = values,
                                 .count = 2,
                                 .labels = true});
    CU_ASSERT_EQUAL(count(">abcdefghijklmnopqr&#8230;</text>"), 1);
    CU_ASSERT_EQUAL(count(">abcdefghijklmnopq&#8230;</text>"), 1);
    CU_ASSERT_EQUAL(count("<title>abcdefghijklmnopqrstuvwxyz: 1 u</title>"), 1);
    CU_ASSERT_EQUAL(count("viewBox=\"0 0 720 343\""), 1); /* 240 + 22 + 18 letters of 4.5 */
    finish();
}

/* From 5 to 500 the axis is 1000 / 5 times long: 500 is at the top, 5 at log 2 / log 200. */
static void test_log_bars(void)
{
    start();
    static const char *const names[] = {"a", "b", "c", "d"};
    static const double values[] = {500, 5, 0, NAN};
    char place[64];
    mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                 .unit = "images",
                                 .series = "bar0",
                                 .names = names,
                                 .values = values,
                                 .count = 4,
                                 .log = true});
    snprintf(place, sizeof place, "height=\"%.2f\"><title>b: 5 images", 200 * log(2) / log(200));
    CU_ASSERT_EQUAL(count("y=\"40.00\" width=\"130.40\" height=\"200.00\"><title>a: 500"), 1);
    CU_ASSERT_EQUAL(count(place), 1);
    CU_ASSERT_EQUAL(count("height=\"0.00\"><title>c: 0 images"), 1);
    CU_ASSERT_EQUAL(count("height=\"0.00\"><title>d: not known"), 1);
    CU_ASSERT_EQUAL(count("nan"), 0);
    CU_ASSERT_EQUAL(count("class=\"name\""), 0);
    finish();
}

/* A thousand classes: numbers under some of them, and no names or values. */
static void test_many_bars(void)
{
    start();
    static const char *names[1000];
    static double values[1000];
    for (int i = 0; i < 1000; i++) {
        names[i] = "n";
        values[i] = i;
    }
    mfm_svg_bars(&m, &(mfm_bars){.title = "t",
                                 .unit = "u",
                                 .series = "bar0",
                                 .names = names,
                                 .values = values,
                                 .count = 1000,
                                 .labels = true});
    CU_ASSERT_EQUAL(count("<rect"), 1000);
    CU_ASSERT_EQUAL(count("class=\"name\"") + count("class=\"value\""), 0);
    CU_ASSERT_EQUAL(count("class=\"x\""), 10);
    finish();
}

/* Epochs 1 to 3 are 326 apart; losses 0 to 4 fill 200 units. */
static void test_lines(void)
{
    start();
    static const double epochs[] = {1, 2, 3}, a[] = {4, 2, 1}, b[] = {NAN, 3, NAN};
    mfm_svg_lines(&m, &(mfm_lines){.title = "Loss",
                                   .epochs = epochs,
                                   .count = 3,
                                   .names = {"training", "meta <set>"},
                                   .values = {a, b},
                                   .series = 2,
                                   .from_zero = true,
                                   .mark = 2,
                                   .mark_text = "best <1>"});
    CU_ASSERT_EQUAL(count("class=\"line0\" d=\"M56.00 40.00L382.00 140.00L708.00 190.00\""), 1);
    CU_ASSERT_EQUAL(count("class=\"line1\" d=\"M382.00 90.00\""), 1);
    CU_ASSERT_EQUAL(count("class=\"dot0\""), 3);
    CU_ASSERT_EQUAL(count("class=\"dot1\""), 1);
    CU_ASSERT_EQUAL(count("class=\"mark\" cx=\"708.00\" cy=\"190.00\""), 1);
    CU_ASSERT_EQUAL(count("class=\"marked\" x=\"690\" y=\"14\">best &lt;1&gt;<"), 1);
    CU_ASSERT_EQUAL(count("meta &lt;set&gt;, epoch 2: 3<"), 1);
    CU_ASSERT_EQUAL(count(">meta &lt;set&gt;</text>"), 0);
    CU_ASSERT_EQUAL(count("nan"), 0);
    finish();
}

/* A number that is missing parts the line. */
static void test_gap(void)
{
    start();
    static const double epochs[] = {1, 2, 3, 4, 5}, a[] = {0, 1, NAN, 1, 0};
    mfm_svg_lines(&m, &(mfm_lines){.title = "t",
                                   .epochs = epochs,
                                   .count = 5,
                                   .names = {"of <a>"},
                                   .values = {a},
                                   .series = 1,
                                   .mark = -1});
    CU_ASSERT_EQUAL(count(">of &lt;a&gt;</text>"), 1);
    CU_ASSERT_EQUAL(count("d=\"M56.00 240.00L219.00 40.00M545.00 40.00L708.00 240.00\""), 1);
    CU_ASSERT_EQUAL(count("class=\"mark\""), 0);
    finish();
}

/* One epoch is a point in the middle; nothing known is a frame; none is nothing. */
static void test_few(void)
{
    static const double epochs[] = {7}, known[] = {5}, unknown[] = {NAN};
    mfm_lines lines = {.title = "t",
                       .epochs = epochs,
                       .count = 1,
                       .names = {"a"},
                       .values = {known},
                       .series = 1,
                       .from_zero = true,
                       .mark = -1};
    start();
    mfm_svg_lines(&m, &lines);
    CU_ASSERT_EQUAL(count("cx=\"382.00\" cy=\"40.00\""), 1);
    finish();
    start();
    lines.values[0] = unknown;
    mfm_svg_lines(&m, &lines);
    CU_ASSERT_EQUAL(count("<circle"), 0);
    CU_ASSERT_EQUAL(count("</svg>"), 1);
    finish();
    start();
    lines.count = 0;
    mfm_svg_lines(&m, &lines);
    CU_ASSERT_PTR_NULL(m.text);
    finish();
}

static const mfm_case cases[] = {
    {"bars are as high as their numbers", test_bars},
    {"long names are cut between characters", test_long_names},
    {"logarithmic bars show the smallest class; what is missing has none", test_log_bars},
    {"many classes are numbered, not named", test_many_bars},
    {"lines go through their numbers", test_lines},
    {"a missing number parts a line", test_gap},
    {"one epoch, none, and none that is known", test_few},
};
MFM_SUITE("core/report/svg", cases)
