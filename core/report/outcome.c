#include "core/report/outcome.h"

#include <math.h>
#include <stdbool.h>

const mfm_outcome mfm_outcome_none = {
    .label = -1, .predicted = -1, .rank = -1, .confidence = NAN, .loss = NAN};

static int64_t largest(const real *logits, int64_t classes)
{
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++)
        if (logits[c] > logits[best])
            best = c;
    return best;
}

/* Of numbers that are not, none is the largest. */
static bool is_undecided(const real *logits, int64_t classes)
{
    for (int64_t c = 0; c < classes; c++)
        if (isnan(logits[c]))
            return true;
    return false;
}

static int rank_of(const real *logits, int64_t classes, int label)
{
    int before = 0;
    for (int64_t c = 0; c < classes; c++)
        before += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    return before;
}

mfm_outcome mfm_outcome_of(const real *logits, int64_t classes, int label)
{
    const int64_t best = largest(logits, classes);
    const double top = (double)logits[best];
    double sum = 0; /* of exp(logit - top): the predicted class has 1 / sum */
    for (int64_t c = 0; c < classes; c++)
        sum += exp((double)logits[c] - top);
    mfm_outcome outcome = {.label = label,
                           .predicted = -1,
                           .rank = -1,
                           .confidence = NAN,
                           .loss = top + log(sum) - (double)logits[label]};
    if (is_undecided(logits, classes))
        return outcome;
    outcome.predicted = (int)best;
    outcome.rank = rank_of(logits, classes, label);
    outcome.confidence = isfinite(sum) ? 1 / sum : NAN;
    return outcome;
}
