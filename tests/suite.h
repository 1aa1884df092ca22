/*
 * One CUnit program: a table of named tests and a main that fails when any of them does.
 *
 *     static const mfm_case cases[] = {{"what holds", function}, ...};
 *     MFM_SUITE("core/data/split", cases)
 */
#ifndef MFM_SUITE_H
#define MFM_SUITE_H

#include <CUnit/Basic.h>
#include <stdio.h>

typedef struct mfm_case {
    const char *name;
    CU_TestFunc run;
} mfm_case;

static inline int mfm_suite_run(const char *name, const mfm_case *cases, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    int failed = suite == NULL;
    for (size_t i = 0; i < count && !failed; i++)
        failed = CU_add_test(suite, cases[i].name, cases[i].run) == NULL;
    if (!failed) {
        CU_basic_set_mode(CU_BRM_VERBOSE);
        failed = CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_failed() > 0 ||
                 CU_get_number_of_tests_run() == 0;
    }
    CU_cleanup_registry();
    return failed;
}

#define MFM_SUITE(name, cases)                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        return mfm_suite_run(name, cases, sizeof(cases) / sizeof((cases)[0]));                     \
    }

#endif
