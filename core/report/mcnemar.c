#include "core/report/mcnemar.h"

#include <math.h>

/* 2 P(X <= least) for X of `of` trials with probability 1/2; no more than 1. */
static double exact_p(uint64_t least, uint64_t of)
{
    double term = pow(0.5, (double)of), sum = 0; /* C(of, i) / 2^of */
    for (uint64_t i = 0; i <= least; i++) {
        sum += term;
        term *= (double)(of - i) / (double)(i + 1);
    }
    return fmin(1, 2 * sum);
}

void mfm_mcnemar_test(uint64_t only_first, uint64_t only_second, mfm_mcnemar *result)
{
    const uint64_t least = only_first < only_second ? only_first : only_second;
    const uint64_t apart = only_first + only_second, difference = apart - 2 * least;
    result->only_first = only_first;
    result->only_second = only_second;
    result->exact = apart < MFM_MCNEMAR_FEW;
    result->statistic = NAN;
    if (result->exact) {
        result->p = exact_p(least, apart);
        return;
    }
    const double corrected = difference ? (double)difference - 1 : 0;
    result->statistic = corrected * corrected / (double)apart;
    result->p = erfc(sqrt(result->statistic / 2)); /* P(chi-square of one degree > statistic) */
}

mfm_mcnemar mfm_mcnemar_of(const mfm_predictions *first, const mfm_predictions *second)
{
    mfm_mcnemar result = {.both_right = 0};
    uint64_t only_first = 0, only_second = 0;
    for (uint32_t i = 0; i < first->count && i < second->count; i++) {
        if (first->item[i].label < 0 || second->item[i].label < 0)
            continue;
        const bool one = first->item[i].rank == 0, two = second->item[i].rank == 0;
        result.both_right += one && two;
        result.both_wrong += !one && !two;
        only_first += one && !two;
        only_second += !one && two;
    }
    mfm_mcnemar_test(only_first, only_second, &result);
    return result;
}
