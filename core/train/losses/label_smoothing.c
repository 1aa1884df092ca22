/* Szegedy et al., CVPR 2016, section 7: the label keeps 1 - eps, all classes share eps alike. */
#include "core/train/losses/cross_entropy.h"

typedef struct smoothing_values {
    double eps;
} smoothing_values;

static const smoothing_values defaults = {.eps = 0.1};
static const mfm_option table[] = {{.name = "smoothing",
                                    .kind = MFM_OPTION_REAL,
                                    .value = "EPS",
                                    .max = 1,
                                    .offset = offsetof(smoothing_values, eps),
                                    .help = "share of the label that is spread over all classes"}};
static const mfm_settings settings = MFM_SETTINGS("Label smoothing", table, defaults);

static void relabel(const mfm_task *task, const mfm_chosen *chosen, real *rows)
{
    const smoothing_values *v = mfm_values_of(chosen, &settings);
    const int64_t classes = task->classes;
    for (int64_t c = 0; c < classes; c++)
        for (int64_t k = 0; k < classes; k++)
            rows[c * classes + k] = (real)(v->eps / (double)classes + (k == c ? 1 - v->eps : 0));
}

const mfm_loss mfm_loss_label_smoothing = {
    .name = "label-smoothing",
    .summary = "cross-entropy with a part of each label spread over all classes",
    .settings = {&settings},
    .counts = true,
    .build = mfm_cross_entropy_build,
    .relabel = relabel,
};
