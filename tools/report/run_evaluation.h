/* What the model of a run does with the test images: for the page that shows it. */
#ifndef MFM_RUN_EVALUATION_H
#define MFM_RUN_EVALUATION_H

#include "tools/report/run_record.h"

typedef struct mfm_run_evaluation_options {
    int mistakes; /* pictures of so many misclassified images; 0: none */
    int points;   /* images whose gamma and beta are laid out; 0: none */
    int batch;
    const char *const *priors; /* [n_priors] label distributions, as --test-prior takes them */
    int n_priors;
} mfm_run_evaluation_options;

typedef struct mfm_run_evaluation {
    mfm_ctx *ctx;
    mfm_confusion confusion;
    mfm_predictions predictions;
    mfm_page_mistake *mistakes;
    int n_mistakes;
    mfm_page_scatter *scatters;
    int n_scatters;
    double **layouts;      /* [n_scatters], owned */
    int *groups;           /* classes of the points */
    mfm_confusion *priors; /* [n_priors] of the images drawn by each label distribution */
    int n_priors;
} mfm_run_evaluation;

/* Evaluates model.onnx of the run's folder, lays out what modulator.onnx gives, and adds all of it
 * to the record's page. Fails where the model, the images, or the modulator cannot be read, or the
 * images are not those of the run. Clear it after a failure too, and after the page is written. */
int mfm_run_evaluate(mfm_run_record *record, const mfm_run_evaluation_options *options,
                     mfm_run_evaluation *evaluation);
void mfm_run_evaluation_clear(mfm_run_evaluation *evaluation);

#endif
