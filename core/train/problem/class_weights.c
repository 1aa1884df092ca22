#include "core/train/problem/class_weights.h"

#include <math.h>

#include "core/train/training.h"

static const char *const form_names[] = {[MFM_WEIGHTS_NONE] = "none",
                                         [MFM_WEIGHTS_CLASS_BALANCED] = "class-balanced",
                                         [MFM_WEIGHTS_INVERSE] = "inverse",
                                         [MFM_WEIGHTS_SQUARE_ROOT] = "square-root",
                                         NULL};
static const char *const reduction_names[] = {
    [MFM_OVER_SAMPLES] = "samples", [MFM_OVER_WEIGHTS] = "weights", NULL};

static const char *no_weights(const void *values, const mfm_run_facts *run)
{
    const mfm_class_weights *w = values;
    return w->form == MFM_WEIGHTS_NONE        ? "--class-weights is none"
           : w->defer >= run->options->epochs ? "the run ends before --defer-reweight"
                                              : NULL;
}

static const char *no_beta(const void *values, const mfm_run_facts *run)
{
    const char *none = no_weights(values, run);
    const bool has = ((const mfm_class_weights *)values)->form == MFM_WEIGHTS_CLASS_BALANCED;
    return none ? none : has ? NULL : "--class-weights is not class-balanced";
}

static const char *never_weighted(const void *values, const mfm_run_facts *run)
{
    const mfm_class_weights *w = values;
    return w->form == MFM_WEIGHTS_NONE ? NULL : no_weights(w, run);
}

static const char *not_deferred(const void *values, const mfm_run_facts *run)
{
    (void)run;
    const mfm_class_weights *w = values;
    return w->form == MFM_WEIGHTS_NONE ? "--class-weights is none" : NULL;
}

static const mfm_class_weights defaults = {.beta = 0.9999};
static const mfm_option table[] = {
    {.name = "class-weights",
     .kind = MFM_OPTION_CHOICE,
     .value = "W",
     .choices = form_names,
     .offset = offsetof(mfm_class_weights, form),
     .idle = never_weighted,
     .help = "weight classes in the loss by their number of images"},
    {.name = "class-weights-beta",
     .kind = MFM_OPTION_REAL,
     .value = "B",
     .max = 0.9999999999,
     .offset = offsetof(mfm_class_weights, beta),
     .idle = no_beta,
     .help = "beta of class-balanced weights"},
    {.name = "class-weights-mean",
     .kind = MFM_OPTION_CHOICE,
     .value = "OVER",
     .choices = reduction_names,
     .offset = offsetof(mfm_class_weights, reduction),
     .idle = no_weights,
     .help = "what a batch's sum of weighted losses is divided by"},
    {.name = "defer-reweight",
     .kind = MFM_OPTION_UINT,
     .value = "EPOCH",
     .max = 1000000,
     .offset = offsetof(mfm_class_weights, defer),
     .idle = not_deferred,
     .help = "epochs before class weights set in"},
};
const mfm_settings mfm_class_weights_settings = MFM_SETTINGS("Class weights", table, defaults);

double mfm_class_weight(const mfm_class_weights *weights, const mfm_task *task, int64_t c)
{
    const double n = task->images_per_class[c];
    if (n == 0)
        return 0;
    switch ((enum mfm_weights_form)weights->form) {
    case MFM_WEIGHTS_CLASS_BALANCED:
        return (1 - weights->beta) / (1 - pow(weights->beta, n));
    case MFM_WEIGHTS_INVERSE:
        return 1 / n;
    case MFM_WEIGHTS_SQUARE_ROOT:
        return 1 / sqrt(n);
    case MFM_WEIGHTS_NONE:
        break;
    }
    return 1;
}

double mfm_class_weights_scale(const mfm_class_weights *weights, const mfm_task *task)
{
    double sum = 0, present = 0;
    for (int64_t c = 0; c < task->classes; c++) {
        sum += mfm_class_weight(weights, task, c);
        present += task->images_per_class[c] > 0;
    }
    return present / sum;
}
