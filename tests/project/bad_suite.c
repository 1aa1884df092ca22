/* A suite that must be reported as failed: its second test does not hold. Given "empty", a suite
 * without tests, which must not pass either. */
#include <string.h>

#include "tests/suite.h"

static void holds(void)
{
    CU_ASSERT_EQUAL(1 + 1, 2);
}

static void does_not_hold(void)
{
    CU_ASSERT_EQUAL(1 + 1, 3);
}

int main(int argc, char **argv)
{
    static const mfm_case cases[] = {{"one that holds", holds},
                                     {"one that does not", does_not_hold}};
    const int empty = argc > 1 && strcmp(argv[1], "empty") == 0;
    return mfm_suite_run("bad", cases, empty ? 0 : 2);
}
