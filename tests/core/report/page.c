#include "core/report/page/page.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/refusals.h"
#include "tests/suite.h"

static const char *const names[] = {"<b>cat</b>", "dog \"x\"", "bird"};
static const double train[] = {500, 50, 5}, meta[] = {2, 2, 2}, recall[] = {98.5, 60, NAN};
static const double epoch[] = {1, 2, 3}, loss[] = {2, 1, 0.5}, meta_loss[] = {2.5, NAN, 1};
static const double error[] = {30, 12.25, 12.5};
static const mfm_page_row figures[] = {{"Last test error", "12.25 %"}};
static const mfm_page_row options[] = {{"data", "folder:<a&b>"}, {"method", "mfm"}};
static const mfm_page_row files[] = {{"model.onnx", "the model"}};

static mfm_page_run run_of(const char *name, const char *seed, int group)
{
    return (mfm_page_run){.name = name,
                          .command = "onnx-mfm train 'a&b'",
                          .figures = figures,
                          .n_figures = 1,
                          .options = options,
                          .n_options = 2,
                          .files = files,
                          .n_files = 1,
                          .method = "mfm",
                          .data = "folder:<a&b>",
                          .imbalance = "100",
                          .seed = seed,
                          .group = group,
                          .train = train,
                          .meta = meta,
                          .recall = recall,
                          .epochs = 3,
                          .epoch = epoch,
                          .series = {[MFM_PAGE_TRAIN_LOSS] = loss,
                                     [MFM_PAGE_META_LOSS] = meta_loss,
                                     [MFM_PAGE_TEST_ERROR] = error}};
}

