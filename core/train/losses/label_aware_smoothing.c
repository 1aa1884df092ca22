/*
 * Zhong et al., "Improving Calibration for Long-Tailed Recognition" (MiSLAS), CVPR 2021, section
 * 3.3: label smoothing by eps_y, between `tail` for the class with the fewest images and `head` for
 * the one with most. With x = (n_y - n_min) / (n_max - n_min), equations 6 to 8:
 *     concave  tail + (head - tail) sin(pi x / 2)
 *     linear   tail + (head - tail) x
 *     convex   head + (head - tail) sin(3 pi / 2 + pi x / 2)
 * The label keeps 1 - eps_y, all classes share eps_y alike.
 */
#include <math.h>

#include "core/train/losses/cross_entropy.h"

enum form { CONCAVE, LINEAR, CONVEX };

typedef struct smoothing_values {
    double head, tail;
    int form;
} smoothing_values;

static const char *const form_names[] = {
    [CONCAVE] = "concave", [LINEAR] = "linear", [CONVEX] = "convex", NULL};
static const smoothing_values defaults = {.head = 0.4, .tail = 0.1, .form = CONCAVE};
static const mfm_option table[] = {
    {.name = "smoothing-head",
     .kind = MFM_OPTION_REAL,
     .value = "EPS",
     .max = 1,
     .offset = offsetof(smoothing_values, head),
     .help = "share of the label that is spread over all classes, for the largest class"},
    {.name = "smoothing-tail",
     .kind = MFM_OPTION_REAL,
     .value = "EPS",
     .max = 1,
     .offset = offsetof(smoothing_values, tail),
     .help = "the same for the smallest class"},
    {.name = "smoothing-form",
     .kind = MFM_OPTION_CHOICE,
     .value = "FORM",
     .choices = form_names,
     .offset = offsetof(smoothing_values, form),
     .help = "how the share goes from one to the other"},
};
static const mfm_settings settings = MFM_SETTINGS("Label-aware smoothing", table, defaults);

static double eps_of(const smoothing_values *v, const mfm_task *task, int64_t c)
{
    const double least = mfm_task_smallest(task), most = mfm_task_largest(task);
    const double x = most > least ? (mfm_task_count(task, c) - least) / (most - least) : 1;
    const double span = v->head - v->tail;
    if (v->form == LINEAR)
        return v->tail + span * x;
    return v->form == CONCAVE ? v->tail + span * sin(M_PI * x / 2)
                              : v->head + span * sin(1.5 * M_PI + M_PI * x / 2);
}

static void relabel(const mfm_task *task, const mfm_chosen *chosen, real *rows)
{
    const smoothing_values *v = mfm_values_of(chosen, &settings);
    const int64_t classes = task->classes;
    for (int64_t c = 0; c < classes; c++) {
        const double eps = eps_of(v, task, c);
        for (int64_t k = 0; k < classes; k++)
            rows[c * classes + k] = (real)(eps / (double)classes + (k == c ? 1 - eps : 0));
    }
}

const mfm_loss mfm_loss_label_aware_smoothing = {
    .name = "label-aware-smoothing",
    .summary = "label smoothing, stronger for classes with many images",
    .settings = {&settings},
    .counts = true,
    .build = mfm_cross_entropy_build,
    .relabel = relabel,
};
