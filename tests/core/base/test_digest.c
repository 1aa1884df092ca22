/* Digests are XXH3 of 128 bits as xxHash's own test vectors have it. */
#include <string.h>

#include "core/base/digest.h"
#include "tests/suite.h"

static bool is(mfm_digest digest, const char *digits)
{
    char text[MFM_DIGEST_TEXT];
    return strcmp(mfm_digest_text(&digest, text), digits) == 0;
}

/* Of nothing: xxHash's documentation; of "a": python-xxhash, xxh3_128_hexdigest. */
static void test_known(void)
{
    CU_ASSERT(is(mfm_digest_of("", 0), "99aa06d3014798d86001c324468d497f"));
    CU_ASSERT(is(mfm_digest_of("a", 1), "a96faf705af16834e6c632b61e964e1f"));
}

static void test_parts(void)
{
    const mfm_digest a = mfm_digest_of("ab", 2), b = mfm_digest_of("a", 1);
    const mfm_digest one = mfm_digest_more(a, "c", 1), other = mfm_digest_more(b, "bc", 2);
    CU_ASSERT_FALSE(mfm_digest_same(&one, &other)); /* where parts end counts */
    const mfm_digest again = mfm_digest_more(a, "c", 1);
    CU_ASSERT(mfm_digest_same(&one, &again));
    const mfm_digest number = mfm_digest_number(a, 0x0102),
                     bytes = mfm_digest_more(a, "\x02\x01\0\0\0\0\0\0", 8);
    CU_ASSERT(mfm_digest_same(&number, &bytes));
}

static const mfm_case cases[] = {
    {"known digests", test_known},
    {"parts and numbers", test_parts},
};

MFM_SUITE("core/base/digest", cases)