static mfm_page page_of_runs(const mfm_page_run *runs, int n_runs)
{
    return (mfm_page){.title = "Training of <m>.onnx",
                      .summary = "a & b",
                      .classes = 3,
                      .class_names = names,
                      .borders = {.medium = 20, .many = 100},
                      .runs = runs,
                      .n_runs = n_runs};
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

enum { MOST_OPEN = 32 };

/* Reads one tag that starts at `at`; keeps the stack of those that are open. */
static bool fits(const char *at, const char *end, const char **open, size_t *n)
{
    const char *name = at + 1 + (at[1] == '/');
    const size_t length = strcspn(name, " />\n");
    if (at[1] == '!' || end[-1] == '/')
        return true;
    if (at[1] != '/')
        return *n < MOST_OPEN && (open[(*n)++] = name) != NULL;
    return *n > 0 && strncmp(open[--*n], name, length) == 0 && strcspn(open[*n], " />\n") == length;
}

/* Every tag is closed, in order, and no quote or ampersand stands alone. */
static bool is_well_formed(const char *text)
{
    const char *open[MOST_OPEN];
    size_t n = 0;
    for (const char *at = text; (at = strchr(at, '<')) != NULL;) {
        const char *end = strchr(at, '>'), *next = strchr(at + 1, '<');
        if (!end || (next && next < end) || !fits(at, end, open, &n))
            return false;
        at = end;
    }
    for (const char *at = text; (at = strchr(at, '&')) != NULL; at++)
        if (at[1 + strcspn(at + 1, ";<> ")] != ';')
            return false;
    return n == 0;
}

static mfm_page_text text;

static void make(mfm_ctx *ctx, const mfm_page *page)
{
    CU_ASSERT_EQUAL_FATAL(mfm_page_html(ctx, page, &text), MFM_OK);
    CU_ASSERT_TRUE(is_well_formed(text.markup.text));
}

static int seen(const char *part)
{
    return count(text.markup.text, part);
}

static void one_run(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_page_run run = run_of("a run", "1", 0);
    const mfm_page page = page_of_runs(&run, 1);
    make(ctx, &page);
    CU_ASSERT_EQUAL(strncmp(text.markup.text, "<!DOCTYPE html>\n", 16), 0);
    CU_ASSERT_EQUAL(seen("<h1>Training of &lt;m&gt;.onnx</h1>"), 1);
    CU_ASSERT_EQUAL(seen("<p>a &amp; b</p>"), 1);
    CU_ASSERT_EQUAL(seen("<svg"), 5); /* three curves, recall, training images */
    CU_ASSERT_EQUAL(text.n_figures, 5);
    CU_ASSERT_EQUAL(seen("<th>data</th><td>folder:&lt;a&amp;b&gt;</td>"), 1);
    CU_ASSERT_EQUAL(seen("<a href=\"model.onnx\">model.onnx</a>"), 1);
    CU_ASSERT_EQUAL(
        seen("<pre><span>onnx-mfm</span> <span>train</span> <span>&#39;a&amp;b&#39;</span></pre>"),
        1);
    CU_ASSERT_EQUAL(seen("<td class=\"n\">12.50</td><td class=\"n\">12.25</td>"), 1);
    CU_ASSERT_EQUAL(seen("<tr><td>&lt;b&gt;cat&lt;/b&gt;</td><td class=\"n\">500</td>"
                         "<td class=\"n\">2</td><td class=\"n\">98.50</td></tr>"),
                    1);
    CU_ASSERT_EQUAL(seen("<td>bird</td><td class=\"n\">5</td><td class=\"n\">2</td>"
                         "<td class=\"n\"></td>"),
                    1);
    CU_ASSERT_EQUAL(seen("mean of"), 0);
    mfm_markup_clear(&text.markup);
    mfm_ctx_free(ctx);
}

/* Two seeds of one command, 12.5 and 15.5: mean 14, deviation of a sample 3 / sqrt(2). The third
 * run is another command's. */
static void several_runs(void)
{
    static const double other[] = {30, 14.25, 15.5};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_page_run runs[] = {run_of("one", "1", 0), run_of("two", "2", 0), run_of("three", "1", 2)};
    runs[1].series[MFM_PAGE_TEST_ERROR] = other;
    const mfm_page page = page_of_runs(runs, 3);
    make(ctx, &page);
    CU_ASSERT_EQUAL(seen("<td>mean of 2</td>"), 1);
    CU_ASSERT_EQUAL(seen("mean of"), 1);
    CU_ASSERT_EQUAL(seen("<td class=\"n\">14.00<small> &#177; 2.12</small></td>"
                         "<td class=\"n\">13.25<small> &#177; 1.41</small></td>"),
                    1);
    CU_ASSERT_EQUAL(seen("<title>epoch 3\none: 12.5 %\ntwo: 15.5 %\nthree: 12.5 %</title>"), 1);
    CU_ASSERT_EQUAL(seen("one, mean 79.25 %"), 4); /* the legend, and three bars */
    CU_ASSERT_EQUAL(seen("<h3>"), 3);
    mfm_markup_clear(&text.markup);
    runs[1].epochs = 2; /* one that was interrupted: there is no mean with it */
    make(ctx, &page);
    CU_ASSERT_EQUAL(seen("mean of"), 0);
    mfm_markup_clear(&text.markup);
    runs[2] = run_of("three", "3", 0); /* but of those that came to their end */
    make(ctx, &page);
    CU_ASSERT_EQUAL(seen("<td>mean of 2</td>"), 1);
    CU_ASSERT_EQUAL(seen("<td class=\"n\">12.50<small> &#177; 0.00</small></td>"), 1);
    mfm_markup_clear(&text.markup);
    mfm_ctx_free(ctx);
}

/* All that an evaluation gives: 4 of 5 right, one of them unsure. */
static void evaluated_run(void)
{
    static const double xy[] = {0, 0, 1, 1};
    static const int group[] = {0, 2};
    static const mfm_page_scatter scatter = {
        .title = "gamma.<l>", .xy = xy, .group = group, .count = 2, .objective = 0.5};
    static const mfm_page_mistake mistake = {.picture = "AAAA",
                                             .file = "dog/<7>.jpg",
                                             .index = 7,
                                             .truth = 1,
                                             .guesses = 2,
                                             .guess = {0, 1},
                                             .share = {90, 10}};
    static const char *const prior_names[] = {"a & b"};
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_confusion confusion;
    mfm_predictions predictions;
    CU_ASSERT_EQUAL_FATAL(mfm_confusion_init(ctx, &confusion, 3), MFM_OK);
    CU_ASSERT_EQUAL_FATAL(mfm_predictions_init(ctx, &predictions, 5), MFM_OK);
    for (int i = 0; i < 5; i++) {
        mfm_confusion_add(&confusion, i % 2, i == 3 ? 0 : i % 2);
        mfm_predictions_add(&predictions, &(mfm_outcome){.rank = i == 3, .confidence = 0.9});
    }
    mfm_page_run run = run_of("a run", "1", 0);
    run.confusion = &confusion;
    run.predictions = &predictions;
    run.scatters = &scatter;
    run.mistakes = &mistake;
    run.n_scatters = run.n_mistakes = 1;
    run.prior_names = prior_names;
    run.priors = &confusion;
    run.n_priors = 1;
    const mfm_page page = page_of_runs(&run, 1);
    make(ctx, &page);
    CU_ASSERT_EQUAL(text.n_figures, 12);
    CU_ASSERT_EQUAL(seen("a run: error 20.00 %"), 2); /* title and label */
    CU_ASSERT_EQUAL(seen("a run, ECE 10.00 %"), 3);   /* and for the pointer */
    CU_ASSERT_EQUAL(seen("gamma.&lt;l&gt; (KL 0.500)"), 2);
    CU_ASSERT_EQUAL(seen("<title>dog &quot;x&quot; as &lt;b&gt;cat&lt;/b&gt;: 1 of 2, 50.0 %"), 1);
    CU_ASSERT_EQUAL(seen("src=\"data:image/png;base64,AAAA\""), 1);
    CU_ASSERT_EQUAL(seen("&lt;b&gt;cat&lt;/b&gt; 90.0 %<br/>"), 1);
    CU_ASSERT_EQUAL(seen("dog/<wbr/>&lt;7&gt;.jpg</span></figure>"), 1);
    CU_ASSERT_EQUAL(seen("<title>&lt;b&gt;cat&lt;/b&gt;, predicted: 80 %"), 1);
    CU_ASSERT_EQUAL(seen("Test images, drawn as a &amp; b</text>"), 1);
    CU_ASSERT_EQUAL(seen("Recall on test images drawn as a &amp; b, %</text>"), 1);
    CU_ASSERT_EQUAL(seen("<title>&lt;b&gt;cat&lt;/b&gt;: 100 %"), 1);
    CU_ASSERT_EQUAL(seen("<title>&lt;b&gt;cat&lt;/b&gt;, drawn: 60 %"), 1);
    CU_ASSERT_EQUAL(seen("<title>&lt;b&gt;cat&lt;/b&gt;, predicted by a run: 80 %"), 1);
    CU_ASSERT_EQUAL(seen("<title>&lt;b&gt;cat&lt;/b&gt;: 3 images"), 1);
    mfm_markup_clear(&text.markup);
    mfm_confusion_clear(ctx, &confusion);
    mfm_predictions_clear(ctx, &predictions);
    mfm_ctx_free(ctx);
}

/* Nothing from elsewhere, nothing that runs but what the head allows by its hash, no text that
 * became a tag. */
static void test_self_contained(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_page_run run = run_of("a run", "1", 0);
    const mfm_page page = page_of_runs(&run, 1);
    make(ctx, &page);
    static const char *const foreign[] = {"<link",  "<img", "src=", "url(", "@import",
                                          "https:", "<b>",  "<m>",  "nan",  "onload"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        CU_ASSERT_EQUAL(seen(foreign[i]), 0);
    CU_ASSERT_EQUAL(seen("<script"), 1);
    CU_ASSERT_EQUAL(seen("script-src 'sha256-"), 1);
    CU_ASSERT_EQUAL(seen("http:"), 1); /* the name of XHTML's name space */
    CU_ASSERT_EQUAL(seen("prefers-color-scheme: dark"), 1);
    CU_ASSERT_EQUAL(seen("@media print"), 2);
    CU_ASSERT_EQUAL(seen("refresh"), 0);
    mfm_markup_clear(&text.markup);
    mfm_ctx_free(ctx);
}

/* Before the first epoch, and for a method without meta set. */
static void test_less(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_page_run run = run_of("a run", "1", 0);
    mfm_page page = page_of_runs(&run, 1);
    run.series[MFM_PAGE_META_LOSS] = NULL;
    make(ctx, &page);
    CU_ASSERT_EQUAL(seen("<svg"), 4);
    CU_ASSERT_EQUAL(seen("Loss on the meta set"), 0);
    mfm_markup_clear(&text.markup);
    run.epochs = 0;
    run.recall = NULL;
    for (int k = 0; k < MFM_PAGE_SERIES; k++)
        run.series[k] = NULL;
    page.under_way = true;
    make(ctx, &page);
    CU_ASSERT_EQUAL(seen("<svg"), 1);
    CU_ASSERT_EQUAL(seen("No epoch was finished."), 1);
    CU_ASSERT_EQUAL(seen("http-equiv=\"refresh\""), 1);
    mfm_markup_clear(&text.markup);
    mfm_ctx_free(ctx);
}

static void test_lowest(void)
{
    static const double unknown[] = {NAN, NAN, 99}, equal[] = {2, 1, 1};
    CU_ASSERT_EQUAL(mfm_page_lowest(equal, 3), 1);
    CU_ASSERT_EQUAL(mfm_page_lowest(unknown, 3), 2);
    CU_ASSERT_EQUAL(mfm_page_lowest(unknown, 2), -1);
}

static int make_page(mfm_ctx *ctx, void *self)
{
    const int status = mfm_page_html(ctx, self, &text);
    if (!status)
        mfm_markup_clear(&text.markup);
    return status;
}

static void test_memory(void)
{
    const mfm_page_run run = run_of("a run", "1", 0);
    mfm_page page = page_of_runs(&run, 1);
    mfm_assert_refusals_are_told(make_page, &page);
}

static const mfm_case cases[] = {
    {"a page tells options, results, classes and files, escaped", one_run},
    {"runs stand side by side, with means over seeds", several_runs},
    {"a page shows what an evaluation gives", evaluated_run},
    {"a page needs nothing from elsewhere and runs its own script alone", test_self_contained},
    {"what is not there is left out", test_less},
    {"the lowest is the first of equals", test_lowest},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};
MFM_SUITE("core/report/page", cases)
