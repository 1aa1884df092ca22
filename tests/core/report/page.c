#include "core/report/page.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/core/engine/support/failing_allocator.h"
#include "tests/suite.h"

static const char *const names[] = {"<b>cat</b>", "dog \"x\"", "bird"};
static const double train[] = {500, 50, 5}, meta[] = {2, 2, 2}, recall[] = {98.5, 60, NAN};
static const double epoch[] = {1, 2, 3}, loss[] = {2, 1, 0.5}, meta_loss[] = {2.5, NAN, 1};
static const double error[] = {30, 12.25, 12.25};
static const mfm_page_row figures[] = {{"Last test error", "12.25 %"}};
static const mfm_page_row options[] = {{"data", "folder:<a&b>"}, {"method", "mfm"}};
static const mfm_page_row files[] = {{"model.onnx", "the model"}};

static mfm_page whole(void)
{
    return (mfm_page){.title = "Training of <m>.onnx",
                      .summary = "a & b",
                      .figures = figures,
                      .n_figures = 1,
                      .options = options,
                      .n_options = 2,
                      .files = files,
                      .n_files = 1,
                      .classes = 3,
                      .class_names = names,
                      .train = train,
                      .meta = meta,
                      .recall = recall,
                      .epochs = 3,
                      .epoch = epoch,
                      .train_loss = loss,
                      .test_error = error,
                      .meta_loss = meta_loss};
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

static char *page_of(mfm_ctx *ctx, const mfm_page *page)
{
    char *text;
    CU_ASSERT_EQUAL_FATAL(mfm_page_html(ctx, page, &text), MFM_OK);
    CU_ASSERT_TRUE(is_well_formed(text));
    return text;
}

static void test_whole(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_page page = whole();
    char *text = page_of(ctx, &page);
    CU_ASSERT_EQUAL(strncmp(text, "<!DOCTYPE html>\n", 16), 0);
    CU_ASSERT_EQUAL(count(text, "<h1>Training of &lt;m&gt;.onnx</h1>"), 1);
    CU_ASSERT_EQUAL(count(text, "<p>a &amp; b</p>"), 1);
    CU_ASSERT_EQUAL(count(text, "<svg"), 4);
    CU_ASSERT_EQUAL(count(text, "<th>data</th><td>folder:&lt;a&amp;b&gt;</td>"), 1);
    CU_ASSERT_EQUAL(count(text, "<a href=\"model.onnx\">model.onnx</a>"), 1);
    CU_ASSERT_EQUAL(count(text, ">lowest: 12.25 % (epoch 2, chosen on the test images)</text>"), 1);
    CU_ASSERT_EQUAL(count(text, "<tr><td>&lt;b&gt;cat&lt;/b&gt;</td><td class=\"n\">500</td>"
                                "<td class=\"n\">2</td><td class=\"n\">98.50</td></tr>"),
                    1);
    CU_ASSERT_EQUAL(count(text, "<td>bird</td><td class=\"n\">5</td><td class=\"n\">2</td>"
                                "<td class=\"n\"></td>"),
                    1);
    mfm_free(ctx, text);
    mfm_ctx_free(ctx);
}

/* Nothing from elsewhere, nothing that runs, no text that became a tag. */
static void test_self_contained(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    const mfm_page page = whole();
    char *text = page_of(ctx, &page);
    static const char *const foreign[] = {"<script", "<link", "<img", "src=", "url(",  "@import",
                                          "https:",  "<b>",   "<m>",  "nan",  "onload"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        CU_ASSERT_EQUAL(count(text, foreign[i]), 0);
    CU_ASSERT_EQUAL(count(text, "http:"), 1); /* the name of XHTML's name space */
    CU_ASSERT_EQUAL(count(text, "prefers-color-scheme: dark"), 1);
    CU_ASSERT_EQUAL(count(text, "@media print"), 1);
    mfm_free(ctx, text);
    mfm_ctx_free(ctx);
}

/* Before the first epoch, and for a method without meta set. */
static void test_less(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_page page = whole();
    page.meta_loss = NULL;
    char *text = page_of(ctx, &page);
    CU_ASSERT_EQUAL(count(text, "class=\"line1\""), 0);
    mfm_free(ctx, text);
    page.validation_error = meta_loss; /* any numbers */
    text = page_of(ctx, &page);
    CU_ASSERT_EQUAL(count(text, "<svg"), 5);
    CU_ASSERT_EQUAL(count(text, ">Validation error in percent<"), 1);
    CU_ASSERT_EQUAL(count(text, "chosen on the test images"), 1);
    mfm_free(ctx, text);
    page.epochs = 0;
    page.recall = NULL;
    text = page_of(ctx, &page);
    CU_ASSERT_EQUAL(count(text, "<svg"), 1);
    CU_ASSERT_EQUAL(count(text, "No epoch was finished."), 1);
    CU_ASSERT_EQUAL(mfm_page_lowest(&page, page.test_error), -1);
    mfm_free(ctx, text);
    mfm_ctx_free(ctx);
}

static void test_best(void)
{
    mfm_page page = whole();
    CU_ASSERT_EQUAL(mfm_page_lowest(&page, page.test_error), 1);
    static const double unknown[] = {NAN, NAN, 99};
    CU_ASSERT_EQUAL(mfm_page_lowest(&page, unknown), 2);
}

static int make_page(mfm_ctx *ctx, void *self)
{
    char *text;
    const int status = mfm_page_html(ctx, self, &text);
    mfm_free(ctx, text);
    return status;
}

static void test_memory(void)
{
    mfm_page page = whole();
    const char *wrong = mfm_failing_attempts(make_page, &page);
    CU_ASSERT_PTR_NULL(wrong);
    if (wrong)
        printf("\n    %s\n", wrong);
}

static const mfm_case cases[] = {
    {"a page tells options, results, classes and files, escaped", test_whole},
    {"a page needs nothing from elsewhere and runs nothing", test_self_contained},
    {"what is not there is left out", test_less},
    {"the best epoch is the first with the smallest error", test_best},
    {"any refused allocation is reported, and nothing leaks", test_memory},
};
MFM_SUITE("core/report/page", cases)
