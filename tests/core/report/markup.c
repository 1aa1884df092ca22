#include "core/report/charts/markup.h"

#include <string.h>

#include "tests/suite.h"

static void test_escapes(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_markup m;
    mfm_markup_init(&m, ctx);
    mfm_markup_text(&m, "<script>\"a\" & 'b'</script>\t\n\x01\x7f\xc3\xa4");
    CU_ASSERT_EQUAL_FATAL(m.status, MFM_OK);
    CU_ASSERT_STRING_EQUAL(m.text, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;"
                                   "\t\n??\xc3\xa4");
    CU_ASSERT_EQUAL(m.length, strlen(m.text));
    mfm_markup_clear(&m);
    mfm_ctx_free(ctx);
}

static void test_grows(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_markup m;
    mfm_markup_init(&m, ctx);
    for (int i = 0; i < 1000; i++) {
        mfm_markup_add(&m, "%03d", i);
        mfm_markup_text(&m, "<");
    }
    CU_ASSERT_EQUAL_FATAL(m.status, MFM_OK);
    CU_ASSERT_EQUAL(m.length, 7000);
    CU_ASSERT_EQUAL(strlen(m.text), 7000);
    CU_ASSERT_EQUAL(memcmp(m.text + 7 * 417, "417&lt;418&lt;", 14), 0);
    mfm_markup_clear(&m);
    mfm_ctx_free(ctx);
}

static void test_element(void)
{
    mfm_ctx *ctx = mfm_ctx_new(NULL);
    mfm_markup m;
    mfm_markup_init(&m, ctx);
    mfm_markup_element(&m, "td class=\"n\"", "1 < 2");
    mfm_markup_element(&m, "p", "");
    CU_ASSERT_EQUAL_FATAL(m.status, MFM_OK);
    CU_ASSERT_STRING_EQUAL(m.text, "<td class=\"n\">1 &lt; 2</td><p></p>");
    mfm_markup_clear(&m);
    mfm_ctx_free(ctx);
}

static const mfm_case cases[] = {
    {"what has a meaning in HTML is escaped, control characters are replaced", test_escapes},
    {"a text grows to any length", test_grows},
    {"an element ends with its tag, without the attributes", test_element},
};
MFM_SUITE("core/report/markup", cases)
