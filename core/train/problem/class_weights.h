/*
 * Weights of classes by their number of training images n_c, which any loss takes:
 *     class-balanced   w_c ~ (1 - beta) / (1 - beta^n_c)     Cui et al., CVPR 2019, equation 10
 *     inverse          w_c ~ 1 / n_c
 *     square-root      w_c ~ 1 / sqrt(n_c)
 * scaled to the mean 1 over the classes that have images. The mean of a batch's losses is over its
 * samples (Cui et al.'s code) or over its weights (PyTorch's CrossEntropyLoss, which LDAM's code
 * uses). Weights may set in at some epoch: deferred re-weighting (Cao et al., NeurIPS 2019).
 */
#ifndef MFM_CLASS_WEIGHTS_H
#define MFM_CLASS_WEIGHTS_H

#include "core/base/linkage.h"
#include "core/base/option.h"
#include "core/train/task.h"

MFM_C_BEGIN

enum mfm_weights_form {
    MFM_WEIGHTS_NONE,
    MFM_WEIGHTS_CLASS_BALANCED,
    MFM_WEIGHTS_INVERSE,
    MFM_WEIGHTS_SQUARE_ROOT
};
enum mfm_reduction { MFM_OVER_SAMPLES, MFM_OVER_WEIGHTS };

typedef struct mfm_class_weights {
    int form; /* enum mfm_weights_form */
    double beta;
    int reduction;  /* enum mfm_reduction */
    uint64_t defer; /* epochs without weights at the start */
} mfm_class_weights;

extern const mfm_settings mfm_class_weights_settings;

/* The weight of a class before scaling, 0 for one without images; and the scale. */
double mfm_class_weight(const mfm_class_weights *weights, const mfm_task *task, int64_t c);
double mfm_class_weights_scale(const mfm_class_weights *weights, const mfm_task *task);

MFM_C_END

#endif
